"""What the venue asks of an order before it takes it, and what the order locks."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from domain.market import Bar, Instant, Instrument
from domain.money import ONE, Money
from domain.order import Terms
from gateways.paper.settings import MARKET_BUFFER, OPEN_ORDERS_MAX, PRICE_MAX, QUANTITY_MAX, PaperSettings


class Refusal(msgspec.Struct, frozen=True):
    """Why an order is not taken.  The codes are stable: tools may match on them."""

    code: str
    message: str


class Circumstances(msgspec.Struct, frozen=True):
    """What the venue knows when an order comes in."""

    at: Instant
    instrument: Instrument
    bar: Bar | None
    """The symbol's bar that closed at this very market time; None in an outage."""
    open_orders: int
    free: Callable[[str], Decimal]
    """The free balance of an asset."""


def judge(terms: Terms, now: Circumstances, settings: PaperSettings) -> Money | Refusal:
    """Return what the order locks where it may be taken, else the first of the venue's rules it breaks."""
    refusal = (
        _refuse_late(terms, now)
        or _refuse_quantity(terms, now.instrument)
        or _refuse_price(terms, now.instrument)
        or _refuse_market(terms, now)
        or _refuse_notional(terms, now)
    )
    if refusal is not None:
        return refusal
    lock = lock_of(terms, now, settings)
    free = now.free(lock.asset)
    if lock.amount > free:
        needed = f"{_plain(lock.amount)} {lock.asset}"
        return Refusal("INSUFFICIENT_BALANCE", f"the order needs {needed}, free are {_plain(free)}")
    return lock


def lock_of(terms: Terms, now: Circumstances, settings: PaperSettings) -> Money:
    """Return what the order holds back while it is open, for an order that breaks no other rule.

    A sell locks its quantity.  A buy locks its worth and the greatest fee it may have to pay in quote currency; where
    no limit caps its price, that is the last close or the stop price with a buffer of `MARKET_BUFFER` on top.
    """
    if terms.side == "sell":
        return Money(terms.quantity, now.instrument.base)
    price = _reference_price(terms, now.bar)
    assert price is not None, f"a buy without a price was let pass: {terms.client_id}"
    if terms.type != "limit":
        price *= ONE + MARKET_BUFFER
    worth = terms.quantity * price
    return Money(worth * (ONE + settings.buy_fee_max(now.instrument.quote)), now.instrument.quote)


def _reference_price(terms: Terms, bar: Bar | None) -> Decimal | None:
    """Return the price an order is judged by: its own, or the market's last close."""
    own = _own_price(terms)
    if own is not None:
        return own
    return None if bar is None else bar.close


def _own_price(terms: Terms) -> Decimal | None:
    """Return the price the order itself names."""
    match terms.type:
        case "limit":
            return terms.limit_price
        case "stop":
            return terms.stop_price
        case "market":
            return None


def _refuse_late(terms: Terms, now: Circumstances) -> Refusal | None:
    if 0 < terms.valid_until < now.at:
        return Refusal("EXPIRED_REQUEST", f"the order was valid until {terms.valid_until}, market time is {now.at}")
    return None


def _refuse_quantity(terms: Terms, instrument: Instrument) -> Refusal | None:
    quantity = terms.quantity
    most = QUANTITY_MAX if instrument.quantity_max is None else instrument.quantity_max
    if not quantity.is_finite() or quantity > most:
        return Refusal("MAX_QUANTITY", f"the quantity must be at most {most:f}, was {quantity}")
    if quantity <= 0 or quantity < instrument.quantity_min:
        least = f"above 0 and at least {instrument.quantity_min:f}"
        return Refusal("MIN_QUANTITY", f"the quantity must be {least}, was {quantity}")
    if quantity % instrument.lot:
        return Refusal("LOT_SIZE", f"the quantity must be a multiple of {instrument.lot:f}, was {quantity}")
    return None


def _refuse_price(terms: Terms, instrument: Instrument) -> Refusal | None:
    if terms.type == "market":
        return None
    price = _own_price(terms)
    if price is None or not price.is_finite() or not 0 < price <= PRICE_MAX:
        return Refusal("BAD_PRICE", f"a {terms.type} order needs a price above 0, up to {PRICE_MAX:f}, was {price}")
    if price % instrument.tick:
        return Refusal("PRICE_TICK", f"the price must be a multiple of {instrument.tick:f}, was {price}")
    return None


def _refuse_market(terms: Terms, now: Circumstances) -> Refusal | None:
    if now.open_orders >= OPEN_ORDERS_MAX:
        return Refusal("TOO_MANY_ORDERS", f"open orders must be at most {OPEN_ORDERS_MAX}, were {now.open_orders}")
    if terms.side == "buy" and _reference_price(terms, now.bar) is None:
        return Refusal("NO_MARKET", f"a market buy needs a bar of {terms.symbol} that closed at {now.at}, none did")
    return None


def _refuse_notional(terms: Terms, now: Circumstances) -> Refusal | None:
    price = _reference_price(terms, now.bar)
    if price is None or terms.quantity * price >= now.instrument.notional_min:
        return None
    least, worth = now.instrument.notional_min, terms.quantity * price
    return Refusal("MIN_NOTIONAL", f"the order must be worth at least {_plain(least)}, was {_plain(worth)}")


def _plain(amount: Decimal) -> str:
    # Zeros at the end tell how an amount was added up, which differs between lives; what is told must not.
    return format(amount.normalize(), "f")
