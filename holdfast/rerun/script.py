"""The order in which actors recorded at instants at which something came from outside: a re-run keeps to it there.

Elsewhere order says nothing.  But an order that fills and an operator who flattens at the same instant can come to
different ends, each of them right.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from domain.market import Instant
from holdfast.rerun.inputs import VENUE_FIRST
from holdfast.rerun.overtaking import takes_part

DISK = ""
"""The recorder's name: what it commits, the venue is asked then."""


class Script:
    """Where a re-run stands in the order of the present instant."""

    def __init__(self, orders: Mapping[Instant, Sequence[str]]) -> None:
        """`orders` are names of actors and of cues, by the instant."""
        self._orders = orders
        self._order: Sequence[str] = ()
        self._place = 0
        self._ahead: Counter[str] = Counter()
        """What was recorded before its time."""
        self.at: Instant = 0

    @property
    def next(self) -> str:
        """Return whose turn it is to record, or the cue that is due; empty where there is no order any more."""
        return self._order[self._place] if self._place < len(self._order) else ""

    def hear(self, at: Instant, actor: str) -> None:
        """Take in that an actor has recorded something."""
        if at != self.at:
            self.at, self._order, self._place = at, self._orders.get(at, ()), 0
            self._ahead.clear()
        if takes_part(actor):
            self.take(actor)

    def take(self, name: str) -> None:
        """Take in that an actor has recorded, or that a cue was given."""
        self._ahead[name] += 1
        while self._place < len(self._order) and self._ahead[self._order[self._place]] > 0:
            self._ahead[self._order[self._place]] -= 1
            self._place += 1

    def prefer(self, names: Sequence[str]) -> int | None:
        """Say which of some who are ready goes first: who is to record next, else who has nothing to record.

        The disk goes last of these, for with it the venue is asked; where the venue is to be asked first, both do.
        """
        if self.next == VENUE_FIRST:
            for name in (DISK, "venue"):
                if name in names:
                    return names.index(name)
            self.take(VENUE_FIRST)
        if not self.next:
            return None
        if self.next in names:
            return names.index(self.next)
        later = set(self._order[self._place :])
        idle = [place for place, name in enumerate(names) if name not in later]
        return min(idle, key=lambda place: names[place] == DISK, default=None)
