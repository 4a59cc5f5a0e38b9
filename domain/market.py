"""What a market shows: instruments with their rules, and bars that have closed."""

from decimal import Decimal

import msgspec

from domain.money import ZERO, floor_to

Instant = int
"""Milliseconds since the epoch, UTC."""

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
LATE_MS = MINUTE_MS
"""A bar that closed longer ago is for indicators only: nothing is begun on it."""

TIMEFRAMES_MS: dict[str, int] = {
    "1s": SECOND_MS,
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
}
"""Length of every time frame Holdfast knows, by the exchanges' own names."""


class Bar(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One closed bar.  `opened_at` is its first millisecond, `closed_at` the instant it may be acted on."""

    symbol: str
    timeframe: str
    opened_at: Instant
    closed_at: Instant
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    """In base currency."""


Closing = tuple[Instant, tuple[Bar, ...]]
"""The bars that closed at one instant."""


class Instrument(msgspec.Struct, frozen=True):
    """A symbol with the venue's rules: price steps, quantity steps, minimums, and the most of one order."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    quantity_min: Decimal = ZERO
    notional_min: Decimal = ZERO
    quantity_max: Decimal | None = None
    """The most that one order may be for, of whatever type; None where the venue sets no limit."""

    def at_most(self, quantity: Decimal) -> Decimal:
        """Return as much of a quantity in whole lots as one order may be for."""
        return quantity if self.quantity_max is None else min(quantity, floor_to(self.quantity_max, self.lot))


def day_of(at: Instant) -> int:
    """Return the UTC day number of an instant."""
    return at // DAY_MS
