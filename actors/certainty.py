"""What one incarnation of the executor has from the venue itself, order by order, and what it still has to ask."""

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

from domain.execution import Vouch
from domain.market import Instant
from domain.order import Order
from domain.steps import queue_place


class Request(NamedTuple):
    """What the venue was asked, and still owes an answer to."""

    kind: Literal["submit", "cancel", "lookup", "report"]
    client_id: str
    due: float = 0.0
    """Until when it may wait for its answer, in monotonic seconds."""
    asked_at: Instant = 0
    """In market time."""


class Certainty:
    """Forgotten with the incarnation: whoever comes after it asks anew."""

    def __init__(self) -> None:
        self.certain: set[str] = set()
        """Orders whose state this incarnation has from the venue, or which it has sent itself."""
        self.inherited: set[str] = set()
        """Unfinished orders of earlier lives that the venue was not heard of yet."""
        self.resting: set[str] = set()
        """Orders that are asked about again only after a while."""
        self._negatives: dict[str, int] = {}
        self._vouched: dict[str, Vouch] = {}
        """Those that were asked about once more because an operator vouches for their end."""

    def inherit(self, orders: Mapping[str, Order], *, resting: Collection[str]) -> None:
        """Take over the unfinished orders of earlier lives; nothing waits for those in symbols that rest."""
        self.inherited = {client_id for client_id, order in orders.items() if order.terms.symbol not in resting}

    def make_sure_of(self, client_id: str) -> None:
        """Take it that an order's state is the venue's."""
        self.certain.add(client_id)
        self.inherited.discard(client_id)
        self._negatives.pop(client_id, None)

    def count_negative(self, client_id: str, *, proves: bool) -> int:
        """Return how many answers that prove something have denied an order, this one included."""
        if proves:
            self._negatives[client_id] = self._negatives.get(client_id, 0) + 1
        return self._negatives.get(client_id, 0)

    def doubt_all(self) -> None:
        """Take it that of no order is known what has become of it."""
        self.certain.clear()

    def doubt_vouched(self, vouched: Mapping[str, Vouch]) -> None:
        """Have an order asked about once more each time that an operator vouches for its end."""
        if vouched != self._vouched:
            self.certain -= {client_id for client_id, vouch in vouched.items() if self._vouched.get(client_id) != vouch}
            self._vouched = dict(vouched)

    def word_of(self, client_id: str, *, anew: bool) -> Literal["shown", "not shown", "asked"]:
        """Say what the venue has answered about an open order, or forget that so that it is asked once more."""
        if anew:
            self.certain.discard(client_id)
            self.resting.discard(client_id)
        if client_id in self.certain:
            return "shown"
        return "not shown" if client_id in self.resting else "asked"

    def questions(self, orders: Mapping[str, Order], asked: Collection[str]) -> list[Order]:
        """Return the open orders to ask about now, in the order of the venue's queue; `asked` await an answer."""
        if orders.keys() == self.certain and not self.inherited:
            return []
        self.certain.intersection_update(orders)
        # A report may have ended an inherited order before its own look-up was answered.
        self.inherited.intersection_update(orders)
        if len(self.certain) == len(orders):
            return []
        known = self.certain.union(self.resting, asked)
        return sorted(
            (order for client_id, order in orders.items() if client_id not in known),
            key=lambda order: queue_place(order.terms),
        )
