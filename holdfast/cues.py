"""Deaths on cue, for tests and for people who want to see them: the process kills itself at a named point.

`HOLDFAST_DIE_AT="journal.after_commit:3"` sends SIGKILL to this process when it comes to that point the third time.
"""

import os
import signal
import threading
from collections.abc import Callable

VARIABLE = "HOLDFAST_DIE_AT"


def cue_from_environment() -> Callable[[str], None] | None:
    """Return what is to be called at every named point; None unless the environment names one."""
    wanted, _, times = os.environ.get(VARIABLE, "").partition(":")
    return _Death(wanted, int(times or 1)) if wanted else None


class _Death:
    def __init__(self, wanted: str, times: int) -> None:
        self._wanted = wanted
        self._left = times
        self._lock = threading.Lock()

    def __call__(self, point: str) -> None:
        if point != self._wanted:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
