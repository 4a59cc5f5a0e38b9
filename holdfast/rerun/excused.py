"""Events that operators have had actors pass over: the same ones in a life that gives them other sequences.

An event is known again by its kind and by which of these it is at its instant.  What it says may differ, as names of
orders do.  It is passed over as it comes, whether it could be folded now or not: the journal's actor did without it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from domain.market import Instant
from holdfast.rebuild import excuses
from messages.node import OperatorCommanded
from persistence.reader import JournalReader
from supervision import Recorded


class Excused(NamedTuple):
    """An event that an actor passes over."""

    actor: str
    seq: int
    """In the journal that is run again."""
    kind: str
    at: Instant
    number: int
    """The how manieth of its kind it is at its instant, from 1."""


def find_excused(reader: JournalReader, until: int) -> tuple[Excused, ...]:
    """Return the events up to a sequence that were excused up to there."""
    found = []
    for actor, seq in excuses(reader, until):
        record = next(reader.read(after=seq - 1, until=seq))
        alike = reader.read(after=reader.seq_at(record.at - 1), until=seq, kinds=[record.kind])
        found.append(Excused(actor, seq, record.kind, record.at, sum(1 for _ in alike)))
    return tuple(found)


class PassingOver:
    """Finds the excused events again in what a life records."""

    def __init__(self, excused: Sequence[Excused]) -> None:
        self._excused = excused
        self._kinds = {each.kind for each in excused}
        self._at: Instant = 0
        self._counted: Counter[str] = Counter()
        self._sequences: dict[tuple[str, int], int] = {}
        """Those of this life, by the actor and the journal's."""

    @property
    def found(self) -> set[tuple[str, int]]:
        """Return who passes over which sequence of this life, as far as it has come."""
        return {(actor, seq) for (actor, _), seq in self._sequences.items()}

    def hear(self, records: Iterable[Recorded]) -> None:
        """Take in what is recorded, before anybody folds it."""
        for record in records:
            if record.at != self._at:
                self._at = record.at
                self._counted.clear()
            if record.kind in self._kinds:
                self._counted[record.kind] += 1
                for each in self._excused:
                    if (each.kind, each.at, each.number) == (record.kind, record.at, self._counted[record.kind]):
                        self._sequences[each.actor, each.seq] = record.seq

    def said_here(self, command: OperatorCommanded) -> OperatorCommanded | None:
        """Return a command as this life has it: the sequence that it excuses is another; None where it never came."""
        if command.command != "excuse":
            return command
        actor, _, seq = command.target.rpartition(" ")
        here = self._sequences.get((actor, int(seq)))
        return None if here is None else msgspec.structs.replace(command, target=f"{actor} {here}")
