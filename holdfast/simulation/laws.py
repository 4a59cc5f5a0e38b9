"""What must hold of every record that becomes durable, whoever crashed: one small checker for each law.

A checker keeps its own account of what it needs, and takes nothing from the node but what the node has written down.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from domain.market import MINUTE_MS, Instant
from domain.money import ZERO
from domain.order import Fill, Terms
from domain.proposal import Entry, offer_of, proposal_id
from messages.market import OfferAnswered, Offered
from messages.orders import (
    OrderAbsent,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderUnresolved,
)
from messages.parts import PartStarted
from messages.positions import PositionChanged
from messages.risk import OrderApproved, OrderDenied
from messages.watch import InvariantViolated
from supervision import Recorded

Say = Callable[[str, str], None]
"""Hears of a violation: the law's name, and what was found."""

ENDS = {
    OrderCanceled: "canceled",
    OrderExpired: "expired",
    OrderRejected: "rejected",
    OrderAbsent: "absent",
}


class Known(msgspec.Struct):
    """An order, as its records have it."""

    terms: Terms
    proposal_id: str
    state: str = "intended"
    filled: Decimal = ZERO
    trades: set[str] = msgspec.field(default_factory=set)

    @property
    def is_open(self) -> bool:
        """Say whether its end is not proven."""
        return self.state in ("intended", "unresolved", "accepted")

    @property
    def remaining(self) -> Decimal:
        """Return what may still be filled."""
        return self.terms.quantity - self.filled if self.is_open else ZERO


class Numbers:
    """Records are numbered without a gap, and none is of an incarnation that was replaced before."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self.last = 0
        self._epochs: dict[str, int] = {}

    def take(self, record: Recorded) -> None:
        """Take in the next record."""
        if record.seq != self.last + 1:
            self._say("numbers-without-gap", f"{record.seq} follows {self.last}")
        self.last = record.seq
        newest = self._epochs.get(record.actor, 0)
        if record.epoch < newest:
            self._say("fenced", f"{record.seq} is of {record.actor}/{record.epoch}, replaced by {newest}")
        self._epochs[record.actor] = max(newest, record.epoch)
        if isinstance(record.event, PartStarted):
            part, epoch = record.event.part, record.event.epoch
            self._epochs[part] = max(self._epochs.get(part, 0), epoch)


class Orders:
    """An order is intended once, its state only goes up, and each of its trades counts once."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self.known: dict[str, Known] = {}
        self.fills: list[OrderFilled] = []
        self.trades: set[str] = set()

    def take(self, record: Recorded) -> None:
        """Take in the next record."""
        match record.event:
            case OrderIntended(terms=terms, proposal_id=proposal):
                if terms.client_id in self.known:
                    self._say("intended-once", f"{terms.client_id} at {record.seq} was intended before")
                self.known[terms.client_id] = Known(terms, proposal)
            case OrderUnresolved(client_id=client_id):
                self._move(client_id, "unresolved", ("intended",), record)
            case OrderAccepted(client_id=client_id):
                self._move(client_id, "accepted", ("intended", "unresolved"), record)
            case OrderFilled() as filled:
                self._fill(filled, record)
            case OrderCanceled() | OrderExpired() | OrderRejected() | OrderAbsent() as end:
                self._move(end.client_id, ENDS[type(end)], ("intended", "unresolved", "accepted"), record)

    def _move(self, client_id: str, state: str, allowed: tuple[str, ...], record: Recorded) -> None:
        order = self.known.get(client_id)
        if order is None:
            self._say("intended-first", f"{record.kind} at {record.seq} of {client_id}, which nobody intended")
        elif order.state not in allowed:
            self._say("states-go-up", f"{client_id} is {order.state}, {record.kind} at {record.seq}")
        else:
            order.state = state

    def _fill(self, filled: OrderFilled, record: Recorded) -> None:
        fill = filled.fill
        order = self.known.get(fill.client_id)
        if order is None:
            self._say("intended-first", f"a fill at {record.seq} of {fill.client_id}, which nobody intended")
            return
        if fill.trade_id in self.trades:
            self._say("fills-once", f"trade {fill.trade_id} is counted again at {record.seq}")
            return
        if order.state == "absent":
            self._say("absent-is-final", f"{fill.client_id} was taken for absent, and trades at {record.seq}")
        self.trades.add(fill.trade_id)
        self.fills.append(filled)
        order.filled += fill.quantity
        if order.filled > order.terms.quantity:
            self._say("fills-fit", f"{fill.client_id} of {order.terms.quantity} has fills of {order.filled}")
        order.state = "filled" if order.filled >= order.terms.quantity else max(order.state, "accepted", key=_rank)


def _rank(state: str) -> int:
    return ("intended", "unresolved", "accepted").index(state) if state in ("intended", "unresolved") else 3


