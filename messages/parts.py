"""What befell the parts of the node: starts, crashes, what supervisors met with.  Remembered for people to look at."""

from messages.base import Event


class PartStarted(Event, frozen=True):
    """A part acknowledged its start to its supervisor."""

    supervisor: str
    part: str
    epoch: int


class PartCrashed(Event, frozen=True):
    """A part ended by an error, or was given up because it hung.  Texts are cut to a limit, secrets taken out."""

    part: str
    epoch: int
    reason: str
    stack: str
    message: str
    """What it had in hand."""
    last_messages: tuple[str, ...]
    """The types of the messages it had taken before, the newest last."""
    mailbox_depth: int
    mailbox_types: tuple[str, ...]
    """The types of the first messages that waited."""
    uptime_s: float
    ancestors: tuple[str, ...]
    """Its supervisor, and those above."""


class SupervisorReported(Event, frozen=True):
    """A supervisor met with something.  `context` is OTP's: start_error, child_terminated, shutdown_error, shutdown."""

    supervisor: str
    context: str
    reason: str
    part: str
    epoch: int
    restart: str
    restarts_in_window: int
