"""What the machinery says: lanes, numbered records, the signals between supervisors and children, reports."""

from enum import IntEnum
from typing import Any, Literal, NamedTuple


class Lane(IntEnum):
    """The lanes of a mailbox, most urgent first."""

    SYSTEM = 0
    CONTROL = 1
    EVENTS = 2
    ORDINARY = 3


class Recorded(NamedTuple):
    """An event with its number and its circumstances.  This is what is folded and what the journal keeps."""

    seq: int
    at: int
    """Market time, in the clock's milliseconds."""
    wall: int
    """Wall-clock time in milliseconds since the epoch, UTC."""
    kind: str
    version: int
    actor: str
    epoch: int
    seen: int
    """The last sequence its actor had folded when it said this."""
    correlation: int
    causation: int
    payload: bytes
    event: Any


ExitKind = Literal["normal", "shutdown", "crash", "init", "killed", "hung"]


class Exit(NamedTuple):
    """Why an incarnation ended."""

    kind: ExitKind
    detail: str = ""

    @property
    def is_normal(self) -> bool:
        """Say whether this is one of the ends that a transient child is not restarted after."""
        return self.kind in ("normal", "shutdown")

    def __str__(self) -> str:
        return f"{self.kind}({self.detail})" if self.detail else self.kind


class Wake(NamedTuple):
    """First message of every life: look at what was recovered and do what it asks for."""


class Stop(NamedTuple):
    """End after the message in hand."""

    kind: ExitKind = "shutdown"


class Break(NamedTuple):
    """Crash on purpose, so that people can watch it heal."""

    reason: str


class Started(NamedTuple):
    """A child acknowledged its start."""

    name: str
    epoch: int


class Exited(NamedTuple):
    """An incarnation has ended; nothing of it runs any more, or it was fenced and abandoned."""

    name: str
    epoch: int
    reason: Exit


class Expired(NamedTuple):
    """A supervisor's timer for one incarnation of a child ran out."""

    what: Literal["start", "stop", "backoff", "healthy"]
    name: str
    epoch: int


class RestartChild(NamedTuple):
    """An operator asks for a child to be started anew; also one that had given up."""

    name: str
    reason: str


class Settled(NamedTuple):
    """Everything that was caused by what has been recorded so far is done."""

    seq: int


class Progress(NamedTuple):
    """Report: a child was started."""

    supervisor: str
    name: str
    epoch: int


class Terminated(NamedTuple):
    """Report: a child ended abnormally, or its start failed."""

    supervisor: str
    name: str
    epoch: int
    reason: Exit
    restarts_in_window: int


class GaveUp(NamedTuple):
    """Report: a supervisor reached its maximum restart intensity and is going down."""

    supervisor: str
    name: str
    reason: Exit


class CrashReport(NamedTuple):
    """Report by a dying actor.  `stack` and `message` are cut to a limit."""

    name: str
    epoch: int
    reason: str
    message: str
    stack: str
    mailbox_depth: int
    uptime_s: float
