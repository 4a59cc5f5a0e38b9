"""Numbers as exact text, for the book and for what must not depend on how a number was written."""

from decimal import Decimal

DIGITS_MAX = 40
"""Numbers with more digits than this before or after the point are written with an exponent."""


def text(value: Decimal) -> str:
    """Return a number as exact text."""
    # An order that is refused for its absurd numbers is written down too, and may need a million digits in full.
    return format(value, "f") if abs(value.adjusted()) < DIGITS_MAX else str(value)
