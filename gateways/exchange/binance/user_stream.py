"""The account's stream, over the exchange's WebSocket API: what happens to orders and balances."""

from typing import Any

import msgspec
from aiohttp import web

from domain.money import ZERO
from gateways.exchange.binance.errors import ApiError
from gateways.exchange.binance.parameters import Parameters
from gateways.exchange.binance.shapes import KINDS, amount
from gateways.exchange.binance.signing import demand_key, demand_time, signature_of
from gateways.exchange.house import House
from gateways.exchange.orders import Event, HoldingsChanged, Moved, Reported
from gateways.exchange.reading import is_same, read_json
from gateways.exchange.sockets import Connection

_EXECUTIONS = {"new": "NEW", "trade": "TRADE", "canceled": "CANCELED", "expired": "EXPIRED"}


class UserStream:
    """Tells everybody who showed the key what happens to the account."""

    def __init__(self, house: House) -> None:
        self._keys, self._clock, self._gate = house.keys, house.clock, house.gate
        self._connections = house.connections
        self._listeners: dict[Connection, int] = {}
        """With the number of each one's subscription."""
        self._number = -1
        house.engine.account.watch(self._tell)

    def add_routes(self, app: web.Application) -> None:
        """Take the path."""
        app.router.add_get("/ws-api/v3", self._serve)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        return await self._connections.serve("stream.user", request, self._hear, leave=self._leave)

    def _hear(self, connection: Connection, text: str) -> None:
        connection.say(msgspec.json.encode(self._answer(connection, text)))

    def _leave(self, connection: Connection) -> None:
        self._listeners.pop(connection, None)

    def _answer(self, connection: Connection, text: str) -> dict[str, Any]:
        number: Any = None
        try:
            said = read_json(text)
            number, method, params = said.get("id"), said.get("method"), said.get("params") or {}
            if not isinstance(params, dict):
                raise ApiError(-1100, "Illegal params.")
            return {"id": number, "status": 200, "result": self._do(connection, method, params), "rateLimits": []}
        except (msgspec.DecodeError, AttributeError):
            error = ApiError(-1135, "Invalid JSON Request")
        except ApiError as refused:
            error = refused
        return {"id": number, "status": error.status, "error": {"code": error.code, "msg": error.message}}

    def _do(self, connection: Connection, method: Any, params: dict[str, Any]) -> Any:
        match method:
            case "ping":
                return {}
            case "time":
                return {"serverTime": self._clock.shown()}
            case "userDataStream.subscribe.signature":
                self._demand_owner(params)
                if connection not in self._listeners:
                    self._number += 1
                    self._listeners[connection] = self._number
                return {"subscriptionId": self._listeners[connection]}
            case "userDataStream.unsubscribe":
                self._listeners.pop(connection, None)
                return {}
        raise ApiError(-1000, f"Unknown method {method!s:.60}")

    def _demand_owner(self, params: dict[str, Any]) -> None:
        values = {str(key): str(value) for key, value in params.items()}
        given = values.pop("signature", "")
        payload = "&".join(f"{key}={values[key]}" for key in sorted(values))
        if self._gate.is_maintained(self._clock.now()):
            raise ApiError(1, "System is under maintenance.", status=503)
        demand_key(values.get("apiKey"), self._keys.api_key, is_revoked=self._gate.is_revoked(self._clock.now()))
        demand_time(Parameters(query=payload, body=""), self._clock.shown())
        if not is_same(given, signature_of(payload, self._keys.secret)):
            raise ApiError(-1022, "Signature for this request is not valid.")

    def _tell(self, event: Event) -> None:
        if not self._listeners:
            return
        kind: str
        match event:
            case Reported():
                kind, body = event.what, _execution(event)
            case HoldingsChanged():
                kind, body = "balance", _position(event)
            case Moved():
                kind, body = "balance", _moved(event)
        for connection, number in list(self._listeners.items()):
            connection.send(kind, msgspec.json.encode({"subscriptionId": number, "event": body}))


def _execution(event: Reported) -> dict[str, Any]:
    order, trade, request = event.order, event.trade, event.order.request
    worth = ZERO if trade is None else trade.price * trade.quantity
    report = {
        "e": "executionReport",
        "E": event.at,
        "s": request.symbol,
        "c": event.canceled_by or request.client_id,
        "S": request.side.upper(),
        "o": KINDS[request.kind],
        "f": request.time_in_force,
        "q": amount(order.quantity),
        "p": amount(request.price),
        "P": amount(request.stop_price),
        "F": amount(ZERO),
        "g": -1,
        "C": request.client_id if event.canceled_by else "",
        "x": _EXECUTIONS[event.what],
        "X": order.status.upper(),
        "r": "NONE",
        "i": order.order_id,
        "l": amount(ZERO if trade is None else trade.quantity),
        "z": amount(order.executed),
        "L": amount(ZERO if trade is None else trade.price),
        "n": amount(ZERO if trade is None else trade.fee),
        "N": None if trade is None else trade.fee_asset,
        "T": event.at,
        "t": -1 if trade is None else trade.trade_id,
        "I": order.order_id * 2,
        "w": order.is_open and bool(order.working_at),
        "m": trade is not None and trade.is_maker,
        "M": False,
        "O": order.created_at,
        "Z": amount(order.executed_worth),
        "Y": amount(worth),
        "Q": amount(request.worth),
        "V": "EXPIRE_MAKER",
    }
    return report | ({"W": order.working_at} if order.working_at else {})


def _position(event: HoldingsChanged) -> dict[str, Any]:
    balances = [
        {"a": asset, "f": amount(holding.free), "l": amount(holding.locked)}
        for asset, holding in event.holdings.items()
    ]
    return {"e": "outboundAccountPosition", "E": event.at, "u": event.at, "B": balances}


def _moved(event: Moved) -> dict[str, Any]:
    return {"e": "balanceUpdate", "E": event.at, "a": event.asset, "d": amount(event.amount), "T": event.at}
