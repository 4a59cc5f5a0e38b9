"""The losses that end entries: of the day, and from the highest equity.  Latched: a recovery does not reopen."""

from decimal import Decimal
from math import inf
from typing import Literal

import msgspec

from domain.market import Instant, day_of
from domain.money import ZERO

LossLimit = Literal["daily_loss", "drawdown"]


MARGIN = 1 + 1e-9
"""What looks ahead in floats takes a loss for so much greater than it is: then it never sees one too late."""


class Trip(msgspec.Struct, frozen=True):
    """A loss reached its limit; entries are denied from here on."""

    limit: LossLimit
    value: Decimal
    """The loss, as a fraction of what it is measured from."""
    allowed: Decimal


class DayRolled(msgspec.Struct, frozen=True):
    """A UTC day began; the daily loss is measured from this equity."""

    day: int
    equity: Decimal
    cleared: tuple[LossLimit, ...]
    """The latches that the new day opened."""


class LossWatch(msgspec.Struct):
    """Equity at the day's start, the highest equity, and which losses have tripped."""

    day: int | None = None
    equity: Decimal = ZERO
    """As last marked."""
    day_start_equity: Decimal | None = None
    """The first mark of the day."""
    peak_equity: Decimal | None = None
    tripped: list[LossLimit] = msgspec.field(default_factory=list)

    def go_on_from(self, peak: Decimal) -> None:
        """Measure falls from a peak before the first mark.  Until then nothing is known to be lost."""
        self.peak_equity = self.equity = peak

    def mark(self, at: Instant, equity: Decimal) -> DayRolled | None:
        """Take in what the account is worth now; say whether that began a day, which opens the latch of the day.

        A mark from an earlier day than the newest one counts for the newest day.

        Raises:
            ValueError: the equity is not finite.
        """
        if not equity.is_finite():
            raise ValueError(f"equity must be finite, was {equity}")
        self.equity, day, peak = equity, day_of(at), self.peak_equity
        rolled = self._roll(day) if self.day is None or day > self.day else None
        if peak is None or equity > peak:
            self.peak_equity = equity
        return rolled

    def rescale(self, before: Decimal, after: Decimal) -> None:
        """Take in that the worth changed by no trade of ours: what falls are measured from changes by the same factor.

        So a withdrawal is no loss, and a deposit makes up for none.
        """
        self.equity = after
        if before <= 0 or after <= 0:
            self.day_start_equity = self.day_start_equity and after
            self.peak_equity = self.peak_equity and after
            return
        if self.day_start_equity is not None:
            self.day_start_equity = self.day_start_equity * after / before
        if self.peak_equity is not None:
            self.peak_equity = self.peak_equity * after / before

    def crossed(self, *, daily_loss_max: Decimal, drawdown_max: Decimal) -> list[Trip]:
        """Return the losses that are at their limits now and have not tripped; changes nothing."""
        losses: tuple[tuple[LossLimit, Decimal | None, Decimal], ...] = (
            ("daily_loss", self.day_start_equity, daily_loss_max),
            ("drawdown", self.peak_equity, drawdown_max),
        )
        trips = [Trip(limit, fall(base, self.equity), allowed) for limit, base, allowed in losses]
        return [trip for trip in trips if trip.limit not in self.tripped and trip.value >= trip.allowed]

    def floor(self, *, daily_loss_max: Decimal, drawdown_max: Decimal) -> float:
        """Return a worth above which nothing can trip, while neither a day nor a peak is new; infinite for unknown."""
        if self.day_start_equity is None or self.peak_equity is None:
            return inf
        floors = {
            "daily_loss": self.day_start_equity * (1 - daily_loss_max),
            "drawdown": self.peak_equity * (1 - drawdown_max),
        }
        open_ = [floor for limit, floor in floors.items() if limit not in self.tripped]
        return float(max(open_)) * MARGIN if open_ else -inf

    def trip(self, limit: LossLimit) -> None:
        """Latch a limit, once."""
        if limit not in self.tripped:
            self.tripped.append(limit)

    def reset(self, limit: LossLimit) -> bool:
        """Open a latch and measure anew from the equity last marked; say whether it had tripped.

        Measuring on from the old peak would trip again at the next mark.
        """
        if limit not in self.tripped:
            return False
        self.tripped.remove(limit)
        if limit == "daily_loss":
            self.day_start_equity = self.equity
        else:
            self.peak_equity = self.equity
        return True

    def _roll(self, day: int) -> DayRolled:
        cleared: tuple[LossLimit, ...] = ("daily_loss",) if "daily_loss" in self.tripped else ()
        self.tripped = [limit for limit in self.tripped if limit not in cleared]
        self.day, self.day_start_equity = day, self.equity
        return DayRolled(day=day, equity=self.equity, cleared=cleared)


def fall(peak: Decimal | None, equity: Decimal) -> Decimal:
    """Return how far equity lies below a peak, as a fraction of it; zero where there was no worth to lose."""
    if peak is None or peak <= 0 or equity >= peak:
        return ZERO
    return (peak - equity) / peak
