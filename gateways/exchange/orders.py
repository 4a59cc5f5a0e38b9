"""Orders and trades as the exchange has them, in no exchange's dialect."""

from decimal import Decimal
from typing import Literal

import msgspec

from domain.market import Instant
from domain.money import ZERO
from domain.order import Side

Kind = Literal["market", "limit", "limit_maker", "stop", "stop_limit", "take_profit", "take_profit_limit"]
TimeInForce = Literal["GTC", "IOC", "FOK"]
Status = Literal["pending", "new", "partially_filled", "filled", "canceled", "expired", "lost"]
"""`pending`: received, and not yet in the book.  `lost`: the exchange died in between, and never took it."""
Origin = Literal["api", "manual"]
"""`manual`: of somebody else who may use the account."""

OPEN: frozenset[str] = frozenset({"pending", "new", "partially_filled"})
WAITS: frozenset[str] = frozenset({"stop", "stop_limit", "take_profit", "take_profit_limit"})
"""Kinds that are in the book only once the market has reached their stop price."""
TAKES: frozenset[str] = frozenset({"market", "stop", "take_profit"})
"""Kinds that trade at once with what there is, and whose rest expires."""


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for.  Amounts that are not given are 0."""

    client_id: str
    symbol: str
    side: Side
    kind: Kind
    quantity: Decimal = ZERO
    worth: Decimal = ZERO
    """Instead of the quantity of a market order: what it may cost, or should bring."""
    price: Decimal = ZERO
    stop_price: Decimal = ZERO
    time_in_force: TimeInForce = "GTC"


class Order(msgspec.Struct, kw_only=True):
    """An order that was taken."""

    order_id: int
    request: OrderRequest
    origin: Origin
    quantity: Decimal
    status: Status
    created_at: Instant
    updated_at: Instant
    working_at: Instant = 0
    """When it came into the book; 0 while it waits for its stop price."""
    executed: Decimal = ZERO
    executed_worth: Decimal = ZERO
    trades: int = 0

    @property
    def is_open(self) -> bool:
        """Say whether it may still trade."""
        return self.status in OPEN

    @property
    def remaining(self) -> Decimal:
        """Return what has not traded, in base currency."""
        return self.quantity - self.executed

    @property
    def takes(self) -> bool:
        """Say whether it may not rest in the book."""
        return self.request.kind in TAKES or self.request.time_in_force != "GTC"


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of one order."""

    trade_id: int
    order_id: int
    client_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    is_maker: bool
    at: Instant


class Holding(msgspec.Struct, frozen=True):
    """What the account has of an asset."""

    free: Decimal
    locked: Decimal


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to an order, which is given as it was right after it."""

    what: Literal["new", "trade", "canceled", "expired"]
    order: Order
    trade: Trade | None = None
    canceled_by: str = ""
    """Client id of the request that cancelled it."""
    at: Instant


class HoldingsChanged(msgspec.Struct, frozen=True):
    """The account has other amounts of these assets than before."""

    holdings: dict[str, Holding]
    at: Instant


class Moved(msgspec.Struct, frozen=True):
    """Somebody deposited something, or withdrew it."""

    asset: str
    amount: Decimal
    at: Instant


Event = Reported | HoldingsChanged | Moved
