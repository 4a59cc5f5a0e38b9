"""A wall clock that is set while a node lives, without setting the machine's.

`install` puts a reading of its own in the place of `time.time` and `time.time_ns`, before anybody has taken hold of
them.  It tells the machine's time until it is told to step.  Monotonic time is left alone, as by any clock that is set.
"""

import time
from collections.abc import Sequence

_time, _time_ns, _monotonic = time.time, time.time_ns, time.monotonic
_steps: list[tuple[float, float]] = []
"""Monotonic seconds from which on the clock is set by so many seconds more."""


def step_wall(steps: Sequence[tuple[float, float]]) -> None:
    """Set the wall clock after so many seconds from now by so many seconds, for each of the steps."""
    now = _monotonic()
    _steps[:] = [(now + after_s, by_s) for after_s, by_s in steps]


def _by_s() -> float:
    if not _steps:
        return 0.0
    now = _monotonic()
    return sum(by_s for at_s, by_s in _steps if at_s <= now)


def _stepped_time() -> float:
    return _time() + _by_s()


def _stepped_time_ns() -> int:
    return _time_ns() + round(_by_s() * 1e9)


def install() -> None:
    """Take the place of the machine's wall clock in this process."""
    time.time, time.time_ns = _stepped_time, _stepped_time_ns
