"""Values as people read them: times in UTC, numbers without digits that say nothing, nothing of Python's own."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

MINUTE_S = 60
HOUR_S = 3_600
DAY_S = 86_400
PLAUSIBLE_MS = range(100_000_000_000, 4_102_444_800_000)
"""Whole numbers in here (1973 to 2100), under the name of an instant or none, are milliseconds since the epoch."""
INSTANTS = frozenset({"", "at", "time", "until"})
"""Last words of the names that instants go by; entries of a list have none."""
PLACES_MAX = 8
"""Digits after the point that venues give; more come of a division."""
DIGITS = 6
SHARES = frozenset({"return", "return_fraction", "drawdown", "drawdown_max", "win_rate", "exposure_time"})
"""What is a fraction of something, and in percent for people."""
NOTHING = "-"


def shown(key: str, value: Any) -> str:
    """Return a value as a person reads it; the unit is in its key's name."""
    match value:
        case None | "":
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case int() if key.rpartition("_")[2] in INSTANTS and value in PLAUSIBLE_MS:
            return instant(value)
        case int() | float() if key.endswith("_s") and value >= MINUTE_S:
            return duration(value)
        case int() | float() | str() if key in SHARES and _is_number(str(value)):
            return percent(float(value), is_change=key.startswith("return"))
        case float():
            return f"{value:.{DIGITS}g}"
        case Mapping():
            return ", ".join(f"{inner} {shown(inner, entry)}" for inner, entry in value.items()) or NOTHING
        case list() | tuple():
            return _joined(value)
        case _:
            return rounded(" ".join(str(value).split()))


def instant(at_ms: int) -> str:
    """Return milliseconds since the epoch as a time of day in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def when(at_ms: int) -> str:
    """Return an instant of market time to the minute."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M UTC") if at_ms else "not begun"


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units."""
    whole = int(seconds)
    if whole >= DAY_S:
        return f"{whole // DAY_S} d {whole % DAY_S // HOUR_S} h"
    if whole >= HOUR_S:
        return f"{whole // HOUR_S} h {whole % HOUR_S // MINUTE_S} min"
    return f"{whole // MINUTE_S} min {whole % MINUTE_S} s"


def percent(share: float, *, is_change: bool = False) -> str:
    """Return a fraction in percent; one that is a change has its sign."""
    return f"{100 * share:{'+' if is_change else ''}.2f} %"


def rounded(text: str) -> str:
    """Return a text, and one that is a number with more places than any venue gives without those that say nothing."""
    if len(text.partition(".")[2]) <= PLACES_MAX or not _is_number(text):
        return text
    number = Decimal(text)
    kept = round(number, PLACES_MAX) if abs(number) >= 1 else Decimal(f"{number:.{DIGITS}g}")
    return f"{kept.normalize():f}"


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _joined(entries: Iterable[Any]) -> str:
    values = list(entries)
    # Commas part what is inside of an entry already.
    between = "; " if any(isinstance(entry, Mapping | list | tuple) for entry in values) else ", "
    return between.join(shown("", entry) for entry in values) or NOTHING
