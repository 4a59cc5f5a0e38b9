"""The venue's time, known from here: measured again and again, and carried on by a clock that nobody can set.

Between two measurements it follows the machine's monotonic clock, so that a wall clock that is stepped changes nothing.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

SAMPLES = 8
"""Measurements of which the quickest counts: its answer has been under way for the shortest time."""
STEP_MS = 1_000
"""A measurement that differs by more than this, and more than its round trip explains: the venue's clock was set."""


class Measured(NamedTuple):
    """One question for the venue's time, in milliseconds."""

    ahead_ms: float
    """Of our monotonic clock."""
    round_trip_ms: float


class VenueClock:
    """The venue's time, as far as it can be known from here.  Read from any thread."""

    def __init__(
        self,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._monotonic_s = monotonic_s
        self._wall_s = wall_s
        self._samples: deque[Measured] = deque(maxlen=SAMPLES)
        self._doubted: Measured | None = None
        """The newest measurement, where it would have it that the venue's clock was set: it takes two to say so."""
        # Until it is measured, our own wall clock is the best guess.
        self._ahead_ms = (wall_s() - monotonic_s()) * 1000

    @property
    def is_known(self) -> bool:
        """Say whether it was ever measured."""
        return bool(self._samples)

    @property
    def is_in_doubt(self) -> bool:
        """Say whether the newest measurement is not believed yet, and should be repeated."""
        return self._doubted is not None

    def now_ms(self) -> int:
        """Return the venue's time in milliseconds since the epoch."""
        return round(self._ahead_ms + self._monotonic_s() * 1000)

    def surely_ms(self) -> int:
        """Return a time that the venue's clock has come to for sure: half the way of the quickest answer less."""
        round_trip_ms = min((each.round_trip_ms for each in self._samples), default=0.0)
        return self.now_ms() - math.ceil(round_trip_ms / 2)

    def ahead_of_wall_ms(self) -> int:
        """Return how far the venue's clock is ahead of the machine's wall clock at this moment."""
        return self.now_ms() - round(self._wall_s() * 1000)

    def take(self, *, asked_at_s: float, answered_at_s: float, venue_ms: int) -> bool:
        """Take in what the venue said its time was between two monotonic instants; say whether its clock was set.

        That takes two answers in a row that agree: market time never goes back, and one false answer would stop it.
        """
        round_trip_ms = max(0.0, answered_at_s - asked_at_s) * 1000
        measured = Measured(venue_ms - (asked_at_s + answered_at_s) * 500, round_trip_ms)
        doubted, self._doubted = self._doubted, None
        was_set = self.is_known and not _agree(measured, Measured(self._ahead_ms, 0.0))
        if was_set and (doubted is None or not _agree(measured, doubted)):
            self._doubted = measured
            return False
        if was_set:
            self._samples.clear()
        self._samples.append(measured)
        self._ahead_ms = min(self._samples, key=lambda each: each.round_trip_ms).ahead_ms
        return was_set


def _agree(one: Measured, other: Measured) -> bool:
    return abs(one.ahead_ms - other.ahead_ms) <= STEP_MS + (one.round_trip_ms + other.round_trip_ms) / 2
