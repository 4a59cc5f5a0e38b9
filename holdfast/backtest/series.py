"""What a report draws: series thinned to what a screen can show, drawdowns, months, round trips."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate

import msgspec

from domain.bars import judge_step
from domain.market import Bar, Instant, Instrument
from domain.money import ZERO
from domain.sources import MarketSource
from messages.orders import OrderFilled

POINTS_MAX = 3_000
"""Points of a line: more than the pixels it is drawn on."""


class Month(msgspec.Struct, frozen=True):
    """What a month made, as a fraction of what there was at its beginning."""

    year: int
    month: int
    made: float


class RoundTrip(msgspec.Struct):
    """From the first fill until less than a lot is held.  Money in quote currency, fees in it taken off."""

    strategy: str
    symbol: str
    opened_at: Instant
    closed_at: Instant | None = None
    """None while something is held."""
    bought: Decimal = ZERO
    paid: Decimal = ZERO
    sold: Decimal = ZERO
    earned: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def made(self) -> Decimal:
        """Return what it made, once it is closed."""
        return self.earned - self.paid - self.fees


def thin(at: Sequence[int], values: Sequence[float], points_max: int = POINTS_MAX) -> tuple[list[int], list[float]]:
    """Return at most so many points: of each stretch its lowest and its highest, in their order, and the very last."""
    if len(at) <= points_max:
        return list(at), list(values)
    stride = -(-2 * len(at) // points_max)
    kept: list[int] = []
    for begin in range(0, len(at), stride):
        places = range(begin, min(begin + stride, len(at)))
        kept += sorted({min(places, key=values.__getitem__), max(places, key=values.__getitem__)})
    if kept[-1] != len(at) - 1:
        kept.append(len(at) - 1)
    return [at[place] for place in kept], [values[place] for place in kept]


def drawdowns(equity: Sequence[float]) -> list[float]:
    """Return how far each mark lies below the highest before it, as a fraction at or below zero."""
    peaks = accumulate(equity, max)
    return [now / peak - 1 if peak > 0 else 0.0 for now, peak in zip(equity, peaks, strict=True)]


def months(at: Sequence[int], equity: Sequence[float]) -> list[Month]:
    """Return what each month made, from marks in their order; a mark at midnight ends the day before."""
    closes: dict[tuple[int, int], float] = {}
    for moment, worth in zip(at, equity, strict=True):
        when = datetime.fromtimestamp((moment - 1) / 1000, tz=UTC)
        closes[when.year, when.month] = worth
    before = equity[0] if equity else 0.0
    found = []
    for (year, month), worth in closes.items():
        found.append(Month(year, month, worth / before - 1 if before > 0 else 0.0))
        before = worth
    return found


def round_trips(fills: Iterable[OrderFilled], instruments: Mapping[str, Instrument]) -> list[RoundTrip]:
    """Return the round trips that fills make, by their beginning; the last of each symbol may not be closed."""
    trips: list[RoundTrip] = []
    under_way: dict[tuple[str, str], tuple[RoundTrip, Decimal]] = {}
    for filled in fills:
        fill, key = filled.fill, (filled.strategy, filled.fill.symbol)
        instrument = instruments[fill.symbol]
        if key not in under_way:
            under_way[key] = RoundTrip(filled.strategy, fill.symbol, fill.at), ZERO
            trips.append(under_way[key][0])
        trip, held = under_way[key]
        if fill.side == "buy":
            trip.bought, trip.paid, held = trip.bought + fill.quantity, trip.paid + _worth(filled), held + fill.quantity
        else:
            trip.sold, trip.earned, held = trip.sold + fill.quantity, trip.earned + _worth(filled), held - fill.quantity
        trip.fees += fill.fee.amount if fill.fee.asset == instrument.quote else ZERO
        held -= fill.fee.amount if fill.fee.asset == instrument.base else ZERO
        if held < instrument.lot:
            trip.closed_at = fill.at
            del under_way[key]
        else:
            under_way[key] = trip, held
    return trips


def prices(source: MarketSource, points_max: int = POINTS_MAX) -> dict[str, tuple[list[int], list[float]]]:
    """Return the closes of each symbol that were traded on, thinned, read from the source again."""
    at: dict[str, array[int]] = {symbol: array("q") for symbol in source.symbols()}
    closes: dict[str, array[float]] = {symbol: array("d") for symbol in source.symbols()}
    newest: dict[str, Bar] = {}
    starts_at = source.starts_at()
    for step in source.steps(starts_at):
        for bar in judge_step(step, newest, starts_at).bars:
            newest[bar.symbol] = bar
            at[bar.symbol].append(bar.closed_at)
            closes[bar.symbol].append(float(bar.close))
    return {symbol: thin(at[symbol], closes[symbol], points_max) for symbol in at}


def _worth(filled: OrderFilled) -> Decimal:
    return filled.fill.quantity * filled.fill.price
