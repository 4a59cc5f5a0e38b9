"""Time as actors see it: it always comes from the runtime."""

from typing import Protocol


class Clock(Protocol):
    """The three readings of time.  Only runtimes and the edge of the house read a real clock."""

    def monotonic(self) -> float:
        """Return seconds that never go back: for timers, restarts and deadlines of I/O."""

    def wall_ms(self) -> int:
        """Return wall-clock milliseconds since the epoch, UTC: data, never a reason to act."""

    def market_ms(self) -> int:
        """Return market time in milliseconds since the epoch, UTC."""

    def advance_market(self, at: int) -> None:
        """Tell that the market has come to `at`; a clock that follows the wall ignores it."""


class MarketClock:
    """Market time of recorded data: it goes where the data has come to, and never back."""

    def __init__(self, at: int = 0) -> None:
        self._at = at

    def market_ms(self) -> int:
        """Return how far the data has come."""
        return self._at

    def advance_market(self, at: int) -> None:
        """Go on to `at`, if that is later."""
        self._at = max(self._at, at)
