"""The port to a venue: what is asked of it, and the kinds of proof it may give.

A venue speaks in evidence.  Every answer is one of four: it *has seen* the order (with all it knows of it), it has
*not found* it, it *refused* the request with a code of its own, or the answer is *unproven* and says nothing.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Literal, Protocol

import msgspec

from domain.market import Bar, Instant
from domain.money import ZERO
from domain.order import Fill, Side, Terms


class OrderSeen(msgspec.Struct, frozen=True, tag="seen"):
    """The venue has this order.  `fills` are all of its trades up to now, not only the new ones."""

    client_id: str
    venue_id: str
    state: Literal["accepted", "filled", "canceled", "expired", "rejected"]
    fills: tuple[Fill, ...] = ()
    code: str = ""
    message: str = ""


class OrderNotFound(msgspec.Struct, frozen=True, tag="not_found"):
    """The venue looked, and has no order of this client id."""

    client_id: str


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The venue refused the request itself, provably and for good.  A refused submit is a rejected order."""

    client_id: str
    code: str
    message: str
    is_reached: bool = False
    """It was a stop, and is refused because its price is reached already."""
    passes: bool = False
    """For a reason that passes: it could not be sent in time, its time was not the venue's, or there were too many."""


class Unproven(msgspec.Struct, frozen=True, tag="unproven"):
    """Nothing is proven: a time-out, a reset, a 5xx, an answer that cannot be read."""

    client_id: str
    detail: str


Answer = OrderSeen | OrderNotFound | Refused | Unproven
Reply = Callable[[Answer], None]


class OpenOrder(msgspec.Struct, frozen=True):
    """An order that rests at the venue, whoever sent it.  Quantities in base currency, prices in quote currency."""

    client_id: str
    venue_id: str
    symbol: str
    side: Side
    type: str
    """`market`, `limit` or `stop`; the venue's own word for what we never send."""
    quantity: Decimal
    filled: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


class AccountSeen(msgspec.Struct, frozen=True, tag="account"):
    """The whole account as the venue tells it; what came in pages is all here, or it is no answer."""

    balances: dict[str, Decimal]
    """Totals by asset, free and locked together; without those that are 0."""
    orders: tuple[OpenOrder, ...]


AccountAnswer = AccountSeen | Unproven
AccountReply = Callable[[AccountAnswer], None]


class Venue(Protocol):
    """Where orders go.  A call returns at once; its answer comes by `reply`, once, perhaps from another thread."""

    def watch(self, report: Callable[[OrderSeen], None]) -> None:
        """Give the callable that hears of changes nobody asked for: fills, expiries, cancels by the venue."""

    def submit(self, terms: Terms, reply: Reply) -> None:
        """Place an order.  A client id seen before is answered with the order that has it, never placed again."""

    def cancel(self, client_id: str, symbol: str, reply: Reply) -> None:
        """Cancel an order; the answer says what became of it, fills that came first included."""

    def look_up(self, client_id: str, symbol: str, reply: Reply, *, since: Instant = 0) -> None:
        """Tell what is known of an order, which was not sent before `since`."""

    def tell_account(self, reply: AccountReply) -> None:
        """Tell what the account holds, and all of its open orders: ours, and whoever else's.

        A question that failed, and an answer that cannot be read or may have been cut, are unproven and never empty.
        """

    def show(self, at: Instant, bars: Sequence[Bar]) -> None:
        """Hand a simulated venue the bars that closed at `at`; a real one has a market of its own and ignores it."""

    def close(self) -> None:
        """Let go of files and connections."""


class VenueProfile(msgspec.Struct, frozen=True):
    """What is known of a venue's manners.  It decides when "not found" proves that an order never came to be."""

    enforces_deadline: bool
    """It refuses an order that arrives after its `valid_until`."""
    in_flight_outlives_us: bool
    """A request may still arrive after the process that sent it has died."""
    visibility_lag_ms: int
    """How long an accepted order may be missing from its answers."""
    skew_ms: int
    """How far its clock may be from ours."""
    negatives_needed: int
    """Clean "not found" answers, from different questions, that absence takes."""
    answer_within_s: float
    """Silence for this long leaves a request unproven."""
    look_again_s: float
    """Pause between two questions about the same order."""
    market_lock: Decimal
    """Share of the market's price that it holds back on top for a market buy, which may trade at a worse one."""
    fee_lock: Decimal
    """Share of its worth that it holds back on top for the fees of a buy, in quote currency."""
    base_fee: Decimal = ZERO
    """Share of what a buy brings that the fee may take out of it, in base currency."""
    refuses_late_stops: bool = True
    """It refuses a stop whose price is reached already, and lets none wait for that price to come back."""


def may_still_turn_up(terms: Terms, *, now: Instant, profile: VenueProfile, is_vouched_for: bool = False) -> bool:
    """Say whether an order that is not found now could be there later: that it is not found proves nothing then.

    Where the venue enforces no deadline, somebody has to vouch for it that the order cannot arrive any more.
    """
    if not profile.in_flight_outlives_us:
        return False
    is_over = now > terms.valid_until + profile.skew_ms + profile.visibility_lag_ms
    return not (is_over and (profile.enforces_deadline or is_vouched_for))


def absence_is_proven(negatives: int, profile: VenueProfile) -> bool:
    """Say whether an order never came to be that was not found so many times, each when it could not turn up later."""
    return negatives >= profile.negatives_needed
