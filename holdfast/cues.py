"""Deaths and hangs on cue, for tests and for people who want to see them: they befall the process at a named point.

`HOLDFAST_DIE_AT="journal.after_commit:3"` sends SIGKILL to this process when it comes to that point the third time.
`HOLDFAST_HANG_AT="executor.before_release:3"` lets the thread that comes to that point the third time never go on.
"""

import os
import signal
import threading
from collections.abc import Callable

VARIABLE = "HOLDFAST_DIE_AT"
HANG_VARIABLE = "HOLDFAST_HANG_AT"


def cue_from_environment() -> Callable[[str], None] | None:
    """Return what is to be called at every named point; None unless the environment names one."""
    deeds = [
        _Deed(wanted, do) for name, do in ((VARIABLE, _die), (HANG_VARIABLE, _hang)) if (wanted := os.environ.get(name))
    ]

    def cue(point: str) -> None:
        for deed in deeds:
            deed(point)

    return cue if deeds else None


class _Deed:
    def __init__(self, wanted: str, do: Callable[[], None]) -> None:
        self._wanted, _, times = wanted.partition(":")
        self._left = int(times or 1)
        self._do = do
        self._lock = threading.Lock()

    def __call__(self, point: str) -> None:
        if point != self._wanted:
            return
        with self._lock:
            self._left -= 1
            is_due = self._left == 0
        if is_due:
            self._do()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hang() -> None:
    threading.Event().wait()
