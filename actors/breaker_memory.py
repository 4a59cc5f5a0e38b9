"""What the breaker remembers: what is held, approved and lost, and what operators ordered."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from actors.base import StructMemory
from domain.exposure import Reservations
from domain.imported import Counters
from domain.limits import Mode
from domain.losses import LossLimit, LossWatch
from domain.market import Bar, Closing, Instant, Instrument, day_of
from domain.money import ZERO
from domain.order import FINAL, Fill, Order, Terms
from domain.position import Book, worth_of
from domain.proposal import Entry, proposal_id
from domain.reconciliation import Finding, said_of
from messages.imported import PositionImported, StateImported
from messages.market import BarsClosed, OfferAnswered
from messages.node import NodeStarted, OperatorCommanded, PartGaveUp, Restored, Salvaged
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
from messages.reconciliation import AccountAdopted, Reconciled
from messages.risk import BreakerReset, BreakerTripped, OrderApproved, OrderDenied
from messages.watch import InvariantViolated
from supervision import Recorded


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
    void: dict[str, str] = msgspec.field(default_factory=dict)
    """Strategy of each proposal whose order never came to be: it is offered again, and until then keeps its room."""
    proposals: dict[str, str] = msgspec.field(default_factory=dict)
    """Proposal of each entry order, by client id."""
    unresolved: dict[str, str] = msgspec.field(default_factory=dict)
    """Symbol of each order whose fate is unknown, by client id."""
    orders: dict[str, Order] = msgspec.field(default_factory=dict)
    """Unfinished orders, by client id."""
    cleared: list[LossLimit] = msgspec.field(default_factory=list)
    """Latches that a new day opened, which was not told yet."""
    awaits_verdict: bool = False
    """The books were not held against the venue's account yet, since the process began."""
    unreconciled: dict[str, str] = msgspec.field(default_factory=dict)
    """Why no entry may be made, by symbol, where the books and the account differ."""
    unvalued: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """How much was taken into the books of a symbol that had no price yet: what it is worth is no profit either."""
    paused: str = ""
    halted: str = ""
    reduced: str = ""
    """Why, where it is not empty."""
    violated: list[str] = msgspec.field(default_factory=list)
    """Laws that did not hold since the last resume, each with what it was about."""

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
        if self.reduced or self.violated:
            return "reduce_only"
        return "paused" if self.paused else "active"


