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
        "busy_since",
        "busy_with",
        "epoch",
        "given",
        "handled",
        "hears_itself",
        "last_exit",
        "load",
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

    def __init__(self, name: str, mailbox: Mailbox, *, settles: bool, parent: str) -> None:
        self.name = name
        self.mailbox = mailbox
        self.settles = settles
        self.parent = parent
        self.hears_itself = False
        self.epoch = 0
        self.given = 0
        self.up = False
        self.retired = False
        self.open_work = False
        self.load = 0
        self.busy_since: float | None = None
        self.busy_with = ""
        self.started_at = 0.0
        self.handled = 0
        self.restarts = -1
        self.last_exit: Exit | None = None


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
    high_water: int
    busy_s: float
    busy_with: str
    uptime_s: float
    last_exit: str


class Held(NamedTuple):
    """Something said that waits until what its sender knew is durable."""

    gate: int
    sender: str
    epoch: int
    to: str
    message: Any


def vitals_of(cell: Cell, now: float) -> Vitals:
    """Return how a name is doing at a monotonic instant."""
    busy_since = cell.busy_since
    return Vitals(
        name=cell.name,
        parent=cell.parent,
        up=cell.up,
        retired=cell.retired,
        epoch=cell.epoch,
        restarts=max(cell.restarts, 0),
        handled=cell.handled,
        mailbox_depth=cell.mailbox.depth(),
        high_water=cell.mailbox.high_water,
        busy_s=now - busy_since if busy_since is not None else 0.0,
        busy_with=cell.busy_with if busy_since is not None else "",
        uptime_s=now - cell.started_at if cell.up else 0.0,
        last_exit=str(cell.last_exit) if cell.last_exit else "",
    )
