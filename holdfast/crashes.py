"""What crashed, newest first: as the journal remembers it, with what came of it."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from messages.codec import decode
from messages.parts import PartCrashed, PartStarted, SupervisorReported
from persistence.reader import JournalReader

KINDS = ("PartCrashed", "PartStarted", "SupervisorReported")


def crashes(home: Path, count: int) -> list[dict[str, Any]]:
    """Return the newest crashes of this and of earlier processes, the newest first; instants in wall-clock ms.

    Raises:
        JournalError: there is no journal, or it cannot be read.
    """
    with JournalReader(home) as reader:
        return list(islice(_crashes(reader), count))


def _crashes(reader: JournalReader) -> Iterator[dict[str, Any]]:
    restarts: dict[tuple[str, int], int] = {}
    """What the supervisor of an incarnation that ended counted, by part and epoch."""
    up_again: dict[str, int] = {}
    """When each part was started next, as seen from where reading has come to."""
    for record in reader.read_newest(KINDS):
        match decode(record.kind, record.version, record.payload):
            case PartStarted(part=part):
                up_again[part] = record.wall
            case SupervisorReported(part=part, epoch=epoch, restarts_in_window=count):
                restarts[part, epoch] = count
            case PartCrashed() as crash:
                said = msgspec.to_builtins(crash)
                yield {
                    "actor": said.pop("part"),
                    "at": record.wall,
                    "seq": record.seq,
                    "restarts_in_window": restarts.pop((crash.part, crash.epoch), 0),
                    "up_again_at": up_again.get(crash.part),
                } | said
