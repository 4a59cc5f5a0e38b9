"""Says of every difference what it comes from: a cause with its evidence, an earlier difference, or nothing known.

The nodes that are compared decide the same from the same inputs.  So a difference between journal and backtest comes
from an input that was not the same; where the re-run of the journal's own inputs shows it too, it does not, and nothing
is made up for it.  Of several inputs that may be behind a difference, the newest before it that is about its symbol is
named.
"""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from domain.market import HOUR_MS
from holdfast.audit.deviations import Cause, Deviation
from holdfast.audit.items import Item
from holdfast.audit.matching import Pair, is_same_order

BASIS_POINTS = Decimal(10_000)
BARS = ("missing bar", "late bar", "refused bar", "revised bar")
SHORTLY_MS = HOUR_MS
"""So long after a command it is told as evidence of what is unexplained."""
STALE = ("STALE_MARKET", "EXPIRED", "NO_PRICE")
STOPPED = "BREAKER_NOT_ACTIVE"
HUNDREDTH = Decimal("0.01")


class Slip(msgspec.Struct, frozen=True):
    """How much worse the journal's fill was than the other side's; below zero where it was better."""

    price_bps: Decimal
    """Of the other side's price."""
    quote: Decimal
    """In quote currency, over the journal's quantity; fees are not in it."""
    fee: Decimal
    """More fees, in the asset they were taken in; zero where the sides took different assets."""


class Difference(msgspec.Struct, frozen=True):
    """A place at which two sides are not the same, and why."""

    number: int
    """Counted from 1, in the order of what can follow from what."""
    pair: Pair
    cause: Cause
    follows: int | None
    """The difference that it follows from; 0 for one before the day; None where it is the first of its cause."""
    evidence: tuple[Deviation, ...] = ()
    slip: Slip | None = None


