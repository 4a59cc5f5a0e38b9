"""Amounts of an asset, and the rounding a venue's steps ask for.  Money is Decimal, never float."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

ZERO = Decimal(0)
ONE = Decimal(1)
BASIS_POINT = Decimal("0.0001")


class Money(msgspec.Struct, frozen=True):
    """An amount of one asset, such as 12.5 USDT."""

    amount: Decimal
    asset: str


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Return the greatest multiple of `step` that is not above `value`."""
    return (value / step).to_integral_value(ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Return the least multiple of `step` that is not below `value`."""
    return (value / step).to_integral_value(ROUND_CEILING) * step


def exact(value: float | Decimal | str) -> Decimal:
    """Return `value` as the Decimal its shortest text names; raise ValueError for NaN and infinities."""
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    if not number.is_finite():
        raise ValueError(f"an amount must be finite, was {value}")
    return number
