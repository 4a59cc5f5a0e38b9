"""What the reconciler remembers: the books as the venue's account should be, open orders, and what is due."""

from collections.abc import Mapping

import msgspec

from actors.base import StructMemory
from domain.market import Instrument
from domain.order import Order
from domain.position import Book
from domain.reconciliation import Finding
from messages.imported import PositionImported
from messages.node import NodeStarted, OperatorCommanded, StateMarked
from messages.orders import (
    CancelIntended,
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
from supervision import Recorded


class ReconcilerState(msgspec.Struct):
    """The books, and why they are to be held against the account."""

    book: Book
    orders: dict[str, Order] = msgspec.field(default_factory=dict)
    """Unfinished orders, by client id."""
    canceling: list[str] = msgspec.field(default_factory=list)
    namespace: str = ""
    due: str = ""
    """Why a verdict is due; empty where none is."""
    yields: bool = False
    """An operator has resumed: what would halt is taken as it is."""
    is_running: bool = False
    """It is due for no start or resume: the configured strategy says what becomes of differences."""
    is_halted: bool = False
    """A verdict since the last resume has halted something: entries stay halted though a later one finds nothing."""
    told: tuple[Finding, ...] = ()
    """What the newest verdict found and left as it was."""
    traded: dict[str, int] = msgspec.field(default_factory=dict)
    """Sequence of the newest trade that was counted, by symbol."""
    touched_at: int = 0
    """Sequence of the newest record that speaks of an order."""


class ReconcilerMemory(StructMemory[ReconcilerState]):
    """Folds whatever changes an order or the account."""

    version = 2
    """Since 2, what a verdict has halted stays so until a resume."""

    def __init__(self, instruments: Mapping[str, Instrument], quote: str) -> None:
        super().__init__(ReconcilerState(book=Book(quote)))
        self._instruments = instruments

    def fold(self, record: Recorded) -> None:
        """Take an event in."""
        state = self.state
        match record.event:
            case NodeStarted():
                state.due, state.is_running = "start", False
            case OperatorCommanded(command="resume", user=user) if state.is_halted:
                state.due, state.is_running, state.yields, state.is_halted = user, False, True, False
            case OperatorCommanded(command="reconcile", user=user) if not state.due:
                state.due, state.is_running = user, True
            case OperatorCommanded():
                pass
            case Reconciled(findings=findings):
                state.due, state.is_running, state.yields = "", False, False
                state.told = tuple(finding for finding in findings if finding.policy in ("report", "halt"))
                state.is_halted = state.is_halted or any(finding.policy == "halt" for finding in findings)
            case AccountAdopted() as adopted:
                state.book.adopt(adopted.asset, adopted.amount, symbol=adopted.symbol, holder=adopted.holder)
            case AccountOpened(cash=cash, namespace=namespace):
                state.book.cash, state.namespace = dict(cash), namespace
            case PositionImported(position=held):
                state.book.take_over(held)
            case StateMarked():
                pass  # Whoever rebuilds a memory has no marker folded.
            case _:
                state.touched_at = record.seq
                self._fold_order(record.event)

    def _fold_order(self, event: object) -> None:
        state = self.state
        match event:
            case OrderIntended(terms=terms):
                state.orders[terms.client_id] = Order(terms)
            case OrderFilled(fill=fill, strategy=strategy):
                state.traded[fill.symbol] = state.touched_at
                state.book.apply(fill, strategy, self._instruments[fill.symbol])
                order = state.orders.get(fill.client_id)
                if order is not None and order.take(fill) and not order.is_open:
                    self._end(fill.client_id)
            case OrderAccepted(client_id=client_id) if client_id in state.orders:
                state.orders[client_id].move_to("accepted")
            case OrderUnresolved(client_id=client_id) if client_id in state.orders:
                state.orders[client_id].move_to("unresolved")
            case CancelIntended(client_id=client_id) if client_id in state.orders:
                state.canceling.append(client_id)
            case (
                OrderCanceled(client_id=client_id)
                | OrderExpired(client_id=client_id)
                | OrderRejected(client_id=client_id)
                | OrderAbsent(client_id=client_id)
            ):
                self._end(client_id)

    def _end(self, client_id: str) -> None:
        state = self.state
        state.orders.pop(client_id, None)
        state.canceling = [each for each in state.canceling if each != client_id]
