"""Two sides of a day held against each other, and the score of that."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

import msgspec

from holdfast.audit.items import Item, Key

HUNDREDTH = Decimal("0.01")


class Score(msgspec.Struct, frozen=True):
    """How much of what two sides decided is the same.

    A place is what both sides decided for one strategy, symbol, side and market time, or only one of them did; it is
    matched where both decided the same to the last digit.
    """

    matched: int
    places: int

    @property
    def percent(self) -> Decimal | None:
        """Return matched places of all, rounded down, so that 100 means all of them; None where there are none."""
        if not self.places:
            return None
        return (Decimal(100 * self.matched) / self.places).quantize(HUNDREDTH, ROUND_FLOOR)


class Pair(msgspec.Struct, frozen=True):
    """A place at which two sides are not the same; None where a side has nothing there."""

    journal: Item | None
    other: Item | None

    @property
    def item(self) -> Item:
        """Return either of them."""
        found = self.journal or self.other
        assert found is not None
        return found


class Matching(msgspec.Struct, frozen=True):
    """The score of decisions, that of fills, and every place that is not the same, in market time."""

    decisions: Score
    fills: Score
    pairs: tuple[Pair, ...]


def match(journal: Sequence[Item], others: Sequence[Item]) -> Matching:
    """Match what two sides decided, place by place; fills of one order at different times too."""
    mine, theirs = _by_key(journal), _by_key(others)
    matched = {"decision": 0, "fill": 0}
    pairs: list[Pair] = []
    lonely: list[Pair] = []
    for key in dict.fromkeys((*mine, *theirs)):
        same, left, right = _cancel(mine.get(key, []), theirs.get(key, []))
        matched[_sort(key)] += same
        both = min(len(left), len(right))
        pairs += [Pair(one, other) for one, other in zip(left, right, strict=False)]
        lonely += [*(Pair(one, None) for one in left[both:]), *(Pair(None, other) for other in right[both:])]
    pairs += _join_fills(lonely)
    pairs.sort(key=_place)
    differing = {"decision": 0, "fill": 0}
    for pair in pairs:
        differing[_sort(pair.item.key)] += 1
    scores = {sort: Score(matched[sort], matched[sort] + differing[sort]) for sort in matched}
    return Matching(scores["decision"], scores["fill"], tuple(pairs))


def _sort(key: Key) -> str:
    return "fill" if key[0] == "fill" else "decision"


def _place(pair: Pair) -> tuple[int, int, int]:
    """Return where a pair stands: what was decided later follows from what was decided before, never the reverse."""
    both = [item for item in (pair.journal, pair.other) if item is not None]
    return min(item.at for item in both), ORDER.index(pair.item.group), both[0].seq


ORDER = ("fill", "trip", "proposal", "verdict", "exit", "end", "order")
"""What comes of one instant, in the order of causes: its bars fill orders before anybody is asked."""


def _by_key(items: Sequence[Item]) -> dict[Key, list[Item]]:
    found: dict[Key, list[Item]] = defaultdict(list)
    for item in items:
        found[item.key].append(item)
    return found


def _cancel(mine: Sequence[Item], theirs: Sequence[Item]) -> tuple[int, list[Item], list[Item]]:
    """Return how many are the same, and what is left on either side."""
    right = list(theirs)
    left = []
    for item in mine:
        equal = next((other for other in right if other.said == item.said), None)
        if equal is None:
            left.append(item)
        else:
            right.remove(equal)
    return len(mine) - len(left), left, right


def _join_fills(lonely: Sequence[Pair]) -> list[Pair]:
    """Put fills of the same order together that fell to different instants."""
    joined: list[Pair] = []
    waiting = [pair.other for pair in lonely if pair.other is not None]
    for pair in lonely:
        mine = pair.journal
        if mine is None:
            continue
        like = next((other for other in waiting if mine.group == "fill" and is_same_order(mine, other)), None)
        if like is not None:
            waiting.remove(like)
        joined.append(Pair(mine, like))
    return [*joined, *(Pair(None, other) for other in waiting)]


def is_same_order(one: Item, other: Item) -> bool:
    """Say whether two fills are of orders with the same terms."""
    return one.group == other.group == "fill" and one.values().get("order") == other.values().get("order")
