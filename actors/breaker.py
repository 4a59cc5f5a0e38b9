"""The breaker: judges every entry against the limits, and fails closed."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from actors.base import RememberingActor, StructMemory
from domain.exposure import Reservations, worths
from domain.imported import Counters
from domain.limits import Account, Denied, Limits, Mode, judge
from domain.losses import LossLimit, LossWatch, Trip
from domain.market import Bar, Instant, Instrument
from domain.money import ZERO
from domain.order import FINAL, Fill, Order, Terms
from domain.position import Book
from domain.proposal import Entry, proposal_id
from messages.imported import PositionImported, StateImported
from messages.market import BarsClosed, OfferAnswered
from messages.node import BreakerAsked, OperatorCommanded, PartGaveUp
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
from messages.positions import AccountOpened
from messages.risk import BreakerReset, BreakerTripped, OrderApproved, OrderDenied
from supervision import Recorded, Seat, System


class Pending(msgspec.Struct, frozen=True):
    """An entry that waits for its verdict."""

    proposal_id: str
    strategy: str
    entry: Entry
    offer_at: Instant


class InFlight(msgspec.Struct, frozen=True):
    """An approved entry that is not finished."""

    strategy: str
    symbol: str


class BreakerState(msgspec.Struct):
    """What the limits are measured against."""

    book: Book
    reservations: Reservations = msgspec.field(default_factory=Reservations)
    watch: LossWatch = msgspec.field(default_factory=LossWatch)
    marks: dict[str, Decimal] = msgspec.field(default_factory=dict)
    marked_at: dict[str, Instant] = msgspec.field(default_factory=dict)
    pending: list[Pending] = msgspec.field(default_factory=list)
    in_flight: dict[str, InFlight] = msgspec.field(default_factory=dict)
    """By proposal."""
    proposals: dict[str, str] = msgspec.field(default_factory=dict)
    """Proposal of each entry order, by client id."""
    unresolved: dict[str, str] = msgspec.field(default_factory=dict)
    """Symbol of each order whose fate is unknown, by client id."""
    orders: dict[str, Order] = msgspec.field(default_factory=dict)
    """Unfinished orders, by client id."""
    cleared: list[LossLimit] = msgspec.field(default_factory=list)
    """Latches that a new day opened, which was not told yet."""
    paused: str = ""
    halted: str = ""
    reduced: str = ""
    """Why, where it is not empty."""

    @property
    def mode(self) -> Mode:
        """Return the node's state as people name it; a trip makes it reduce only."""
        ordered = self.ordered_mode
        return "reduce_only" if self.watch.tripped and ordered != "halted" else ordered

    @property
    def ordered_mode(self) -> Mode:
        """Return what operators and failures have made of it; trips have codes of their own."""
        if self.halted:
            return "halted"
        if self.reduced:
            return "reduce_only"
        return "paused" if self.paused else "active"


