"""What the watcher remembers: the node's records once more, folded by the laws of `domain.invariants`.

It takes nothing from the memories of those it judges.  Time is lived time: market time in which something was recorded,
so that an hour in which no node ran, or a gap in the data, is no hour that somebody let pass.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from actors.base import StructMemory
from domain.invariants.finding import ADVICE, LAWS, NOTICES, Finding
from domain.invariants.holdings import Holdings
from domain.invariants.orders import Orders
from domain.invariants.permission import Permission
from domain.invariants.protection import Protection
from domain.market import LATE_MS, MINUTE_MS, Bar, Closing, Instant, Instrument
from domain.money import ZERO
from domain.order import Fill
from messages.imported import PositionImported
from messages.market import BarsClosed, SourceOpened
from messages.node import OperatorCommanded, PartGaveUp, Restored, Salvaged, StateMarked
from messages.orders import (
    ExitEnded,
    ExitOrdered,
    OrderAbsent,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderUnresolved,
)
from messages.positions import AccountOpened, PositionChanged
from messages.reconciliation import AccountAdopted
from messages.risk import BreakerReset, BreakerTripped, OrderApproved, OrderDenied
from messages.watch import InvariantViolated
from supervision import Recorded

BARE_MS_MAX = 5 * MINUTE_MS
"""So long, in lived time, a position may lack its stop: a refused one is tried again after a minute."""
UNPROVEN_MS_MAX = 30 * MINUTE_MS
"""So long what was sent may stay without proof, and what changed without being told."""
STEP_MS_MAX = 2 * MINUTE_MS
"""Between two records nobody lives longer than this."""
TOLD_OF_A_LAW_MAX = 20
"""One fault may break a law for every order there is: so many tell enough of it, until an operator resumes."""
TOLD_KEPT = 1_000
VERSION = 2
"""Since 2, nothing is demanded of a symbol that the market has no more."""
STATES: dict[type, str] = {
    OrderUnresolved: "unresolved",
    OrderCanceled: "canceled",
    OrderExpired: "expired",
    OrderRejected: "rejected",
    OrderAbsent: "absent",
}


class WatcherState(msgspec.Struct):
    """The records as the laws have them, and what did not hold."""

    orders: Orders = msgspec.field(default_factory=Orders)
    holdings: Holdings = msgspec.field(default_factory=Holdings)
    permission: Permission = msgspec.field(default_factory=Permission)
    protection: Protection = msgspec.field(default_factory=Protection)
    unproven: dict[str, int] = msgspec.field(default_factory=dict)
    """Since when, in lived time, an order waits for proof, by client id."""
    priced: dict[str, None] = msgspec.field(default_factory=dict)
    """Symbols that the market has shown a price of: before, no venue takes an order."""
    epochs: dict[str, int] = msgspec.field(default_factory=dict)
    """The newest that was heard of each actor."""
    seq: int = 0
    at: Instant = 0
    lived_ms: int = 0
    pending: list[Finding] = msgspec.field(default_factory=list)
    """What is to be recorded."""
    told: dict[str, int] = msgspec.field(default_factory=dict)
    """Sequence of what was recorded since the last resume, by law and subject."""


class WatcherMemory(StructMemory[WatcherState]):
    """Folds the records, and finds where a law does not hold."""

    def __init__(self, instruments: Mapping[str, Instrument], *, demands_stops: bool = True) -> None:
        """`demands_stops`: a position that lacks its stop is a finding."""
        super().__init__(WatcherState())
        self._instruments = instruments
        self._demands_stops = demands_stops
        self.version = VERSION * 2 + demands_stops

    def fold(self, record: Recorded) -> None:
        """Take an event in."""
        match record.event:
            case BarsClosed(at=at, bars=bars):
                # The executor begins nothing on a price that comes so late, and waits for the next.
                self._close(record.at, bars if record.at - at <= LATE_MS else ())
                return
            case StateMarked():
                return
        self._number(record)
        self._live_on(record.at)
        match record.event:
            case OrderIntended() as intent:
                self._intend(intent, record)
            case OrderFilled(fill=fill, strategy=strategy):
                self._fill(fill, strategy, record.seq)
            case _:
                self._fold_order(record)

    def take_run(self, run: Sequence[Closing]) -> None:
        """Take closings in that follow each other, each recorded at its own instant."""
        for at, bars in run:
            self._close(at, bars)

    # -- time and numbers ----------------------------------------------------------------------------------------

    def _number(self, record: Recorded) -> None:
        state, seq, epoch = self.state, record.seq, record.epoch
        newest = state.epochs.get(record.actor, 0)
        if seq <= state.seq or record.seen >= seq:
            self._find(Finding("J1", record.actor, f"above {max(state.seq, record.seen)}", f"{seq}", (state.seq, seq)))
        if epoch < newest:
            self._find(Finding("J1", record.actor, f"epoch {newest} or later", f"{epoch}", (seq,)))
        elif epoch > newest:
            state.epochs[record.actor] = epoch
        state.seq = max(seq, state.seq)

    def _live_on(self, at: Instant) -> None:
        state = self.state
        if at > state.at:
            state.lived_ms += min(at - state.at, STEP_MS_MAX)
            state.at = at

    def _close(self, at: Instant, bars: tuple[Bar, ...]) -> None:
        """Let the market go on: what should have been done by now is looked for."""
        self._live_on(at)
        state = self.state
        if len(state.priced) < len(self._instruments):
            for bar in bars:
                if bar.symbol not in state.priced:
                    state.priced[bar.symbol] = None
                    self._look_at_all(bar.symbol)
        lived_ms, seq = state.lived_ms, state.seq
        if state.protection.bare and self._demands_stops:
            self._find(*state.protection.overdue(lived_ms, limit_ms=BARE_MS_MAX, seq=seq))
        if state.holdings.untold_since:
            self._find(*state.holdings.overdue(lived_ms, limit_ms=UNPROVEN_MS_MAX, seq=seq))
        for client_id, since in state.unproven.items():
            if lived_ms - since > UNPROVEN_MS_MAX:
                order = state.orders.open[client_id]
                found = f"{order.state} for {(lived_ms - since) // 1000} s of market time"
                self._find(Finding("S2", client_id, "an answer that proves something", found, (order.seq, seq)))

    # -- orders --------------------------------------------------------------------------------------------------

    def _intend(self, intent: OrderIntended, record: Recorded) -> None:
        state, terms, seq = self.state, intent.terms, record.seq
        stop_price = None
        if terms.leg == "entry":
            approved = state.permission.approved.get(intent.proposal_id)
            stop_price = approved.stop_price if approved is not None else None
            self._find(
                *state.permission.enter(terms.client_id, intent.proposal_id, terms.quantity, seen=record.seen, seq=seq)
            )
        self._find(
            *state.orders.intend(
                terms, proposal=intent.proposal_id, ordered_by=intent.ordered_by, seq=seq, stop_price=stop_price
            )
        )
        if terms.leg != "entry":
            self._find(*self._reduces(terms.client_id, terms.strategy, terms.symbol, seq))
        state.unproven[terms.client_id] = state.lived_ms
        self._look_at(terms.strategy, terms.symbol)

    def _reduces(self, client_id: str, strategy: str, symbol: str, seq: int) -> Iterable[Finding]:
        """Stops and exits sell, all of them together at most what is held."""
        state, key = self.state, f"{strategy}|{symbol}"
        orders = state.orders.of(strategy, symbol)
        selling = sum((order.remaining for order in orders if order.side == "sell"), ZERO)
        held = state.holdings.held(key)
        if state.orders.open[client_id].side != "sell" or selling > held:
            yield Finding(
                "P6",
                client_id,
                f"sells of at most {held}",
                f"{selling} with this one",
                (state.holdings.lot_changed_at.get(key, 0), seq),
            )

    def _fill(self, fill: Fill, strategy: str, seq: int) -> None:
        state, key = self.state, f"{strategy}|{fill.symbol}"
        instrument = self._instruments.get(fill.symbol)
        self._find(*state.orders.fill(fill, seq))
        order = state.orders.find(fill.client_id)
        if order is not None and order.brings_stop:
            order.brings_stop = False
            state.protection.bring(key, order.stop_price, was_empty=state.holdings.held(key) <= 0)
        base, quote = (order.base if order is not None else "", "")
        if instrument is not None:
            base, quote = instrument.base, instrument.quote
        state.holdings.fill(fill, key, base=base, quote=quote, seq=seq, lived_ms=state.lived_ms)
        self._heard_of(fill.client_id)

    def _fold_order(self, record: Recorded) -> None:
        state, seq = self.state, record.seq
        match record.event:
            case OrderAccepted(client_id=client_id, venue_id=venue_id):
                self._find(*state.orders.accept(client_id, venue_id, seq))
                self._heard_of(client_id)
            case (
                OrderUnresolved(client_id=client_id)
                | OrderCanceled(client_id=client_id)
                | OrderExpired(client_id=client_id)
                | OrderRejected(client_id=client_id)
                | OrderAbsent(client_id=client_id)
            ):
                self._find(*state.orders.move(client_id, STATES[type(record.event)], seq))
                self._heard_of(client_id)
            case ExitOrdered(strategy=strategy, symbol=symbol, quantity=quantity):
                state.protection.leave(f"{strategy}|{symbol}", in_part=quantity is not None)
            case ExitEnded(strategy=strategy, symbol=symbol):
                if state.holdings.lot_changed_at.get(f"{strategy}|{symbol}", 0) <= record.seen:
                    state.protection.end_leaving(f"{strategy}|{symbol}")
                    self._look_at(strategy, symbol)
            case _:
                self._fold_rest(record)

    def _heard_of(self, client_id: str) -> None:
        state = self.state
        order = state.orders.find(client_id)
        if order is None or not order.is_unproven:
            state.unproven.pop(client_id, None)
        if order is not None:
            self._look_at(order.strategy, order.symbol)

    # -- positions, permission, operators ------------------------------------------------------------------------

    def _fold_rest(self, record: Recorded) -> None:
        state, seq = self.state, record.seq
        match record.event:
            case PositionChanged(strategy=strategy, symbol=symbol, quantity=quantity, cash=cash):
                key = f"{strategy}|{symbol}"
                self._find(*state.holdings.tell(key, quantity, cash, seen=record.seen, seq=seq))
            case AccountOpened(cash=cash):
                state.holdings.open(cash, seq)
            case AccountAdopted(asset=asset, amount=amount, symbol=symbol, holder=holder):
                key = f"{holder}|{symbol}" if holder else ""
                state.holdings.adopt(key, asset, amount, seq=seq, lived_ms=state.lived_ms)
            case PositionImported(position=held):
                key = f"{held.strategy}|{held.symbol}"
                state.holdings.take_over(key, held.quantity, seq=seq, lived_ms=state.lived_ms)
                state.protection.bring(key, held.stop_price, was_empty=True)
                self._look_at(held.strategy, held.symbol)
            case OrderApproved(proposal_id=proposal, quantity=quantity, entry=entry):
                by, stop = record.actor, entry.stop_price
                self._find(*state.permission.approve(proposal, quantity, stop, by=by, seen=record.seen, seq=seq))
            case OrderDenied(proposal_id=proposal):
                state.permission.deny(proposal)
            case SourceOpened(symbols=symbols):
                state.priced = {symbol: None for symbol in state.priced if symbol in symbols}
                state.protection.keep(symbols)
            case InvariantViolated() as violated:
                self._tell(violated, seq)
            case _:
                self._fold_stops(record)

    def _fold_stops(self, record: Recorded) -> None:
        permission, seq = self.state.permission, record.seq
        match record.event:
            case BreakerTripped(limit=limit):
                permission.stop(limit, seq)
            case BreakerReset(limit=limit):
                permission.end(limit, seq)
            case PartGaveUp(part=part):
                permission.stop(f"{part} gave up", seq)
            case Restored() | Salvaged():
                permission.stop("a new generation", seq, stops_entries=True)
            case OperatorCommanded(command="halt" | "pause" as command):
                permission.stop(command, seq, stops_entries=True)
            case OperatorCommanded(command="resume"):
                permission.resume(seq)
                self._begin_anew()

    def _begin_anew(self) -> None:
        """An operator knows of what was told: what is found from here on is told again."""
        state = self.state
        state.told.clear()
        state.protection.begin_anew(state.lived_ms)
        state.unproven = dict.fromkeys(state.unproven, state.lived_ms)
        state.holdings.untold_since = dict.fromkeys(state.holdings.untold_since, state.lived_ms)

    # -- findings ------------------------------------------------------------------------------------------------

    def _find(self, *findings: Finding) -> None:
        """Remember what does not hold, once for each law and subject."""
        state = self.state
        for finding in findings:
            known = [*state.told, *map(_name, state.pending)]
            of_the_law = sum(name.startswith(f"{finding.code} ") for name in known)
            if _name(finding) not in known and (finding.code in NOTICES or of_the_law < TOLD_OF_A_LAW_MAX):
                state.pending.append(finding)

    def _tell(self, violated: InvariantViolated, seq: int) -> None:
        state, name = self.state, _name(violated)
        state.told[name] = seq
        if len(state.told) > TOLD_KEPT:
            del state.told[next(iter(state.told))]
        state.pending = [each for each in state.pending if _name(each) != name]
        if violated.reduces:
            state.permission.stop(name, seq)

    def _look_at(self, strategy: str, symbol: str) -> None:
        state, instrument = self.state, self._instruments.get(symbol)
        if instrument is not None and symbol in state.priced:
            key = f"{strategy}|{symbol}"
            state.protection.look(
                key,
                state.holdings.held(key),
                state.orders.of(strategy, symbol),
                instrument,
                lived_ms=state.lived_ms,
                seq=state.seq,
            )

    def _look_at_all(self, symbol: str) -> None:
        for key in self.state.holdings.lots:
            strategy, _, of = key.partition("|")
            if of == symbol:
                self._look_at(strategy, symbol)


def event_of(finding: Finding) -> InvariantViolated:
    """Return what is recorded of a finding."""
    return InvariantViolated(
        code=finding.code,
        law=LAWS[finding.code],
        subject=finding.subject,
        expected=finding.expected,
        found=finding.found,
        sequences=finding.sequences,
        advice=ADVICE[finding.code],
        reduces=finding.code not in NOTICES,
    )


def _name(each: Finding | InvariantViolated) -> str:
    return f"{each.code} {each.subject}"
