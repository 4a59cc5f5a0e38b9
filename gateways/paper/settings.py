"""What a paper venue charges, how slow it is, and how much of the market it gives away."""

from decimal import Decimal
from typing import Literal

import msgspec

from domain.money import BASIS_POINT, ZERO

OPEN_ORDERS_MAX = 1_000
"""Open orders the venue holds for the account; one more is refused."""
QUANTITY_MAX = Decimal(10) ** 12
PRICE_MAX = Decimal(10) ** 12
"""Greatest numbers an order may name; products of two such still fit the arithmetic."""
MARKET_BUFFER = Decimal("0.02")
"""Share of its reference price that a market or stop buy locks on top, for the price to move in."""


class PaperSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The terms of business of a paper venue.  Raises ValueError for a setting that cannot be."""

    fee_maker_bps: Decimal = Decimal(10)
    """Fee on what is traded while resting in the book, in basis points."""
    fee_taker_bps: Decimal = Decimal(10)
    """Fee on everything else, in basis points."""
    fee_asset: str = "quote"
    """`quote`: buys pay on top, sells out of the proceeds.  `received`: out of what the trade brings.  The name of an
    asset: from its free balance, and as `received` where that does not suffice or has no price at the time."""
    slippage_bps: Decimal = Decimal(2)
    """How much worse than the bar's price a taker trades, in basis points."""
    latency_ms: int = 250
    """Market time from the submission of an order to its arrival in the book."""
    participation: Decimal = Decimal("0.1")
    """Share of a bar's volume that all our orders together may trade."""

    def __post_init__(self) -> None:
        for name in ("fee_maker_bps", "fee_taker_bps", "slippage_bps"):
            value = getattr(self, name)
            if not (value.is_finite() and 0 <= value < 10_000):
                raise ValueError(f"{name} must be from 0 up to 10000, was {value}")
        if not (self.participation.is_finite() and 0 < self.participation <= 1):
            raise ValueError(f"participation must be above 0 and at most 1, was {self.participation}")
        if self.latency_ms < 0:
            raise ValueError(f"latency_ms must be at least 0, was {self.latency_ms}")
        if not self.fee_asset:
            raise ValueError("fee_asset must be quote, received or the name of an asset, was empty")

    @property
    def slippage(self) -> Decimal:
        """Return the slippage as a share of the price."""
        return self.slippage_bps * BASIS_POINT

    def fee_rate(self, liquidity: Literal["maker", "taker"]) -> Decimal:
        """Return the fee as a share of what is traded."""
        return (self.fee_maker_bps if liquidity == "maker" else self.fee_taker_bps) * BASIS_POINT

    def fee_in_quote(self, quote: str) -> bool:
        """Say whether a trade against `quote` pays its fee in that very asset, buys included."""
        return self.fee_asset in {"quote", quote}

    @property
    def base_fee_max(self) -> Decimal:
        """Return the greatest share of what a buy brings that its fee takes out of it."""
        return max(self.fee_maker_bps, self.fee_taker_bps) * BASIS_POINT if self.fee_asset == "received" else ZERO

    def buy_fee_max(self, quote: str) -> Decimal:
        """Return the greatest share of its worth that a buy pays on top in quote currency."""
        if not self.fee_in_quote(quote):
            return ZERO
        return max(self.fee_maker_bps, self.fee_taker_bps) * BASIS_POINT
