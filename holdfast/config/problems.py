"""Mistakes in a configuration, all of them at once."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

SHOWN_MAX = 60
"""Longer values are cut where a problem shows them."""


class Problem(msgspec.Struct, frozen=True):
    """One mistake: where it is, what was expected, what was found, and where that came from."""

    key: str
    """Path of the key, such as `risk.drawdown_max`; empty where the file as a whole is meant."""
    expected: str
    found: str
    origin: str
    """`config.toml:12`, an environment variable or a `--set`."""
    hint: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the mistake as JSON values."""
        return msgspec.structs.asdict(self)

    def __str__(self) -> str:
        where = f"{self.key}: " if self.key else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{where}expected {self.expected}, found {self.found} ({self.origin}){hint}"


@runtime_checkable
class Placed(Protocol):
    """An error of what is read from outside: where it is, what was expected there and what was found."""

    place: str
    expected: str
    found: str


class ConfigurationError(Exception):
    """A configuration has mistakes; nothing of it is used."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def problem_of(key: str, error: Exception, expected: str, origin: str) -> Problem:
    """Return an error as a mistake: in its own words where it has a place, what it expected and what it found."""
    if isinstance(error, Placed):
        return Problem(key, error.expected, error.found, error.place)
    return Problem(key, expected, str(error), origin)


def show(value: Any) -> str:
    """Return a value as a person would have written it, cut to a readable length."""
    match value:
        case dict():
            return "a table"
        case bool():
            return str(value).lower()
        case str():
            text = f'"{value}"'
        case list() | tuple():
            text = f"[{', '.join(map(show, value))}]"
        case _:
            text = str(value)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 3] + "..."


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that was probably meant; empty if none is near."""
    import difflib

    by_small_letters = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower(), by_small_letters, n=1, cutoff=0.6)
    return by_small_letters[near[0]] if near else ""


def refused_parameters(name: str, error: ValueError) -> Problem:
    """Return the mistake that a strategy does not take its parameters, or cannot be made at all."""
    return problem_of(f"strategies.{name}", error, "a strategy with parameters it takes", "the class")
