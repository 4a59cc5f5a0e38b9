"""The account's stream: who shows the key may hear of orders, trades and balances."""

from collections.abc import Iterator
from typing import Any

import msgspec
from aiohttp import web

from gateways.exchange.bybit.shapes import execution_row, order_row, wallet
from gateways.exchange.bybit.signing import STREAM_REALM, signature_of
from gateways.exchange.bybit.streams import read_op
from gateways.exchange.house import House
from gateways.exchange.orders import Event, HoldingsChanged, Reported
from gateways.exchange.reading import is_same
from gateways.exchange.sockets import Connection

TOPICS = frozenset({"order", "execution", "wallet"})


class UserStream:
    """Tells everybody who showed the key what happens to the account, topic by topic."""

    def __init__(self, house: House) -> None:
        self._keys, self._clock, self._gate = house.keys, house.clock, house.gate
        self._connections = house.connections
        self._topics: dict[Connection, set[str]] = {}
        """Of each listener that has shown the key."""
        self._number = 0
        house.engine.account.watch(self._tell)

    def add_routes(self, app: web.Application) -> None:
        """Take the path."""
        app.router.add_get("/v5/private", self._serve)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        return await self._connections.serve("stream.user", request, self._hear, leave=self._leave)

    def _hear(self, connection: Connection, text: str) -> None:
        connection.say(msgspec.json.encode(self._answer(connection, text)))

    def _leave(self, connection: Connection) -> None:
        self._topics.pop(connection, None)

    def _answer(self, connection: Connection, text: str) -> dict[str, Any]:
        op, arguments, number = read_op(text)
        told = {"success": True, "ret_msg": "", "op": op, "conn_id": "1"}
        told |= {} if number is None else {"req_id": number}
        match op:
            case "ping":
                return {"req_id": number, "op": "pong", "args": [str(self._clock.shown())], "conn_id": "1"}
            case "auth" if self._is_owner(arguments):
                self._topics.setdefault(connection, set())
                return told
            case "subscribe" if connection in self._topics and TOPICS.issuperset(arguments):
                self._topics[connection] |= set(arguments)
                return told
            case "unsubscribe" if connection in self._topics:
                self._topics[connection] -= set(arguments)
                return told
        reason = "Request not authorized" if op != "auth" and connection not in self._topics else "Params Error"
        return told | {"success": False, "ret_msg": reason}

    def _is_owner(self, arguments: list[str]) -> bool:
        now = self._clock.now()
        if len(arguments) != 3 or self._gate.is_revoked(now) or self._gate.is_maintained(now):
            return False
        key, expires, signature = arguments
        good_until = int(expires) if expires.isdecimal() and len(expires) < 18 else 0
        wanted = signature_of(STREAM_REALM + expires, self._keys.secret)
        is_signed = is_same(signature, wanted)
        return is_same(key, self._keys.api_key) and is_signed and good_until > now

    def _tell(self, event: Event) -> None:
        if not self._topics:
            return
        for topic, kind, data in _told(event):
            self._number += 1
            body = {"id": str(self._number), "topic": topic, "creationTime": event.at, "data": data}
            frame = msgspec.json.encode(body)
            for connection, topics in list(self._topics.items()):
                if topic in topics:
                    connection.send(kind, frame)


def _told(event: Event) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Yield topics, kinds of frames, and what they bear."""
    match event:
        case Reported():
            if event.trade is not None:
                yield "execution", "execution", [execution_row(event.trade) | {"category": "spot"}]
            yield "order", event.what, [order_row(event.order) | {"category": "spot"}]
        case HoldingsChanged():
            yield "wallet", "balance", wallet(event.holdings)
