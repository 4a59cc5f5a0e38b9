"""Fields of a venue's JSON, read with suspicion: what is not there, or is of another kind, is unreadable."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from gateways.live.dialect import Unreadable
from gateways.live.wire import Received


def fields(received: Received) -> Mapping[str, Any]:
    """Return the JSON object of an answer."""
    if received.status != 200 or not isinstance(received.body, dict):
        raise Unreadable(f"expected a JSON object with status 200, found {_kind(received)}")
    return received.body


def rows(received: Received) -> Sequence[Mapping[str, Any]]:
    """Return the JSON list of objects of an answer."""
    found = received.body
    if received.status != 200 or not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Unreadable(f"expected a JSON list with status 200, found {_kind(received)}")
    return found


def _kind(received: Received) -> str:
    return f"{type(received.body).__name__} with status {received.status}"


def text(row: Mapping[str, Any], name: str) -> str:
    """Return a text that is not empty."""
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable(f"expected text as {name}, found {value!r}")
    return value


def number(row: Mapping[str, Any], name: str) -> int:
    """Return a whole number of at least 0."""
    value = row.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Unreadable(f"expected a whole number as {name}, found {value!r}")
    return value


def stamp(row: Mapping[str, Any], name: str) -> int:
    """Return a whole number of at least 0 that was written as text."""
    value = text(row, name)
    if not (value.isascii() and value.isdecimal() and len(value) <= 19):
        raise Unreadable(f"expected a whole number as {name}, found {value!r:.40}")
    return int(value)


def amount(row: Mapping[str, Any], name: str) -> Decimal:
    """Return an amount that was written as text, and is finite."""
    try:
        value = Decimal(text(row, name))
    except InvalidOperation:
        raise Unreadable(f"expected an amount as {name}, found {row[name]!r}") from None
    if not value.is_finite():
        raise Unreadable(f"expected a finite amount as {name}, found {row[name]!r}")
    return value


def amount_above_0(row: Mapping[str, Any], name: str) -> Decimal:
    """Return an amount above 0, as that of a trade and its price are: what books count must be one."""
    if (value := amount(row, name)) <= 0:
        raise Unreadable(f"expected {name} above 0, found {value}")
    return value


def short(step: Decimal) -> Decimal:
    """Return a number without the zeros at its end, and without an exponent."""
    plain = step.normalize()
    return plain if plain.as_tuple().exponent <= 0 else plain.quantize(Decimal(1))  # type: ignore[operator]
