"""Klines: what was traded in each stretch of time, built from ticks, and coarser ones from finer ones."""

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from domain.market import DAY_MS, SECOND_MS, TIMEFRAMES_MS, Bar, Instant
from domain.money import ZERO
from gateways.exchange.ticks import Tick

INTERVALS_MS: dict[str, int] = {"1s": SECOND_MS, **TIMEFRAMES_MS, "3d": 3 * DAY_MS, "1w": 7 * DAY_MS}
_FIRST_MONDAY = 4 * DAY_MS
"""1970-01-05."""


class Kline(msgspec.Struct):
    """One stretch of one symbol; the newest one still changes."""

    opened_at: Instant
    span: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    worth: Decimal = ZERO
    """Of the volume, in quote currency."""
    trades: int = 0
    bought: Decimal = ZERO
    """Of the volume, what takers bought."""
    bought_worth: Decimal = ZERO

    @property
    def closed_at(self) -> Instant:
        """Return the first instant after it."""
        return self.opened_at + self.span

    def take(self, tick: Tick) -> None:
        """Count a tick in."""
        if not self.trades:
            # Until its first trade a stretch stands where the one before it closed.
            self.open = self.high = self.low = tick.price
        self.high, self.low, self.close = max(self.high, tick.price), min(self.low, tick.price), tick.price
        worth = tick.price * tick.quantity
        self.volume += tick.quantity
        self.worth += worth
        self.trades += 1
        if not tick.buyer_is_maker:
            self.bought += tick.quantity
            self.bought_worth += worth

    def join(self, later: "Kline") -> None:
        """Count in the kline that follows within the same stretch."""
        if not self.trades and later.trades:
            self.open, self.high, self.low = later.open, later.high, later.low
        self.high, self.low, self.close = max(self.high, later.high), min(self.low, later.low), later.close
        self.volume += later.volume
        self.worth += later.worth
        self.trades += later.trades
        self.bought += later.bought
        self.bought_worth += later.bought_worth


def opening_of(at: Instant, span: int) -> Instant:
    """Return the beginning of the stretch that an instant lies in; weeks begin on Monday."""
    offset = _FIRST_MONDAY if span == INTERVALS_MS["1w"] else 0
    return (at - offset) // span * span + offset


def flat(opened_at: Instant, span: int, price: Decimal) -> Kline:
    """Return a stretch in which nothing was traded yet."""
    return Kline(opened_at, span, price, price, price, price)


def of_bar(bar: Bar, opened_at: Instant) -> Kline:
    """Return a recorded bar as a kline that begins at another instant; half of it was bought."""
    worth = bar.volume * (bar.open + bar.close) / 2
    numbers = (bar.open, bar.high, bar.low, bar.close, bar.volume, worth)
    return Kline(opened_at, bar.closed_at - bar.opened_at, *numbers, 60, bar.volume / 2, worth / 2)


def joined(klines: Iterable[Kline], span: int) -> Iterator[Kline]:
    """Yield coarser klines out of finer ones, which are given in order of time."""
    current: Kline | None = None
    for kline in klines:
        opened_at = opening_of(kline.opened_at, span)
        if current is not None and current.opened_at == opened_at:
            current.join(kline)
            continue
        if current is not None:
            yield current
        current = msgspec.structs.replace(kline, opened_at=opened_at, span=span)
    if current is not None:
        yield current
