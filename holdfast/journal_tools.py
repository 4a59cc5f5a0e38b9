"""What can be told of a journal without knowing what its events mean: how much there is, the newest, the proof."""

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from persistence.export import as_json
from persistence.reader import JournalReader
from persistence.records import Record
from persistence.verify import Verification, verify

FILES = ("journal.db", "journal.db-wal", "journal.watermark")


def check_chain(home: Path, *, until: int, is_over: Callable[[], bool]) -> None:
    """Check the chain up to a sequence, or as far as there is time.

    Raises:
        JournalDamaged: it is not what was written.
    """
    with JournalReader(home) as reader:
        for _ in reader.read(until=until):
            if is_over():
                return


def describe(home: Path) -> dict[str, Any]:
    """Say how much the journal in a home holds, having checked its chain on the way.

    Raises:
        JournalError: it cannot be read, or is not what was written.
    """
    kinds: Counter[str] = Counter()
    first: Record | None = None
    last: Record | None = None
    with JournalReader(home) as reader:
        generation, boot = reader.generation, reader.boot
        for record in reader.read():
            first = first or record
            last = record
            kinds[record.kind] += 1
    return {
        "generation": generation,
        "boots": boot,
        "events": kinds.total(),
        "seq": last.seq if last else 0,
        "hash": last.hash.hex() if last else "",
        "first_at": first.at if first else None,
        "last_at": last.at if last else None,
        "written_since_ms": first.wall if first else None,
        "written_until_ms": last.wall if last else None,
        "bytes": {name: _size_of(home / name) for name in FILES},
        "kinds": dict(kinds.most_common()),
    }


def newest(reader: JournalReader, count: int, kinds: Sequence[str]) -> list[Record]:
    """Return the newest records, oldest first; of some kinds only where any are given."""
    if not kinds:
        return list(reader.read(after=max(reader.last()[0] - count, 0)))
    return list(deque(reader.read(kinds=kinds), maxlen=count))


def follow(
    reader: JournalReader, after: int, kinds: Sequence[str], poll_s: float = 0.2
) -> Generator[Record, None, None]:
    """Yield records after a sequence as they come, for ever."""
    while True:
        end = reader.last()[0]
        yield from reader.read(after=after, until=end, kinds=kinds or None)
        after = end
        time.sleep(poll_s)


def as_values(record: Record) -> dict[str, Any]:
    """Return a record as JSON values."""
    values = msgspec.json.decode(as_json(record))
    assert isinstance(values, dict)
    return values


def prove(home: Path) -> dict[str, Any]:
    """Check everything about the journal in a home and say what was found.

    Raises:
        JournalMissing, JournalTooNew, JournalUnwritable: it cannot be read at all.
    """
    found: Verification = verify(home)
    return {
        "sound": found.is_sound,
        "events": found.events,
        "seq": found.last_seq,
        "hash": found.last_hash.hex(),
        "findings": [msgspec.structs.asdict(finding) for finding in found.findings],
    }


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
