"""The state another program kept as JSON: found, read once as a whole, and never written to.

Nothing is lost on the way.  A number stays the text it was written as, for whoever knows what it means to read it to
the last digit; a key that stands twice in an object stays known, for one of the two would be lost.
"""

import hashlib
import json
import os
import stat
from collections import Counter
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

import msgspec

from gateways.errors import SourceBroken, SourceMissing

FILE_BYTES_MAX = 64 * 1024 * 1024
WHOLE = "state.json"
POSITIONS, TRADES, PERFORMANCE = "positions.json", "trades.json", "performance.json"
PARTS = (POSITIONS, TRADES, PERFORMANCE)
"""A state lies in one file, or in these."""


class Numeral(str):
    """A number as it was written."""

    __slots__ = ()


class NoNumber(str):
    """`NaN` or `Infinity`, which some programs write and JSON does not have."""

    __slots__ = ()


class Table(dict[str, Any]):
    """An object, and which of its keys stand in it more than once."""

    repeated: tuple[str, ...] = ()


class StateFile(msgspec.Struct, frozen=True):
    """A file that was read."""

    path: Path
    sha256: str
    size: int
    tree: Any
    """Made of `Table`, list, `Numeral`, `NoNumber`, str, bool and None."""


def find_state(place: Path) -> tuple[Path, ...]:
    """Return the files of the state at a place: those that are there of a folder, else the place itself.

    What is there and cannot be read is found too, so that it is not passed over in silence.
    """
    if not place.is_dir():
        return (place,)
    return tuple(path for name in (WHOLE, *PARTS) if os.path.lexists(path := place / name))


def read_state(path: Path) -> StateFile:
    """Read a file as one moment shows it.

    Raises:
        SourceMissing: it is not there, is no regular file or cannot be read.
        SourceBroken: it is too large, or no JSON.
    """
    content = _read(path)
    return StateFile(path, hashlib.sha256(content).hexdigest(), len(content), _parse(path, content))


def is_same(path: Path, *, sha256: str, size: int) -> bool:
    """Say whether a file has these bytes still; raise OSError where it cannot be read."""
    with _open(path) as file:
        return os.fstat(file.fileno()).st_size == size and hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _read(path: Path) -> bytes:
    try:
        with _open(path) as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except SourceMissing:
        raise
    except OSError as error:
        raise SourceMissing(path, "a file that can be read", error.strerror or str(error)) from error
    if len(content) > FILE_BYTES_MAX:
        raise SourceBroken(path, f"at most {FILE_BYTES_MAX // 1024 // 1024} MiB", "more")
    return content


def _open(path: Path) -> "BufferedReader[FileIO]":
    # To open a pipe that nobody writes to would wait for ever otherwise.
    file = BufferedReader(FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise SourceMissing(path, "a regular file", "something else")
    return file


def _parse(path: Path, content: bytes) -> Any:
    try:
        return json.loads(
            content.decode("utf-8-sig"),
            object_pairs_hook=_table,
            parse_int=Numeral,
            parse_float=Numeral,
            parse_constant=NoNumber,
        )
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SourceBroken(path, "UTF-8 text", f"the byte {content[error.start]:02x}", line=line) from error
    except json.JSONDecodeError as error:
        found = f"at column {error.colno}: {error.msg}" if content.strip() else "an empty file"
        raise SourceBroken(path, "JSON", found, line=error.lineno) from error
    except RecursionError as error:
        raise SourceBroken(path, "JSON of reasonable depth", "brackets within brackets without end") from error


def _table(pairs: list[tuple[str, Any]]) -> Table:
    table = Table(pairs)
    if len(table) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        table.repeated = tuple(key for key in table if counts[key] > 1)
    return table
