"""How many restarts there were within the period that ends now."""

from collections import deque


class Intensity:
    """One sliding window for all children of a supervisor; each attempt counts once, whatever it restarts."""

    def __init__(self, intensity: int, period_s: float) -> None:
        self._intensity = intensity
        self._period_s = period_s
        self._at_s: deque[float] = deque()

    def change(self, intensity: int, period_s: float) -> None:
        """Hold to other numbers from now on; what was counted before still counts."""
        self._intensity, self._period_s = intensity, period_s

    def count(self, now_s: float) -> bool:
        """Count a restart at a monotonic instant; say False where it is one too many.  The window includes its edge."""
        while self._at_s and self._at_s[0] < now_s - self._period_s:
            self._at_s.popleft()
        self._at_s.append(now_s)
        return len(self._at_s) <= self._intensity

    def __len__(self) -> int:
        """Return the restarts in the window, as of the last one."""
        return len(self._at_s)
