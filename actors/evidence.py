"""What a venue's view of an order proves that is not known yet, as events."""

from domain.order import FINAL, UNPROVEN, Order
from domain.venue import OrderSeen
from messages.base import Event
from messages.orders import (
    Evidence,
    OrderAbsent,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
)


def events_of(order: Order, seen: OrderSeen, evidence: Evidence) -> list[Event]:
    """Return what is new in a venue's view of an order: acceptance first, then fills, then its end.

    Raises:
        ValueError: the venue shows fills that add up to more than the order.
    """
    client_id = order.terms.client_id
    events: list[Event] = []
    if order.state in UNPROVEN and seen.state != "rejected":
        events.append(OrderAccepted(client_id=client_id, venue_id=seen.venue_id, evidence=evidence))
    # Once by its id, for books count each that is recorded.
    new = {fill.trade_id: fill for fill in seen.fills if fill.trade_id not in order.trades}.values()
    filled = order.filled + sum(fill.quantity for fill in new)
    if filled > order.terms.quantity:
        raise ValueError(f"fills of {client_id} must add up to at most {order.terms.quantity}, were {filled}")
    events += [OrderFilled(fill=fill, strategy=order.terms.strategy, evidence=evidence) for fill in new]
    if order.state not in FINAL and filled < order.terms.quantity:
        events += _end_of(client_id, seen, evidence)
    return events


def end_of_denied(order: Order, detail: str, proposal_id: str) -> Event:
    """Return the end of an order that the venue denies for good: of one that it had, by an operator's word."""
    client_id = order.terms.client_id
    return (
        OrderCanceled(client_id, "operator")
        if order.state == "accepted"
        else OrderAbsent(client_id, detail, proposal_id)
    )


def _end_of(client_id: str, seen: OrderSeen, evidence: Evidence) -> list[Event]:
    match seen.state:
        case "canceled" | "filled":  # With less than it was for, or else it would not be told here.
            return [OrderCanceled(client_id=client_id, evidence=evidence)]
        case "expired":
            return [OrderExpired(client_id=client_id, evidence=evidence)]
        case "rejected":
            return [OrderRejected(client_id=client_id, code=seen.code, message=seen.message, evidence=evidence)]
        case _:
            return []
