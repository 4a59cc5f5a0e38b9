"""What a single setting may be: each kind reads a TOML value, or says what it would have expected.

A kind stands in the annotation of a field, `Annotated[int, Whole(at_least=1)]`, and is the only judge of its value.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import msgspec

from holdfast.secrets import Secret, SecretRefused, resolve


class Mismatch(ValueError):
    """A value is not of its kind: what was expected, and what was found where the value itself may not be shown."""

    def __init__(self, expected: str, found: str = "") -> None:
        super().__init__(expected)
        self.found = found


@runtime_checkable
class Kind(Protocol):
    """Reads one setting."""

    def read(self, value: Any, environ: Mapping[str, str]) -> Any:
        """Return the value as the program has it.

        Raises:
            Mismatch: it is not of this kind.
        """


class Flag(msgspec.Struct, frozen=True):
    """true or false."""

    def read(self, value: Any, _environ: Mapping[str, str]) -> bool:
        """Take a boolean."""
        if not isinstance(value, bool):
            raise Mismatch("true or false")
        return value


class Number(msgspec.Struct, frozen=True):
    """A finite number within bounds, exact; as the nearest float where `as_float`."""

    above: Decimal | int | None = None
    at_least: Decimal | int | None = None
    below: Decimal | int | None = None
    at_most: Decimal | int | None = None
    unit: str = ""
    as_float: bool = False
    noun: str = "a number"

    def read(self, value: Any, _environ: Mapping[str, str]) -> Decimal | float:
        """Take an integer, a decimal number, or a text that is one."""
        number = _decimal_of(value)
        if number is None or not self._holds(number):
            raise Mismatch(self._expected())
        return float(number) if self.as_float else number

    def _holds(self, number: Decimal) -> bool:
        return (
            (self.above is None or number > self.above)
            and (self.at_least is None or number >= self.at_least)
            and (self.below is None or number < self.below)
            and (self.at_most is None or number <= self.at_most)
        )

    def _expected(self) -> str:
        bounds = [
            f"{word} {bound}"
            for word, bound in (
                ("above", self.above),
                ("at least", self.at_least),
                ("below", self.below),
                ("at most", self.at_most),
            )
            if bound is not None
        ]
        noun = f"{self.noun} of {self.unit}" if self.unit else self.noun
        return f"{noun} {' and '.join(bounds)}".strip()


class Whole(Number, frozen=True):
    """A whole number within bounds."""

    noun: str = "a whole number"

    def read(self, value: Any, _environ: Mapping[str, str]) -> int:
        """Take an integer."""
        if isinstance(value, bool) or not isinstance(value, int) or not self._holds(Decimal(value)):
            raise Mismatch(self._expected())
        return value


class Factor(Number, frozen=True):
    """A number above 0, or "max"."""

    def read(self, value: Any, environ: Mapping[str, str]) -> Any:
        """Take a number, or the word."""
        return value if value == "max" else Number.read(self, value, environ)

    def _expected(self) -> str:
        return f'{Number._expected(self)}, or "max"'


class Text(msgspec.Struct, frozen=True):
    """A text of a given form."""

    noun: str = "a text"
    pattern: str = r"(?s).{0,4096}"
    upper: bool = False
    """Whether small letters are taken for capitals."""

    def read(self, value: Any, _environ: Mapping[str, str]) -> str:
        """Take a text that has the form as a whole."""
        text = value.upper() if self.upper and isinstance(value, str) else value
        if not isinstance(text, str) or not re.fullmatch(self.pattern, text):
            raise Mismatch(self.noun)
        return text


class Choice(msgspec.Struct, frozen=True):
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, value: Any, _environ: Mapping[str, str]) -> str:
        """Take one of the words."""
        if value not in self.words:
            raise Mismatch("one of " + ", ".join(f'"{word}"' for word in self.words))
        return str(value)


class Several(msgspec.Struct, frozen=True):
    """A list of distinct values of one kind; a text with commas is taken for a list."""

    item: Text | Choice

    def read(self, value: Any, environ: Mapping[str, str]) -> tuple[str, ...]:
        """Take a list, or a text with commas."""
        items = [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value
        try:
            if not isinstance(items, list):
                raise Mismatch("")
            texts = tuple(self.item.read(item, environ) for item in items)
        except Mismatch:
            raise Mismatch(f"a list, each {self._each()}") from None
        if len(set(texts)) < len(texts):
            raise Mismatch("a list without repetitions")
        return texts

    def _each(self) -> str:
        return self.item.noun if isinstance(self.item, Text) else "one of " + ", ".join(self.item.words)


class Moment(msgspec.Struct, frozen=True):
    """An instant: a TOML date or time (UTC where it has no zone), the same as text, or milliseconds since the epoch."""

    def read(self, value: Any, _environ: Mapping[str, str]) -> int:
        """Take a date, a time or milliseconds; return milliseconds UTC."""
        try:
            return moment_ms(value)
        except (ValueError, TypeError, OverflowError):
            raise Mismatch("a date or time such as 2021-06-10 or 2021-06-10T12:00:00Z") from None


class Place(msgspec.Struct, frozen=True):
    """The path of a file or folder; `~` is the user's home."""

    def read(self, value: Any, _environ: Mapping[str, str]) -> str:
        """Take a path."""
        if not isinstance(value, str) or "\0" in value:
            raise Mismatch("a path")
        return str(Path(value).expanduser()) if value else ""


