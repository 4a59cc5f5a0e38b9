"""A request's parameters, from the query of a GET or the JSON of a POST, judged one by one."""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from gateways.exchange.bybit.errors import malformed
from gateways.exchange.reading import read_json

LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_WHOLE = re.compile(r"[0-9]{1,18}")


class Parameters:
    """What a request says, by name."""

    def __init__(self, *, query: str, body: str) -> None:
        """Raise ApiError where the body is no JSON object."""
        self.payload = body or query
        """What is signed, after the time, the key and the window."""
        self._values: dict[str, str] = dict(parse_qsl(query, keep_blank_values=True))
        if body:
            self._values |= _fields(body)

    def __contains__(self, name: str) -> bool:
        return bool(self._values.get(name))

    def has_any(self, names: Iterable[str]) -> bool:
        """Say whether one of these is given."""
        return any(name in self for name in names)

    def text(self, name: str, other: str | None = None) -> str:
        """Return a parameter, or what stands for it; raise ApiError where there is neither."""
        value = self._values.get(name) or other
        if value is None:
            raise malformed(name)
        return value

    def one_of(self, name: str, legal: Iterable[str], other: str | None = None) -> str:
        """Return a parameter that is one of few."""
        value = self.text(name, other)
        if value not in legal:
            raise malformed(name)
        return value

    def whole(self, name: str) -> int | None:
        """Return a whole number, or None where there is none."""
        value = self._values.get(name) or None
        if value is not None and not _WHOLE.fullmatch(value):
            raise malformed(name)
        return None if value is None else int(value)

    def limit(self, default: int, most: int) -> int:
        """Return how many rows are wanted."""
        wanted = self.whole("limit")
        if wanted == 0:
            raise malformed("limit")
        return default if wanted is None else min(wanted, most)

    def amount(self, name: str) -> Decimal:
        """Return an amount above 0."""
        value = self.text(name)
        if not _NUMBER.fullmatch(value) or not (amount := Decimal(value)):
            raise malformed(name)
        return amount

    def link_id(self) -> str | None:
        """Return a client order id, or None where there is none."""
        value = self._values.get("orderLinkId") or None
        if value is not None and not LINK_ID.fullmatch(value):
            raise malformed("orderLinkId")
        return value


def _fields(body: str) -> dict[str, str]:
    try:
        said = read_json(body)
    except msgspec.DecodeError:
        raise malformed("body") from None
    if not isinstance(said, dict):
        raise malformed("body")
    return {name: _plain(value) for name, value in said.items() if value is not None}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
