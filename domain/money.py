"""Amounts of an asset, and the rounding a venue's steps ask for.  Money is Decimal, never float."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation

import msgspec

ZERO = Decimal(0)
ONE = Decimal(1)
BASIS_POINT = Decimal("0.0001")
WIDE = Context(prec=60)
"""Wide enough that no venue's number is rounded before it is meant to be."""


class Money(msgspec.Struct, frozen=True):
    """An amount of one asset, such as 12.5 USDT."""

    amount: Decimal
    asset: str


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Return the greatest multiple of `step` that is not above `value`."""
    return WIDE.multiply(WIDE.divide(value, step).to_integral_value(ROUND_FLOOR), step)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Return the least multiple of `step` that is not below `value`."""
    return WIDE.multiply(WIDE.divide(value, step).to_integral_value(ROUND_CEILING), step)


def exact(value: float | Decimal | str) -> Decimal:
    """Return `value` as the Decimal its shortest text names; raise ValueError for what is no finite number."""
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"an amount must be a number, was {value!r:.80}") from None
    if not number.is_finite():
        raise ValueError(f"an amount must be finite, was {value}")
    return number


def plain(value: Decimal) -> str:
    """Return a number as text without an exponent and without idle zeros."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("", "-0") else text
