"""Reads objects of a foreign state by their fields, and finds every mistake on the way.

What is not known is no mistake: it is left over, for whoever asked for the object to keep.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gateways.state_files import NoNumber, Numeral, Table
from holdfast.config.kinds import Kind, Mismatch
from holdfast.config.problems import SHOWN_MAX, Problem, nearest
from holdfast.imports.fields import Field, Fields, same
from holdfast.imports.kinds import expected_by, shown
from holdfast.secrets import MASK, is_secret_name, scrub

DEPTH_MAX = 64
PROBLEMS_MAX = 1_000
"""Mistakes that are told; of the others only how many there are."""
WRONG: Any = object()
_PLAIN = re.compile(r"[A-Za-z0-9_-]+").fullmatch


class Row(msgspec.Struct, frozen=True):
    """An object that was read."""

    path: str
    values: dict[str, Any]
    """By our own names."""
    keys: dict[str, str]
    """What the file calls each of them."""
    rest: dict[str, Any]
    """What is not known."""
    is_whole: bool
    """Nothing in it is wrong, and nothing missing that is needed."""

    def path_of(self, name: str) -> str:
        """Return the path of a value, under the file's own name for it."""
        return below(self.path, self.keys.get(name, name))


def below(path: str, key: str) -> str:
    """Return the path of a key in an object, for people; a long key is cut."""
    key = key if len(key) <= SHOWN_MAX else f"{key[:SHOWN_MAX]}..."
    if not _PLAIN(key):
        return f"{path}[{json.dumps(key)}]"
    return f"{path}.{key}" if path else key


class Walker:
    """Reads one file; what is wrong with it gathers in `problems`."""

    def __init__(self, origin: str, *, label: str = "") -> None:
        self._label = label
        self.problems: list[Problem] = []
        self.count = 0
        """Of all mistakes, also those that are not told."""
        self._origin = origin

    def named(self, path: str) -> str:
        """Return a path with the name of its file, where there are several files."""
        return f"{self._label}: {path}" if self._label and path else self._label or path

    def report(self, path: str, *, expected: str, found: str, hint: str = "") -> None:
        """Report a mistake."""
        self.count += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(Problem(key=path, expected=expected, found=found, origin=self._origin, hint=hint))

    def table(self, value: Any, path: str) -> Table | None:
        """Return an object in which every key stands once; None where it is anything else."""
        if not isinstance(value, Table):
            self.report(path, expected="an object", found=shown(value))
            return None
        for key in value.repeated:
            self.report(below(path, key), expected="it once", found="it twice")
        return value

    def entries(self, value: Any, path: str, *, at_most: int) -> Iterator[tuple[str, str, Any]]:
        """Yield path, key and value of all that an object holds."""
        table = self.table(value, path) or Table()
        if self._fits(path, len(table), at_most):
            yield from ((below(path, key), key, entry) for key, entry in table.items())

    def elements(self, value: Any, path: str, *, at_most: int) -> Iterator[tuple[str, Any]]:
        """Yield path and value of all that a list holds."""
        if not isinstance(value, list):
            self.report(path, expected="a list", found=shown(value))
        elif self._fits(path, len(value), at_most):
            yield from ((f"{path}[{index}]", entry) for index, entry in enumerate(value))

    def _fits(self, path: str, count: int, at_most: int) -> bool:
        if count > at_most:
            self.report(path, expected=f"at most {at_most} of them", found=str(count))
        return count <= at_most

    def leaf(self, kind: Kind, value: Any, path: str, key: str = "") -> Any:
        """Return a single value, that under a key where one is given; `WRONG` where it is not of its kind."""
        try:
            return kind.read(value, {})
        except Mismatch as mismatch:
            path = below(path, key) if key else path
            found = "a secret" if _is_secret(path) else shown(value)
            self.report(path, expected=str(mismatch), found=found)
            return WRONG

    def row(self, value: Any, path: str, fields: Fields, *, given: dict[str, Any] | None = None) -> Row | None:
        """Return an object by its fields; `given` stands in for what the object does not say itself."""
        table = self.table(value, path)
        if table is None:
            return None
        before = self.count
        values: dict[str, Any] = {}
        keys: dict[str, str] = {}
        rest: dict[str, Any] = {}
        for key, entry in table.items():
            field = fields.by_name.get(same(key))
            if field is None:
                rest[key] = entry
            elif entry is not None:
                self._take(field, key, entry, path, values, keys)
        values = (given or {}) | values
        for field in fields.required:
            if field.name not in values:
                self.missing(path, field, rest)
        return Row(path, values, keys, rest, is_whole=self.count == before and not table.repeated)

    def _take(
        self, field: Field, key: str, entry: Any, path: str, values: dict[str, Any], keys: dict[str, str]
    ) -> None:
        read, name = self.leaf(field.kind, entry, path, key), field.name
        if name in values and WRONG not in (read, values[name]) and read != values[name]:
            expected = f"what {keys[name]} says, which means the same"
            self.report(below(path, key), expected=expected, found=shown(entry))
        values[name], keys[name] = read, key

    def missing(self, path: str, field: Field, rest: dict[str, Any]) -> None:
        """Report that an object does not say what it must."""
        meant = nearest(field.name, rest)
        hint = f"is it `{meant}`?" if meant else ""
        self.report(below(path, field.name), expected=expected_by(field.kind), found="nothing", hint=hint)

    def kept(self, value: Any, path: str, depth: int = 0) -> str:
        """Return what is not known as JSON, numbers as they were written and secrets hidden."""
        if depth > DEPTH_MAX:
            self.report(path, expected=f"objects and lists at most {DEPTH_MAX} deep", found="deeper ones")
            return "null"
        match value:
            case Table():
                entries = [
                    f"{_as_json(key)}: {self._kept_entry(key, entry, path, depth)}"
                    for key, entry in (self.table(value, path) or Table()).items()
                ]
                return "{" + ", ".join(entries) + "}"
            case list():
                texts = [self.kept(entry, f"{path}[{index}]", depth + 1) for index, entry in enumerate(value)]
                return "[" + ", ".join(texts) + "]"
            case NoNumber():
                self.report(path, expected="JSON, which has no such number", found=value)
                return "null"
            case Numeral():
                return str(value)
            case _:
                return scrub(_as_json(value))

    def _kept_entry(self, key: str, entry: Any, path: str, depth: int) -> str:
        return f'"{MASK}"' if is_secret_name(key) and entry else self.kept(entry, below(path, key), depth + 1)


def _as_json(value: str | bool | None) -> str:
    """Return a single value as JSON: letters as they are, but for those that no file could hold."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    return text


def _is_secret(path: str) -> bool:
    return any(is_secret_name(step) for step in path.split("."))
