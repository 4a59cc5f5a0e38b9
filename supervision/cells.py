"""What the switchboard keeps of names: their cells, what incarnations live on, what they said."""

from typing import Any, NamedTuple

from pykka._envelope import Envelope

from supervision.errors import Fenced
from supervision.mailbox import Mailbox
from supervision.mailbox_spec import DEFAULT_MAILBOX, MailboxSpec
from supervision.signals import Exit, Lane, Recorded

Encoded = tuple[str, int, bytes, object, int | None, int, int]
"""kind, version, payload, event, market time (None for the clock's), causation, correlation (0 for its own)."""


class Outbox:
    """What one handler said.  It is released as a whole when the handler returns, or not at all."""

    __slots__ = ("events", "messages", "own", "seen", "though_waiting", "wants_settled")

    def __init__(self) -> None:
        self.own: list[Recorded] | None = None
        """Where there is a list, it takes the events as recorded in place of the mailbox, if nothing waits there."""
        self.events: list[Encoded] = []
        self.messages: list[tuple[str, Any]] = []
        self.wants_settled = self.though_waiting = False
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
        "mailbox_spec",
        "name",
        "open_work",
        "parent",
        "restarts",
        "retired",
        "settles",
        "started_at",
        "up",
    )

    def __init__(
        self,
        name: str,
        *,
        settles: bool = False,
        parent: str = "",
        hears_late: bool = False,
        mailbox_spec: MailboxSpec = DEFAULT_MAILBOX,
    ) -> None:
        self.name = name
        self.mailbox = Mailbox()
        self.mailbox_spec = mailbox_spec
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

    @property
    def takes_messages(self) -> bool:
        """Say whether somebody will read what it is told."""
        return self.up or (self.mailbox_spec.retains and not self.retired)

    def reads(self, epoch: int | None) -> bool:
        """Say whether that incarnation, or whoever lives next where it is None, will read what it is told."""
        return self.takes_messages if epoch is None else self.up and self.epoch == epoch

    def keeps(self, lane: Lane, envelope: Envelope[Any]) -> bool:
        """Say whether what waits is for the next incarnation too; a question is not, nor what is for one alone."""
        is_retained = self.mailbox_spec.retains and not self.retired
        is_for_all = envelope.reply_to is None and getattr(envelope, "epoch", None) is None
        return is_retained and lane in (Lane.CONTROL, Lane.ORDINARY) and is_for_all

    def demand_epoch(self, epoch: int) -> None:
        """Refuse an incarnation that was replaced.

        Raises:
            Fenced: it was.
        """
        if self.epoch != epoch:
            raise Fenced(f"epoch of {self.name} is {self.epoch}, an incarnation of epoch {epoch} spoke")

    def is_settled(self) -> bool:
        """Say whether nothing is left to do: one that is down is waited for, one that was given up is not."""
        return not self.open_work and self.mailbox.is_idle() if self.up else self.retired

    def is_quiet(self) -> bool:
        """Say whether nothing is in hand or queued, though an answer from outside may be waited for."""
        return self.mailbox.is_idle() if self.up else self.retired

    @property
    def is_at_work(self) -> bool:
        """Say whether it has a message in hand, or an event to hear."""
        return self.mailbox.busy_since is not None or self.mailbox.events_waiting() > 0

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
    high_water: int
    """The most messages that one lane has held."""
    busy_s: float
    busy_with: str
    events_waiting: int
    oldest_s: float
    """Age of the message that has waited longest, or of the one in hand."""
    uptime_s: float
    last_exit: str

    @property
    def is_poisoned(self) -> bool:
        """Say whether it was set aside for an event that it cannot fold."""
        return not self.up and self.last_exit.startswith("poisoned(")


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
        high_water=mailbox.high_water,
        busy_s=busy_s,
        busy_with=type(mailbox.in_hand).__name__ if busy_since is not None else "",
        events_waiting=mailbox.events_waiting(),
        oldest_s=busy_s if oldest_at is None else max(busy_s, now - oldest_at),
        uptime_s=now - cell.started_at if cell.up else 0.0,
        last_exit=str(cell.last_exit) if cell.last_exit else "",
    )
