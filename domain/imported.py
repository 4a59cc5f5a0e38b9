"""What another program's file says of an account: what is held, what was traded, how it has gone.

Its only evidence is the file.  So it is carried beside what the venue proves, and never mixed with fills of ours.
"""

from decimal import Decimal

import msgspec

from domain.market import Instant
from domain.money import ZERO
from domain.order import Side


class HeldPosition(msgspec.Struct, frozen=True):
    """What a strategy took over of a symbol.  Prices in quote currency."""

    strategy: str
    symbol: str
    quantity: Decimal
    average_price: Decimal
    """What was paid for one unit, fees left out."""
    entered_at: Instant | None = None
    """When it was bought last; None where that is not known."""
    stop_price: Decimal | None = None
    take_profit: Decimal | None = None


class LastEntry(msgspec.Struct, frozen=True):
    """When a symbol was bought last: from then on the strategy cools down in it."""

    strategy: str
    symbol: str
    at: Instant


class PastTrade(msgspec.Struct, frozen=True):
    """A trade from before the journal."""

    number: int
    """Its place in the file, from 1."""
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    """Empty where it is not known."""
    at: Instant
    id: str = ""
    kept: str = ""
    """What else the file said of it, as JSON; empty where there was nothing."""


class Counters(msgspec.Struct, frozen=True):
    """How trading went before the journal, as far as it is counted here in the same way.  Money in quote currency."""

    wins: int = 0
    losses: int = 0
    draws: int = 0
    """Round trips that made, lost, and exactly kept money."""
    realised: Decimal = ZERO
    fees: dict[str, Decimal] = msgspec.field(default_factory=dict)
    peak_equity: Decimal | None = None
    """The highest worth of the account yet."""
    started_at: Instant | None = None

    @property
    def trades(self) -> int:
        """Return the round trips that were finished."""
        return self.wins + self.losses + self.draws
