"""Every order that a journal tells of, with the records that prove its state."""

import msgspec

from domain.order import Order, Terms
from messages.orders import OrderFilled, OrderIntended
from supervision import Recorded

ORDER_EVENTS = frozenset(
    {
        "OrderIntended",
        "OrderAccepted",
        "OrderRejected",
        "OrderUnresolved",
        "OrderFilled",
        "OrderCanceled",
        "OrderExpired",
        "OrderAbsent",
        "CancelIntended",
    }
)
STATES = {
    "OrderAccepted": "accepted",
    "OrderRejected": "rejected",
    "OrderUnresolved": "unresolved",
    "OrderCanceled": "canceled",
    "OrderExpired": "expired",
    "OrderAbsent": "absent",
}


class Proof(msgspec.Struct, frozen=True):
    """One record that speaks of an order."""

    seq: int
    at: int
    kind: str
    evidence: str = ""


class History(msgspec.Struct):
    """Every order there ever was, and what proves its state."""

    orders: dict[str, Order] = msgspec.field(default_factory=dict)
    proofs: dict[str, list[Proof]] = msgspec.field(default_factory=dict)
    fills: list[OrderFilled] = msgspec.field(default_factory=list)

    def take(self, record: Recorded) -> None:
        """Take in a record that speaks of an order."""
        event = record.event
        terms: Terms | None = event.terms if isinstance(event, OrderIntended) else None
        fill = event.fill if isinstance(event, OrderFilled) else None
        client_id = terms.client_id if terms else fill.client_id if fill else event.client_id
        if terms is not None:
            self.orders[client_id] = Order(terms)
        elif fill is not None:
            self.orders[client_id].take(fill)
            self.fills.append(event)
        elif record.kind in STATES:
            self.orders[client_id].move_to(STATES[record.kind])  # type: ignore[arg-type]
        proof = Proof(record.seq, record.at, record.kind, getattr(event, "evidence", ""))
        self.proofs.setdefault(client_id, []).append(proof)
