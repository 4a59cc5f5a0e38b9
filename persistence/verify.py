"""Proof that a journal is what was written: chain, watermark, snapshots, projections, and the file itself."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import zip_longest
from pathlib import Path

import apsw
import msgspec
from playhouse.apsw_ext import APSWDatabase

from persistence import projections, snapshots
from persistence.chain import GENESIS, Row, check_rows
from persistence.connection import connect, reading
from persistence.errors import JournalDamaged, JournalMissing
from persistence.home import Home
from persistence.opening import demand_reached, mark_of
from persistence.records import Record
from persistence.scan import rows_after
from persistence.schema import MIGRATIONS, read_identity
from persistence.tables import TABLE_KEYS
from persistence.watermark import START, Mark

FINDINGS_MAX = 100
"""After so many findings no more are looked for."""


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as it was written: where, and what."""

    place: str
    """The part of the journal, such as `chain` or `projection fills`."""
    sentence: str
    sequence: int | None = None


class Verification(msgspec.Struct, frozen=True):
    """What a journal was found to be."""

    events: int
    last_seq: int
    last_hash: bytes
    findings: tuple[Finding, ...]

    @property
    def is_sound(self) -> bool:
        """Say whether nothing was found."""
        return not self.findings


def verify(home: Path, *, watch: Callable[[Record], None] | None = None) -> Verification:
    """Check everything about the journal in a home, as of one moment, without changing it.

    `watch` is shown the records in sequence, as far as the chain is whole, so that a fold can go along.

    Raises:
        JournalMissing: there is none.
        JournalTooNew, JournalUnwritable: it cannot be read at all.
    """
    return _Inspection(Home(home), watch).run()


class _Inspection:
    def __init__(self, home: Home, watch: Callable[[Record], None] | None) -> None:
        self._home = home
        self._watch = watch
        self._findings: list[Finding] = []
        self._events = 0
        self._last = START

    def run(self) -> Verification:
        mark: Mark | None = None
        with self._part("watermark"):
            mark = mark_of(self._home)
        if self._home.database.exists():
            with self._part("database"), closing(connect(self._home.database, read_only=True)) as database:
                self._inspect(database.connection(), mark)
        elif not self._findings:
            raise JournalMissing(f"expected a journal in {self._home.folder}, found none")
        return Verification(self._events, *self._last, tuple(self._findings))

    def _inspect(self, connection: apsw.Connection, mark: Mark | None) -> None:
        with reading(str(self._home.database)):
            connection.execute("BEGIN")  # All that follows sees the journal as of one commit.
        with self._part("database"):
            self._check_file(connection)
        projections_version = 0
        with self._part("identity"):
            identity = read_identity(connection, schema_version=1 + len(MIGRATIONS))
            projections_version = identity.projections_version
        with self._part("chain"):
            self._check_chain(connection)
        with self._part("watermark"):
            if not self._findings:
                demand_reached(self._home, connection, self._last, mark)
        with self._part("snapshots"):
            for actor, seq in snapshots.unsound(connection):
                self._find("snapshots", f"the snapshot of {actor} at sequence {seq} is not what was written", seq)
        with self._part("projections"):
            # Those of another version say nothing; opening the journal for writing makes them again.
            if not self._findings and projections_version == projections.PROJECTIONS_VERSION:
                self._check_projections(connection)

    def _check_file(self, connection: apsw.Connection) -> None:
        for (finding,) in connection.execute(f"PRAGMA quick_check({FINDINGS_MAX})").fetchall():
            if finding != "ok":
                self._find("database", f"{self._home.database}: {finding}")

    def _check_chain(self, connection: apsw.Connection) -> None:
        last = START
        while len(self._findings) < FINDINGS_MAX and (rows := rows_after(connection, last.seq)):
            while rows and len(self._findings) < FINDINGS_MAX:
                last, rows = self._check_part(last, rows)
        self._last = last

    def _check_part(self, last: Mark, rows: list[Row]) -> tuple[Mark, list[Row]]:
        """Return where the chain is proven to, and the rows still to be checked, after one break at most."""
        try:
            proven = Mark(*check_rows(rows, after=last.seq, previous=last.hash))
        except JournalDamaged as error:
            broken = next(index for index, row in enumerate(rows) if row[0] >= (error.sequence or 0))
            self._count(rows[:broken])
            self._find("chain", str(error), error.sequence)
            return _trusted(rows[broken]), rows[broken + 1 :]
        self._count(rows)
        return proven, []

    def _count(self, rows: list[Row]) -> None:
        self._events += len(rows)
        if self._watch is not None and all(finding.place != "chain" for finding in self._findings):
            for row in rows:
                self._watch(Record(*row))

    def _check_projections(self, connection: apsw.Connection) -> None:
        came_to = projections.projected_seq(connection)
        if came_to > self._last.seq:
            sentence = f"expected projections up to sequence {self._last.seq} at most, found them to reach {came_to}"
            self._find("projection projected", sentence)
            return
        with closing(APSWDatabase(":memory:", thread_safe=False)) as fresh:
            fresh.connect()
            projections.fill(fresh, connection, upto=came_to)
            for table, key in TABLE_KEYS.items():
                query = f"SELECT * FROM {table} ORDER BY {key}"
                both = zip_longest(connection.execute(query), fresh.connection().execute(query))
                if (difference := next((pair for pair in both if pair[0] != pair[1]), None)) is not None:
                    found, expected = difference
                    self._find(f"projection {table}", f"expected the row {expected}, found {found}")

    @contextmanager
    def _part(self, place: str) -> Iterator[None]:
        try:
            with reading(str(self._home.database)):
                yield
        except JournalDamaged as error:
            self._find(place, str(error), error.sequence)

    def _find(self, place: str, sentence: str, sequence: int | None = None) -> None:
        self._findings.append(Finding(place, sentence, sequence))


def _trusted(row: Row) -> Mark:
    """Take a broken record's own word for where the chain goes on, so that one break is one finding."""
    return Mark(row[0], row[-1] if isinstance(row[-1], bytes) else GENESIS)
