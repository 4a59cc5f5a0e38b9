"""What books and account differed in, and what was done about it, from the journal alone."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from actors.reconciler import told
from messages.codec import decode
from messages.reconciliation import Reconciled
from persistence.reader import JournalReader


def conflicts(home: Path, count: int) -> list[dict[str, Any]]:
    """Return the newest differences of this and of earlier processes, the newest first; instants in market time.

    Raises:
        JournalError: the journal cannot be read.
    """
    with JournalReader(home) as reader:
        return list(islice(_conflicts(reader), count))


def _conflicts(reader: JournalReader) -> Iterator[dict[str, Any]]:
    for record in reader.read_newest(["Reconciled"]):
        event = decode(record.kind, record.version, record.payload)
        assert isinstance(event, Reconciled)
        for finding in event.findings:
            yield {"at": record.at, "seq": record.seq, "why": event.why, "strategy": event.by} | told(finding)
