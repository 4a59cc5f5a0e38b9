"""What anybody may ask of the market."""

from typing import Any

from gateways.exchange.bybit import shapes
from gateways.exchange.bybit.errors import ApiError
from gateways.exchange.bybit.parameters import Parameters
from gateways.exchange.clock import VenueClock
from gateways.exchange.market import Listing, Market


class PublicApi:
    """Answers from the market, as JSON has it.  Every method raises ApiError for what cannot be answered."""

    def __init__(self, market: Market, clock: VenueClock) -> None:
        self._market, self._clock = market, clock

    def time(self, asked: Parameters) -> Any:
        """Tell the exchange's time."""
        now = self._clock.shown()
        return {"timeSecond": str(now // 1_000), "timeNano": str(now * 1_000_000)}

    def instruments(self, asked: Parameters) -> Any:
        """Tell symbols and rules."""
        return _listed([shapes.symbol_info(listing) for listing in self._wanted(asked)]) | {"nextPageCursor": ""}

    def tickers(self, asked: Parameters) -> Any:
        """Tell what the last day came to, of one symbol or of all."""
        now = self._clock.now()
        return _listed([shapes.ticker(listing, now) for listing in self._wanted(asked)])

    def klines(self, asked: Parameters) -> Any:
        """Tell klines, newest first; the first one is not closed yet."""
        listing = self.listing(asked)
        interval = shapes.INTERVALS[asked.one_of("interval", shapes.INTERVALS)]
        begin, end, now = asked.whole("start") or 0, asked.whole("end"), self._clock.now()
        limit = asked.limit(200, 1_000)
        if end is None:
            found = listing.klines(interval, begin=begin, end=now, limit=limit)
        else:
            found = listing.klines(interval, begin=0, end=min(now, end), limit=limit)
            found = [kline for kline in found if kline.opened_at >= begin]
        rows = [shapes.kline_row(kline) for kline in reversed(found)]
        return _listed(rows) | {"symbol": listing.instrument.symbol}

    def trades(self, asked: Parameters) -> Any:
        """Tell the newest public trades, newest first."""
        prints = list(self.listing(asked).prints)[-asked.limit(60, 60) :]
        return _listed([shapes.public_trade(each) for each in reversed(prints)])

    def depth(self, asked: Parameters) -> Any:
        """Tell the public book."""
        listing, most = self.listing(asked), asked.limit(1, 200)
        depth, now = listing.depth(), self._clock.shown()
        bids, asks = (
            [[shapes.amount(level.price), shapes.amount(level.quantity)] for level in side[:most]] for side in depth
        )
        symbol = listing.instrument.symbol
        return {"s": symbol, "b": bids, "a": asks, "ts": now, "u": listing.number, "seq": listing.number}

    def listing(self, asked: Parameters) -> Listing:
        """Return the symbol that is asked about, which is listed."""
        demand_spot(asked)
        listing = self._market.listings.get(asked.text("symbol"))
        if listing is None or listing.status == "BREAK":
            raise ApiError(10001, "Not supported symbols")
        return listing

    def _wanted(self, asked: Parameters) -> list[Listing]:
        demand_spot(asked)
        if "symbol" in asked:
            return [self.listing(asked)]
        return [listing for listing in self._market.listings.values() if listing.status != "BREAK"]


def demand_spot(asked: Parameters) -> None:
    """Refuse what is about another market of the house."""
    if asked.text("category") != "spot":
        raise ApiError(10001, "category is not supported here")


def _listed(rows: list[Any]) -> dict[str, Any]:
    return {"category": "spot", "list": rows}
