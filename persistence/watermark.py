"""The watermark: how far the journal had come, kept beside it.

SQLite cuts a damaged tail off its write-ahead log without a word.  The watermark is written after every commit and
tells that cut, which may take what was never acknowledged, from the loss of what was.
"""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from persistence.chain import GENESIS
from persistence.errors import JournalDamaged

FILE_BYTES = 4096
SLOT_BYTES = 2048
SYNC_EVERY_S = 1.0

_MARK = struct.Struct(">Q16s")
_CHECK = struct.Struct(">I")


class Mark(NamedTuple):
    """A sequence that was committed, and its hash."""

    seq: int
    hash: bytes


START = Mark(0, GENESIS)


class Watermark:
    """Writes marks, in two slots by turns, so that a torn write leaves the mark before it."""

    def __init__(self, path: Path, clock_s: Callable[[], float] = monotonic) -> None:
        """Open the file, made and filled with the mark of an empty journal where there is none.

        Raises:
            OSError: it cannot be opened or written.
        """
        self._clock_s = clock_s
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        content = os.pread(self._file, FILE_BYTES, 0)
        marks = _slots(content)
        self._next_slot = 0 if marks[0] is None or (marks[1] is not None and marks[1] > marks[0]) else 1
        if not any(content):
            os.pwrite(self._file, (_encoded(START).ljust(SLOT_BYTES, b"\0")) * 2, 0)
        self._synced_at_s = 0.0
        self.sync()

    def write(self, mark: Mark) -> None:
        """Write the mark of a commit; make it durable once a second at most."""
        os.pwrite(self._file, _encoded(mark), self._next_slot * SLOT_BYTES)
        self._next_slot = 1 - self._next_slot
        if self._clock_s() - self._synced_at_s >= SYNC_EVERY_S:
            self.sync()

    def sync(self) -> None:
        """Make what was written durable."""
        os.fdatasync(self._file)
        self._synced_at_s = self._clock_s()

    def close(self) -> None:
        """Make it durable and let go of the file."""
        try:
            self.sync()
        finally:
            os.close(self._file)


def read_mark(path: Path) -> Mark | None:
    """Return the newest mark of a file; None where there is no file, or one that was never written to.

    Raises:
        JournalDamaged: neither slot can be read.
        OSError: the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if not any(content):
        return None
    marks = [mark for mark in _slots(content) if mark is not None]
    if not marks:
        raise JournalDamaged(f"expected a mark in {path}, found that neither of its slots can be read")
    return max(marks)


def _slots(content: bytes) -> tuple[Mark | None, Mark | None]:
    return _decoded(content[:SLOT_BYTES]), _decoded(content[SLOT_BYTES:])


def _encoded(mark: Mark) -> bytes:
    content = _MARK.pack(*mark)
    return content + _CHECK.pack(zlib.crc32(content))


def _decoded(slot: bytes) -> Mark | None:
    content, check = slot[: _MARK.size], slot[_MARK.size : _MARK.size + _CHECK.size]
    if len(check) < _CHECK.size or _CHECK.pack(zlib.crc32(content)) != check:
        return None
    return Mark(*_MARK.unpack(content))
