"""Settings of strategies: the kinds of value they take, and the check of a table against them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from domain.market import TIMEFRAMES_MS

P = TypeVar("P", bound=msgspec.Struct)

_SHOWN_MAX = 60

Period = Annotated[int, Meta(ge=1, le=1000, description="a whole number of bars from 1 to 1000")]
Window = Annotated[int, Meta(ge=2, le=1000, description="a whole number of bars from 2 to 1000")]
Minutes = Annotated[int, Meta(ge=0, le=525_600, description="a whole number of minutes from 0 to 525600")]
Seconds = Annotated[int, Meta(ge=1, le=86_400, description="a whole number of seconds from 1 to 86400")]
Weight = Annotated[float, Meta(ge=0, le=1000, description="a number from 0 to 1000")]
Multiple = Annotated[float, Meta(gt=0, le=1000, description="a number above 0 and at most 1000")]
Fraction = Annotated[float, Meta(gt=0, le=1, description="a number above 0 and at most 1")]
Timeframe = Annotated[str, Meta(description="a time frame such as 15m")]
Level = Annotated[float, Meta(ge=0, le=1, description="a number from 0 to 1")]


class BadSetting(ValueError):
    """A setting that cannot be: its key, what was expected and what was found."""

    def __init__(self, key: str, *, expected: str, found: str) -> None:
        super().__init__(f"{key} must be {expected}, was {found}")
        self.key = key
        self.expected = expected
        self.found = found


def read_parameters(table: Mapping[str, Any], kind: type[P]) -> P:
    """Return the table as parameters of this kind, with defaults for what it leaves out.

    Raises:
        ValueError: some settings cannot be; a line for each names its key, what was expected and what was found.
    """
    problems = find_problems(table, kind)
    if problems:
        raise ValueError("\n".join(map(str, problems)))
    return msgspec.convert(table, kind, strict=False)


def find_problems(table: Mapping[str, Any], kind: type[msgspec.Struct]) -> list[BadSetting]:
    """Return all settings of the table that cannot be parameters of this kind."""
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    known = f"one of the settings {', '.join(fields)}"
    found = [_judge(key, value, fields[key]) for key, value in table.items() if key in fields]
    problems = [problem for problem in found if problem]
    problems += [BadSetting(key, expected=known, found="none of them") for key in table if key not in fields]
    return problems or _judge_together(table, kind)


def require_timeframe(key: str, timeframe: str) -> None:
    """Raise BadSetting for a time frame that Holdfast does not know."""
    if timeframe not in TIMEFRAMES_MS:
        raise BadSetting(key, expected=f"one of {', '.join(TIMEFRAMES_MS)}", found=_show(timeframe))


def require_below(key: str, value: float, limit_key: str, limit: float) -> None:
    """Raise BadSetting for a value that is not below that of another key."""
    if value >= limit:
        raise BadSetting(key, expected=f"below {limit_key}, which is {limit}", found=_show(value))


def _judge(key: str, value: object, kind: Any) -> BadSetting | None:
    try:
        msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        return BadSetting(key, expected=_describe(kind) or f"valid ({error})", found=_show(value))
    return None


def _judge_together(table: Mapping[str, Any], kind: type[msgspec.Struct]) -> list[BadSetting]:
    """Return what the parameters' own `__post_init__`, or a key that is missing, has against them."""
    try:
        msgspec.convert(table, kind, strict=False)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, BadSetting):
            return [error.__cause__]
        return [BadSetting("the table", expected="of settings that fit together", found=f"one where: {error}")]
    return []


def _describe(kind: Any) -> str | None:
    return next((meta.description for meta in getattr(kind, "__metadata__", ()) if meta.description), None)


def _show(value: object) -> str:
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."
