"""Bugs that a node must not have, each put into the running program: a harness that finds none of them finds nothing.

Every one is a mistake that somebody could make; its description is its docstring.
"""

from typing import Any

import msgspec

import actors.evidence
import actors.executor
import domain.execution
import domain.order
import domain.steps
import persistence.opening
from actors.breaker_memory import BreakerMemory
from actors.executor import Executor
from actors.feed_memory import FeedMemory
from actors.positions import PositionsMemory
from actors.strategy import StrategyMemory
from domain.exposure import Reservations
from domain.money import Money
from domain.order import Order
from domain.venue import OrderSeen, Refused
from holdfast.recovery import JournalRecovery
from messages.orders import LookUpOrder, OrderFilled, OrderIntended, SubmitOrder
from persistence.journal import Journal
from persistence.reader import JournalReader
from supervision.cells import Cell
from supervision.journaled import JournaledActor
from supervision.signals import Wake
from supervision.switchboard import Switchboard
from tests.endurance.mutation import Mutant, Put
from tests.endurance.obedience_mutants import OBEDIENCE_MUTANTS


def a_send_does_not_wait_for_the_disk(put: Put) -> None:
    """An order is sent before its cause is durable."""
    put(Switchboard, "_hold", lambda self, sender, to, message, *, gate: self._deliver(to, message, sender))


def an_intent_is_not_recorded(put: Put) -> None:
    """An order is sent whose intent nobody wrote down."""
    record = Executor.record

    def forgetful(self: Executor, event: object, **rest: Any) -> None:
        if not isinstance(event, OrderIntended) or event.terms.leg != "exit":
            record(self, event, **rest)

    put(Executor, "record", forgetful)


def trades_are_not_told_apart(put: Put) -> None:
    """A fill counts as often as the venue tells it."""
    events_of = actors.evidence.events_of

    def mutated(order: Order, seen: OrderSeen, evidence: Any) -> Any:
        return events_of(msgspec.structs.replace(order, trades=[], filled=order.filled * 0), seen, evidence)

    put(actors.executor, "events_of", mutated)


def a_fill_counts_from_the_report_and_from_the_trades(put: Put) -> None:
    """A filled order counts once by its trades and once by what its state says is filled."""
    events_of = actors.evidence.events_of

    def mutated(order: Order, seen: OrderSeen, evidence: Any) -> Any:
        events = events_of(order, seen, evidence)
        fills = [event for event in events if isinstance(event, OrderFilled)]
        if seen.state == "filled" and fills and len(seen.fills) > 1:
            # The trades before were taken for part of the last report.
            whole = msgspec.structs.replace(fills[-1].fill, trade_id=f"{fills[-1].fill.trade_id}s")
            events.append(msgspec.structs.replace(fills[-1], fill=whole))
        return events

    put(actors.executor, "events_of", mutated)


def a_finished_orders_late_fills_are_passed_over(put: Put) -> None:
    """A cancel is taken for the end, and fills that are heard of after it are not looked at."""
    events_of = actors.evidence.events_of

    def mutated(order: Order, seen: OrderSeen, evidence: Any) -> Any:
        is_over = seen.state == "canceled" or order.state == "canceled"
        return events_of(order, msgspec.structs.replace(seen, fills=()) if is_over else seen, evidence)

    put(actors.executor, "events_of", mutated)


def the_epoch_is_not_checked(put: Put) -> None:
    """An incarnation that was replaced is still heard."""
    put(Cell, "demand_epoch", lambda self, epoch: None)


def a_snapshot_is_off_by_one(put: Put) -> None:
    """The first record after a snapshot is not folded."""
    records = JournalRecovery._records

    def mutated(self: JournalRecovery, reader: JournalReader, name: str, after: int, upto: int) -> Any:
        return records(self, reader, name, after + (after > 0), upto)

    put(JournalRecovery, "_records", mutated)


def a_snapshot_is_kept_for_later_than_it_was_taken(put: Put) -> None:
    """States are saved as of the newest record, and not as of their marker."""
    save = Journal.save_states
    put(Journal, "save_states", lambda self, seq, states: save(self, self.last_seq, states))


def a_starting_actor_joins_one_record_late(put: Put) -> None:
    """The last record before a mailbox was made is neither folded nor heard."""
    open_cell = Switchboard.open

    def mutated(self: Switchboard, name: str, *, by: int | None = None) -> Any:
        seat = open_cell(self, name, by=by)
        return seat._replace(joined=max(seat.joined - 1, 0))

    put(Switchboard, "open", mutated)


def a_reaction_is_lost_between_fold_and_send(put: Put) -> None:
    """An actor that comes back does nothing until it hears something new."""
    take = JournaledActor._take
    put(
        JournaledActor,
        "_take",
        lambda self, message: None if isinstance(message, Wake) and self.seq > 60 else take(self, message),
    )


def own_events_on_their_way_are_forgotten(put: Put) -> None:
    """An actor acts again before what it has just recorded has come back to it."""
    put(JournaledActor, "_said", lambda self, last_seq: None)


def an_unknown_order_is_sent_again(put: Put) -> None:
    """An order whose fate is unknown is sent again together with the question about it."""
    tell = Executor.tell

    def mutated(self: Executor, to: str, message: Any) -> None:
        tell(self, to, message)
        if isinstance(message, LookUpOrder) and message.client_id in self._known.state.orders:
            terms = self._known.state.orders[message.client_id].terms
            tell(self, to, SubmitOrder(message.request_id, terms))

    put(Executor, "tell", mutated)


