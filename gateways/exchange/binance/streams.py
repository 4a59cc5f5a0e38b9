"""Market streams: subscriptions by name, and the events that ccxt reads."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

from domain.money import ZERO
from gateways.exchange.binance.shapes import amount, book_ticker, ticker_24h
from gateways.exchange.clock import VenueClock
from gateways.exchange.depth import Level
from gateways.exchange.klines import INTERVALS_MS, Kline
from gateways.exchange.market import Listing, Market, Print
from gateways.exchange.reading import read_json
from gateways.exchange.sockets import Connection, Connections

STREAMS_MAX = 1_024
"""Of one connection."""
DEPTHS = ("depth", "depth@100ms")
DEPTH_EVERY_S = 0.1
KLINES_EVERY, TICKERS_EVERY = 2, 5
"""So many depths."""


class MarketStreams:
    """Tells every listener of the streams that it asked for."""

    def __init__(self, market: Market, clock: VenueClock, connections: Connections) -> None:
        self._market, self._clock, self._connections = market, clock, connections
        self._listeners: dict[str, dict[Connection, bool]] = {}
        """By stream; whether the listener wants its name around each event."""
        self._sent_klines: dict[str, tuple[int, int, Any]] = {}
        self._sent_depths: dict[str, tuple[int, dict[Any, Any], dict[Any, Any]]] = {}
        self._touched: dict[str, tuple[set[Any], set[Any]]] = {}
        """By stream, what was in the book at any time since it was told last."""
        for listing in market.listings.values():
            listing.watchers.append(self._trade)

    def add_routes(self, app: web.Application) -> None:
        """Take the paths."""
        for path in ("/stream/ws", "/stream/ws/{name}", "/ws", "/ws/{name}", "/stream"):
            app.router.add_get(path, self._serve)

    async def run(self) -> None:
        """Tell what is told by the clock, for ever."""
        turn = 0
        while True:
            await asyncio.sleep(DEPTH_EVERY_S)
            turn += 1
            self._tell_depths()
            if turn % KLINES_EVERY == 0:
                self._tell_klines()
            if turn % TICKERS_EVERY == 0:
                self._tell_tickers()

    # -- subscriptions ---------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        is_combined = request.path == "/stream"
        named = request.query.get("streams", "").split("/") if is_combined else [request.match_info.get("name", "")]
        return await self._connections.serve(
            "stream.market",
            request,
            lambda connection, text: self._hear(connection, text, is_combined),
            join=lambda connection: self._subscribe(connection, [name for name in named if "@" in name], is_combined),
            leave=lambda connection: self._unsubscribe(connection, list(self._listeners)),
        )

    def _hear(self, connection: Connection, text: str, is_combined: bool) -> None:
        try:
            said = read_json(text)
            method, names, number = said["method"], said.get("params") or [], said.get("id")
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
            connection.say(_json({"error": {"code": 2, "msg": "Invalid request: it must be JSON with a method"}}))
            return
        names = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
        result = None
        match method:
            case "SUBSCRIBE" if self._may_have(connection, names):
                self._subscribe(connection, names, is_combined)
            case "UNSUBSCRIBE":
                self._unsubscribe(connection, names)
            case "LIST_SUBSCRIPTIONS":
                result = sorted(name for name, listeners in self._listeners.items() if connection in listeners)
            case _:
                connection.say(_json({"error": {"code": 2, "msg": f"Invalid request: {method!s:.40}"}, "id": number}))
                return
        connection.say(_json({"result": result, "id": number}))

    def _may_have(self, connection: Connection, names: Iterable[str]) -> bool:
        known = {name for name, listeners in self._listeners.items() if connection in listeners}
        return len(known.union(names)) <= STREAMS_MAX

    def _subscribe(self, connection: Connection, names: Iterable[str], is_combined: bool) -> None:
        for name in names:
            symbol, _, channel = name.partition("@")
            if symbol.upper() in self._market.listings and channel and len(name) < 64:
                self._listeners.setdefault(name, {})[connection] = is_combined

    def _unsubscribe(self, connection: Connection, names: Iterable[str]) -> None:
        for name in names:
            listeners = self._listeners.get(name, {})
            listeners.pop(connection, None)
            if not listeners:
                self._listeners.pop(name, None)
                self._sent_klines.pop(name, None)
                self._sent_depths.pop(name, None)
                self._touched.pop(name, None)

    # -- events ----------------------------------------------------------------------------------------------------

    def _publish(self, listing: Listing, channel: str, kind: str, event: Callable[[], dict[str, Any]]) -> None:
        name = f"{listing.instrument.symbol.lower()}@{channel}"
        listeners = self._listeners.get(name)
        if not listeners:
            return
        plain = _json(event())
        wrapped = b'{"stream":"%s","data":%s}' % (name.encode(), plain)
        for connection, is_combined in list(listeners.items()):
            connection.send(kind, wrapped if is_combined else plain)

    def _trade(self, listing: Listing, made: Print) -> None:
        symbol, number, tick = listing.instrument.symbol, made.number, made.tick
        core = {
            "E": tick.at,
            "s": symbol,
            "p": amount(tick.price),
            "q": amount(tick.quantity),
            "T": tick.at,
            "m": tick.buyer_is_maker,
            "M": True,
        }
        self._publish(listing, "trade", "trade", lambda: {"e": "trade", "t": number} | core)
        ids = {"a": number, "f": number, "l": number}
        self._publish(listing, "aggTrade", "aggTrade", lambda: {"e": "aggTrade"} | ids | core)
        self._publish(listing, "bookTicker", "bookTicker", lambda: _book(listing))
        for name in (f"{symbol.lower()}@{channel}" for channel in DEPTHS):
            if name in self._listeners:
                bids, asks = self._touched.setdefault(name, (set(), set()))
                bids.update(level.price for level in listing.depth().bids)
                asks.update(level.price for level in listing.depth().asks)

    def _tell_depths(self) -> None:
        for listing in self._market.listings.values():
            for channel in DEPTHS:
                name = f"{listing.instrument.symbol.lower()}@{channel}"
                if name in self._listeners:
                    self._tell_depth(listing, channel, name)

    def _tell_depth(self, listing: Listing, channel: str, name: str) -> None:
        depth, symbol = listing.depth(), listing.instrument.symbol
        bids, asks = _by_price(depth.bids), _by_price(depth.asks)
        number, old_bids, old_asks = self._sent_depths.get(name, (listing.number - 1, {}, {}))
        if number == listing.number:
            return
        touched_bids, touched_asks = self._touched.get(name, (set(), set()))
        event = {
            "e": "depthUpdate",
            "E": self._clock.now(),
            "s": symbol,
            "U": number + 1,
            "u": listing.number,
            "b": _changes(old_bids, bids, touched_bids),
            "a": _changes(old_asks, asks, touched_asks),
        }
        self._sent_depths[name] = (listing.number, bids, asks)
        self._publish(listing, channel, "depth", lambda: event)

    def _tell_klines(self) -> None:
        now = self._clock.now()
        for name in [name for name in self._listeners if "@kline_" in name]:
            symbol, _, interval = name.partition("@kline_")
            if interval not in INTERVALS_MS:
                continue
            listing = self._market.listings[symbol.upper()]
            for kline in listing.klines(interval, begin=0, end=now, limit=2):
                self._tell_kline(listing, name, interval, kline, kline.closed_at <= now)

    def _tell_kline(self, listing: Listing, name: str, interval: str, kline: Kline, is_closed: bool) -> None:
        state = (kline.opened_at, int(is_closed), kline.trades)
        if state <= self._sent_klines.get(name, (0, 0, 0)):
            return
        self._sent_klines[name] = state
        event = _kline(listing.instrument.symbol, interval, kline, is_closed, self._clock.now())
        self._publish(listing, f"kline_{interval}", "kline", lambda: event)

    def _tell_tickers(self) -> None:
        now = self._clock.now()
        for listing in self._market.listings.values():
            self._publish(listing, "miniTicker", "miniTicker", partial(_mini, listing, now))
            self._publish(listing, "ticker", "ticker", partial(_ticker, listing, now))


def _kline(symbol: str, interval: str, kline: Kline, is_closed: bool, now: int) -> dict[str, Any]:
    values = {
        "t": kline.opened_at,
        "T": kline.closed_at - 1,
        "s": symbol,
        "i": interval,
        "f": -1,
        "L": -1,
        "o": amount(kline.open),
        "c": amount(kline.close),
        "h": amount(kline.high),
        "l": amount(kline.low),
        "v": amount(kline.volume),
        "n": kline.trades,
        "x": is_closed,
        "q": amount(kline.worth),
        "V": amount(kline.bought),
        "Q": amount(kline.bought_worth),
        "B": "0",
    }
    return {"e": "kline", "E": now, "s": symbol, "k": values}


def _mini(listing: Listing, now: int) -> dict[str, Any]:
    day = ticker_24h(listing, now)
    names = {"c": "lastPrice", "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume"}
    return {"e": "24hrMiniTicker", "E": now, "s": day["symbol"]} | {key: day[name] for key, name in names.items()}


def _ticker(listing: Listing, now: int) -> dict[str, Any]:
    day = ticker_24h(listing, now)
    names = {
        "p": "priceChange",
        "P": "priceChangePercent",
        "w": "weightedAvgPrice",
        "x": "prevClosePrice",
        "c": "lastPrice",
        "Q": "lastQty",
        "b": "bidPrice",
        "B": "bidQty",
        "a": "askPrice",
        "A": "askQty",
        "o": "openPrice",
        "h": "highPrice",
        "l": "lowPrice",
        "v": "volume",
        "q": "quoteVolume",
        "O": "openTime",
        "C": "closeTime",
        "F": "firstId",
        "L": "lastId",
        "n": "count",
    }
    return {"e": "24hrTicker", "E": now, "s": day["symbol"]} | {key: day[name] for key, name in names.items()}


def _book(listing: Listing) -> dict[str, Any]:
    best = book_ticker(listing)
    names = {"s": "symbol", "b": "bidPrice", "B": "bidQty", "a": "askPrice", "A": "askQty"}
    return {"u": listing.number} | {key: best[name] for key, name in names.items()}


def _by_price(levels: list[Level]) -> dict[Any, Any]:
    return {level.price: level.quantity for level in levels}


def _changes(old: dict[Any, Any], new: dict[Any, Any], touched: set[Any]) -> list[list[str]]:
    """Return levels that are other than before; 0 for those that are gone, also if they came and went in between."""
    gone = sorted(price for price in {*old, *touched} if price not in new)
    changed = [(price, quantity) for price, quantity in new.items() if old.get(price) != quantity]
    touched.clear()
    changed += [(price, ZERO) for price in gone]
    return [[amount(price), amount(quantity)] for price, quantity in changed]


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value)
