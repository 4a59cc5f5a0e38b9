"""Rows of the market that were not believed, as they are counted for people."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from messages.codec import decode
from messages.market import RowRefused
from persistence.reader import JournalReader


class Refusals(msgspec.Struct, frozen=True):
    """How many rows were refused, by fault, and how often bars were missing."""

    refused: dict[str, int]
    gaps: int


def count_refusals(faults: Iterable[str]) -> Refusals:
    """Count faults; a gap is none of a row."""
    found = Counter(faults)
    gaps = found.pop("gap", 0)
    return Refusals(dict(sorted(found.items())), gaps)


def refusals_in(home: Path) -> Refusals:
    """Count what the journal in a home tells of.

    Raises:
        JournalError: it cannot be read.
    """
    with JournalReader(home) as reader:
        records = reader.read_newest(["RowRefused"])
        events = (decode(record.kind, record.version, record.payload) for record in records)
        return count_refusals(event.fault for event in events if isinstance(event, RowRefused))


def told_refused(refused: Mapping[str, int]) -> str:
    """Return counts by fault for people."""
    return ", ".join(f"{count} {fault.replace('_', ' ')}" for fault, count in refused.items()) or "none"
