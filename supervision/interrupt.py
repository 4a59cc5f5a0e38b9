"""A thread that was left behind and burns a core is made to let go, where nobody else can be hit.

Python raises an error in another thread at its next step that can be interrupted.  What stands on that thread's stack
at this moment decides: the turn of the actor that was given up, and above it nothing of what is spared, which may hold
a lock that others need.  Whoever looks has just woken up and so has the interpreter for itself for a switch interval,
which is a hundred times as long as to look and to interrupt takes.
"""

import ctypes
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from supervision.actor import Actor
from supervision.errors import Interrupted
from supervision.frames import frame_of

if TYPE_CHECKING:
    from supervision.threads import Threads

LOOK_S = 0.1
LOOKS_MAX = 50
"""After so many looks a thread is left alone."""
BUSY_SHARE = 0.05
"""A thread that used so much of a core since the last look computes; one that waits uses none, and many that compute
share what there is."""

_TURNS = tuple(seam.__code__ for seam in (Actor._handle_receive, Actor._actor_loop_setup, Actor._actor_loop_teardown))
_OURS = "supervision"
_STANDARD = ("threading", "logging", "queue", "importlib", "concurrent", "asyncio", "selectors", "contextlib")


class Interrupter:
    """Looks at abandoned threads from time to time."""

    def __init__(self, runtime: "Threads", thread_of: Callable[[Actor], int | None], spares: Sequence[str]) -> None:
        """`thread_of` tells on which thread an actor that was left behind still lives; None once it has ended."""
        self._runtime = runtime
        self._thread_of = thread_of
        self._spared = frozenset((*_STANDARD, *spares))
        self.count = 0
        """How often a thread was interrupted."""

    def begin(self, actor: Actor) -> None:
        """Look at an actor that was left behind until its thread has ended, or for so many times."""
        self._look_later(actor, LOOKS_MAX, None)

    def _look_later(self, actor: Actor, looks: int, used: tuple[float, float] | None) -> None:
        if looks:
            self._runtime.after(LOOK_S, lambda: self._look(actor, looks, used))

    def _look(self, actor: Actor, looks: int, before: tuple[float, float] | None) -> None:
        self._runtime.wake_up()
        if (thread_id := self._thread_of(actor)) is None:
            return
        used = self._runtime.used_by(thread_id)
        is_busy = before is not None and used[1] - before[1] > BUSY_SHARE * (used[0] - before[0])
        if is_busy and self._is_open(actor, frame_of(thread_id)):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(Interrupted))
            self.count += 1
        self._look_later(actor, looks - 1, used)

    def _is_open(self, actor: Actor, frame: FrameType | None) -> bool:
        """Say whether a stack is in a turn of an actor, and there in code of its own alone."""
        is_own, is_within_ours = False, False
        while frame is not None:
            if frame.f_code in _TURNS and frame.f_locals.get("self") is actor:
                return is_own
            package = frame.f_globals.get("__name__", "").partition(".")[0]
            if package == _OURS:
                is_within_ours = True  # From here on down there may only be what has called the actor.
            elif is_within_ours or package in self._spared:
                return False
            else:
                is_own = True
            frame = frame.f_back
        return False
