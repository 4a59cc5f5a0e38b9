"""The life of an order: terms, states on a lattice that only goes up, and fills counted once."""

from decimal import Decimal
from typing import Literal

import msgspec

from domain.market import MINUTE_MS, Instant
from domain.money import ZERO, Money

Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit", "stop"]
"""`stop` is a stop-market order: it becomes a market order when a trade reaches its stop price."""
Leg = Literal["entry", "stop", "exit"]
OrderState = Literal["intended", "unresolved", "accepted", "filled", "canceled", "expired", "rejected", "absent"]
"""`intended`: on disk, outcome not yet known. `unresolved`: the venue's answer proves nothing.
`accepted`: the venue has it (perhaps partly filled).  The rest are final."""

UNPROVEN: frozenset[str] = frozenset({"intended", "unresolved"})
"""States of an order that the venue was not heard of yet."""
FINAL: frozenset[str] = frozenset({"filled", "canceled", "expired", "rejected", "absent"})
RANK: dict[str, int] = {
    "intended": 0,
    "unresolved": 1,
    "accepted": 2,
    "canceled": 3,
    "expired": 3,
    "rejected": 3,
    "absent": 3,
    "filled": 4,
}


DEADLINE_MAX_MS = MINUTE_MS
"""The longest that an order may be good for before the venue has taken it."""


class Terms(msgspec.Struct, frozen=True):
    """What an order asks of the venue.  `quantity` in base currency, prices in quote currency."""

    client_id: str
    strategy: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    leg: Leg
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    valid_until: Instant = 0
    """The venue refuses to take the order after this instant of market time."""
    base: str = ""
    """The asset that is bought or sold, for fees that are taken in it."""

    @property
    def sent_from(self) -> Instant:
        """Return an instant before which it was certainly not sent; 0 where none is known."""
        return max(0, self.valid_until - DEADLINE_MAX_MS)


class Fill(msgspec.Struct, frozen=True):
    """One trade of one order, as the venue reports it.  `trade_id` is unique for ever at the venue."""

    trade_id: str
    client_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Money
    liquidity: Literal["maker", "taker"]
    at: Instant


class Order(msgspec.Struct):
    """An order as far as evidence goes."""

    terms: Terms
    state: OrderState = "intended"
    venue_id: str = ""
    filled: Decimal = ZERO
    trades: list[str] = msgspec.field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Say whether the venue may still fill it."""
        return self.state not in FINAL

    @property
    def remaining(self) -> Decimal:
        """Return what is not filled yet, in base currency."""
        return self.terms.quantity - self.filled

    def move_to(self, state: OrderState) -> bool:
        """Go up the lattice; say whether that changed anything.  Never goes down."""
        if RANK[state] <= RANK[self.state]:
            return False
        self.state = state
        return True

    def take(self, fill: Fill) -> bool:
        """Count a fill once, by its trade id; say whether it was new.

        Raises:
            ValueError: the fill is not above zero, or all would add up to more than the order's quantity.
        """
        if fill.trade_id in self.trades:
            return False
        if fill.quantity <= 0:
            raise ValueError(f"a fill of {self.terms.client_id} must be above 0, was {fill.quantity}")
        if self.filled + fill.quantity > self.terms.quantity:
            raise ValueError(
                f"fills of {self.terms.client_id} must add up to at most {self.terms.quantity}, "
                f"were {self.filled + fill.quantity}"
            )
        self.trades.append(fill.trade_id)
        self.filled += fill.quantity
        if self.filled == self.terms.quantity:
            self.state = "filled"
        else:
            self.move_to("accepted")
        return True


GENERATION_MAX = 36**2 - 1
NAMESPACE_LENGTH = 4
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS = [upper + lower for upper in DIGITS for lower in DIGITS]
_LEGS: dict[Leg, str] = {"entry": "e", "stop": "s", "exit": "x"}


def client_order_id(*, generation: int, sequence: int, leg: Leg, index: int, attempt: int, namespace: str = "") -> str:
    """Return the client order id of an intent: unique for ever, the same whenever it is derived again.

    Fourteen characters of `[a-z0-9]` and never a leading `t`, which fits every venue's rules; eighteen with a
    namespace of four, which tells the orders of one home from those of another on the same account.
    """
    for number, limit in ((generation, GENERATION_MAX + 1), (sequence, 36**8), (index, 36), (attempt, 36)):
        if not 0 <= number < limit:
            raise ValueError(f"a part of a client order id must be below {limit}, was {number}")
    upper, lower = divmod(sequence, 36**4)
    ordered_by = f"{_base36(upper)}{_base36(lower)}"
    return f"h{_PAIRS[generation]}{namespace}{ordered_by}{_LEGS[leg]}{DIGITS[index]}{DIGITS[attempt]}"


def generation_of(client_id: str) -> int | None:
    """Return the generation of the journal that a client order id was made in; None for one that is not ours."""
    return None if namespace_of(client_id) is None else int(client_id[1:3], 36)


def namespace_of(client_id: str) -> str | None:
    """Return the namespace that a client order id carries, empty for one of a paper account; None for one not ours."""
    if len(client_id) not in (14, 14 + NAMESPACE_LENGTH) or client_id[0] != "h" or not set(client_id) <= set(DIGITS):
        return None
    return client_id[3:-11]


def _base36(number: int) -> str:
    """Return four digits."""
    upper, lower = divmod(number, 36**2)
    return _PAIRS[upper] + _PAIRS[lower]
