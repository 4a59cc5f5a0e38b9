"""What a strategy may propose, and the verdicts on it."""

from decimal import Decimal
from typing import Literal

import msgspec

from domain.market import Instant
from domain.order import Side

Reason = Literal[
    "BREAKER_NOT_ACTIVE",
    "NOT_RECONCILED",
    "NO_TRADE",
    "SYMBOL_NOT_ALLOWED",
    "STALE_MARKET",
    "NO_PRICE",
    "PRICE_COLLAR",
    "ORDER_TOO_LARGE",
    "TOO_SMALL",
    "EXPOSURE_LIMIT",
    "SYMBOL_EXPOSURE_LIMIT",
    "NOT_ENOUGH_CASH",
    "DAILY_LOSS",
    "DRAWDOWN",
    "UNRESOLVED_ORDER",
    "ENTRY_IN_FLIGHT",
    "EXPIRED",
    "NONSENSE",
]
"""Why a proposal was denied.  The codes are stable: tools may match on them."""


class Entry(msgspec.Struct, frozen=True, tag="entry"):
    """A wish to open or add to a long position.  `quantity` in base currency, prices in quote currency."""

    symbol: str
    quantity: Decimal
    price: Decimal
    """The price the strategy saw; the collar is measured from the market's own."""
    good_until: Instant
    """After this instant of market time the wish is void."""
    stop_price: Decimal | None = None
    """Where the protective stop goes once the entry has filled."""
    take_profit: Decimal | None = None
    limit_price: Decimal | None = None
    """A limit order at this price; a market order where None."""
    confidence: float = 1.0
    why: str = ""
    side: Side = "buy"
    sizing: str = ""
    """What the quantity was made of, as a sentence for people."""


class Exit(msgspec.Struct, frozen=True, tag="exit"):
    """A wish to leave a position.  It can only reduce, so the executor takes it without the breaker."""

    symbol: str
    good_until: Instant
    quantity: Decimal | None = None
    """All that the strategy holds of the symbol where None."""
    why: str = ""


Proposal = Entry | Exit


def proposal_id(*, strategy: str, at: Instant, attempt: int, index: int) -> str:
    """Name the proposal with this place in a strategy's answer to an offer."""
    return f"{strategy}@{at}#{attempt}.{index}"


def offer_of(proposal: str) -> tuple[str, Instant, int]:
    """Return strategy, instant and attempt of the offer a proposal answered."""
    strategy, _, place = proposal.rpartition("@")
    at, _, numbers = place.partition("#")
    return strategy, int(at), int(numbers.partition(".")[0])
