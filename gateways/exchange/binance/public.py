"""What anybody may ask of the market."""

from typing import Any

from domain.market import Instant
from gateways.exchange.binance import shapes
from gateways.exchange.binance.errors import ApiError
from gateways.exchange.binance.parameters import Parameters
from gateways.exchange.clock import VenueClock
from gateways.exchange.klines import INTERVALS_MS
from gateways.exchange.market import Listing, Market, Print
from gateways.exchange.settings import ExchangeSettings

FAR: Instant = 2**62
"""Later than every request."""


class PublicApi:
    """Answers from the market, as JSON has it.  Every method raises ApiError for what cannot be answered."""

    def __init__(self, market: Market, clock: VenueClock, settings: ExchangeSettings) -> None:
        self._market, self._clock, self._settings = market, clock, settings

    def ping(self, asked: Parameters) -> Any:
        """Answer."""
        return {}

    def time(self, asked: Parameters) -> Any:
        """Tell the exchange's time."""
        return {"serverTime": self._clock.shown()}

    def exchange_info(self, asked: Parameters) -> Any:
        """Tell symbols and rules."""
        wanted = asked.text_or("symbol", "")
        listings = [self.listing(wanted)] if wanted else self._listed(asked)
        return {
            "timezone": "UTC",
            "serverTime": self._clock.shown(),
            "rateLimits": shapes.limits(self._settings.weight_max, self._settings.orders_max),
            "exchangeFilters": [],
            "symbols": [shapes.symbol_info(listing) for listing in listings],
        }

    def ticker(self, asked: Parameters) -> Any:
        """Tell what the last day came to, of one symbol or of all."""
        now = self._clock.now()
        return self._one_or_all(asked, lambda listing: shapes.ticker_24h(listing, now))

    def book_ticker(self, asked: Parameters) -> Any:
        """Tell best bid and ask, of one symbol or of all."""
        return self._one_or_all(asked, shapes.book_ticker)

    def price(self, asked: Parameters) -> Any:
        """Tell the last price, of one symbol or of all."""
        return self._one_or_all(
            asked, lambda listing: {"symbol": listing.instrument.symbol, "price": shapes.amount(listing.last)}
        )

    def klines(self, asked: Parameters) -> Any:
        """Tell klines; the last one is not closed yet."""
        listing = self.listing(asked.text("symbol"))
        interval = asked.text("interval")
        if interval not in INTERVALS_MS:
            raise ApiError(-1120, "Invalid interval.")
        begin, end = asked.whole("startTime") or 0, asked.whole("endTime")
        until = min(self._clock.now(), FAR if end is None else end)
        found = listing.klines(interval, begin=begin, end=until, limit=asked.limit(500, 1_000))
        return [shapes.kline_row(kline) for kline in found]

    def agg_trades(self, asked: Parameters) -> Any:
        """Tell public trades."""
        return [shapes.agg_trade(trade) for trade in self._prints(asked)]

    def trades(self, asked: Parameters) -> Any:
        """Tell the newest public trades."""
        return [shapes.public_trade(trade) for trade in self._prints(asked)]

    def depth(self, asked: Parameters) -> Any:
        """Tell the public book."""
        listing, most = self.listing(asked.text("symbol")), asked.limit(100, 5_000)
        depth = listing.depth()
        return {
            "lastUpdateId": listing.number,
            "bids": [[shapes.amount(level.price), shapes.amount(level.quantity)] for level in depth.bids[:most]],
            "asks": [[shapes.amount(level.price), shapes.amount(level.quantity)] for level in depth.asks[:most]],
        }

    def listing(self, symbol: str) -> Listing:
        """Return a symbol that is listed."""
        listing = self._market.listings.get(symbol)
        if listing is None or listing.status == "BREAK":
            raise ApiError(-1121, "Invalid symbol.")
        return listing

    def _listed(self, asked: Parameters) -> list[Listing]:
        """Return the symbols that are named in `symbols`, all of them where that is not given."""
        named = asked.names("symbols")
        if named:
            return [self.listing(symbol) for symbol in named]
        return [listing for listing in self._market.listings.values() if listing.status != "BREAK"]

    def _one_or_all(self, asked: Parameters, shape: Any) -> Any:
        wanted = asked.text_or("symbol", "")
        return shape(self.listing(wanted)) if wanted else [shape(each) for each in self._listed(asked)]

    def _prints(self, asked: Parameters) -> list[Print]:
        prints, most = list(self.listing(asked.text("symbol")).prints), asked.limit(500, 1_000)
        first, begin, end = asked.whole("fromId"), asked.whole("startTime"), asked.whole("endTime")
        found = [
            each
            for each in prints
            if each.number >= (first or 0) and (begin or 0) <= each.tick.at <= (FAR if end is None else end)
        ]
        return found[-most:] if first is None and begin is None else found[:most]