def an_inherited_order_is_taken_for_certain(put: Put) -> None:
    """Unfinished orders of earlier lives are not looked up."""

    def mutated(self: Executor) -> None:
        self._sure.certain = set(self._known.state.orders)

    put(Executor, "started", mutated)


def absent_is_final_too_early(put: Put) -> None:
    """The first answer that does not find an order proves that it never came to be."""
    put(actors.executor, "absence_is_proven", lambda negatives, profile: True)


def silence_is_taken_for_a_rejection(put: Put) -> None:
    """A request without an answer in time counts as refused."""

    def mutated(self: Executor) -> None:
        self._is_watching = False
        now = self.monotonic()
        for number in [number for number, request in self._requests.items() if request.due <= now]:
            request = self._requests.pop(number)
            self._answers.append((request, Refused(request.client_id, "TIMEOUT", "no answer")))
        self._watch_requests()

    put(Executor, "_check_requests", mutated)


def ids_begin_again(put: Put) -> None:
    """Client order ids have too few digits for the journal's sequence."""
    client_order_id = domain.order.client_order_id
    put(
        domain.steps,
        "client_order_id",
        lambda *, sequence, **rest: client_order_id(sequence=sequence % 200, **rest),
    )


def a_stop_is_not_trimmed(put: Put) -> None:
    """An exit is sold while the stop that covers the same coins still rests."""
    to_leave = domain.steps._steps_to_leave

    def mutated(plan: Any, orders: list[Order], sellable: Any, close: Any, here: Any) -> Any:
        return to_leave(plan, [order for order in orders if order.terms.leg != "stop"], sellable, close, here)

    put(domain.steps, "_steps_to_leave", mutated)


def a_fee_in_coins_is_not_taken_off(put: Put) -> None:
    """What a buy brings is taken for what it was for, though the fee came out of it."""
    put(domain.execution, "_received", lambda fill, base: fill.quantity if fill.side == "buy" else -fill.quantity)


def cooldowns_are_not_restored(put: Put) -> None:
    """A strategy that comes back has never bought anything."""
    load = StrategyMemory.load

    def mutated(self: StrategyMemory, saved: bytes) -> None:
        load(self, saved)
        for symbol, holding in self.state.holdings.items():
            self.state.holdings[symbol] = msgspec.structs.replace(holding, entered_at=None)

    put(StrategyMemory, "load", mutated)


def reservations_are_not_restored(put: Put) -> None:
    """A breaker that comes back has set nothing aside."""
    load = BreakerMemory.load

    def mutated(self: BreakerMemory, saved: bytes) -> None:
        load(self, saved)
        self.state.reservations = Reservations()

    put(BreakerMemory, "load", mutated)


def approvals_are_not_set_aside(put: Put) -> None:
    """The breaker forgets what it has approved as long as it is not bought."""
    put(Reservations, "reserve", lambda self, proposal_id, symbol, amount: None)


def the_watermark_is_ignored(put: Put) -> None:
    """A journal that has lost its end is opened like any other."""
    put(persistence.opening, "demand_reached", lambda home, connection, last, mark: None)


def the_market_does_not_wait(put: Put) -> None:
    """The next bar comes while what the last one caused is still being done."""
    put(Cell, "is_settled", lambda self: self.up or self.retired)


def what_was_told_too_early_stands(put: Put) -> None:
    """A position that changes while it is being told counts as told."""
    fold = PositionsMemory.fold

    def mutated(self: PositionsMemory, record: Any) -> None:
        fold(self, record._replace(seen=record.seq) if record.kind == "PositionChanged" else record)

    put(PositionsMemory, "fold", mutated)


def a_void_offer_is_not_made_again(put: Put) -> None:
    """An order that never came to be leaves its offer answered."""
    fold = FeedMemory.fold

    def mutated(self: FeedMemory, record: Any) -> None:
        if record.kind != "OrderAbsent":
            fold(self, record)

    put(FeedMemory, "fold", mutated)


def fees_are_counted_twice(put: Put) -> None:
    """What a trade costs is taken off twice where it is paid in quote."""
    from domain.position import Book

    apply = Book.apply

    def mutated(self: Book, fill: Any, strategy: str, instrument: Any) -> Any:
        fee = fill.fee
        if fee.asset == instrument.quote:
            fill = msgspec.structs.replace(fill, fee=Money(fee.amount * 2, fee.asset))
        return apply(self, fill, strategy, instrument)

    put(Book, "apply", mutated)


MUTANTS: tuple[Mutant, ...] = (
    a_send_does_not_wait_for_the_disk,
    an_intent_is_not_recorded,
    trades_are_not_told_apart,
    a_fill_counts_from_the_report_and_from_the_trades,
    a_finished_orders_late_fills_are_passed_over,
    the_epoch_is_not_checked,
    a_snapshot_is_off_by_one,
    a_snapshot_is_kept_for_later_than_it_was_taken,
    a_starting_actor_joins_one_record_late,
    a_reaction_is_lost_between_fold_and_send,
    own_events_on_their_way_are_forgotten,
    an_unknown_order_is_sent_again,
    an_inherited_order_is_taken_for_certain,
    absent_is_final_too_early,
    silence_is_taken_for_a_rejection,
    ids_begin_again,
    a_stop_is_not_trimmed,
    a_fee_in_coins_is_not_taken_off,
    cooldowns_are_not_restored,
    reservations_are_not_restored,
    approvals_are_not_set_aside,
    the_watermark_is_ignored,
    the_market_does_not_wait,
    what_was_told_too_early_stands,
    a_void_offer_is_not_made_again,
    fees_are_counted_twice,
    *OBEDIENCE_MUTANTS,
)
