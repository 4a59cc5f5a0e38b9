"""A scenario file: a seed and a list of faults.  Every mistake in it is found at once."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import msgspec

from gateways.exchange.lies import KINDS, Kind, Lie, Strike, is_at, places_of

FAULTS_MAX = 1_000
SIZE_MAX = 1_024 * 1_024
_NUMBERS: dict[str, tuple[float, float]] = {
    "nth": (1, 1e9),
    "every": (1, 1e9),
    "times": (1, 1e9),
    "begin_s": (0, 1e9),
    "end_s": (0, 1e9),
    "every_s": (0.01, 1e9),
    "status": (300, 599),
    "retry_after": (0, 1e6),
    "milliseconds": (-1e9, 1e9),
    "probability": (0, 1),
    "share": (0, 1),
}
_WHEN = ("nth", "every", "probability")
_COMMON = frozenset({"kind", "where", "strike", "begin_s", "end_s", "times", *_WHEN})
_OF_WORLD = frozenset({"kind", "begin_s", "every_s", "times"})


class Mistake(msgspec.Struct, frozen=True):
    """What is wrong in a scenario, and where."""

    path: str
    expected: str
    found: str
    meant: str = ""
    """What was probably meant."""

    def as_dict(self) -> dict[str, str]:
        """Return it as JSON has it."""
        return {"path": self.path, "expected": self.expected, "found": self.found}

    def __str__(self) -> str:
        hint = f"; did you mean {self.meant}?" if self.meant else ""
        return f"{self.path}: expected {self.expected}, found {self.found}{hint}"


class ScenarioBroken(ValueError):
    """A scenario cannot be used; every mistake in it is in `problems`."""

    def __init__(self, problems: Sequence[Mistake]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class Scenario(msgspec.Struct, frozen=True):
    """What the exchange lies about."""

    seed: int = 0
    faults: tuple[Lie, ...] = ()


def read_scenario(path: Path) -> Scenario:
    """Return the scenario in a TOML file.

    Raises:
        ScenarioBroken: the file cannot be read, or has mistakes.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        found = error.strerror or str(error)
        raise ScenarioBroken([Mistake(str(path), "a file of faults that can be read", found)]) from error
    if len(data) > SIZE_MAX:
        raise ScenarioBroken([Mistake(str(path), f"at most {SIZE_MAX} bytes", str(len(data)))])
    try:
        tables = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioBroken([Mistake(str(path), "a file in TOML", str(error))]) from error
    return scenario_of(tables)


def scenario_of(tables: Mapping[str, Any]) -> Scenario:
    """Return the scenario that tables describe; raise ScenarioBroken with all mistakes in them."""
    mistakes = [Mistake(name, "seed or fault", _show(tables[name])) for name in tables if name not in ("seed", "fault")]
    seed, faults = tables.get("seed", 0), tables.get("fault", [])
    if not isinstance(seed, int) or isinstance(seed, bool):
        mistakes.append(Mistake("seed", "a whole number", _show(seed)))
    if not isinstance(faults, list) or len(faults) > FAULTS_MAX:
        found = f"{len(faults)} of them" if isinstance(faults, list) else _show(faults)
        mistakes.append(Mistake("fault", f"a list of at most {FAULTS_MAX} tables", found))
        faults = []
    lies = []
    for place, table in enumerate(faults):
        try:
            lies.append(lie_of(table, f"fault[{place}]"))
        except ScenarioBroken as broken:
            mistakes += broken.problems
    if mistakes:
        raise ScenarioBroken(mistakes)
    return Scenario(seed, tuple(lies))


