"""A journal of a new generation: the proven records of another one, and the record that says how it came to be."""

from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path

import apsw

from persistence import snapshots
from persistence.chain import Row
from persistence.errors import JournalDamaged
from persistence.journal import Journal
from persistence.records import Draft
from persistence.verify import Verification, verify
from persistence.watermark import Mark

Progress = Callable[[int], None]
"""Is told up to which sequence something is done."""


def write_successor(
    folder: Path,
    parts: Iterable[list[Row]],
    *,
    generation: int,
    boot: int,
    last_word: Callable[[Mark, Row], Draft],
    states: Callable[[int], Iterable[tuple[int, str, int, bytes]]],
    progress: Progress,
) -> Mark:
    """Write a journal into an empty folder, prove it, and return where the records that it took over end.

    `parts` are the records, `last_word` makes the one that ends them from that end and the newest record, and `states`
    are sound snapshots up to a sequence.

    Raises:
        JournalDamaged: what was written does not prove to be what was handed in.
        JournalUnwritable: it cannot be written.
    """
    with closing(Journal.open(folder)) as journal:
        newest: Row | None = None
        for rows in parts:
            journal.append([Draft(*row[:-1]) for row in rows])
            newest = rows[-1]
            if journal.last_hash != newest[-1]:
                raise JournalDamaged(f"expected the hash of sequence {newest[0]} again, found another")
            progress(journal.last_seq)
        assert newest is not None, "a journal that begins with its own salvage would have no account"
        kept = Mark(journal.last_seq, journal.last_hash)
        for seq, actor, version, state in states(kept.seq):
            journal.save_states(seq, {actor: (version, state)})
        journal.append([last_word(kept, newest)])
        journal.begin_generation(generation, boot=boot)
    demand_sound(verify(folder), folder)
    return kept


def sound_states(connection: apsw.Connection, upto: int) -> Iterable[tuple[int, str, int, bytes]]:
    """Return the sound snapshots up to a sequence, as far as they can be read: they are caches."""
    with suppress(apsw.Error, UnicodeDecodeError):
        yield from snapshots.sound(connection, upto=upto)


def demand_sound(found: Verification, what: Path) -> None:
    """Refuse a journal that is not what was written.

    Raises:
        JournalDamaged: with the first finding.
    """
    if not found.is_sound:
        first = found.findings[0]
        raise JournalDamaged(
            f"expected the journal in {what} to be sound, found in its {first.place}: {first.sentence}",
            sequence=first.sequence,
        )
