"""What the switchboard keeps of names: their cells, what incarnations live on, what they said."""

from typing import Any, NamedTuple

from supervision.mailbox import Mailbox
from supervision.signals import Exit

Encoded = tuple[str, int, bytes, object, int | None, int, int]
"""kind, version, payload, event, market time (None for the clock's), causation, correlation (0 for its own)."""


class Outbox:
    """What one handler said.  It is released as a whole when the handler returns, or not at all."""

    __slots__ = ("events", "messages", "seen", "wants_settled")

    def __init__(self) -> None:
        self.events: list[Encoded] = []
        self.messages: list[tuple[str, Any]] = []
        self.wants_settled = False
        self.seen = 0


class Cell:
    """What the switchboard keeps of one name over all of its incarnations."""

    __slots__ = (
        "epoch",
        "given",
        "handled",
        "hears_itself",
        "hears_late",
        "last_exit",
        "mailbox",
        "name",
        "open_work",
        "parent",
        "restarts",
        "retired",
        "settles",
        "started_at",
        "up",
    )

    def __init__(self, name: str, mailbox: Mailbox, *, settles: bool, parent: str, hears_late: bool = False) -> None:
        self.name = name
        self.mailbox = mailbox
        self.settles = settles
        self.parent = parent
        self.hears_itself = False
        self.hears_late = hears_late
        self.epoch = 0
        self.given = 0
        self.up = False
        self.retired = False
        self.open_work = False
        self.started_at = 0.0
        self.handled = 0
        """Messages of earlier incarnations."""
        self.restarts = -1
        self.last_exit: Exit | None = None

    def is_settled(self) -> bool:
        """Say whether nothing is left to do: one that is down is waited for, one that was given up is not."""
        if not self.up:
            return self.retired
        return not self.open_work and self.mailbox.is_idle()

    def why_unsettled(self) -> str:
        """Say what is left to do."""
        if not self.up:
            return f"down after {self.last_exit}"
        if self.mailbox.is_idle():
            return "waits for an answer"
        busy_with = type(self.mailbox.in_hand).__name__ if self.mailbox.busy_since is not None else "nothing"
        return f"{self.mailbox.depth()} messages, busy with {busy_with}"


class Seat(NamedTuple):
    """What an incarnation is given to live on."""

    cell: Cell
    epoch: int
    mailbox: Mailbox
    joined: int
    """The highest sequence given before this mailbox began to hear."""


class Vitals(NamedTuple):
    """How one name is doing.  Ages in seconds."""

    name: str
    parent: str
    up: bool
    retired: bool
    epoch: int
    restarts: int
    handled: int
    mailbox_depth: int
    busy_s: float
    busy_with: str
    events_waiting: int
    oldest_s: float
    """Age of the message that has waited longest, or of the one in hand."""
    uptime_s: float
    last_exit: str


def vitals_of(cell: Cell, now: float) -> Vitals:
    """Return how a name is doing at a monotonic instant."""
    mailbox = cell.mailbox
    busy_since = mailbox.busy_since if cell.up else None
    busy_s = now - busy_since if busy_since is not None else 0.0
    oldest_at = mailbox.oldest_at()
    return Vitals(
        name=cell.name,
        parent=cell.parent,
        up=cell.up,
        retired=cell.retired,
        epoch=cell.epoch,
        restarts=max(cell.restarts, 0),
        handled=cell.handled + mailbox.taken,
        mailbox_depth=mailbox.depth(),
        busy_s=busy_s,
        busy_with=type(mailbox.in_hand).__name__ if busy_since is not None else "",
        events_waiting=mailbox.events_waiting(),
        oldest_s=busy_s if oldest_at is None else max(busy_s, now - oldest_at),
        uptime_s=now - cell.started_at if cell.up else 0.0,
        last_exit=str(cell.last_exit) if cell.last_exit else "",
    )
