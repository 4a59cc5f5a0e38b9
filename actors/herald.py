"""The herald: says in the log what has happened, in the words of the events."""

from typing import Any

import msgspec

from actors.base import Log
from messages.market import MarketEnded, RowRefused, SourceOpened
from messages.node import OperatorCommanded, PartGaveUp
from messages.orders import (
    ExitOrdered,
    OrderAbsent,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderUnresolved,
)
from messages.reconciliation import AccountAdopted, Reconciled
from messages.risk import BreakerReset, BreakerTripped, OrderApproved, OrderDenied
from messages.sentiment import HeadlinesAvailable, HeadlinesUnavailable
from messages.watch import InvariantViolated
from supervision import Actor, Recorded, Seat, System

WARNINGS = (
    RowRefused,
    HeadlinesUnavailable,
    OrderRejected,
    OrderUnresolved,
    OrderAbsent,
    BreakerTripped,
    BreakerReset,
    OperatorCommanded,
    AccountAdopted,
    PartGaveUp,
    InvariantViolated,
)
NAMES: dict[type, str] = {
    SourceOpened: "market.opened",
    MarketEnded: "market.ended",
    RowRefused: "market.row_refused",
    HeadlinesUnavailable: "sentiment.unavailable",
    HeadlinesAvailable: "sentiment.available",
    OrderApproved: "entry.approved",
    OrderDenied: "entry.denied",
    OrderIntended: "order.intended",
    OrderFilled: "order.filled",
    OrderCanceled: "order.canceled",
    OrderExpired: "order.expired",
    OrderRejected: "order.rejected",
    OrderUnresolved: "order.unresolved",
    OrderAbsent: "order.absent",
    ExitOrdered: "exit.ordered",
    Reconciled: "reconcile.verdict",
    AccountAdopted: "reconcile.adopted",
    BreakerTripped: "breaker.tripped",
    BreakerReset: "breaker.reset",
    OperatorCommanded: "operator.commanded",
    PartGaveUp: "part.gave_up",
    InvariantViolated: "invariant.violated",
}
GAP = "market.gap"
"""Of a RowRefused that tells of a gap: no row was refused, there was none."""


class Herald(Actor):
    """Logs one line for each event it hears."""

    def __init__(self, system: System, seat: Seat, *, log: Log) -> None:
        super().__init__(system, seat)
        self._log = log

    def receive(self, message: Any) -> None:
        """Log an event."""
        if not isinstance(message, Recorded):
            super().receive(message)
            return
        event = message.event
        level = "warning" if isinstance(event, WARNINGS) else "info"
        self._log(level, _name(event), seq=message.seq, at=message.at, **_values(event))


def _name(event: msgspec.Struct) -> str:
    if isinstance(event, RowRefused) and event.fault == "gap":
        return GAP
    return NAMES.get(type(event), type(event).__name__)


def _values(event: msgspec.Struct) -> dict[str, Any]:
    match event:
        case RowRefused(symbol=symbol, opened_at=opened_at, fault="gap", detail=detail):
            return {"symbol": symbol, "opened_at": opened_at, "detail": detail}
        case OrderFilled(fill=fill, strategy=strategy):
            return {
                "strategy": strategy,
                "symbol": fill.symbol,
                "side": fill.side,
                "quantity": str(fill.quantity),
                "price": str(fill.price),
                "fee": f"{fill.fee.amount} {fill.fee.asset}",
                "order": fill.client_id,
            }
        case OrderIntended(terms=terms, why=why):
            return {
                "strategy": terms.strategy,
                "symbol": terms.symbol,
                "side": terms.side,
                "type": terms.type,
                "quantity": str(terms.quantity),
                "leg": terms.leg,
                "order": terms.client_id,
                "why": why,
            }
        case OrderApproved(strategy=strategy, entry=entry, quantity=quantity, reduced_by=reduced_by):
            return {
                "strategy": strategy,
                "symbol": entry.symbol,
                "quantity": str(quantity),
                "reduced_by": reduced_by,
                "why": entry.why,
            }
        case _:
            plain: dict[str, Any] = msgspec.to_builtins(event)
            plain.pop("at", None)
            return plain
