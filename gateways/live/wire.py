"""What goes to a venue and what comes back, before anybody has judged it."""

from collections.abc import Mapping
from decimal import Decimal
from enum import IntEnum
from typing import Any, Literal

import msgspec


class Lane(IntEnum):
    """How urgent a request is; the lowest goes first."""

    CANCEL = 0
    STOP = 1
    ORDER = 2
    QUERY = 3
    DATA = 4


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request, not signed yet."""

    lane: Lane
    method: Literal["GET", "POST", "DELETE"]
    path: str
    api: str
    """The part of the venue's interface as ccxt names it, such as `private`."""
    params: Mapping[str, str | int] = {}
    begins_at_ms: int = 0
    """From when on the venue may act on it, by its own clock, and for how long from then; 0 where that is not asked
    for, or where it is among the parameters."""
    good_for_ms: int = 0
    weight: float = 1.0
    """What it counts in the venue's rate limit."""


class Received(msgspec.Struct, frozen=True):
    """The venue answered: whatever it said, it is an HTTP answer that has come whole."""

    status: int
    headers: Mapping[str, str]
    """Their names in small letters."""
    body: Any
    """The JSON it holds, numbers with a fraction as Decimal; None where it holds none."""


class Lost(msgspec.Struct, frozen=True):
    """There is no answer to read."""

    detail: str
    was_sent: bool
    """The venue may have got the request.  Only False proves something: it has not."""


Outcome = Received | Lost


_JSON = msgspec.json.Decoder(float_hook=Decimal)


def read_json(text: str) -> Any:
    """Return the JSON of an answer: numbers with a fraction are exact, and each is finite.

    Raises:
        msgspec.DecodeError: it is no JSON.
        ValueError: it is no text.
        RecursionError: it is nested without an end.
    """
    return _JSON.decode(text)
