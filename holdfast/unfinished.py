"""What a venue proves now of the orders that a journal has open, taken into a memory alone: nothing is written."""

from collections.abc import Callable, Collection, Iterator

from actors.evidence import end_of_denied, events_of
from actors.reconciler_memory import ReconcilerMemory
from domain.market import Instant
from domain.order import Order
from domain.steps import queue_place
from domain.venue import Answer, OrderNotFound, OrderSeen, VenueProfile, absence_is_proven, may_still_turn_up
from messages.base import Event
from supervision import Recorded


def make_certain(
    memory: ReconcilerMemory,
    ask: Callable[[Order], Answer],
    *,
    now: Callable[[], Instant],
    profile: VenueProfile,
    resting: Collection[str] = (),
) -> None:
    """Ask about each open order, as a start does before it compares; not about those in symbols that rest.

    A start asks until it knows, and this no more often than a proof of absence takes.
    """
    orders = sorted(memory.state.orders.values(), key=lambda order: queue_place(order.terms))
    for order in orders:
        if order.terms.symbol not in resting:
            for event in _proven_of(order, ask, now, profile):
                memory.fold(_as_recorded(event, memory.state.touched_at))


def _proven_of(
    order: Order, ask: Callable[[Order], Answer], now: Callable[[], Instant], profile: VenueProfile
) -> Iterator[Event]:
    negatives = 0
    for _ in range(profile.negatives_needed):
        asked_at = now()
        match ask(order):
            case OrderSeen() as seen:
                yield from events_of(order, seen, "lookup")
                return
            case OrderNotFound() if not may_still_turn_up(order.terms, now=asked_at, profile=profile):
                negatives += 1
    if absence_is_proven(negatives, profile) and order.state != "accepted":
        yield end_of_denied(order, f"not found {negatives} times", "")


def _as_recorded(event: Event, seq: int) -> Recorded:
    return Recorded(seq, 0, 0, type(event).__name__, 1, "", 0, seq, 0, 0, b"", event)