def lie_of(table: Any, path: str = "fault") -> Lie:
    """Return the fault that a table describes; raise ScenarioBroken with all mistakes in it."""
    if not isinstance(table, Mapping):
        raise ScenarioBroken([Mistake(path, "a table", _show(table))])
    name = table.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ScenarioBroken([_choice(f"{path}.kind", KINDS, name)])
    mistakes = [*_keys(table, kind, path), *_numbers(table, path), *_place(table, kind, path), *_when(table, path)]
    if mistakes:
        raise ScenarioBroken(mistakes)
    values = {key: _plain(key, value) for key, value in table.items()}
    if kind.strikes and "strike" not in values:
        values["strike"] = kind.strikes[0]
    try:
        return msgspec.convert(values, Lie, strict=False)
    except msgspec.ValidationError as error:
        raise ScenarioBroken([Mistake(path, "values of the kinds the manual names", str(error))]) from error


def _keys(table: Mapping[str, Any], kind: Kind, path: str) -> list[Mistake]:
    common = _OF_WORLD if kind.family == "world" else _COMMON
    legal = common | {*kind.needs, *kind.takes}
    strange = [_choice(f"{path}.{key}", sorted(legal), key) for key in table if key not in legal]
    return strange + [Mistake(f"{path}.{key}", "a value", "nothing") for key in kind.needs if key not in table]


def _numbers(table: Mapping[str, Any], path: str) -> list[Mistake]:
    mistakes = []
    for key, (least, most) in _NUMBERS.items():
        if key in table and not _is_number(table[key], least, most):
            mistakes.append(Mistake(f"{path}.{key}", f"a number from {least:g} to {most:g}", _show(table[key])))
    seconds = table.get("seconds")
    if seconds is not None and not (
        _is_number(seconds, 0, 1e6)
        or (
            isinstance(seconds, list)
            and len(seconds) == 2
            and all(_is_number(each, 0, 1e6) for each in seconds)
            and seconds[0] <= seconds[1]
        )
    ):
        mistakes.append(Mistake(f"{path}.seconds", "a number from 0 on, or two of them, lower first", _show(seconds)))
    return mistakes + [
        Mistake(f"{path}.{key}", "an amount above 0, as text", _show(table[key]))
        for key in ("amount", "quantity", "price")
        if key in table and not _is_amount(table[key])
    ]


def _place(table: Mapping[str, Any], kind: Kind, path: str) -> list[Mistake]:
    mistakes = []
    where, strike, places = table.get("where"), table.get("strike"), places_of(kind)
    if where is not None and places and not (isinstance(where, str) and any(is_at(place, where) for place in places)):
        # `order` stands for all that begins with it, as `*` does for any part.
        begins = dict.fromkeys(place.rpartition(".")[0] for place in places if "." in place)
        mistakes.append(_choice(f"{path}.where", (*places, *begins), where, more=", or * for a part of it"))
    legal = kind.strikes or get_args(Strike)
    if strike is not None and strike not in legal:
        mistakes.append(Mistake(f"{path}.strike", " or ".join(legal), _show(strike)))
    side = table.get("side")
    if side is not None and side not in ("buy", "sell"):
        mistakes.append(Mistake(f"{path}.side", "buy or sell", _show(side)))
    return mistakes


def _when(table: Mapping[str, Any], path: str) -> list[Mistake]:
    given = [key for key in _WHEN if key in table]
    if len(given) > 1:
        return [Mistake(path, f"at most one of {', '.join(_WHEN)}", " and ".join(given))]
    return []


def _choice(path: str, legal: Iterable[str], found: Any, *, more: str = "") -> Mistake:
    """Return that one of few words was expected: the one that was probably meant, or all of them."""
    known = list(legal)
    near = get_close_matches(found, known, n=1) if isinstance(found, str) else []
    expected = f"one that there is, as the manual and `scenario kinds` have them{more}"
    return Mistake(path, expected if near else f"one of {', '.join(known)}{more}", _show(found), *near)


def _is_number(value: Any, least: float, most: float) -> bool:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return False
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _is_amount(value: Any) -> bool:
    return _is_number(value, 0, 1e12) and float(value) > 0


def _plain(key: str, value: Any) -> Any:
    return str(value) if key in ("amount", "quantity", "price", "share") else value


def _show(value: Any) -> str:
    if value is None:
        return "nothing"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
