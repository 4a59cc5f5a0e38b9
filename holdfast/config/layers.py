"""The layers of a configuration, laid over each other: file, then environment, then `--set`."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from holdfast.config.problems import Problem, show

PREFIX = "HOLDFAST__"
FILE_BYTES_MAX = 1_048_576

KeyPath = tuple[str, ...]
Table = dict[str, Any]


class Given(msgspec.Struct, frozen=True):
    """A value from the environment or the command line: the TOML it is, and the text it was."""

    text: str
    value: Any
    seen_by_all: bool
    """Whether every user of the machine can read it, as the command line."""


class Layers(msgspec.Struct):
    """One tree of values, and where each came from."""

    tree: Table
    file: str = ""
    """Name of the configuration file; empty where there is none."""
    text: str = ""
    sections: frozenset[str] = frozenset()
    """What the file has at its top."""
    origins: dict[KeyPath, str] = msgspec.field(default_factory=dict)
    """Of what did not come from the file."""

    def origin(self, path: KeyPath) -> str:
        """Say where the value of a key came from, or the nearest table around it; of a table, what is in it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]]
        if line := _line_of(self.text, path):
            return f"{self.file}:{line}"
        within = (origin for key, origin in self.origins.items() if key[: len(path)] == path)
        return next(within, self.file or "defaults")

    def is_in_file(self, section: str) -> bool:
        """Say whether the file itself has anything in a section."""
        return section in self.sections

    def put(self, path: KeyPath, given: Given, origin: str) -> str:
        """Lay one value over the tree; return what is in the way, or nothing."""
        table = self.tree
        true_path: list[str] = []
        for part in path[:-1]:
            true_path.append(_existing(table, part))
            table = table.setdefault(true_path[-1], {})
            if not isinstance(table, dict):
                return ".".join(true_path)
        true_path.append(_existing(table, path[-1]))
        table[true_path[-1]] = _spread(given) if isinstance(given.value, dict) else given
        self.origins[tuple(true_path)] = origin
        return ""


def _existing(table: Table, part: str) -> str:
    return next((key for key in table if key.lower() == part.lower()), part)


def _spread(given: Given) -> Table:
    """Return an inline table as one whose values know that they are not from the file."""
    return {
        key: _spread(inner) if isinstance(inner.value, dict) else inner
        for key, inner in (
            (key, Given(text=str(value), value=value, seen_by_all=given.seen_by_all))
            for key, value in given.value.items()
        )
    }


def lay(file: Path | None, environ: Mapping[str, str], overrides: Sequence[str], problems: list[Problem]) -> Layers:
    """Return all layers as one; what cannot be read at all is added to the problems."""
    layers = _read_file(file, problems) if file else Layers(tree={})
    for name, text in sorted(environ.items()):
        if name.startswith(PREFIX):
            path = tuple(name.removeprefix(PREFIX).lower().split("__"))
            _put(layers, path, _given(text, seen_by_all=False), f"environment {name}", problems)
    for override in overrides:
        key, equals, text = override.partition("=")
        path = tuple(key.strip().split("."))
        if not equals or not all(path):
            problems.append(
                Problem(
                    key="", expected="SECTION.KEY=VALUE", found=show(override if not equals else key), origin="--set"
                )
            )
            continue
        _put(layers, path, _given(text, seen_by_all=True), f"--set {key.strip()}", problems)
    return layers


def _put(layers: Layers, path: KeyPath, given: Given, origin: str, problems: list[Problem]) -> None:
    if len(path) < 2 and not isinstance(given.value, dict):
        expected = f"{PREFIX}SECTION__KEY" if origin.startswith("environment") else "SECTION.KEY=VALUE"
        problems.append(Problem(key=".".join(path), expected=expected, found="no section", origin=origin))
    elif in_the_way := layers.put(path, given, origin):
        problems.append(
            Problem(key=in_the_way, expected="a table", found="a value", origin=layers.origin((in_the_way,)))
        )


def _given(text: str, *, seen_by_all: bool) -> Given:
    """Read a text as a TOML value where it is one, else as itself."""
    try:
        table = tomllib.loads(f"value = {text}", parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError):
        table = {}
    return Given(text=text, value=table["value"] if set(table) == {"value"} else text, seen_by_all=seen_by_all)


def _read_file(file: Path, problems: list[Problem]) -> Layers:
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise ValueError(f"more than {FILE_BYTES_MAX} bytes")
        text = content.decode()
        tree = tomllib.loads(text, parse_float=Decimal)
        return Layers(tree=tree, file=str(file), text=text, sections=frozenset(tree))
    except OSError as error:
        found = error.strerror or str(error)
        problems.append(Problem(key="", expected="a readable configuration file", found=found, origin=str(file)))
    except (ValueError, RecursionError) as error:
        problems.append(Problem(key="", expected="a file in TOML", found=str(error), origin=str(file)))
    return Layers(tree={}, file=str(file))


_HEADER = re.compile(r"^\s*\[+([^\]]+)\]+")
_ENTRY = re.compile(r"""^\s*("[^"]*"|'[^']*'|[\w."'-]+)\s*=""")


def _line_of(text: str, path: KeyPath) -> int | None:
    """Return the line of a key, or of the nearest table around it; None where neither is to be seen."""
    table: KeyPath = ()
    best, best_length = None, 0
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            here = table = _parts(header[1])
        elif entry := _ENTRY.match(line):
            here = (*table, *_parts(entry[1]))
        else:
            continue
        if path[: len(here)] == here and len(here) > best_length:
            best, best_length = number, len(here)
    return best


def _parts(dotted: str) -> KeyPath:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))