class BreakerMemory(StructMemory[BreakerState]):
    """Folds what is held, what is approved, what was lost, and what operators ordered."""

    version = 2

    def __init__(self, instruments: Mapping[str, Instrument], quote: str) -> None:
        super().__init__(BreakerState(book=Book(quote)))
        self._instruments = instruments
        self._know_markets()

    def load(self, saved: bytes) -> None:
        """Take over a saved state."""
        super().load(saved)
        self._know_markets()

    def _know_markets(self) -> None:
        for instrument in self._instruments.values():
            self.state.book.know(instrument)

    def fold(self, record: Recorded) -> None:
        """Take an event in."""
        state = self.state
        match record.event:
            case BarsClosed(at=at, bars=bars):
                self.take_bars(at, bars)
            case OfferAnswered() as answer:
                self._offer_answered(answer)
            case OrderApproved(proposal_id=name, strategy=strategy, entry=entry, reserved=reserved):
                self._judged(name)
                state.reservations.reserve(name, entry.symbol, reserved)
                state.in_flight[name] = InFlight(strategy, entry.symbol)
            case OrderDenied(proposal_id=name):
                self._judged(name)
                self._release(name)
            case OrderFilled(fill=fill, strategy=strategy):
                self._filled(fill, strategy)
            case OperatorCommanded() as command:
                self._command(command)
            case _:
                self._open(record.event)
                self._fold_order(record.event)

    def take_bars(self, at: Instant, bars: tuple[Bar, ...]) -> None:
        """Take bars in that closed together."""
        state = self.state
        for bar in bars:
            state.marks[bar.symbol] = bar.close
            state.marked_at[bar.symbol] = at
        self._mark(at)

    def _open(self, event: object) -> None:
        state = self.state
        match event:
            case AccountOpened(cash=cash):
                state.book.cash = dict(cash)
            case PositionImported(position=held):
                state.book.take_over(held)
            case StateImported(counters=Counters(peak_equity=Decimal() as peak)):
                # To change the program makes up for no loss.
                state.watch.go_on_from(peak)

    def _fold_order(self, event: object) -> None:
        state = self.state
        match event:
            case OrderIntended(terms=terms, proposal_id=name):
                self._intended(terms, name)
            case OrderAccepted(client_id=client_id):
                state.unresolved.pop(client_id, None)
            case OrderUnresolved(client_id=client_id):
                if client_id in state.orders:
                    state.unresolved[client_id] = state.orders[client_id].terms.symbol
            case (
                OrderCanceled(client_id=client_id)
                | OrderExpired(client_id=client_id)
                | OrderRejected(client_id=client_id)
                | OrderAbsent(client_id=client_id)
            ):
                self._finished(client_id)
            case BreakerTripped(limit=limit):
                state.watch.trip(limit)
            case BreakerReset(limit=limit):
                state.cleared = [each for each in state.cleared if each != limit]
            case PartGaveUp(part=part, reason=reason):
                state.reduced = f"{part} gave up: {reason}"

    def _mark(self, at: Instant) -> None:
        state = self.state
        if not state.book.cash or (state.watch.day is None and self.has_unpriced()):
            # A day that began with less than there was would hide what it loses.
            return
        rolled = state.watch.mark(at, state.book.equity(state.marks))
        if rolled is not None:
            state.cleared += [limit for limit in rolled.cleared if limit not in state.cleared]

    def has_unpriced(self) -> bool:
        """Say whether an asset was held from the start that the market has shown no price of yet."""
        book = self.state.book
        return any(asset in book.markets for asset in book.unpriced(self.state.marks))

    def _offer_answered(self, answer: OfferAnswered) -> None:
        for index, proposal in enumerate(answer.proposals):
            if isinstance(proposal, Entry):
                name = proposal_id(strategy=answer.strategy, at=answer.at, attempt=answer.attempt, index=index)
                self.state.pending.append(Pending(name, answer.strategy, proposal, answer.at))

    def _judged(self, name: str) -> None:
        self.state.pending = [pending for pending in self.state.pending if pending.proposal_id != name]

    def _intended(self, terms: Terms, name: str) -> None:
        self.state.orders[terms.client_id] = Order(terms)
        if name:
            self.state.proposals[terms.client_id] = name

    def _filled(self, fill: Fill, strategy: str) -> None:
        state = self.state
        state.unresolved.pop(fill.client_id, None)
        state.book.apply(fill, strategy, self._instruments[fill.symbol])
        if name := state.proposals.get(fill.client_id):
            state.reservations.settle(name, fill.quantity * fill.price)
        order = state.orders.get(fill.client_id)
        if order is not None and order.take(fill) and order.state in FINAL:
            self._finished(fill.client_id)

    def _finished(self, client_id: str) -> None:
        self.state.unresolved.pop(client_id, None)
        self.state.orders.pop(client_id, None)
        self._release(self.state.proposals.pop(client_id, ""))

    def _release(self, name: str) -> None:
        self.state.reservations.release(name)
        self.state.in_flight.pop(name, None)

    def _command(self, command: OperatorCommanded) -> None:
        state = self.state
        why = f"{command.user}: {command.reason}"
        match command.command:
            case "pause":
                state.paused = why
            case "halt":
                state.halted = why
            case "resume":
                state.paused = state.halted = state.reduced = ""
                for limit in list(state.watch.tripped):
                    state.watch.reset(limit)


