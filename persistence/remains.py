"""What is left of a damaged journal: the part that the chain proves, and what can be read behind the damage."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import apsw

from persistence.chain import Row, check_rows
from persistence.connection import connect, reading
from persistence.errors import JournalDamaged, JournalError
from persistence.home import Home
from persistence.records import COLUMNS
from persistence.scan import readable_after
from persistence.schema import MIGRATIONS, Identity, read_identity
from persistence.successor import sound_states
from persistence.watermark import START, Mark, read_mark

GAP_MAX = 2_000_000
"""Records that are looked for one by one between what can be read from the front and from the end."""
REACH_MAX = 2**53
"""A sequence beyond this is none: the number itself is damaged."""

_ONE = f"SELECT {COLUMNS} FROM events WHERE seq = ?"
_NEWEST = f"SELECT {COLUMNS} FROM events ORDER BY seq DESC LIMIT 1"
_NEXT = "SELECT min(seq) FROM events WHERE seq > ? AND seq < ?"
_BACKWARDS = "SELECT seq FROM events WHERE seq > ? AND seq < ? ORDER BY seq DESC"


class Remains:
    """Reads a journal that may be damaged anywhere, without changing it.  Nobody may be writing it."""

    def __init__(self, home: Path) -> None:
        """Open the database; raise JournalError where it cannot be opened at all."""
        self._home = Home(home)
        self._database = connect(self._home.database, read_only=True)
        self.connection: apsw.Connection = self._database.connection()
        self.kept = START
        """Up to where the chain was proven, once `proven` has come to its end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def proven(self) -> Iterator[list[Row]]:
        """Read the longest part from the beginning that the chain proves."""
        self.kept = START
        while True:
            rows, damage = readable_after(self.connection, self.kept.seq)
            sound = self._sound_part(rows)
            if sound:
                yield sound
            if damage is not None or not rows or len(sound) < len(rows):
                return

    def beyond(self) -> Iterator[Row]:
        """Read what can be read behind the proven part, in sequence; none of it is proven."""
        end = self.kept.seq
        for row in self._forwards(end):
            yield row
            end = row[0]
        back = self._reaches_back_to(end)
        for seq in range(end + 1, min(back or self.reach() + 1, end + GAP_MAX)):
            yield from self._one(seq)
        if back is not None:
            yield from self._tolerantly(back)

    def reach(self) -> int:
        """Return the highest sequence that is known of, in the journal or by its watermark."""
        known = [self.kept.seq]
        with suppress(JournalError, OSError):
            mark = read_mark(self._home.watermark)
            known.append(mark.seq if mark is not None else 0)
        with suppress(JournalError), reading("the journal"):
            newest: int | None = self.connection.execute("SELECT max(seq) FROM events WHERE seq < ?", (REACH_MAX,)).get
            known.append(newest or 0)
        return max(known)

    def newest(self) -> Row | None:
        """Return the last record; None where there is none."""
        with reading("the journal"):
            found: Row | None = self.connection.execute(_NEWEST).fetchone()
            return found

    def identity(self) -> Identity | None:
        """Return which journal it is; None where that cannot be read.

        Raises:
            JournalTooNew: a newer program wrote it.
        """
        try:
            with reading("the journal"):
                return read_identity(self.connection, schema_version=1 + len(MIGRATIONS))
        except JournalDamaged:
            return None

    def states(self, upto: int) -> Iterator[tuple[int, str, int, bytes]]:
        """Return the sound snapshots up to a sequence."""
        yield from sound_states(self.connection, upto)

    def _sound_part(self, rows: list[Row]) -> list[Row]:
        sound: list[Row] = []
        with suppress(JournalDamaged):
            for row in rows:
                self.kept = Mark(*check_rows([row], after=self.kept.seq, previous=self.kept.hash))
                sound.append(row)
        return sound

    def _forwards(self, after: int) -> Iterator[Row]:
        while True:
            rows, damage = readable_after(self.connection, after, until=REACH_MAX)
            yield from rows
            if damage is not None or not rows:
                return
            after = rows[-1][0]

    def _reaches_back_to(self, after: int) -> int | None:
        """Return the lowest sequence that can be come to from the end; None where none can."""
        lowest: int | None = None
        with suppress(JournalError), reading("the journal"):
            for (seq,) in self.connection.execute(_BACKWARDS, (after, REACH_MAX)):
                lowest = seq
        return lowest

    def _one(self, seq: int) -> list[Row]:
        with suppress(JournalError), reading("the journal"):
            return self.connection.execute(_ONE, (seq,)).fetchall()
        return []

    def _tolerantly(self, since: int) -> Iterator[Row]:
        """Read from a sequence to the end, and pass over what cannot be read."""
        after, end = since - 1, self.reach()
        while after < end:
            rows, damage = readable_after(self.connection, after, until=REACH_MAX)
            yield from rows
            after = rows[-1][0] if rows else after
            if damage is not None:
                after = self._next_after(after)
            elif not rows:
                return

    def _next_after(self, seq: int) -> int:
        """Return the next sequence there is, of a record that cannot be read: its number may be far off, if damaged."""
        with suppress(JournalError), reading("the journal"):
            found: int | None = self.connection.execute(_NEXT, (seq, REACH_MAX)).get
            return REACH_MAX if found is None else found
        return seq + 1  # It was looked for in a page that is destroyed; the one after that may be whole.
