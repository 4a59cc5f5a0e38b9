"""What a trade costs, and what it moves between the account's assets."""

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal

from domain.market import Instrument
from domain.money import Money
from domain.order import Side
from gateways.paper.matching import Liquidity
from gateways.paper.settings import PaperSettings

FEE_STEP = Decimal("0.00000001")
"""Fees are cut to this step, so that the fees of an order's parts never exceed the fee of the whole that was locked."""

Free = Callable[[str], Decimal]
"""The free balance of an asset."""
Price = Callable[[str, str], Decimal | None]
"""The price of one asset in another, where the market shows one now."""


def fee_of(
    *,
    side: Side,
    quantity: Decimal,
    price: Decimal,
    liquidity: Liquidity,
    instrument: Instrument,
    settings: PaperSettings,
    free: Free,
    price_of: Price,
) -> Money:
    """Return the fee of a trade, in the asset it is paid in."""
    rate = settings.fee_rate(liquidity)
    in_quote = Money(_cut(quantity * price * rate), instrument.quote)
    if settings.fee_in_quote(instrument.quote):
        return in_quote
    if settings.fee_asset != "received":
        fee = _in_asset(settings.fee_asset, in_quote, instrument, price_of)
        if fee is not None and fee.amount <= free(fee.asset):
            return fee
    return in_quote if side == "sell" else Money(_cut(quantity * rate), instrument.base)


def legs_of(*, side: Side, quantity: Decimal, price: Decimal, fee: Money, instrument: Instrument) -> list[Money]:
    """Return what a trade adds to and takes from the account, fee included."""
    sign = 1 if side == "buy" else -1
    legs = [Money(sign * quantity, instrument.base), Money(-sign * quantity * price, instrument.quote)]
    if fee.amount:
        legs.append(Money(-fee.amount, fee.asset))
    return legs


def taken_from_lock(*, side: Side, quantity: Decimal, price: Decimal, fee: Money, quote: str) -> Decimal:
    """Return how much of its order's lock a trade uses up."""
    if side == "sell":
        return quantity
    return quantity * price + (fee.amount if fee.asset == quote else 0)


def _in_asset(asset: str, fee: Money, instrument: Instrument, price_of: Price) -> Money | None:
    price = price_of(asset, instrument.quote)
    return None if price is None else Money(_cut(fee.amount / price), asset)


def _cut(amount: Decimal) -> Decimal:
    return amount.quantize(FEE_STEP, ROUND_DOWN)