class BreakerMemory(StructMemory[BreakerState]):
    """Folds what is held, what is approved, what was lost, and what operators ordered."""

    version = 7
    """Since 3, an entry is known with what its quantity was made of; since 4, which laws did not hold, and entries wait
    for a start's verdict; since 5, what was taken into the books before it had a price; since 6, why a symbol is
    halted says of an order that it is one; since 7, what proved absent keeps its room until it is offered again."""

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
            case NodeStarted():
                state.awaits_verdict = True
            case Reconciled(findings=findings, by=by):
                self._take_verdict(findings)
                if by == "emergency_reset":
                    state.halted = "books and account differed: emergency reset"
            case AccountAdopted() as adopted:
                self._adopt(adopted)
            case _:
                self._open(record.event)
                self._fold_order(record.event)

    def take_bars(self, at: Instant, bars: tuple[Bar, ...]) -> None:
        """Take bars in that closed together."""
        state = self.state
        self._give_up_void()
        for bar in bars:
            if bar.symbol in state.unvalued:
                self._value(bar.symbol, bar.close)
            state.marks[bar.symbol] = bar.close
            state.marked_at[bar.symbol] = at
        self._mark(at)

    def take_run(self, run: Sequence[Closing]) -> None:
        """Take closings in that follow each other, with nothing else in between."""
        self._give_up_void()
        state, watch = self.state, self.state.watch
        book, marks, marked_at = state.book, state.marks, state.marked_at
        cash, held = book.cash.get(book.quote, ZERO), book.held()
        is_marked = False
        for at, bars in run:
            if watch.day is None or not book.cash or state.unvalued:
                self.take_bars(at, bars)
                continue
            for bar in bars:
                marks[bar.symbol] = bar.close
                marked_at[bar.symbol] = at
            # Where nothing is held, the worth is the same all day.
            if held or not is_marked or day_of(at) != watch.day:
                self._take_worth(at, worth_of(cash, held, marks))
                is_marked = True

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
            ):
                self._finished(client_id)
            case OrderAbsent(client_id=client_id):
                self._is_void(client_id)
            case BreakerTripped(limit=limit):
                state.watch.trip(limit)
            case BreakerReset(limit=limit):
                state.cleared = [each for each in state.cleared if each != limit]
            case PartGaveUp(part=part, reason=reason):
                state.reduced = f"{part} gave up: {reason}"
            case InvariantViolated(reduces=True) as broken:
                state.violated.append(f"{broken.code} {broken.subject}")
            case Restored(source=source, last_sequence=last):
                state.halted = f"restored up to sequence {last}: what came after it is not known here (backup {source})"
            case Salvaged(kept=kept, reason=reason):
                state.halted = f"salvaged up to sequence {kept}: {reason}"

    def _take_verdict(self, findings: tuple[Finding, ...]) -> None:
        state = self.state
        state.awaits_verdict = False
        for finding in findings:
            if finding.policy == "halt":
                why = said_of(finding)
                state.unreconciled[finding.symbol] = why
                state.halted = state.halted if finding.symbol else why

    def _adopt(self, adopted: AccountAdopted) -> None:
        state, symbol = self.state, adopted.symbol
        before = state.book.equity(state.marks)
        price = state.marks.get(symbol, ZERO)
        state.book.adopt(adopted.asset, adopted.amount, symbol=symbol, holder=adopted.holder, price=price)
        state.watch.rescale(before, state.book.equity(state.marks))
        if symbol and not price and (unvalued := state.unvalued.pop(symbol, ZERO) + adopted.amount) > 0:
            state.unvalued[symbol] = unvalued

    def _value(self, symbol: str, price: Decimal) -> None:
        """Take in what something is worth that was taken into the books before it had a price."""
        state = self.state
        after = state.book.equity(state.marks | {symbol: price})
        state.watch.rescale(after - state.unvalued.pop(symbol) * price, after)

    def _mark(self, at: Instant) -> None:
        state = self.state
        if not state.book.cash or (state.watch.day is None and self.has_unpriced()):
            # A day that began with less than there was would hide what it loses.
            return
        self._take_worth(at, state.book.equity(state.marks))

    def _take_worth(self, at: Instant, worth: Decimal) -> None:
        state = self.state
        rolled = state.watch.mark(at, worth)
        if rolled is not None:
            state.cleared += [limit for limit in rolled.cleared if limit not in state.cleared]

    def has_unpriced(self) -> bool:
        """Say whether an asset was held from the start that the market has shown no price of yet."""
        book = self.state.book
        return any(asset in book.markets for asset in book.unpriced(self.state.marks))

    def _offer_answered(self, answer: OfferAnswered) -> None:
        self._give_up_void(answer.strategy)
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
        if fill.symbol in state.unvalued:
            self._value(fill.symbol, fill.price)
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

    def _is_void(self, client_id: str) -> None:
        """Keep the room of an entry that never came to be.

        What was proposed beside it is judged as if it had: else a death between the two would give away what the same
        proposal is to have when it is made again.
        """
        state = self.state
        name = state.proposals.pop(client_id, "")
        if name in state.in_flight:
            state.void[name] = state.in_flight.pop(name).strategy
        self._finished(client_id)

    def _give_up_void(self, strategy: str = "") -> None:
        """Let go of the room of what one strategy has been asked for again, or nobody is to be asked for any more."""
        void = self.state.void
        for name in [name for name, whose in void.items() if strategy in ("", whose)] if void else ():
            del void[name]
            self._release(name)

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
                # What differs is looked at once more, and then taken as it is.
                state.awaits_verdict = state.awaits_verdict or bool(state.unreconciled)
                state.unreconciled.clear()
                state.paused = state.halted = state.reduced = ""
                state.violated.clear()
                for limit in list(state.watch.tripped):
                    state.watch.reset(limit)
