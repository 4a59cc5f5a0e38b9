"""What the executor remembers: wishes, approvals, intents and evidence."""

from actors.base import StructMemory
from domain.execution import Approval, Execution, Halt
from domain.market import HOUR_MS, LATE_MS, Bar
from domain.proposal import Exit
from domain.reconciliation import EXTERNAL, Finding
from messages.imported import PositionImported
from messages.market import BarsClosed, OfferAnswered
from messages.node import NodeStarted, OperatorCommanded, Restored, Salvaged
from messages.orders import (
    CancelIntended,
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
from messages.parts import PartStarted
from messages.positions import AccountOpened
from messages.reconciliation import AccountAdopted, Reconciled
from messages.risk import OrderApproved, OrderDenied
from supervision import Recorded

VENUE = "venue"


def why_of(command: OperatorCommanded) -> str:
    """Return what is told as the cause of all that an operator's command leads to."""
    return f"{command.user}: {command.reason or command.command}"


class ExecutorMemory(StructMemory[Execution]):
    """Folds all that decides what becomes of orders."""

    version = 11
    """Since 2, stop and take-profit of an entry outlive its end; since 3, it is known how an entry was sized; since 4,
    an exit that was called off on its way is unwanted; since 5, a take-profit is judged by closes after its fill;
    since 6, client order ids carry a namespace, and what was refused for a reason that passes is tried again soon;
    since 7, entries wait for the verdict of a start; since 8, a part never narrows a whole that is wanted left, and a
    refused stop of what stays waits; since 9, who leaves all does not wait for a stop that was refused before, and
    what is adopted is protected below a price that is not old; since 10, an exit that
    the venue ends with nothing sold is tried again after a pause; since 11, a plan of a journal that was put back
    waits for the verdict."""

    def __init__(self) -> None:
        super().__init__(Execution())
        self.desk_epoch = 0
        """Of the venue's desk; no part of the state, for it is of this life alone."""

    def fold(self, record: Recorded) -> None:
        """Take an event in."""
        known = self.state
        match record.event:
            case BarsClosed(at=at, bars=bars):
                # What a price was while nobody was there is no reason to sell now.
                if record.at - at <= LATE_MS:
                    self.take_bars(bars)
            case OrderIntended(terms=terms, proposal_id=proposal_id):
                known.intend(terms, proposal_id, seq=record.seq, seen=record.seen)
            case OrderFilled(fill=fill):
                known.fill(fill, record.seq)
            case OrderAccepted(client_id=client_id, venue_id=venue_id):
                known.accept(client_id, venue_id)
            case OrderApproved(proposal_id=proposal_id, strategy=strategy, entry=entry, quantity=quantity):
                known.approve(Approval(proposal_id, strategy, entry, quantity, ordered_by=record.seq))
            case OrderDenied(proposal_id=proposal_id):
                known.drop(proposal_id)
            case OfferAnswered(strategy=strategy, proposals=proposals):
                for wish in proposals:
                    if isinstance(wish, Exit):
                        known.wish_exit(strategy, wish, record.seq)
            case OperatorCommanded() as command:
                self._command(command, record)
            case _:
                self._fold_rest(record)

    def take_bars(self, bars: tuple[Bar, ...]) -> None:
        """Take bars in that closed together."""
        for bar in bars:
            self.state.take_close(bar.symbol, bar.close, bar.closed_at)

    def _fold_rest(self, record: Recorded) -> None:
        known = self.state
        match record.event:
            case AccountOpened(namespace=namespace):
                known.namespace = namespace
            case PositionImported(position=held):
                known.take_over(held, record.seq)
            case NodeStarted() | Reconciled() | AccountAdopted() | PartStarted():
                self._fold_house(record)
            case Restored() | Salvaged():
                # What was approved and is not known to be sent may have been: it is denied, and never sent anew.
                known.stop_entries("the journal begins a new generation", record.seq)
                known.doubt_plans()
            case OrderUnresolved(client_id=client_id):
                known.doubt(client_id)
            case OrderCanceled(client_id=client_id):
                known.end(client_id, "canceled", record.seq, record.at)
            case OrderExpired(client_id=client_id):
                known.end(client_id, "expired", record.seq, record.at)
            case OrderAbsent(client_id=client_id):
                known.end(client_id, "absent", record.seq, record.at)
            case OrderRejected(client_id=client_id, passes=passes):
                known.refuse(client_id, record.seq, record.at, passes=passes)
            case CancelIntended(client_id=client_id):
                known.canceling.append(client_id)
            case ExitOrdered(strategy=strategy, symbol=symbol, why=why, quantity=quantity):
                known.order_exit(strategy, symbol, why, quantity, seq=record.seq, seen=record.seen)
            case ExitEnded(strategy=strategy, symbol=symbol):
                known.end_exit(strategy, symbol, seq=record.seq, seen=record.seen)

    def _fold_house(self, record: Recorded) -> None:
        match record.event:
            case PartStarted(part=part, epoch=epoch) if part == VENUE:
                self.desk_epoch = epoch
            case NodeStarted():
                self.state.await_verdict(record.at)
            case Reconciled(findings=findings, by=by):
                self._take_verdict(findings, record.seq)
                if by == "emergency_reset":
                    self._reset(record)
            case AccountAdopted() as adopted:
                self._adopt(adopted, record)

    def _take_verdict(self, findings: tuple[Finding, ...], seq: int) -> None:
        known = self.state
        known.end_waiting()
        for finding in findings:
            if finding.policy == "halt":
                why = f"{finding.kind}, found when the books were held against the account"
                if finding.symbol:
                    known.stops[finding.symbol] = Halt(seq, why)
                else:
                    known.stop_entries(why, seq)

    def _reset(self, record: Recorded) -> None:
        """Leave everything, and begin nothing."""
        known, why = self.state, "books and account differed: emergency reset"
        known.wish_flat("", why, record.at + HOUR_MS, record.seq)
        known.want_gone(("entry",), why)
        known.stop_entries(why, record.seq)

    def _adopt(self, adopted: AccountAdopted, record: Recorded) -> None:
        known, holder, symbol = self.state, adopted.holder, adopted.symbol
        if not holder or (holder == EXTERNAL and adopted.policy == "adopt" and f"{holder}|{symbol}" not in known.plans):
            return
        known.adopt(holder, symbol, adopted.amount, record.seq)
        if adopted.policy == "protect":
            known.protect(holder, symbol, adopted.stop_below, record.at)
        elif adopted.policy == "flatten":
            wish = Exit(symbol, record.at + HOUR_MS, None, "it was found on the account, and is no strategy's")
            known.wish_exit(holder, wish, record.seq)

    def _command(self, command: OperatorCommanded, record: Recorded) -> None:
        known = self.state
        why = why_of(command)
        match command.command:
            case "flatten":
                known.wish_flat(command.target, why, record.at + HOUR_MS, record.seq)
                known.want_gone(("entry",), why, command.target)
            case "cancel-all":
                known.want_gone(("entry",), why)
                known.stop_leaving(why, record.seq)
            case "halt":
                known.stop_entries(why, record.seq)
            case "settle":
                known.vouch(command.target, why, record.at + HOUR_MS)
            case "pause":
                known.takes_entries = False
            case "resume":
                known.takes_entries = True
