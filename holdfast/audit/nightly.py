"""Audits on schedule: each in a process of its own, one at a time, and only where days go by slowly enough."""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

import holdfast
from domain.market import DAY_MS, SECOND_MS, Instant
from gateways.calendar import Calendar
from gateways.side_process import Ended, SideProcess
from holdfast.audit.child import text_of
from holdfast.audit.days import name_of
from holdfast.config.settings import Settings
from messages.audit import DayAudited

MODULE = "holdfast.audit.child"
OUTPUT_MAX = 64 * 1024
DAY_S_MIN = 60
"""A day of market time that takes less than so many seconds is not audited: the next would be over before the audit."""
COPIES = 4
"""How often a journal must fit into where it is lived again: twice as a copy, with room for what both write."""
MEMORY = Path("/dev/shm")
FOLDER = "audit"
END_S = 5.0
"""How long the end of a node waits for that of an audit."""
PREFIX = "holdfast-audit-"


class Nightly:
    """Begins audits of a home's days, and ends with its node."""

    def __init__(self, home: Path, settings: Callable[[], Settings]) -> None:
        """`settings` are those in force; what an earlier process of the node left behind is removed."""
        self._home = home
        self._settings = settings
        self._process: SideProcess | None = None
        self._is_over = threading.Event()
        """None goes on.  Of its own, for one may end before it is even known here which process it is."""
        self._is_over.set()
        self._is_closed = False
        shutil.rmtree(home / FOLDER, ignore_errors=True)

    def due_after(self, at: Instant) -> Instant | None:
        """Return when the next day is to be audited, in market time; None where none is."""
        settings = self._settings()
        speed = settings.feed.speed
        if (
            settings.venue.kind != "paper"
            or not settings.audit.at
            or speed == "max"
            or DAY_MS / SECOND_MS / float(speed) < DAY_S_MIN
        ):
            return None
        return Calendar(settings.audit.at).after(at)

    def begin(self, day: int, reply: Callable[[DayAudited], None]) -> str:
        """Begin to audit a day, and tell what came of it on another thread; or say why not."""
        settings, name = self._settings(), name_of(day)
        if self._is_closed or not self._is_over.is_set():
            return f"{name}: {'the node is ending' if self._is_closed else 'the audit before is not over'}"
        needed = COPIES * (self._home / "journal.db").stat().st_size
        folder = self._folder(needed, spare=settings.health.disk_free_min_mb * 1024 * 1024)
        if folder is None:
            return f"{name}: expected room for {needed:,} bytes beside the journal, found less"

        def ended(end: Ended) -> None:
            shutil.rmtree(folder, ignore_errors=True)
            self._is_over.set()
            if not self._is_closed:
                reply(audited_from(name, end, limit_s=settings.audit.limit_s))

        self._is_over.clear()
        try:
            self._process = SideProcess(
                MODULE,
                [str(self._home.absolute()), name, str(folder)],
                place=Path(holdfast.__file__).parents[1],
                limit_s=settings.audit.limit_s,
                output_max=OUTPUT_MAX,
                on_end=ended,
            )
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            self._is_over.set()
            return f"{name}: expected to start a process, found that {error}"
        return ""

    def close(self) -> None:
        """End the audit that is going on, and begin none any more."""
        self._is_closed = True
        if (process := self._process) is not None:
            process.end(END_S)

    def _folder(self, needed: int, *, spare: int) -> Path | None:
        """Make a folder to live the day in: in memory if it is small for that, else on the home's disk, if it fits.

        What is written in memory holds up nobody who waits for the disk.
        """
        if MEMORY.is_dir() and needed <= shutil.disk_usage(MEMORY).free // 4:
            return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=MEMORY))
        if needed + spare > shutil.disk_usage(self._home).free:
            return None
        folder = self._home / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder


def audited_from(day: str, end: Ended, *, limit_s: float) -> DayAudited:
    """Return what a process that has ended found, or why it found nothing."""
    if end.is_overdue:
        problem = f"expected to be done within {limit_s:g} s, was not"
        return DayAudited(day=day, score=None, problem=problem)
    try:
        return msgspec.json.decode(end.output, type=DayAudited)
    except msgspec.DecodeError:
        last = (end.errors.strip().splitlines() or ["nothing"])[-1]
        return DayAudited(day=day, score=None, problem=text_of(f"ended with {end.code}: {last}"))