class Holdings:
    """What is told of a position is the sum of its fills, and nothing is sold that is not held."""

    def __init__(self, say: Say, orders: Orders) -> None:
        self._say = say
        self._orders = orders
        self.held: dict[tuple[str, str], Decimal] = {}
        self._changed_at: dict[tuple[str, str], int] = {}

    def take(self, record: Recorded) -> None:
        """Take in the next record, after the orders have."""
        match record.event:
            case OrderFilled(fill=fill, strategy=strategy):
                key = strategy, fill.symbol
                order = self._orders.known.get(fill.client_id)
                self.held[key] = self.held.get(key, ZERO) + _received(fill, order.terms.base if order else "")
                self._changed_at[key] = record.seq
            case PositionChanged(strategy=strategy, symbol=symbol, quantity=quantity):
                key = strategy, symbol
                if self._changed_at.get(key, 0) <= record.seen and quantity != self.held.get(key, ZERO):
                    self._say("positions-are-fills", f"{key} told as {quantity}, fills give {self.held.get(key, ZERO)}")
            case OrderIntended(terms=terms) if terms.leg != "entry":
                self._reduces(terms, record)

    def changed_at(self, key: tuple[str, str]) -> int:
        """Return the sequence of the newest fill of a strategy and symbol."""
        return self._changed_at.get(key, 0)

    def _reduces(self, terms: Terms, record: Recorded) -> None:
        key = terms.strategy, terms.symbol
        selling = sum(
            order.remaining
            for order in self._orders.known.values()
            if order.is_open and order.terms.side == "sell" and (order.terms.strategy, order.terms.symbol) == key
        )
        if terms.side != "sell" or selling > self.held.get(key, ZERO):
            found = f"{terms.leg} {terms.client_id} at {record.seq} makes it {selling} of {self.held.get(key, ZERO)}"
            self._say("sells-what-is-held", found)


def _received(fill: Fill, base: str) -> Decimal:
    fee = fill.fee.amount if fill.fee.asset == base else ZERO
    return (fill.quantity if fill.side == "buy" else -fill.quantity) - fee


class Decisions:
    """An offer is answered once and made again only for what never came to be; only what was approved is bought."""

    def __init__(self, say: Say, orders: Orders) -> None:
        self._say = say
        self._orders = orders
        self._answered: set[tuple[str, Instant, int]] = set()
        self._void: set[tuple[str, Instant, int]] = set()
        self._proposed: dict[str, Entry] = {}
        self._approved: dict[str, Decimal] = {}
        self._judged: set[str] = set()
        self._placed: set[str] = set()

    def take(self, record: Recorded) -> None:
        """Take in the next record, after the orders have."""
        match record.event:
            case Offered(strategy=strategy, at=at, attempt=attempt):
                if attempt and (strategy, at, attempt - 1) not in self._void:
                    self._say("asked-again-for-a-reason", f"{strategy} is offered {at} again at {record.seq}")
            case OfferAnswered() as answer:
                self._answer(answer, record)
            case OrderApproved(proposal_id=proposal, quantity=quantity):
                self._approve(proposal, quantity, record)
            case OrderDenied(proposal_id=proposal):
                self._judged.add(proposal)
                self._approved.pop(proposal, None)
            case OrderIntended(terms=terms, proposal_id=proposal) if terms.leg == "entry":
                self._place(terms, proposal, record)
            case OrderAbsent(proposal_id=proposal) if proposal:
                self._void.add(offer_of(proposal))

    def _answer(self, answer: OfferAnswered, record: Recorded) -> None:
        offer = answer.strategy, answer.at, answer.attempt
        if offer in self._answered:
            self._say("answered-once", f"{offer} is answered again at {record.seq}")
        self._answered.add(offer)
        for index, proposal in enumerate(answer.proposals):
            if isinstance(proposal, Entry):
                name = proposal_id(strategy=answer.strategy, at=answer.at, attempt=answer.attempt, index=index)
                self._proposed[name] = proposal

    def _approve(self, proposal: str, quantity: Decimal, record: Recorded) -> None:
        entry = self._proposed.get(proposal)
        if record.actor != "breaker" or entry is None or quantity > entry.quantity or proposal in self._judged:
            self._say("approved-by-the-breaker", f"{proposal} for {quantity} at {record.seq} by {record.actor}")
        self._judged.add(proposal)
        self._approved[proposal] = quantity

    def _place(self, terms: Terms, proposal: str, record: Recorded) -> None:
        approved = self._approved.get(proposal)
        if approved is None or terms.quantity > approved or proposal in self._placed:
            found = f"{terms.client_id} for {proposal!r} buys {terms.quantity} at {record.seq}, approved: {approved}"
            self._say("buys-what-is-approved", found)
        self._placed.add(proposal)


class Watch:
    """The node's own watcher finds nothing wrong; what it only gives notice of is no fault."""

    def __init__(self, say: Say) -> None:
        self._say = say

    def take(self, record: Recorded) -> None:
        """Take in the next record."""
        match record.event:
            case InvariantViolated(reduces=True) as broken:
                found = f"{broken.code} of {broken.subject}: expected {broken.expected}, found {broken.found}"
                self._say("invariants", f"{found} at {record.seq}, from {broken.sequences}")


class Cooldowns:
    """A strategy rests as long as it says after it bought."""

    def __init__(self, say: Say, cooldowns: dict[str, int]) -> None:
        """`cooldowns` in minutes, by strategy."""
        self._say = say
        self._cooldowns = cooldowns
        self._bought_at: dict[tuple[str, str], tuple[int, Instant]] = {}

    def take(self, record: Recorded) -> None:
        """Take in the next record."""
        match record.event:
            case OrderFilled(fill=fill, strategy=strategy) if fill.side == "buy":
                self._bought_at[strategy, fill.symbol] = record.seq, fill.at
            case OfferAnswered(strategy=strategy, at=at, proposals=proposals):
                rest_ms = self._cooldowns.get(strategy, 0) * MINUTE_MS
                for proposal in proposals:
                    seq, bought_at = self._bought_at.get((strategy, proposal.symbol), (0, None))
                    is_early = bought_at is not None and at - bought_at < rest_ms and seq <= record.seen
                    if isinstance(proposal, Entry) and is_early:
                        self._say("rests", f"{strategy} wants {proposal.symbol} at {at}, bought at {bought_at}")
