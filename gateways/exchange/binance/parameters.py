"""A request's parameters: read from query and body, and judged one by one."""

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qsl

import msgspec

from gateways.exchange.binance.errors import ApiError, malformed, missing

CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_DECIMALS_MAX = 8
_WHOLE = re.compile(r"-?[0-9]{1,18}")


class Parameters:
    """What a request says, by name."""

    def __init__(self, *, query: str, body: str) -> None:
        self.payload = query + body
        """What is signed, with the signature still in it."""
        self._values = dict([*parse_qsl(query, keep_blank_values=True), *parse_qsl(body, keep_blank_values=True)])
        self._read = {"signature"}

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def text(self, name: str) -> str:
        """Return a parameter; raise ApiError where there is none."""
        value = self._given(name) or ""
        if not value:
            raise missing(name)
        return value

    def text_or(self, name: str, other: str) -> str:
        """Return a parameter, or what stands for it."""
        return self._given(name) or other

    def one_of(self, name: str, legal: tuple[str, ...], code: int, other: str = "") -> str:
        """Return a parameter that is one of few."""
        value = self.text_or(name, other) if other else self.text(name)
        if value not in legal:
            raise ApiError(code, f"Invalid {name}.")
        return value

    def names(self, name: str) -> list[str]:
        """Return a list of names in JSON, an empty one where there is none."""
        value = self._given(name)
        try:
            return msgspec.json.decode(value, type=list[str]) if value else []
        except (msgspec.DecodeError, UnicodeEncodeError):
            raise malformed(name, '^\\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}\\]$') from None

    def whole(self, name: str) -> int | None:
        """Return a whole number, or None where there is none."""
        value = self._given(name)
        if value is None:
            return None
        if not _WHOLE.fullmatch(value):
            raise malformed(name, r"^[0-9]{1,20}$")
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """Return how many rows are wanted."""
        wanted = self.whole("limit")
        if wanted is None:
            return default
        if wanted < 1:
            raise ApiError(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(wanted, most)

    def amount(self, name: str, *, needed: bool = False) -> Decimal:
        """Return an amount, 0 where there is none."""
        value = self.text(name) if needed else self._given(name) or ""
        if not value:
            return Decimal(0)
        if not _NUMBER.fullmatch(value):
            raise malformed(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
        try:
            amount = Decimal(value)
        except InvalidOperation:
            raise missing(name) from None
        if amount <= 0 and needed:
            raise ApiError(-1013, f"Invalid {name}.")
        if len(value.partition(".")[2].rstrip("0")) > _DECIMALS_MAX:
            raise ApiError(-1111, f"Parameter '{name}' has too much precision.")
        return amount

    def demand_all_read(self) -> None:
        """Refuse a request that says more than was looked at: what it means by that would be left undone."""
        sent = len(self._values)
        if unread := len(self._values.keys() - self._read):
            counts = f"read '{sent - unread}' parameter(s) but was sent '{sent}'"
            raise ApiError(-1104, f"Not all sent parameters were read; {counts}.")

    def client_id(self, name: str) -> str | None:
        """Return a client order id, or None where there is none."""
        value = self._given(name)
        if not value:
            return None
        if not CLIENT_ID.fullmatch(value):
            raise malformed(name, r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
        return value

    def _given(self, name: str) -> str | None:
        self._read.add(name)
        return self._values.get(name)
