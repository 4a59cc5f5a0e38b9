"""An actor whose memory is a fold over remembered events.

Start, restart and recovery are one path: newest snapshot, fold what was remembered since, then `react`.  `react`
computes what to do from the folded memory and what this incarnation has in hand; it is called after each message
unless an own event is still on its way, so that no reaction depends on having seen an edge.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from supervision.actor import Actor
from supervision.cells import Seat
from supervision.errors import Poisoned, said_of
from supervision.signals import Recorded

if TYPE_CHECKING:
    from supervision.system import System


class Recovered(NamedTuple):
    """What the journal has for a starting actor."""

    seq: int
    """Sequence of the snapshot; 0 where there is none."""
    state: bytes | None
    records: Iterable[Recorded]
    """What the actor hears, after the snapshot."""


class Recovery(Protocol):
    """Where a starting actor finds its past."""

    def __call__(self, name: str, *, version: int, upto: int) -> Recovered:
        """Return a snapshot of that version and the records up to a sequence; waits until that is durable."""


class Memory(Protocol):
    """What an actor remembers: nothing but a fold over events, so that it can be rebuilt without the actor."""

    @property
    def version(self) -> int:
        """Return the version of the fold: a snapshot of another version is not used."""

    def fold(self, record: Recorded) -> None:
        """Take a remembered event in: no clock, no randomness, no I/O, nothing said."""

    def save(self) -> bytes:
        """Return what is remembered, encoded so that equal memories give equal bytes."""

    def load(self, saved: bytes) -> None:
        """Take over what `save` returned."""


class JournaledActor(Actor):
    """Subclasses write `react`, and `receive` for what is not remembered."""

    hears_itself = True

    def __init__(self, system: "System", seat: Seat, *, memory: Memory) -> None:
        super().__init__(system, seat)
        self.seq = 0
        self._memory = memory
        self._own_last = 0
        self._record: Recorded | None = None
        self._marker = system.marker

    @property
    def remembered(self) -> Memory:
        """Return what it remembers, for who shares its thread; it is the fold's to change."""
        return self._memory

    # -- for subclasses ------------------------------------------------------------------------------------------

    def react(self) -> None:
        """Do what the memory asks for and this incarnation has not begun."""

    def marked(self, record: Recorded, version: int, saved: bytes) -> None:
        """Tell the memory as of a marker that was just folded."""

    # -- the machinery -------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        past = self._system.recover(self.name, version=self._memory.version, upto=self._joined)
        if past.state is not None:
            self._memory.load(past.state)
            self.seq = past.seq
        excused = {seq for name, seq in self._system.excused if name == self.name}
        for record in past.records:
            if record.seq not in excused:
                self._fold_again(record)
        self.seq = self._joined
        self.started()

    def _fold_again(self, record: Recorded) -> None:
        try:
            self._memory.fold(record)
        except Exception as error:
            raise Poisoned(f"sequence {record.seq}, {record.kind}: {said_of(error)}") from error

    def _take(self, message: Any) -> Any:
        answer = None
        if type(message) is not Recorded:
            answer = super()._take(message)
        elif message.seq > self.seq:
            self._record = message
            if not self._system.excused or (self.name, message.seq) not in self._system.excused:
                self._memory.fold(message)
            self.seq = message.seq
            if type(message.event) is self._marker:
                self.marked(message, self._memory.version, self._memory.save())
        outbox = self._outbox
        if self._own_last <= self.seq and (outbox is None or not outbox.events):
            self.react()
        self._record = None
        return answer

    def _let_out(self) -> None:
        """Fold what it recorded itself in the same turn, where no other event waits to be folded before.

        What that leads it to record comes as a message again, so that a turn has an end.
        """
        own: list[Recorded] = []
        if self._outbox is not None:
            self._outbox.own = own
        super()._let_out()
        for record in own:
            self._mailbox.in_hand = record
            self._mailbox.recent.append(record)
            self._take(record)
        if own:
            super()._let_out()

    def _cause(self) -> tuple[int, int]:
        return (self._record.seq, self._record.correlation) if self._record is not None else (0, 0)

    def _seen(self) -> int:
        return self.seq

    def _said(self, last_seq: int) -> None:
        self._own_last = last_seq