class Hidden(msgspec.Struct, frozen=True):
    """A secret: `file:PATH`, `env:NAME`, or the text itself."""

    def read(self, value: Any, environ: Mapping[str, str]) -> Secret:
        """Take a reference and return what it stands for."""
        if not isinstance(value, str):
            raise Mismatch('a secret as "file:PATH" or "env:NAME"')
        try:
            return resolve(value, environ)
        except SecretRefused as refused:
            raise Mismatch(refused.expected, refused.found) from None


class Cron(msgspec.Struct, frozen=True):
    """A time of day and week in five cron fields, UTC; or never, where it may be empty."""

    may_be_empty: bool = False

    def read(self, value: Any, _environ: Mapping[str, str]) -> str:
        """Take five fields, each a list of `*`, numbers, ranges and steps."""
        if self.may_be_empty and value == "":
            return ""
        fields = value.split() if isinstance(value, str) else []
        if len(fields) != len(_CRON_FIELDS) or not all(map(_is_cron_field, fields, _CRON_FIELDS)):
            never = ', or "" for never' if self.may_be_empty else ""
            raise Mismatch(f'five cron fields (minute hour day month weekday) such as "0 0 * * *"{never}')
        return " ".join(fields)


_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CRON_FIELDS: tuple[tuple[int, int, tuple[str, ...]], ...] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, ()),
    (0, 6, _WEEKDAYS),
)


def _is_cron_field(field: str, bounds: tuple[int, int, tuple[str, ...]]) -> bool:
    return all(_is_cron_item(item, *bounds) for item in field.split(","))


def _is_cron_item(item: str, least: int, most: int, names: tuple[str, ...]) -> bool:
    if item in names:
        return True
    matched = re.fullmatch(r"(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/([1-9]\d?))?", item)
    if not matched:
        return False
    first, last = (int(group) if group else None for group in matched.groups()[:2])
    numbers = [number for number in (first, last) if number is not None]
    return all(least <= number <= most for number in numbers) and numbers == sorted(numbers)


def moment_ms(value: Any) -> int:
    """Return an instant in milliseconds UTC.

    Raises:
        ValueError, TypeError, OverflowError: it is no instant.
    """
    if isinstance(value, bool) or (isinstance(value, int) and value < 0):
        raise ValueError("an instant must be a date, a time or milliseconds since the epoch")
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        raise TypeError("an instant must be a date, a time or milliseconds since the epoch")
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MILLISECOND


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC) - _EPOCH

_NUMERALS: Callable[[str], Any] = re.compile(r"[+-]?\d+(_\d+)*(\.\d+)?([eE][+-]?\d{1,3})?").fullmatch


def _decimal_of(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    if isinstance(value, str) and not _NUMERALS(value):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
