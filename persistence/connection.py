"""Connections to the journal's database: one that writes, any number that only read.

SQLite up to 3.51.2 can corrupt a write-ahead log that two connections write or checkpoint at once; an unfit library is
refused, and only the writing connection checkpoints.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
from peewee import PeeweeException
from playhouse.apsw_ext import APSWDatabase

from persistence.errors import JournalDamaged, JournalError, JournalLocked, JournalUnwritable, SqliteUnfit

SQLITE_MIN = (3, 51, 3)
VALUE_BYTES_MAX = 16 * 1024 * 1024
BUSY_MS = 5_000
EMPTY_BYTES_MAX = 1
"""A file of one byte is an empty one to SQLite: it writes such a byte itself, for file systems that need one."""

# Each is set, read back and compared: setting the journal mode can fail without an error, and says so only in its row.
_SHARED = {
    "trusted_schema": ("OFF", 0),
    "cell_size_check": ("ON", 1),
    "mmap_size": ("0", 0),
    "temp_store": ("MEMORY", 2),
}
_WRITING = {
    "synchronous": ("EXTRA", 3),
    "journal_mode": ("WAL", "wal"),
    "wal_autocheckpoint": ("0", 0),
    "foreign_keys": ("ON", 1),
}
_NOT_GIVEN = (
    *(OSError, apsw.IOError, apsw.FullError, apsw.ReadOnlyError, apsw.CantOpenError),
    *(MemoryError, apsw.NoMemError),
)
"""What stands between us and a file says nothing of what is in it."""
_READING = {"query_only": ("ON", 1)}


class JournalDatabase(APSWDatabase):  # type: ignore[misc]  # the library is untyped
    """A peewee database on one apsw connection, which any one thread at a time may use."""

    def __init__(self, path: Path | str, *, read_only: bool) -> None:
        flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE
        super().__init__(str(path), thread_safe=False, autoconnect=False, lock_type="IMMEDIATE", flags=flags)
        self._read_only = read_only

    def _connect(self) -> apsw.Connection:
        connection: apsw.Connection = super()._connect()
        try:
            connection.set_busy_timeout(BUSY_MS)
            connection.limit(apsw.SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)
            if not self._read_only:
                copy_log_on_close(connection, wanted=False)
            for name, (value, expected) in (_SHARED | (_READING if self._read_only else _WRITING)).items():
                _set(connection, name, value, expected)
        except BaseException:
            connection.close()
            raise
        return connection


def connect(path: Path, *, read_only: bool) -> JournalDatabase:
    """Return an open database on the file at `path`, which must exist.

    Raises:
        SqliteUnfit: the SQLite library is older than what a journal may be trusted to.
        JournalDamaged, JournalLocked, JournalUnwritable: the file cannot be opened as a database.
    """
    demand_fit_sqlite(apsw.sqlite_lib_version())
    demand_begun(path)
    database = JournalDatabase(path, read_only=read_only)
    with reading(str(path)):
        database.connect()
    return database


def demand_begun(path: Path) -> None:
    """Refuse a database without content beside a log that has some, which may be all that is left of it.

    SQLite takes such a log for one left over and deletes it, whoever looks, who only reads too.

    Raises:
        JournalDamaged: it is one.
        JournalUnwritable: the files cannot be looked at.
    """
    log = path.with_name(f"{path.name}-wal")
    with reading(str(path)):
        if path.exists() and path.stat().st_size <= EMPTY_BYTES_MAX and log.exists() and log.stat().st_size > 0:
            raise JournalDamaged(f"expected {path} to begin what is in {log.name}, found it empty")


def lengthen_log(database: Path, size: int) -> None:
    """Fill the write-ahead log with zeros up to a size, after what is in it.

    SQLite ends reading at the first frame that it did not write, and writes over what lies behind.  To sync what was
    written in place takes about half as long as to sync a file that grew.  A disk without room is left as it is.

    Raises:
        OSError: it cannot be written.
    """
    log = os.open(f"{database}-wal", os.O_WRONLY | os.O_CLOEXEC)
    try:
        missing = size - os.fstat(log).st_size
        if missing > 0:
            os.pwrite(log, bytes(missing), size - missing)
            os.fdatasync(log)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
    finally:
        os.close(log)


def copy_log_on_close(connection: apsw.Connection, *, wanted: bool) -> None:
    """Say whether closing the last connection copies the log into the database, and deletes it.

    It must not while the files are not known to be sound: what a damaged log still holds would be gone.
    """
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0 if wanted else 1)


def demand_fit_sqlite(version: str) -> None:
    """Check that a version of SQLite is free of known corruption.

    Raises:
        SqliteUnfit: it is not.
    """
    if tuple(int(part) for part in version.split(".")) < SQLITE_MIN:
        wanted = ".".join(map(str, SQLITE_MIN))
        raise SqliteUnfit(f"expected SQLite {wanted} or newer, whose write-ahead log is sound, found {version}")


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever goes wrong while reading into a JournalError that names what was read.

    A damaged file shows itself in many ways, some of them no SQLite error at all, such as text that is not UTF-8.
    """
    try:
        yield
    except JournalError:
        raise
    except Exception as error:
        raise _read_failure(what, error) from error


def unwritable(what: str, error: BaseException) -> JournalUnwritable:
    """Return the error for a write that failed."""
    return JournalUnwritable(f"expected to write {what}, found that {describe(error)}")


def describe(error: BaseException) -> str:
    """Return an error as part of a sentence: its type and what it says."""
    return f"{type(error).__name__}: {error}"


def _read_failure(what: str, error: Exception) -> JournalError:
    cause = getattr(error, "orig", error) if isinstance(error, PeeweeException) else error
    sentence = f"expected to read {what}, found that {describe(cause)}"
    if isinstance(cause, apsw.BusyError | apsw.LockedError):
        return JournalLocked(sentence)
    if isinstance(cause, _NOT_GIVEN):
        return JournalUnwritable(sentence)
    return JournalDamaged(sentence)


def _set(connection: apsw.Connection, name: str, value: str, expected: Any) -> None:
    connection.execute(f"PRAGMA {name} = {value}").fetchall()
    found = connection.pragma(name)
    if found != expected:
        raise JournalUnwritable(f"expected {name} to be {expected} after setting it, found {found}")
