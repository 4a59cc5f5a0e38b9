"""The exchange's own clock: wall time that never goes back, in milliseconds."""

import time

from domain.market import Instant


class VenueClock:
    """Starts at the computer's time or later, and goes on evenly whatever becomes of that."""

    def __init__(self) -> None:
        self._begin = int(time.time() * 1_000)
        self._origin = time.monotonic()
        self._last = self._begin - 1
        self.skew_ms = 0
        """How far what it shows is ahead of what it is."""

    def go_beyond(self, at: Instant) -> None:
        """Never show an instant up to this one any more: something happened then, whatever the computer says."""
        ahead = at + 1 - self.now()
        if ahead > 0:
            self._begin += ahead

    def now(self) -> Instant:
        """Return the time; it may be that of the last call."""
        return max(self._begin + int((time.monotonic() - self._origin) * 1_000), self._last)

    def shown(self) -> Instant:
        """Return the time that the exchange believes and says it is."""
        return self.now() + self.skew_ms

    def next(self) -> Instant:
        """Return the time, at least a millisecond later than this ever returned."""
        self._last = max(self.now(), self._last + 1)
        return self._last
