"""What a single value of a foreign state may be: each kind reads JSON, or says what it would have expected."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from domain.market import Instant
from domain.money import ZERO
from gateways.state_files import NoNumber, Numeral, Table
from holdfast.config.kinds import Kind, Mismatch, Number, Text, moment_ms
from holdfast.config.problems import SHOWN_MAX

GREATEST = Decimal(10) ** 12
DIGITS_MAX = 28
PLACES_MAX = 30
"""Products of two such numbers are exact in the book."""
LETTERS_MAX = 200
"""Of anything that may be a number."""
TIME_MIN, TIME_MAX = 10**11, 10**13
"""Milliseconds between the years 1973 and 2286."""


class Amount(Number, frozen=True):
    """A number that is taken to its last digit."""

    def read(self, value: Any, environ: Mapping[str, str]) -> Decimal:
        """Take a number, or a text that is one; never by way of a float."""
        number = Decimal(Number.read(self, _short(value), environ))
        if not _has_few_digits(number):
            raise Mismatch(
                f"{self._expected()}, of at most {DIGITS_MAX} digits and {PLACES_MAX} places after the point"
            )
        return number or ZERO


class Count(Number, frozen=True):
    """How many of something there were."""

    noun: str = "a whole number"

    def read(self, value: Any, environ: Mapping[str, str]) -> int:
        """Take a whole number, or a text that is one."""
        number = Decimal(Number.read(self, _short(value), environ))
        if number != int(number):
            raise Mismatch(self._expected())
        return int(number)


class Words(Text, frozen=True):
    """A text; a number may be one, as exchanges name trades by numbers."""

    def read(self, value: Any, environ: Mapping[str, str]) -> str:
        """Take a text, or a number as it was written."""
        return str(Text.read(self, None if isinstance(value, NoNumber) else value, environ))


class Version(msgspec.Struct, frozen=True):
    """The version of a format: any that is known."""

    newest: int

    def read(self, value: Any, environ: Mapping[str, str]) -> int:
        """Take a whole number."""
        try:
            return Count(at_least=1, at_most=self.newest).read(value, environ)
        except Mismatch:
            expected = f"version {self.newest} of the format at most, for a newer one may mean something else"
            raise Mismatch(expected) from None


class Moment(msgspec.Struct, frozen=True):
    """An instant: milliseconds or seconds since the epoch, which their size tells apart, or ISO 8601."""

    def read(self, value: Any, environ: Mapping[str, str]) -> Instant:
        """Take a number or a text; one without a zone is UTC."""
        for read in (_instant_of_number, _instant_of_text):
            instant = read(value, environ)
            if instant is not None and TIME_MIN <= instant < TIME_MAX:
                return instant
        raise Mismatch("milliseconds since the epoch, or a time such as 2025-06-10T12:00:00Z")


class Word(msgspec.Struct, frozen=True):
    """One of a few words, in letters of any size."""

    words: tuple[str, ...]
    expected: str

    def read(self, value: Any, _environ: Mapping[str, str]) -> str:
        """Take one of the words."""
        word = value.lower() if isinstance(value, str) else ""
        if word not in self.words:
            raise Mismatch(self.expected)
        return word


class Yes(msgspec.Struct, frozen=True):
    """What must be so wherever it is said."""

    expected: str

    def read(self, value: Any, _environ: Mapping[str, str]) -> bool:
        """Take true."""
        if value is not True:
            raise Mismatch(self.expected)
        return True


TEXT = Words(noun="a text of at most 200 characters", pattern=r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}")
QUANTITY = Amount(at_least=0, at_most=GREATEST)
ABOVE_ZERO = Amount(above=0, at_most=GREATEST)
MONEY = Amount(at_least=-GREATEST, at_most=GREATEST)
COUNT = Count(at_least=0, at_most=10**9)
MOMENT = Moment()
_TIME = Number(at_least=0, below=TIME_MAX)


def expected_by(kind: Kind) -> str:
    """Return what a kind would have expected where there is nothing."""
    try:
        kind.read(None, {})
    except Mismatch as mismatch:
        return str(mismatch)
    return "a value"


def shown(value: Any) -> str:
    """Return a value as it stands in the file, cut to a readable length, safe for any terminal."""
    match value:
        case None:
            return "nothing"
        case Table():
            return "an object"
        case list():
            return "a list"
        case Numeral() | NoNumber():
            text = str(value)
        case _:
            text = json.dumps(value)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 3] + "..."


def _short(value: Any) -> Any:
    """Return a value, or None in place of a text that is too long to be looked at for a number."""
    return None if isinstance(value, str) and len(value) > LETTERS_MAX else value


def _has_few_digits(number: Decimal) -> bool:
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if len(digits) <= DIGITS_MAX and exponent >= -PLACES_MAX:
        return True
    significant = "".join(map(str, digits)).rstrip("0")
    places = -(exponent + len(digits) - len(significant))
    return len(significant) <= DIGITS_MAX and places <= PLACES_MAX


def _instant_of_number(value: Any, environ: Mapping[str, str]) -> Instant | None:
    try:
        number = Decimal(_TIME.read(_short(value), environ))
    except Mismatch:
        return None
    return int(number if number >= TIME_MIN else number * 1000)


def _instant_of_text(value: Any, _environ: Mapping[str, str]) -> Instant | None:
    if not isinstance(value, str) or isinstance(value, Numeral):
        return None
    try:
        return moment_ms(value)
    except (ValueError, OverflowError):
        return None
