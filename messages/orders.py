"""The life of an order: intent, evidence, fills; and what is asked of the venue."""

from decimal import Decimal
from typing import Literal

from domain.market import Instant
from domain.order import Fill, Terms
from domain.venue import Answer, OrderSeen
from messages.base import Event, Message

Evidence = Literal["answer", "lookup", "report", "operator"]
"""`answer`: the venue's answer to the request itself. `lookup`: asked by client id. `report`: told unasked.
`operator`: the venue denies what it had once, and an operator vouches for its end."""


class OrderIntended(Event, frozen=True):
    """An order is about to be sent.  On disk before the first byte leaves."""

    terms: Terms
    ordered_by: int
    """Sequence of the record that ordered it."""
    attempt: int
    proposal_id: str = ""
    """The proposal behind an entry; empty for stops and exits."""
    why: str = ""


class OrderAccepted(Event, frozen=True):
    """The venue has the order."""

    client_id: str
    venue_id: str
    evidence: Evidence


class OrderRejected(Event, frozen=True):
    """The venue refused the order, provably; or it provably was not sent."""

    client_id: str
    code: str
    message: str
    evidence: Evidence
    passes: bool = False
    """For a reason that passes: what it was for is tried again soon."""


class OrderUnresolved(Event, frozen=True):
    """The order's fate is unknown; it is looked up until it is proven, and never sent again."""

    client_id: str
    detail: str


class OrderFilled(Event, frozen=True):
    """A trade of ours, counted once by its trade id."""

    fill: Fill
    strategy: str
    evidence: Evidence


class OrderCanceled(Event, frozen=True):
    """The venue took the order out of its book."""

    client_id: str
    evidence: Evidence


class OrderExpired(Event, frozen=True):
    """The order's time ran out at the venue."""

    client_id: str
    evidence: Evidence


class OrderAbsent(Event, frozen=True):
    """The venue provably never got the order.  What it was for is decided anew."""

    client_id: str
    detail: str
    proposal_id: str = ""


class CancelIntended(Event, frozen=True):
    """An order is about to be cancelled."""

    client_id: str
    why: str


class ExitOrdered(Event, frozen=True):
    """The executor was told, or decided, to leave a position; it stays ordered until nothing is left."""

    strategy: str
    symbol: str
    why: str
    quantity: Decimal | None = None
    """All that is held where None."""


class ExitEnded(Event, frozen=True):
    """Nothing more can, or need, be sold of a position that was to be left."""

    strategy: str
    symbol: str
    left: Decimal
    """What stays: less than the venue's minimum."""


class SubmitOrder(Message, frozen=True):
    """Place this order.  Delivered only once its intent is durable."""

    request_id: int
    terms: Terms


class CancelOrder(Message, frozen=True):
    """Cancel this order.  Delivered only once that intent is durable."""

    request_id: int
    client_id: str
    symbol: str


class LookUpOrder(Message, frozen=True):
    """Tell what is known of this order."""

    request_id: int
    client_id: str
    symbol: str
    since: Instant = 0
    """Before this instant it was not sent."""


class VenueAnswered(Message, frozen=True):
    """The venue's answer to one request."""

    request_id: int
    answer: Answer


class VenueReported(Message, frozen=True):
    """The venue told something nobody had asked."""

    seen: OrderSeen


class CheckRequests(Message, frozen=True):
    """Time to see whether a request has waited for its answer as long as it may."""


class TryAgain(Message, frozen=True):
    """It is time to try again what the venue has refused."""


class LookAgain(Message, frozen=True):
    """It is time to ask about this order once more."""

    client_id: str


class ForeignOrderSeen(Message, frozen=True):
    """The venue shows an order that is not in the journal, was finished long ago, or was taken for absent."""

    client_id: str
    state: str
