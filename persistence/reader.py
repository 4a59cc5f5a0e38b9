"""The journal as everybody else has it: read-only, at any time, in any thread or process."""

from collections.abc import Collection, Iterator
from itertools import starmap
from pathlib import Path
from types import TracebackType
from typing import Self

import apsw

from persistence import snapshots
from persistence.chain import Row, check_rows
from persistence.connection import connect, reading
from persistence.errors import JournalDamaged, JournalMissing
from persistence.home import Home
from persistence.opening import demand_reached, mark_of
from persistence.records import COLUMNS, Record
from persistence.scan import CHUNK, END, hash_at, last_mark, rows_after
from persistence.schema import MIGRATIONS, is_empty, read_identity
from persistence.watermark import START

SCANNED = 10_000
"""How many records are looked at in one transaction, where only some of them are wanted."""


class JournalReader:
    """Reads the journal in a home, whether or not somebody writes it.

    Each thread makes its own.  A transaction lasts for one chunk of records at most, so that no reader keeps the
    write-ahead log from being copied.
    """

    generation: int
    boot: int

    def __init__(self, home: Path) -> None:
        """Open the journal and compare its end with the watermark.

        Raises:
            JournalMissing: there is none.
            JournalTooNew, JournalDamaged, JournalUnwritable: it cannot be read, or is not what was written.
        """
        self._home = Home(home)
        # The watermark is read first: whatever is committed in between, the journal must reach it.
        self._mark = mark_of(self._home)
        missing = JournalMissing(f"expected a journal in {home}, found none")
        if not self._home.database.exists():
            raise missing
        self._database = connect(self._home.database, read_only=True)
        self._connection: apsw.Connection = self._database.connection()
        try:
            with reading(str(self._home.database)):
                if is_empty(self._connection) and self._mark in (None, START):  # It is being made right now.
                    raise missing
                identity = read_identity(self._connection, schema_version=1 + len(MIGRATIONS))
                demand_reached(self._home, self._connection, last_mark(self._connection), self._mark)
        except BaseException:
            self.close()
            raise
        self.generation, self.boot = identity.generation, identity.boot

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        self._database.close()

    def read(self, after: int = 0, until: int | None = None, kinds: Collection[str] | None = None) -> Iterator[Record]:
        """Read the records after a sequence, up to and with another, in sequence; of some kinds only where asked.

        All kinds together are checked against the chain of hashes as they are read; some kinds alone cannot be.

        Raises:
            JournalDamaged: a record is missing or was changed.
        """
        end = END if until is None else until
        return self._read_chained(after, end) if kinds is None else starmap(Record, self.read_rows(after, end, kinds))

    def read_rows(self, after: int, until: int, kinds: Collection[str]) -> Iterator[Row]:
        """Read the columns of the records of some kinds, in sequence; they are not checked.

        Raises:
            JournalDamaged: a row cannot be read.
        """
        places = ", ".join("?" for _ in kinds)
        query = (
            f"SELECT {COLUMNS} FROM events WHERE seq > ? AND seq <= ? AND kind IN ({places}) ORDER BY seq LIMIT {CHUNK}"
        )
        seq = after
        while True:
            with reading(f"{self._home.database} after sequence {seq}"):
                rows: list[Row] = self._connection.execute(query, (seq, until, *kinds)).fetchall()
            if not rows:
                return
            yield from rows
            seq = rows[-1][0]

    def read_newest(self, kinds: Collection[str], limit: int = END, *, until: int = END) -> Iterator[Record]:
        """Read the newest records of some kinds up to a sequence, the newest first, at most so many; unchecked.

        Goes back through the journal a part at a time, so that a long one holds up nobody who writes it.
        """
        places = ", ".join("?" for _ in kinds)
        query = (
            f"SELECT {COLUMNS} FROM events WHERE seq > ? AND seq <= ? AND kind IN ({places}) ORDER BY seq DESC LIMIT ?"
        )
        end = min(self.last()[0], until)
        while end > 0 and limit > 0:
            with reading(f"{self._home.database} before sequence {end}"):
                rows: list[Row] = self._connection.execute(query, (end - SCANNED, end, *kinds, limit)).fetchall()
            yield from starmap(Record, rows)
            limit, end = limit - len(rows), end - SCANNED

    def last(self) -> tuple[int, bytes]:
        """Return the sequence and hash of the last record."""
        with reading(str(self._home.database)):
            return last_mark(self._connection)

    def state_of(self, actor: str, *, version: int, upto: int | None = None) -> tuple[int, bytes] | None:
        """Return the sequence and state of an actor's newest sound snapshot of a version, at or before `upto`."""
        with reading(str(self._home.database)):
            return snapshots.newest(self._connection, actor, version=version, upto=END if upto is None else upto)

    def seq_at(self, at_ms: int) -> int:
        """Return the last sequence whose market time is not after an instant; 0 where there is none."""
        query = "SELECT seq FROM events WHERE at <= ? ORDER BY seq DESC LIMIT 1"
        with reading(str(self._home.database)):
            return int(self._connection.execute(query, (at_ms,)).get or 0)

    def _read_chained(self, after: int, end: int) -> Iterator[Record]:
        with reading(str(self._home.database)):
            previous = hash_at(self._connection, after)
        seq = after
        while rows := rows_after(self._connection, seq, until=end):
            seq, previous = check_rows(rows, after=seq, previous=previous)
            yield from starmap(Record, rows)
        seen = START if self._mark is None else self._mark
        if seq < min(end, seen.seq):
            raise JournalDamaged(f"expected a record of sequence {seq + 1}, found none", sequence=seq + 1)
