"""The journal as its one writer has it: opened, checked, appended to."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import apsw
import msgspec
from peewee import PeeweeException

from persistence import projections, schema, snapshots
from persistence.chain import Row, seal
from persistence.connection import copy_log_on_close, unwritable
from persistence.errors import DraftRefused, JournalDamaged, JournalError, JournalUnwritable
from persistence.home import Home
from persistence.opening import LOG_BYTES, OpenFiles, open_files
from persistence.records import Draft
from persistence.scan import demand_readable
from persistence.watermark import Mark

UNTOLD_MAX = 500
"""Changes that the tables may lag behind, however many commits somebody waits for."""
TOLD_EVERY = 1_000
"""Events after which the tables say that they tell all, although these changed nothing in them."""

Cue = Callable[[str], None]


def nothing(cue: str) -> None:
    """Do nothing at a cue."""


class Journal:
    """An open journal.  Used by one thread at a time.

    After an append has failed, whatever the reason, nothing more is written to the same files: a second attempt could
    seem to succeed with data gone.
    """

    generation: int
    """Which life of the journal this is; a restored or mended copy starts a new one."""
    boot: int
    """How often it was opened, in all its generations."""
    last_seq: int
    last_hash: bytes

    def __init__(self, home: Home, files: OpenFiles, cue: Cue) -> None:
        self._home = home
        self._lock = files.lock
        self._database = files.database
        self._connection: apsw.Connection = files.database.connection()
        self._watermark = files.watermark
        self._cue = cue
        self._failure: JournalUnwritable | None = None
        self._is_closed = False
        self._unprojected: list[projections.Change] = []
        """What the tables for people and tools do not tell yet."""
        self._told_seq = files.last.seq
        self._log_pages = 0
        # Copied a little before it would grow: a group is written whole.
        self._log_pages_step = LOG_BYTES * 9 // 10 // int(self._connection.pragma("page_size"))
        self._log_pages_due = self._log_pages_step
        self._connection.set_wal_hook(self._on_commit)
        self.generation, self.boot = files.identity.generation, files.identity.boot
        self.last_seq, self.last_hash = files.last
        self._copied = files.last
        """Up to here the log was read again, when this was opened or before it was copied."""

    @classmethod
    def open(cls, home: Path, *, cue: Cue = nothing) -> Self:
        """Open the journal in a home, made where there is none, and check it.

        Raises:
            JournalLocked: somebody else writes it.
            JournalTooNew: a newer program wrote it.
            JournalDamaged: it is not what was written.
            JournalUnwritable: the operating system would not let it be read or written.
            SqliteUnfit: the SQLite library is not one to trust.
        """
        return cls(Home(home), open_files(Home(home)), cue)

    @property
    def tables_lag(self) -> bool:
        """Say whether the tables for people and tools do not tell yet what the events do."""
        return bool(self._unprojected)

    def append(self, drafts: Sequence[Draft], *, tables_follow: bool = False) -> None:
        """Append drafts, which continue the sequence; all of them are durable on return.

        With `tables_follow` the tables for people and tools are left to a later append, or to `catch_up`, until there
        is much to tell: who waits for the events need not wait for these.

        Raises:
            DraftRefused, CodecError: a draft cannot be appended; nothing was written.
            JournalDamaged: a projection that they change cannot be read; nothing was written.
            JournalUnwritable: writing failed, now or before; what became of them shows when it is opened again.
        """
        if not drafts:
            return
        rows = seal(drafts, after=self.last_seq, previous=self.last_hash)
        changes = self._unprojected + projections.changes_in(drafts)
        self.checkpoint_if_due()
        try:
            # That nothing changed is told now and then, so that the next start need not look through all of it.
            is_due = bool(changes) or self.last_seq - self._told_seq >= TOLD_EVERY
            is_told = len(changes) >= UNTOLD_MAX or (is_due and not tables_follow)
            self._commit(rows, changes if is_told else None)
            self._unprojected = [] if is_told else changes
            self._watermark.write(Mark(self.last_seq, self.last_hash))
        except (apsw.Error, OSError, MemoryError) as error:
            raise self._fail(error) from error
        except OverflowError as error:
            raise DraftRefused(f"expected integers of 64 bits from {drafts[0].seq} on, found that {error}") from error
        self._cue("journal.after_watermark")

    def catch_up(self) -> None:
        """Let the tables for people and tools tell what the events do.

        Raises:
            JournalDamaged: one of them cannot be read; nothing was written.
            JournalUnwritable: writing failed, now or before.
        """
        self._demand_writable()
        if self._unprojected:
            try:
                self._commit([], self._unprojected)
            except (apsw.Error, MemoryError) as error:
                raise self._fail(error) from error
            self._unprojected = []

    def save_states(self, seq: int, states: Mapping[str, tuple[int, bytes]]) -> None:
        """Keep the states of actors, as version and bytes, as of a sequence; the two newest of each actor stay.

        Raises:
            DraftRefused: there is no such sequence, or a state is too large.
            JournalUnwritable: writing failed, now or before.
        """
        if not states:
            return
        self._demand_writable()
        try:
            chained = self._connection.execute("SELECT hash FROM events WHERE seq = ?", (seq,)).get
            if chained is None:
                raise DraftRefused(f"expected a sequence from 1 to {self.last_seq} to save states of, found {seq}")
            snapshots.save(self._database, seq, chained, states)
        except (apsw.Error, PeeweeException, OSError) as error:
            raise self._fail(error) from error

    def drop_unsound_states(self) -> int:
        """Drop the snapshots that are not what was written, and return how many: they are caches.

        Raises:
            JournalUnwritable: writing failed, now or before, or they cannot be read.
        """
        self._demand_writable()
        try:
            return snapshots.drop_unsound(self._database)
        except (apsw.Error, PeeweeException, OSError, UnicodeDecodeError) as error:
            raise self._fail(error) from error

    def begin_generation(self, generation: int, *, boot: int) -> None:
        """Make this a journal of another generation, which goes on counting its boots from `boot`.

        Raises:
            JournalUnwritable: writing failed, now or before.
        """
        self._demand_writable()
        try:
            with self._database.atomic():
                identity = schema.read_identity(self._connection, schema_version=1 + len(schema.MIGRATIONS))
                schema.write_identity(
                    self._connection, msgspec.structs.replace(identity, generation=generation, boot=boot)
                )
        except (apsw.Error, PeeweeException, OSError) as error:
            raise self._fail(error) from error
        self.generation, self.boot = generation, boot

    def rebuild_projections(self) -> None:
        """Drop the tables for people and tools, and make them again from the events.

        Raises:
            JournalUnwritable: writing failed, now or before.
        """
        self._demand_writable()
        try:
            projections.rebuild(self._database)
            self._unprojected = []
        except (apsw.Error, PeeweeException, OSError) as error:
            raise self._fail(error) from error

    def checkpoint_if_due(self) -> None:
        """Copy the write-ahead log into the database if it has grown long.

        Raises:
            JournalDamaged, JournalUnwritable: as `checkpoint` says.
        """
        self._demand_writable()
        if self._log_pages >= self._log_pages_due:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Copy the write-ahead log into the database, as far as no reader needs it, and make the watermark durable.

        Raises:
            JournalDamaged: the log is not what was written; the database is as it was, and nothing more is written.
            JournalUnwritable: writing failed, now or before.
        """
        self._demand_writable()
        try:
            self._watermark.sync()
            self._copy_log(apsw.SQLITE_CHECKPOINT_PASSIVE)
        except (apsw.Error, OSError) as error:
            raise self._fail(error) from error
        self._log_pages_due = self._log_pages + self._log_pages_step

    def close(self) -> None:
        """Copy the write-ahead log into the database where nobody reads it, and let go of all files, once.

        Raises:
            JournalDamaged: the log is not what was written; it was not copied.
            JournalUnwritable: the copying failed; what was appended is durable all the same.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._failure is None:
                with suppress(JournalDamaged):  # The next start makes tables that cannot be read anew.
                    self.catch_up()
                self._connection.set_busy_timeout(0)
                self._copy_log(apsw.SQLITE_CHECKPOINT_TRUNCATE)
                copy_log_on_close(self._connection, wanted=True)
        except apsw.Error as error:
            raise self._fail(error) from error
        finally:
            try:
                self._watermark.close()
            finally:
                self._database.close()
                self._lock.release()

    def _commit(self, rows: list[Row], changes: list[projections.Change] | None) -> None:
        """Commit rows and, where it is given, what they and those before change in the tables."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(schema.INSERT_EVENT, rows)
            last_seq, last_hash = (rows[-1][0], rows[-1][-1]) if rows else (self.last_seq, self.last_hash)
            if changes is not None:
                projections.project(connection, changes, upto=last_seq)
            self._cue("journal.before_commit")
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise
        self.last_seq, self.last_hash = last_seq, last_hash
        if changes is not None:
            self._told_seq = last_seq
        self._cue("journal.after_commit")

    def _on_commit(self, connection: apsw.Connection, database: str, pages: int) -> int:
        if pages < self._log_pages:  # The log was copied whole, and began anew.
            self._log_pages_due = self._log_pages_step
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _copy_log(self, mode: int) -> None:
        self._demand_sound_log()
        # Where somebody else reads, it is done another time; what is in the log is durable all the same.
        with suppress(apsw.BusyError):
            self._connection.wal_checkpoint(mode=mode)

    def _demand_sound_log(self) -> None:
        """Read what the log has, before it takes the place of what is in the database.

        SQLite copies a log without a look at its checksums: a page that was lost on its way to the disk would take the
        place of a sound one, and with the page that all records are found by, all of them would be gone.
        """
        end = Mark(self.last_seq, self.last_hash)
        try:
            demand_readable(self._home.database, after=self._copied, upto=end)
        except JournalError as error:
            self._fail(error)
            raise
        self._copied = end

    def _demand_writable(self) -> None:
        if self._failure is not None:
            raise JournalUnwritable(f"expected a journal that could be written, found that {self._failure}")

    def _fail(self, error: BaseException) -> JournalUnwritable:
        self._failure = unwritable(str(self._home.database), error)
        return self._failure


def _roll_back(connection: apsw.Connection) -> None:
    if connection.in_transaction:
        with suppress(apsw.Error):  # What made it necessary is what is told.
            connection.execute("ROLLBACK")
