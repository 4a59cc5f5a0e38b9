"""How far a venue's clock is from ours: measured again and again, for a clock may be stepped at any time."""

import time
from collections import deque
from typing import NamedTuple

SAMPLES = 8
"""Measurements of which the quickest counts: its answer has been under way for the shortest time."""
STEP_MS = 1_000
"""A measurement that differs by more than this, and more than its round trip explains, means that a clock was set."""


class Measured(NamedTuple):
    """One question for the venue's time, in milliseconds."""

    offset_ms: float
    round_trip_ms: float


class VenueClock:
    """The venue's time, as far as it can be known from here.  Read from any thread."""

    def __init__(self) -> None:
        self._samples: deque[Measured] = deque(maxlen=SAMPLES)
        self._offset_ms = 0.0

    @property
    def is_known(self) -> bool:
        """Say whether it was ever measured."""
        return bool(self._samples)

    @property
    def offset_ms(self) -> int:
        """Return how far the venue's clock is ahead of ours; negative where it is behind."""
        return round(self._offset_ms)

    def now_ms(self) -> int:
        """Return the venue's time in milliseconds since the epoch."""
        return wall_ms() + self.offset_ms

    def take(self, *, asked_at_ms: int, answered_at_ms: int, venue_ms: int) -> bool:
        """Take in what the venue said its time was; say whether a clock was set since the last measurement."""
        round_trip_ms = max(0, answered_at_ms - asked_at_ms)
        measured = Measured(venue_ms - (asked_at_ms + answered_at_ms) / 2, round_trip_ms)
        was_set = self.is_known and abs(measured.offset_ms - self._offset_ms) > STEP_MS + round_trip_ms / 2
        if was_set:
            self._samples.clear()
        self._samples.append(measured)
        self._offset_ms = min(self._samples, key=lambda each: each.round_trip_ms).offset_ms
        return was_set


def wall_ms() -> int:
    """Return the machine's wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
