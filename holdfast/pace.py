"""How fast market time goes on recorded data."""

import time
from decimal import Decimal
from typing import Literal

from domain.market import Instant

Speed = Decimal | Literal["max"]
LAG_MAX_S = 1.0
"""Further behind than this, the pace starts anew from where it is."""


class Pace:
    """Says how long to wait before the next instant: `speed` seconds of market time pass in one of ours."""

    def __init__(self, speed: Speed) -> None:
        self._speed = speed
        self._began: tuple[float, Instant] | None = None

    def set_speed(self, speed: Speed) -> None:
        """Go on at another speed."""
        self._speed = speed
        self._began = None

    def __call__(self, at: Instant, following: Instant) -> float:
        """Return the seconds until the market may come from `at` to `following`."""
        if self._speed == "max":
            return 0.0
        now = time.monotonic()
        if self._began is None:
            self._began = (now, at)
        began, began_at = self._began
        due = began + (following - began_at) / 1000 / float(self._speed)
        if due < now - LAG_MAX_S:
            self._began = (now, following)
        return max(0.0, due - now)
