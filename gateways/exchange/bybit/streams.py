"""Market streams: subscriptions by topic, and what ccxt reads of them."""

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from gateways.exchange.bybit.shapes import INTERVALS, amount, public_trade, ticker
from gateways.exchange.clock import VenueClock
from gateways.exchange.klines import Kline
from gateways.exchange.market import Listing, Market, Print
from gateways.exchange.reading import read_json
from gateways.exchange.sockets import Connection, Connections

TOPICS_MAX = 1_024
"""Of one connection."""
DEPTHS = ("1", "50", "200", "1000")
EVERY_S = 0.1
KLINES_EVERY, TICKERS_EVERY = 2, 3


class MarketStreams:
    """Tells every listener of the topics that it asked for."""

    def __init__(self, market: Market, clock: VenueClock, connections: Connections) -> None:
        self._market, self._clock, self._connections = market, clock, connections
        self._listeners: dict[str, set[Connection]] = {}
        self._told: dict[str, Any] = {}
        """By topic, what was told last."""
        for listing in market.listings.values():
            listing.watchers.append(self._tell_trade)

    def add_routes(self, app: web.Application) -> None:
        """Take the path."""
        app.router.add_get("/v5/public/spot", self._serve)

    async def run(self) -> None:
        """Tell what is told by the clock, for ever."""
        turn = 0
        while True:
            await asyncio.sleep(EVERY_S)
            turn += 1
            for topic in list(self._listeners):
                kind, _, rest = topic.partition(".")
                middle, _, symbol = rest.rpartition(".")
                listing = self._market.listings[symbol]
                if kind == "orderbook":
                    self._tell_depth(topic, int(middle), listing)
                elif kind == "kline" and turn % KLINES_EVERY == 0:
                    self._tell_klines(topic, middle, listing)
                elif kind == "tickers" and turn % TICKERS_EVERY == 0:
                    self._publish(topic, "ticker", ticker(listing, self._clock.now()), kind="snapshot")

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        return await self._connections.serve("stream.market", request, self._hear, leave=self._leave_all)

    def _hear(self, connection: Connection, text: str) -> None:
        connection.say(msgspec.json.encode(self._answer(connection, text)))

    def _answer(self, connection: Connection, text: str) -> dict[str, Any]:
        op, topics, number = read_op(text)
        told = {"success": True, "ret_msg": "", "conn_id": "1", "req_id": number, "op": op}
        match op:
            case "ping":
                return told | {"ret_msg": "pong"}
            case "subscribe" if all(map(self._is_topic, topics)) and len(topics) <= TOPICS_MAX:
                for topic in topics:
                    self._join(connection, topic)
            case "unsubscribe":
                self._leave(connection, topics)
            case _:
                return told | {"success": False, "ret_msg": f"error:handler not found,{op:.40}"}
        return told

    def _is_topic(self, topic: str) -> bool:
        kind, _, rest = topic.partition(".")
        middle, _, symbol = rest.rpartition(".")
        known = {"publicTrade": ("",), "tickers": ("",), "orderbook": DEPTHS, "kline": tuple(INTERVALS)}
        return symbol in self._market.listings and middle in known.get(kind, ())

    def _join(self, connection: Connection, topic: str) -> None:
        self._listeners.setdefault(topic, set()).add(connection)
        # Whoever comes new is told the whole book, as everybody is then once more.
        self._told.pop(topic, None)

    def _leave_all(self, connection: Connection) -> None:
        self._leave(connection, list(self._listeners))

    def _leave(self, connection: Connection, topics: list[str]) -> None:
        for topic in topics:
            listeners = self._listeners.get(topic, set())
            listeners.discard(connection)
            if not listeners:
                self._listeners.pop(topic, None)
                self._told.pop(topic, None)

    # -- what is told --------------------------------------------------------------------------------------------

    def _publish(self, topic: str, frame: str, data: Any, *, kind: str) -> None:
        now = self._clock.now()
        body = msgspec.json.encode({"topic": topic, "type": kind, "ts": now, "cts": now, "data": data})
        for connection in list(self._listeners.get(topic, ())):
            connection.send(frame, body)

    def _tell_trade(self, listing: Listing, made: Print) -> None:
        topic = f"publicTrade.{listing.instrument.symbol}"
        if topic not in self._listeners:
            return
        row = public_trade(made)
        names = {"s": "symbol", "S": "side", "v": "size", "p": "price", "i": "execId", "BT": "isBlockTrade"}
        data = {key: row[name] for key, name in names.items()} | {"T": made.tick.at}
        self._publish(topic, "trade", [data], kind="snapshot")

    def _tell_depth(self, topic: str, most: int, listing: Listing) -> None:
        depth = listing.depth()
        sides = tuple({level.price: level.quantity for level in side[:most]} for side in depth)
        before = self._told.get(topic)
        if before == sides:
            return
        self._told[topic] = sides
        old: tuple[dict[Any, Any], ...] = before or ({}, {})
        b, a = (_changes(was, now) for was, now in zip(old, sides, strict=True))
        data = {"s": listing.instrument.symbol, "b": b, "a": a, "u": listing.number, "seq": listing.number}
        self._publish(topic, "depth", data, kind="snapshot" if before is None else "delta")

    def _tell_klines(self, topic: str, interval: str, listing: Listing) -> None:
        now = self._clock.now()
        for kline in listing.klines(INTERVALS[interval], begin=0, end=now, limit=2):
            state = (kline.opened_at, kline.closed_at <= now, kline.trades)
            if state > self._told.get(topic, (0, False, 0)):
                self._told[topic] = state
                self._publish(topic, "kline", [_kline(kline, interval, is_closed=state[1], now=now)], kind="snapshot")


def read_op(text: str) -> tuple[str, list[str], Any]:
    """Return what a message asks for, its arguments, and its number; nothing for what is none."""
    try:
        said = read_json(text)
    except msgspec.DecodeError:
        said = None
    if not isinstance(said, dict):
        return "", [], None
    given = said.get("args")
    arguments = [str(each) for each in given] if isinstance(given, list) else []
    number = said.get("req_id")
    return str(said.get("op", "")), arguments, number if number is None else str(number)


def _kline(kline: Kline, interval: str, *, is_closed: bool, now: int) -> dict[str, Any]:
    numbers = {"open": kline.open, "close": kline.close, "high": kline.high, "low": kline.low}
    numbers |= {"volume": kline.volume, "turnover": kline.worth}
    times = {"start": kline.opened_at, "end": kline.closed_at - 1, "timestamp": now}
    plain = {name: amount(value) for name, value in numbers.items()}
    return times | {"interval": interval, "confirm": is_closed} | plain


def _changes(old: dict[Any, Any], new: dict[Any, Any]) -> list[list[str]]:
    """Return levels that are other than before; 0 for those that are gone."""
    changed = [[amount(price), amount(quantity)] for price, quantity in new.items() if old.get(price) != quantity]
    return changed + [[amount(price), "0"] for price in old if price not in new]
