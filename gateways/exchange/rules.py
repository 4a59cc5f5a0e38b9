"""What the exchange asks of an order, and how far it may trade at once."""

from decimal import Decimal

from domain.money import ZERO, floor_to
from gateways.exchange.errors import Reason, Refused
from gateways.exchange.market import Listing
from gateways.exchange.orders import TAKES, WAITS, OrderRequest

QUANTITY_MAX = Decimal(9_000_000)
PRICE_MAX = Decimal(1_000_000)
NOTIONAL_MAX = Decimal(9_000_000)
"""Of an order that has a price."""


def demand_by_rules(request: OrderRequest, listing: Listing) -> Decimal:
    """Return the quantity an order is for, in base currency.

    Raises:
        Refused: it breaks a rule of its symbol, or would do what its kind may not.
    """
    quantity = demand_by_filters(request, listing)
    if request.kind == "limit_maker" and _would_take(request, listing):
        raise Refused(Reason.WOULD_TAKE, f"the price {request.price} would trade at once")
    if request.kind in WAITS and is_reached(request, listing.last):
        raise Refused(Reason.WOULD_TRIGGER, f"the stop price {request.stop_price} is reached at {listing.last}")
    return quantity


def demand_by_filters(request: OrderRequest, listing: Listing) -> Decimal:
    """Return the quantity an order is for, in base currency, whatever the market is at.

    Raises:
        Refused: its price, its quantity or its worth is none of its symbol's.
    """
    quantity = request.quantity or _quantity_for(request, listing)
    for price in (request.price, request.stop_price):
        if price:
            _demand_price(price, listing)
    _demand_quantity(quantity, listing)
    _demand_worth(request, quantity, listing)
    return quantity


def is_reached(request: OrderRequest, price: Decimal) -> bool:
    """Say whether a price sets off an order that waits for its stop price."""
    rises = (request.side == "buy") == (request.kind in ("stop", "stop_limit"))
    return price >= request.stop_price if rises else price <= request.stop_price


def limit_of(request: OrderRequest, quantity: Decimal, listing: Listing) -> Decimal:
    """Return the worst price that an order may trade at: its own, or that of the last level it needs."""
    if request.price and request.kind not in TAKES:
        return request.price
    levels = listing.depth().asks if request.side == "buy" else listing.depth().bids
    left, price = quantity, listing.last
    for level in levels:
        left, price = left - level.quantity, level.price
        if left <= 0:
            break
    return price


def _quantity_for(request: OrderRequest, listing: Listing) -> Decimal:
    """Return how much a market order for a worth comes to, level by level."""
    levels = listing.depth().asks if request.side == "buy" else listing.depth().bids
    left, quantity = request.worth, ZERO
    for level in levels:
        part = min(level.quantity, left / level.price)
        quantity, left = quantity + part, left - part * level.price
        if left <= 0:
            break
    return floor_to(quantity, listing.instrument.lot)


def _demand_price(price: Decimal, listing: Listing) -> None:
    tick = listing.instrument.tick
    if not price.is_finite() or not tick <= price <= PRICE_MAX or price % tick:
        raise Refused(Reason.PRICE_FILTER, f"a price must be a multiple of {tick} up to {PRICE_MAX}, was {price}")


def _demand_quantity(quantity: Decimal, listing: Listing) -> None:
    lot, least = listing.instrument.lot, listing.instrument.quantity_min
    most = listing.instrument.quantity_max or QUANTITY_MAX
    if not quantity.is_finite() or not max(least, lot) <= quantity <= most or quantity % lot:
        raise Refused(Reason.LOT_SIZE, f"a quantity must be a multiple of {lot} from {least} to {most}, was {quantity}")


def _demand_worth(request: OrderRequest, quantity: Decimal, listing: Listing) -> None:
    price = request.price or request.stop_price or listing.last
    if quantity * price < listing.instrument.notional_min:
        least = listing.instrument.notional_min
        raise Refused(Reason.NOTIONAL, f"an order must be worth at least {least}, was {quantity * price}")
    if request.price and quantity * price > NOTIONAL_MAX:
        raise Refused(Reason.NOTIONAL_MAX, f"an order must be worth at most {NOTIONAL_MAX}, was {quantity * price}")


def _would_take(request: OrderRequest, listing: Listing) -> bool:
    depth = listing.depth()
    if request.side == "buy":
        return bool(depth.asks) and request.price >= depth.asks[0].price
    return bool(depth.bids) and request.price <= depth.bids[0].price
