"""What a journal says was decided, in a form that does not depend on how often the node died on the way.

Sequences, epochs, wall time, the venue's names and ours, and how an answer was come by say nothing of a decision.  What
was ordered and provably never reached the venue was decided again, so only the second time counts.
"""

import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any

import msgspec

from domain.market import Instant
from domain.order import Terms
from domain.proposal import offer_of
from messages.base import Event
from messages.codec import decode
from messages.market import OfferAnswered
from messages.orders import OrderAbsent, OrderFilled, OrderIntended
from messages.positions import PositionChanged
from persistence.reader import JournalReader

MARKET = ("BarsClosed", "FramesClosed", "EquityMarked")
"""What a backtest's journal leaves to the files of bars, in part."""
DECIDED = (
    "AccountOpened",
    "OfferAnswered",
    "OrderApproved",
    "OrderDenied",
    "OrderIntended",
    "OrderRejected",
    "OrderFilled",
    "OrderCanceled",
    "OrderExpired",
    "ExitOrdered",
    "ExitEnded",
    "PositionChanged",
    "BreakerTripped",
    "BreakerReset",
)
_NAMES = frozenset({"client_id", "venue_id", "trade_id", "ordered_by", "attempt", "proposal_id", "evidence", "sizing"})
"""What differs between two lives that decide the same, or explains only: older records do not tell it."""


class Decision(msgspec.Struct, frozen=True):
    """One decision, or what came of one.  `content` is JSON, the same for the same decision."""

    seq: int
    at: Instant
    kind: str
    content: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what is compared, within one instant."""
        return self.kind, self.content

    def view(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"seq": self.seq, "at": self.at, "kind": self.kind, **json.loads(self.content)}


class Difference(msgspec.Struct, frozen=True):
    """The first decision that is not the same, as both sides have it; None where a side has none like it."""

    at: Instant
    journal: Decision | None
    rerun: Decision | None


class Reading:
    """Reads decisions out of one journal, up to a sequence."""

    def __init__(self, reader: JournalReader, *, until: int | None = None, with_market: bool = True) -> None:
        self._reader = reader
        self.until = reader.last()[0] if until is None else until
        self._with_market = with_market
        absent = [event for event in self._events(("OrderAbsent",)) if isinstance(event, OrderAbsent)]
        self._absent = {event.client_id for event in absent}
        self._undone = {event.proposal_id for event in absent if event.proposal_id}
        self._asked_again = self._find_asked_again() if absent else {}
        self._terms: dict[str, Terms] = {}

    def decisions(self, after: int = 0) -> Iterator[Decision]:
        """Return the decisions after a sequence, in sequence."""
        kinds = (*MARKET, *DECIDED) if self._with_market else DECIDED
        for record in self._reader.read(after=after, until=self.until, kinds=kinds):
            event = decode(record.kind, record.version, record.payload)
            if isinstance(event, OrderIntended):
                self._terms[event.terms.client_id] = event.terms
            if self._counts(record.kind, event):
                yield Decision(record.seq, record.at, record.kind, self._content(event))

    def is_whole(self) -> bool:
        """Say whether all that the newest bars and commands led to is in the journal, and not only a part of it."""
        newest = next(iter(self._reader.read_newest(["BarsClosed", "MarketEnded", "OperatorCommanded"], 1)), None)
        return newest is not None and newest.kind == "MarketEnded" and not self._is_cut()

    def _is_cut(self) -> bool:
        """Say whether the journal has more of the instant at which reading ends: its node has gone on meanwhile."""
        following = next(self._reader.read(after=self.until, until=self.until + 1), None)
        last = next(self._reader.read(after=self.until - 1, until=self.until), None) if self.until else None
        return following is not None and last is not None and following.at == last.at

    def _find_asked_again(self) -> dict[tuple[str, Instant, str], int]:
        """Return the newest attempt at which a strategy proposed something for a symbol again, at an instant."""
        found = {}
        for event in self._events(("OfferAnswered",)):
            assert isinstance(event, OfferAnswered)
            for proposal in event.proposals if event.attempt > 0 else ():
                found[event.strategy, event.at, proposal.symbol] = event.attempt
        return found

    def _events(self, kinds: tuple[str, ...]) -> Iterator[Event]:
        for record in self._reader.read(until=self.until, kinds=kinds):
            yield decode(record.kind, record.version, record.payload)

    def _counts(self, kind: str, event: Any) -> bool:
        match kind:
            case "OfferAnswered":
                # What is decided again shows in the verdicts; the bars of a backtest pass without an answer of nothing.
                return event.attempt == 0 and (self._with_market or bool(event.proposals))
            case "OrderIntended":
                return event.terms.client_id not in self._absent
            case "OrderDenied":
                strategy, at, attempt = offer_of(event.proposal_id)
                return attempt >= self._asked_again.get((strategy, at, event.symbol), 0)
            case "OrderApproved":
                return event.proposal_id not in self._undone
            case _:
                return True

    def _content(self, event: Event) -> str:
        value = msgspec.to_builtins(event, builtin_types=(Decimal,))
        if isinstance(event, PositionChanged):
            # Fills of several positions at one instant: the account's totals in between depend on their order.
            del value["cash"]
        client_id = event.fill.client_id if isinstance(event, OrderFilled) else getattr(event, "client_id", "")
        terms = self._terms.get(client_id)
        if terms is not None:
            value["order"] = msgspec.to_builtins(terms, builtin_types=(Decimal,))
        return json.dumps(_bare(value), ensure_ascii=False, sort_keys=True)


def first_difference(journal: Reading, rerun: Reading) -> Difference | None:
    """Compare instant by instant; within one, order is a matter of scheduling and says nothing.

    The journal's newest instant may be there in part only: then what the re-run decides besides is no difference, and
    what it decides later never is.
    """
    theirs = _by_instant(rerun)
    other: tuple[Instant, list[Decision]] | None = next(theirs, None)
    end = -1
    newest: list[Decision] = []
    for at, decided in _by_instant(journal):
        if other is not None and other[0] < at:
            return Difference(other[0], None, other[1][0])
        again = other[1] if other is not None and other[0] == at else []
        if other is not None and other[0] == at:
            other = next(theirs, None)
        if missing := _without(decided, again):
            return _paired(at, missing[0], _without(again, decided))
        if newest:
            return Difference(end, None, newest[0])
        end, newest = at, _without(again, decided)
    if newest and journal.is_whole():
        return Difference(end, None, newest[0])
    return None


def _by_instant(reading: Reading) -> Iterator[tuple[Instant, list[Decision]]]:
    for at, decisions in groupby(reading.decisions(), key=lambda decision: decision.at):
        yield at, list(decisions)


def _without(some: list[Decision], others: list[Decision]) -> list[Decision]:
    """Return what of some has no equal among others."""
    left = Counter(other.key for other in others)
    found = []
    for each in some:
        if left[each.key] > 0:
            left[each.key] -= 1
        else:
            found.append(each)
    return found


def _paired(at: Instant, mine: Decision, others: list[Decision]) -> Difference:
    """Put a decision beside the one that was made in its place."""
    like = next((other for other in others if other.kind == mine.kind), others[0] if others else None)
    return Difference(at, mine, like)


def _bare(value: Any) -> Any:
    match value:
        case dict():
            return {key: _bare(entry) for key, entry in value.items() if key not in _NAMES}
        case list() | tuple():
            return [_bare(entry) for entry in value]
        case Decimal():
            return f"{value.normalize():f}"
        case _:
            return value
