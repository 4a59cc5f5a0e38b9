"""Backups on schedule: each in a process of its own, and by the wall clock, for disks do not die in market time."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

import holdfast
from gateways.calendar import Calendar
from gateways.side_process import Ended, SideProcess
from holdfast.config.settings import Backup, Settings
from holdfast.mending.manifest import newest_taken_ms
from holdfast.secrets import scrub
from messages.node import BackedUp

MODULE = "holdfast.mending.child"
OUTPUT_MAX = 64 * 1024
PROBLEM_MAX = 1_000
END_S = 5.0
"""How long the end of a node waits for that of a backup."""


class Schedule:
    """Begins backups of a home, and ends with its node."""

    def __init__(self, home: Path, settings: Callable[[], Settings]) -> None:
        """`settings` are those in force."""
        self._home = home
        self._settings = settings
        self._process: SideProcess | None = None
        self._is_over = threading.Event()
        """None is being made.  Of its own, for one may end before it is even known here which process it is."""
        self._is_over.set()
        self._is_closed = False
        self._planned: Backup | None = None
        self._planned_ms = self._due_ms = 0

    def is_due(self) -> bool:
        """Say whether it is time for a backup: one that fell due while no node ran is made up for."""
        wanted = self._settings().backup
        if not wanted.to or not wanted.at or not self._is_over.is_set():
            return False
        now = _wall_ms()
        # A clock that was put back must not be waited for until it has come as far again.
        if wanted != self._planned or now < self._planned_ms:
            self._plan(wanted, min(newest_taken_ms(Path(wanted.to), self._home) or now, now), now)
        return now >= self._due_ms

    def begin(self, reply: Callable[[BackedUp], None]) -> str:
        """Begin to make a backup, and tell what came of it on another thread; or say why not."""
        wanted = self._settings().backup
        now = _wall_ms()
        self._plan(wanted, now, now)
        if self._is_closed:
            return "the node is ending"

        def ended(end: Ended) -> None:
            self._is_over.set()
            if not self._is_closed:
                reply(made_from(end, limit_s=wanted.limit_s))

        arguments = [str(self._home.absolute()), wanted.to, str(wanted.keep)]
        self._is_over.clear()
        try:
            self._process = SideProcess(
                MODULE,
                arguments,
                place=Path(holdfast.__file__).parents[1],
                limit_s=wanted.limit_s,
                output_max=OUTPUT_MAX,
                on_end=ended,
            )
        except OSError as error:
            self._is_over.set()
            return f"expected to start a process, found that {error}"
        return ""

    def close(self) -> None:
        """End the backup that is being made, and begin none any more."""
        self._is_closed = True
        if (process := self._process) is not None:
            process.end(END_S)

    def _plan(self, wanted: Backup, since_ms: int, now_ms: int) -> None:
        self._planned, self._planned_ms = wanted, now_ms
        self._due_ms = Calendar(wanted.at).after(since_ms)


def made_from(end: Ended, *, limit_s: float) -> BackedUp:
    """Return what a process that has ended made, or why it made nothing."""
    if end.is_overdue:
        return BackedUp(problem=f"expected to be done within {limit_s:g} s, was not")
    try:
        return msgspec.json.decode(end.output, type=BackedUp)
    except (msgspec.DecodeError, UnicodeDecodeError):
        last = (end.errors.strip().splitlines() or ["nothing"])[-1]
        return failed(f"ended with {end.code}: {last}")


def failed(problem: str) -> BackedUp:
    """Return what is remembered of a backup that was not made, as far as the journal takes it."""
    return BackedUp(problem=scrub(problem)[:PROBLEM_MAX].encode("utf-8", "backslashreplace").decode())


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
