"""Which laws of the node's own records did not hold, newest first, as the watcher wrote them down."""

from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from messages.codec import decode
from persistence.reader import JournalReader

KINDS = ("InvariantViolated",)


def violations(home: Path, count: int) -> list[dict[str, Any]]:
    """Return the newest violations of this and of earlier processes, the newest first; instants in wall-clock ms.

    Raises:
        JournalError: there is no journal, or it cannot be read.
    """
    with JournalReader(home) as reader:
        return [
            {"seq": record.seq, "at": record.wall}
            | msgspec.to_builtins(decode(record.kind, record.version, record.payload))
            for record in islice(reader.read_newest(KINDS), count)
        ]