class Breaker(RememberingActor):
    """Gives each entry its verdict, and trips when a loss reaches its limit."""

    def __init__(
        self,
        system: System,
        seat: Seat,
        *,
        memory: BreakerMemory,
        instruments: Mapping[str, Instrument],
        limits: Limits,
    ) -> None:
        super().__init__(system, seat, memory=memory)
        self._known = memory
        self._instruments = instruments
        self._limits = limits
        self._measured: tuple[object, ...] = ()

    def receive(self, message: Any) -> Any:
        """Answer the edge of the house."""
        if isinstance(message, BreakerAsked):
            return self._known.save()
        return super().receive(message)

    def take_bars(self, at: Instant, bars: tuple[Bar, ...]) -> bool:
        """Take bars in that closed together; say whether there is something to tell of what was lost."""
        self._known.take_bars(at, bars)
        if self._crossed():
            self._measured = ()
            return True
        return bool(self._known.state.cleared)

    def react(self) -> None:
        """Trip first; then judge one entry, for each verdict changes what the next is measured against."""
        state = self._known.state
        for trip in self._crossed():
            self.record(BreakerTripped(limit=trip.limit, value=trip.value, allowed=trip.allowed))
        for limit in state.cleared:
            self.record(BreakerReset(limit=limit, reason="a new day began"))
        if state.pending and not self.has_recorded():
            self._judge(state.pending[0])

    def _crossed(self) -> list[Trip]:
        """Return the losses at their limits, where what they are measured by has changed since the last look."""
        watch, limits = self._known.state.watch, self._limits
        measured = (watch.equity, watch.day_start_equity, watch.peak_equity, tuple(watch.tripped))
        if measured == self._measured:
            return []
        self._measured = measured
        return watch.crossed(daily_loss_max=limits.daily_loss_max, drawdown_max=limits.drawdown_max)

    def _judge(self, pending: Pending) -> None:
        verdict = judge(pending.entry, account=self._account(pending), limits=self._limits)
        if isinstance(verdict, Denied):
            self.record(
                OrderDenied(
                    proposal_id=pending.proposal_id,
                    strategy=pending.strategy,
                    symbol=pending.entry.symbol,
                    reason=verdict.reason,
                    detail=verdict.detail,
                )
            )
            return
        self.record(
            OrderApproved(
                proposal_id=pending.proposal_id,
                strategy=pending.strategy,
                entry=pending.entry,
                quantity=verdict.quantity,
                reserved=verdict.reserved,
                offer_at=pending.offer_at,
                reduced_by=verdict.reduced_by,
            )
        )

    def _account(self, pending: Pending) -> Account:
        state, symbol = self._known.state, pending.entry.symbol
        book = state.book
        at_risk = worths(book.quantities(), state.marks)
        is_priced = bool(book.cash) and not self._known.has_unpriced()
        return Account(
            now=self.market_ms(),
            mode=state.ordered_mode,
            instrument=self._instruments.get(symbol),
            mark=state.marks.get(symbol),
            mark_at=state.marked_at.get(symbol),
            equity=book.equity(state.marks) if is_priced else None,
            day_start_equity=state.watch.day_start_equity,
            peak_equity=state.watch.peak_equity,
            cash_free=book.cash.get(book.quote, ZERO) - state.reservations.total if book.cash else None,
            exposure=sum(at_risk.values(), state.reservations.total),
            symbol_exposure=at_risk.get(symbol, ZERO) + state.reservations.of(symbol),
            tripped=tuple(state.watch.tripped),
            has_unresolved_order=symbol in state.unresolved.values(),
            has_entry_in_flight=any(
                entry.symbol == symbol and entry.strategy == pending.strategy for entry in state.in_flight.values()
            ),
        )
