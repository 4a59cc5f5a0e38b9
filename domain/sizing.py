"""How much to buy, and where the stop and the target of an entry go, in steps that the venue takes."""

from decimal import Decimal

import msgspec

from domain.market import Instrument
from domain.money import ONE, ZERO, ceil_to, floor_to

_CASH_FRACTION_MAX = Decimal("0.99")


class Budget(msgspec.Struct, frozen=True):
    """What an entry may cost at most, in quote currency."""

    equity: Decimal
    cash: Decimal
    """Free for new orders."""
    position_fraction_max: Decimal
    """Of equity, in one position."""

    def cost_max(self) -> Decimal:
        """Return the greatest cost of an entry, with some of the cash kept back for fees and slippage."""
        return min(self.equity * self.position_fraction_max, self.cash * _CASH_FRACTION_MAX)

    def explain_risk(self, risk_fraction: Decimal, *, confidence: Decimal, price: Decimal, distance: Decimal) -> str:
        """Say what `size_by_risk` makes a quantity of, with the stop this far below the price."""
        wanted = self.equity * risk_fraction * confidence / distance
        risked = f"{risk_fraction:f} x confidence {confidence:f} of equity {self.equity:f}"
        return f"{risked} at risk over {distance:f} asks for {wanted:.8f}, {self.explain(price)}"

    def explain(self, price: Decimal) -> str:
        """Say what a quantity that costs the whole budget is made of."""
        cost_max = self.cost_max()
        share = f"{self.position_fraction_max:f} of equity {self.equity:f}"
        least = f"the lesser of {share} and {_CASH_FRACTION_MAX} of cash {self.cash:f}"
        return f"at most {cost_max / price:.8f} for {cost_max:.8f}, {least}"


class Bracket(msgspec.Struct, frozen=True):
    """Prices that end a long position: the stop below the entry, the target above it."""

    stop_price: Decimal
    take_profit: Decimal


def place_bracket(
    price: Decimal, *, stop_distance: Decimal, target_distance: Decimal, instrument: Instrument
) -> Bracket | None:
    """Place stop and target this far away, at least one tick each; None where the stop would not be above 0."""
    tick = instrument.tick
    stop = min(floor_to(price - stop_distance, tick), ceil_to(price, tick) - tick)
    target = max(ceil_to(price + target_distance, tick), floor_to(price, tick) + tick)
    return Bracket(stop_price=stop, take_profit=target) if stop > 0 else None


def size_by_risk(
    budget: Budget,
    *,
    risk_fraction: Decimal,
    confidence: Decimal,
    price: Decimal,
    stop_price: Decimal,
    instrument: Instrument,
) -> Decimal | None:
    """Return the quantity that loses `risk_fraction` x `confidence` of the equity at the stop, in base currency.

    With the stop some average ranges away, the quantity falls as volatility rises.  It is capped by the budget and
    rounded down to the lot; None where the venue would not take so little.

    Raises:
        ValueError: the stop is not below the price, or the confidence is not in 0..1.
    """
    if not ZERO < stop_price < price:
        raise ValueError(f"a stop must be above 0 and below the price {price}, was {stop_price}")
    if not ZERO <= confidence <= ONE:
        raise ValueError(f"a confidence must be in 0..1, was {confidence}")
    wanted = budget.equity * risk_fraction * confidence / (price - stop_price)
    return _fit(min(wanted, budget.cost_max() / price), price=price, instrument=instrument)


def size_by_budget(budget: Budget, *, price: Decimal, instrument: Instrument) -> Decimal | None:
    """Return what the whole budget buys, rounded down to the lot; None where the venue would not take so little."""
    return _fit(budget.cost_max() / price, price=price, instrument=instrument)


def is_tradable(quantity: Decimal, *, price: Decimal, instrument: Instrument) -> bool:
    """Say whether the venue takes an order of this quantity, once it is rounded down to the lot."""
    rounded = floor_to(quantity, instrument.lot)
    return rounded > 0 and rounded >= instrument.quantity_min and rounded * price >= instrument.notional_min


def _fit(quantity: Decimal, *, price: Decimal, instrument: Instrument) -> Decimal | None:
    rounded = floor_to(quantity, instrument.lot)
    return rounded if is_tradable(rounded, price=price, instrument=instrument) else None
