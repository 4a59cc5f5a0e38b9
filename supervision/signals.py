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


ExitKind = Literal["normal", "shutdown", "ignore", "crash", "init", "poisoned", "killed", "hung", "noproc"]


class Exit(NamedTuple):
    """Why an incarnation ended."""

    kind: ExitKind
    detail: str = ""

    @property
    def is_normal(self) -> bool:
        """Say whether this is one of the ends that a transient child is not restarted after."""
        return self.kind in ("normal", "shutdown", "ignore")

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


class Stall(NamedTuple):
    """Hang on purpose, for ever, so that people can watch the watchdog find it."""

    reason: str


class Raise(NamedTuple):
    """Crash by an error that was met when this actor was called outside of its turns."""

    error: Exception


class Started(NamedTuple):
    """A child acknowledged its start."""

    name: str
    epoch: int


class Exited(NamedTuple):
    """An incarnation has ended; nothing of it runs any more, or it was fenced and abandoned."""

    name: str
    epoch: int
    reason: Exit


class Down(NamedTuple):
    """An incarnation that was watched has ended, or a name that was watched will not come back."""

    ref: int
    name: str
    epoch: int
    reason: Exit
    """`noproc` where nobody of that name lived when the watch began."""


class Expired(NamedTuple):
    """A supervisor's timer for one incarnation of a child ran out."""

    what: Literal["start", "stop", "backoff", "healthy"]
    name: str
    epoch: int


class RecycleChild(NamedTuple):
    """An operator wants a child started anew, whatever it does now; also one that had given up."""

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


class Offender(NamedTuple):
    """The child that a report is about."""

    name: str
    epoch: int
    restart: str
    significant: bool
    shutdown_s: float | None
    type: str
    restarts_in_window: int


Context = Literal["start_error", "child_terminated", "shutdown_error", "shutdown"]
"""OTP's words: a start failed; a child ended; one ended badly while it was stopped; the supervisor gives up."""


class SupervisorReport(NamedTuple):
    """Report: what a supervisor met with."""

    supervisor: str
    context: Context
    reason: Exit
    offender: Offender


STACK_CHARS_MAX = 8_000


class CrashReport(NamedTuple):
    """Report by a dying actor, or of one that hung.  `stack` and `message` are cut to a limit."""

    name: str
    epoch: int
    reason: str
    message: str = ""
    """What it had in hand."""
    stack: str = ""
    mailbox_depth: int = 0
    mailbox_types: tuple[str, ...] = ()
    """The types of the first messages that waited."""
    last_messages: tuple[str, ...] = ()
    """The types of the messages it had taken before, the newest last."""
    uptime_s: float = 0.0
    ancestors: tuple[str, ...] = ()
    """Its supervisor, and those above."""
