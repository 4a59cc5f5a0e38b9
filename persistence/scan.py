"""Reading the events of a database in sequence, a part at a time, with the chain checked."""

from contextlib import closing
from pathlib import Path

import apsw

from persistence.chain import GENESIS, Row, check_rows
from persistence.connection import connect, reading
from persistence.errors import JournalDamaged
from persistence.records import COLUMNS
from persistence.watermark import START, Mark

CHUNK = 1_000
"""How many records are read in one transaction."""

_AFTER = f"SELECT {COLUMNS} FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT {CHUNK}"
_LAST = "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1"
_HASH = "SELECT hash FROM events WHERE seq = ?"

END = 2**63 - 1
"""A sequence that no journal reaches."""


def rows_after(connection: apsw.Connection, seq: int, *, until: int = END) -> list[Row]:
    """Return the rows that come next, at most a chunk of them.

    Raises:
        JournalDamaged: one cannot be read; `sequence` says which.
    """
    rows, damage = readable_after(connection, seq, until=until)
    if damage is not None:
        raise damage
    return rows


def readable_after(
    connection: apsw.Connection, seq: int, *, until: int = END
) -> tuple[list[Row], JournalDamaged | None]:
    """Return the rows that come next, at most a chunk of them, as far as they can be read; and why no further.

    Raises:
        JournalUnwritable: the disk itself does not give them.
    """
    rows: list[Row] = []
    try:
        with reading("the journal"):
            rows.extend(connection.execute(_AFTER, (seq, until)))
    except JournalDamaged as error:
        broken = rows[-1][0] + 1 if rows else seq + 1
        damage = JournalDamaged(f"the record of sequence {broken} cannot be read: {error}", sequence=broken)
        damage.__cause__ = error
        return rows, damage
    return rows, None


def hash_at(connection: apsw.Connection, seq: int) -> bytes:
    """Return the hash of a record, as the database has it.

    Raises:
        JournalDamaged: there is no such record.
    """
    if seq == 0:
        return GENESIS
    found = connection.execute(_HASH, (seq,)).get
    if not isinstance(found, bytes):
        raise JournalDamaged(f"expected a record of sequence {seq}, found none", sequence=seq)
    return found


def last_mark(connection: apsw.Connection) -> Mark:
    """Return the sequence and hash of the last record."""
    row = connection.execute(_LAST).fetchone()
    return START if row is None else Mark(*row)


def check_chain(connection: apsw.Connection, start: Mark) -> Mark:
    """Return the end of the chain, having checked it from `start` on.

    Raises:
        JournalDamaged: it breaks; `sequence` says where.
    """
    seq, previous = start
    while rows := rows_after(connection, seq):
        seq, previous = check_rows(rows, after=seq, previous=previous)
    return Mark(seq, previous)


def demand_readable(database: Path, *, after: Mark, upto: Mark) -> None:
    """Check that the records after one and up to another can be read by somebody who has none of them in memory.

    Raises:
        JournalDamaged: they cannot.
        JournalUnwritable: the disk itself does not give them.
    """
    with closing(connect(database, read_only=True)) as other, reading(str(database)):
        found = check_chain(other.connection(), after)
    if found != upto:
        raise JournalDamaged(
            f"expected {database} to end at sequence {upto.seq}, found that it ends at {found.seq}", sequence=upto.seq
        )
