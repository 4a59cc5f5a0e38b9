"""A bar is cut into ticks: single trades on the way from its open over its extremes to its close."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import NamedTuple

from domain.market import Bar, Instant, Instrument
from domain.money import ZERO, floor_to

TICKS_MIN, TICKS_MAX = 4, 240
"""Of one bar."""
TICKS_PER_SECOND = 2
"""Of the clock, for each symbol."""


class Tick(NamedTuple):
    """One trade of the market, not of the account's."""

    symbol: str
    at: Instant
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool


def count_of(span_ms: int, speed: float) -> int:
    """Return how many ticks a bar is cut into that takes `span_ms / speed` of the clock."""
    return max(TICKS_MIN, min(TICKS_MAX, int(span_ms / speed / 1_000 * TICKS_PER_SECOND)))


def ticks_of(
    bar: Bar, instrument: Instrument, *, count: int, draws: Random
) -> Iterator[tuple[float, Decimal, Decimal]]:
    """Yield when in the bar (0 up to 1), at which price and how much; all together are the bar, to the last lot."""
    prices = _path(bar, instrument, count, draws)
    shares = [0.2 + draws.random() for _ in prices]
    total, left = sum(shares), floor_to(bar.volume, instrument.lot)
    moments = sorted(draws.random() for _ in prices)
    for place, (moment, price, share) in enumerate(zip(moments, prices, shares, strict=True)):
        is_last = place == len(prices) - 1
        part = left if is_last else min(left, floor_to(bar.volume * Decimal(share / total), instrument.lot))
        left -= part
        yield moment, price, max(part, instrument.lot)


def _path(bar: Bar, instrument: Instrument, count: int, draws: Random) -> list[Decimal]:
    """Return prices that begin and end as the bar does and reach both its extremes, and go no further."""
    extremes = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
    corners = (bar.open, *extremes, bar.close)
    lengths = [abs(end - begin) for begin, end in pairwise(corners)]
    whole = sum(lengths, ZERO)
    prices = [bar.open]
    for (begin, end), length in zip(pairwise(corners), lengths, strict=True):
        points = max(1, round(float(length / whole) * (count - 1))) if whole else 1
        noise = float(length) / points
        for point in range(1, points):
            straight = begin + (end - begin) * point / points
            prices.append(min(bar.high, max(bar.low, straight + Decimal((draws.random() - 0.5) * noise))))
        prices.append(end)
    return [max(instrument.tick, floor_to(price, instrument.tick)) for price in prices]