class Causes:
    """Finds the causes of differences, given one after another in the order in which one can follow from another."""

    def __init__(
        self,
        deviations: Sequence[Deviation],
        *,
        began_equal: bool,
        strange: Collection[Any] = (),
        hands: Sequence[Deviation] = (),
    ) -> None:
        """`strange` is what the re-run has not decided like the journal, or besides it, unexplained (`Item.said`).

        `hands` are an operator's commands, told as evidence of what is unexplained shortly after: amid work, they may
        have taken effect at another moment.
        """
        self._deviations = deviations
        self._began_equal = began_equal
        self._strange_ones = strange
        self._hands = hands
        self._used: dict[int, Difference] = {}
        """The first difference of each deviation, by its place."""
        self._by_symbol: dict[tuple[str, str], Difference] = {}
        self._skipped_first: dict[str, Difference] = {}
        """By strategy."""
        self._first: Difference | None = None
        self._first_unexplained: Difference | None = None
        self._count = 0

    def of(self, pair: Pair) -> Difference:
        """Say what a difference comes from."""
        self._count += 1
        found = self._direct(pair) or self._strange(pair) or self._following(pair) or self._given(pair)
        found = found or self._after(pair) or self._of_deviation(pair, self._newest(pair, lifting=True))
        difference = found or self._root(pair, "unexplained")
        if difference.follows is None:
            self._first = self._first or difference
            if difference.cause == "unexplained":
                self._first_unexplained = self._first_unexplained or difference
        item = pair.item
        self._by_symbol.setdefault((item.strategy, item.symbol), difference)
        return difference

    def _direct(self, pair: Pair) -> Difference | None:
        """Find what the two sides say themselves: a denial for staleness, a node that was stopped, another fill."""
        reason = _reason(pair.journal)
        if reason in STALE and _reason(pair.other) != reason:
            near = self._newest(pair, BARS)
            return self._root(pair, "staleness", near)
        if reason == STOPPED and _reason(pair.other) != reason:
            near = self._newest(pair, ("operator", "restart"))
            return self._of_deviation(pair, near)
        if pair.journal is None and (skipped := self._skipped(pair.item)) is not None:
            return self._of_skipped(pair, skipped)
        if pair.journal is None or pair.other is None or not is_same_order(pair.journal, pair.other):
            return None
        bars = self._newest(pair, BARS, since=min(pair.journal.at, pair.other.at))
        return self._of_deviation(pair, bars) or self._root(pair, "slippage")

    def _strange(self, pair: Pair) -> Difference | None:
        """Find what the same inputs did not lead to either: no input is the cause of it."""
        if not any(item is not None and item.said in self._strange_ones for item in (pair.journal, pair.other)):
            return None
        if self._first_unexplained is not None:
            return self._follow(pair, self._first_unexplained)
        return self._before(pair) or self._root(pair, "unexplained")

    def _following(self, pair: Pair) -> Difference | None:
        item = pair.item
        earlier = self._by_symbol.get((item.strategy, item.symbol))
        return self._follow(pair, earlier) if earlier is not None else None

    def _given(self, pair: Pair) -> Difference | None:
        """Find an input that was not the same, about this symbol or about all."""
        return self._of_deviation(pair, self._newest(pair))

    def _after(self, pair: Pair) -> Difference | None:
        """Find what changed the account, or a bar of another symbol; what is left was so before the day."""
        if self._first is not None:
            return self._follow(pair, self._first)
        others = [place for place, each in enumerate(self._deviations) if each.at <= pair.item.at and each.symbol]
        return self._of_deviation(pair, others[-1]) if others else self._before(pair)

    def _before(self, pair: Pair) -> Difference | None:
        if self._began_equal:
            return None
        return Difference(self._count, pair, "unexplained", follows=0, slip=slip_of(pair))

    def _newest(self, pair: Pair, causes: Collection[str] = (), *, since: int = 0, lifting: bool = False) -> int | None:
        """Return the place of the newest deviation before a pair that is about its symbol, of some causes only."""
        item = pair.item
        found = [
            place
            for place, each in enumerate(self._deviations)
            if since <= each.at <= item.at
            and each.lifts is lifting
            and each.touches(symbol=item.symbol, strategy=item.strategy)
            and (not causes or each.cause in causes)
        ]
        return max(found, key=lambda place: (self._deviations[place].at, place)) if found else None

    def _skipped(self, item: Item) -> int | None:
        for place, each in enumerate(self._deviations):
            if each.cause == "restart" and each.strategy == item.strategy and each.at == item.at:
                return place
        return None

    def _of_skipped(self, pair: Pair, place: int) -> Difference | None:
        """Name the first offer of a strategy that was skipped; later ones follow from it."""
        strategy = pair.item.strategy
        if strategy in self._skipped_first:
            return self._follow(pair, self._skipped_first[strategy])
        found = self._of_deviation(pair, place)
        if found is not None:
            self._skipped_first[strategy] = found
        return found

    def _of_deviation(self, pair: Pair, place: int | None) -> Difference | None:
        if place is None:
            return None
        if place in self._used:
            return self._follow(pair, self._used[place])
        found = self._root(pair, self._deviations[place].cause, place)
        self._used[place] = found
        return found

    def _root(self, pair: Pair, cause: Cause, place: int | None = None) -> Difference:
        evidence: tuple[Deviation, ...] = (self._deviations[place],) if place is not None else ()
        if cause == "unexplained":
            evidence = tuple([each for each in self._hands if 0 <= pair.item.at - each.at <= SHORTLY_MS][-1:])
        return Difference(self._count, pair, cause, follows=None, evidence=evidence, slip=slip_of(pair))

    def _follow(self, pair: Pair, first: Difference) -> Difference:
        root = first.number if first.follows is None else first.follows
        return Difference(self._count, pair, first.cause, follows=root, slip=slip_of(pair))


def _reason(item: Item | None) -> str:
    return str(item.values().get("reason", "")) if item is not None and item.kind == "OrderDenied" else ""


def slip_of(pair: Pair) -> Slip | None:
    """Return how much worse one fill was than the other; None where two fills are not compared."""
    if pair.journal is None or pair.other is None or pair.journal.group != "fill":
        return None
    mine, theirs = pair.journal.values()["fill"], pair.other.values()["fill"]
    price, other = Decimal(mine["price"]), Decimal(theirs["price"])
    worse = price - other if mine["side"] == "buy" else other - price
    is_alike = mine["fee"]["asset"] == theirs["fee"]["asset"]
    return Slip(
        price_bps=(worse / other * BASIS_POINTS).quantize(HUNDREDTH),
        quote=worse * Decimal(mine["quantity"]),
        fee=Decimal(mine["fee"]["amount"]) - Decimal(theirs["fee"]["amount"]) if is_alike else Decimal(0),
    )
