"""The children of one supervisor in order of start, and apart those about which something is to be done.

A supervisor looks after each message at what is to be done next.  Each child stands where that is seen at once, and is
moved when it changes, so that thousands of them cost each other nothing.
"""

import itertools
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from operator import attrgetter

from supervision.child import Child, Need

_rank_of = attrgetter("rank")


class Children:
    """Finds children by name, and those with a need in order of start."""

    def __init__(self, children: Sequence[Child] = ()) -> None:
        self._by_name: dict[str, Child] = {}
        self._needing: dict[Need, list[Child]] = {"patience": [], "stop": [], "start": [], "time": []}
        self._recycled: set[Child] = set()
        self._ranks = itertools.count()
        for child in children:
            self.add(child)

    def __iter__(self) -> Iterator[Child]:
        """Yield all, in order of start."""
        return iter(self._by_name.values())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._by_name)

    def find(self, name: str) -> Child | None:
        """Return a child by its name; None where there is none."""
        return self._by_name.get(name)

    def after(self, child: Child) -> list[Child]:
        """Return those that start after a child."""
        return [other for other in self if other.rank > child.rank]

    def needing(self, need: Need) -> Sequence[Child]:
        """Return those with a need, in order of start, as they are now."""
        return self._needing[need]

    @property
    def are_at_rest(self) -> bool:
        """Say whether nothing is to be done about any of them."""
        return not any(self._needing.values())

    def add(self, child: Child) -> None:
        """Have a child more, the last to start."""
        child.rank = next(self._ranks)
        self._by_name[child.name] = child
        child.on_change = self._place
        self._place(child)

    def remove(self, child: Child) -> None:
        """Have a child no more."""
        del self._by_name[child.name]
        child.on_change = lambda child: None
        self._recycled.discard(child)
        self._move(child, None)

    def end_recycling(self) -> None:
        """Take it that all that had to be stopped for a new start have been."""
        recycled, self._recycled = self._recycled, set()
        for child in recycled:
            child.recycle = False

    def _place(self, child: Child) -> None:
        if child.recycle:
            self._recycled.add(child)
        if child.need != child.placed:
            self._move(child, child.need)

    def _move(self, child: Child, need: Need | None) -> None:
        if child.placed is not None:
            queue = self._needing[child.placed]
            del queue[bisect_left(queue, child.rank, key=_rank_of)]
        if need is not None:
            insort(self._needing[need], child, key=_rank_of)
        child.placed = need
