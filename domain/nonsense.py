"""What no price, quantity, entry or instrument can be, whoever sent it."""

from decimal import Decimal
from typing import TypeGuard

from domain.market import Instrument
from domain.proposal import Entry

AMOUNT_MAX = Decimal("1E18")
AMOUNT_MIN = Decimal("1E-18")
"""A quantity, price or worth outside of these bounds is nonsense."""

Misfit = tuple[str, str, object]
"""A name, what was expected and what was found."""


def is_amount(number: object) -> TypeGuard[Decimal]:
    """Say whether this is a sane amount.  A float is none, whatever its annotation promised."""
    return isinstance(number, Decimal) and number.is_finite() and AMOUNT_MIN <= number <= AMOUNT_MAX


def nonsense_in(entry: Entry) -> list[Misfit]:
    """Find what an entry cannot mean: numbers that are none, or prices in an impossible order."""
    bounds = f"from {AMOUNT_MIN} to {AMOUNT_MAX}"
    numbers = [("quantity", entry.quantity), ("price", entry.price), *_other_prices(entry)]
    misfits: list[Misfit] = [(name, bounds, number) for name, number in numbers if not is_amount(number)]
    if entry.side != "buy":
        misfits.append(("side of an entry", "buy", entry.side))
    if not 0 <= entry.confidence <= 1:
        misfits.append(("confidence", "from 0 to 1", entry.confidence))
    return misfits or _disorder_of(entry)


def nonsense_of(instrument: Instrument) -> list[Misfit]:
    """Find what a venue's rules for a symbol cannot be."""
    minimums = (("quantity_min", instrument.quantity_min), ("notional_min", instrument.notional_min))
    misfits: list[Misfit] = [] if is_amount(instrument.lot) else [("lot", "above 0", instrument.lot)]
    misfits += [(name, "at least 0", least) for name, least in minimums if least != 0 and not is_amount(least)]
    least, most = max(instrument.lot, instrument.quantity_min), instrument.quantity_max
    if most is not None and not (is_amount(most) and most >= least):
        misfits.append(("quantity_max", f"at least {least}", most))
    return [(f"{name} of {instrument.symbol}", expected, found) for name, expected, found in misfits]


def _disorder_of(entry: Entry) -> list[Misfit]:
    """Find a stop that is not below the prices an entry may fill at, and a target that is not above them."""
    misfits: list[Misfit] = []
    prices = [entry.price] if entry.limit_price is None else [entry.price, entry.limit_price]
    if entry.stop_price is not None and entry.stop_price >= min(prices):
        misfits.append(("stop_price", f"below {min(prices)}", entry.stop_price))
    if entry.take_profit is not None and entry.take_profit <= max(prices):
        misfits.append(("take_profit", f"above {max(prices)}", entry.take_profit))
    return misfits


def _other_prices(entry: Entry) -> list[tuple[str, Decimal]]:
    named = (("stop_price", entry.stop_price), ("take_profit", entry.take_profit), ("limit_price", entry.limit_price))
    return [(name, price) for name, price in named if price is not None]
