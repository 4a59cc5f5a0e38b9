"""The successor of a journal: what is proven of it, and the record that says who made it of what."""

from pathlib import Path

from holdfast.mending.progress import Progress
from holdfast.mending.who import Mender, draft_after
from messages.node import Restored, Salvaged
from persistence.errors import JournalDamaged
from persistence.remains import Remains
from persistence.successor import write_successor
from persistence.watermark import Mark


def succeed(
    source: Path,
    staging: Path,
    event: Restored | Salvaged,
    *,
    keeps: Mark,
    boot: int,
    mender: Mender,
    progress: Progress,
    doing: str,
) -> None:
    """Write the successor of the journal at `source` into a folder; `keeps` is the record it is to keep up to.

    Raises:
        JournalDamaged: it keeps another number of records, or is not what was written.
        JournalUnwritable: it cannot be written.
    """
    with Remains(source) as remains:
        kept = write_successor(
            staging,
            remains.proven(),
            generation=event.generation,
            boot=boot,
            last_word=lambda last, newest: draft_after(last, newest, event, wall_ms=mender.wall_ms),
            states=remains.states,
            progress=lambda seq: progress.show(doing, seq, keeps.seq),
        )
    if kept != keeps:
        raise JournalDamaged(f"expected to keep {keeps.seq} records of {source}, found {kept.seq} that are proven")
