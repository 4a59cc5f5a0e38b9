"""Copies of databases that may be in use: page by page through SQLite, as of one moment."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import apsw

from persistence.connection import connect, demand_begun, demand_fit_sqlite, reading, unwritable
from persistence.errors import JournalDamaged, JournalMissing
from persistence.home import Home, create_private, sync_folder
from persistence.opening import demand_reached, mark_of
from persistence.scan import last_mark
from persistence.watermark import START, Mark, Watermark

PAGES = 1_000
"""How many pages are copied between two looks at the progress."""

Progress = Callable[[int, int], None]
"""Is told how many pages are copied, and of how many."""


def copy_journal(home: Home, folder: Path, *, progress: Progress) -> Mark:
    """Copy the journal of a home, as of one moment, and its watermark into a folder; return where the copy ends.

    Whoever writes it goes on meanwhile; only its log is not copied into its database before this is done.

    Raises:
        JournalMissing: there is none.
        JournalDamaged: it does not reach what its watermark says.
        JournalUnwritable: reading or writing failed; what was copied so far is of no use.
    """
    mark = mark_of(home)  # First: whatever is committed in between, the copy must reach it.
    if not home.database.exists() or mark in (None, START):
        raise JournalMissing(f"expected a journal in {home.folder}, found none")
    target = Home(folder)
    copy_database(home.database, target.database, progress=progress)
    with closing(connect(target.database, read_only=True)) as database:
        connection: apsw.Connection = database.connection()
        with reading(str(target.database)):
            last = last_mark(connection)
            demand_reached(home, connection, last, mark)
    try:
        with closing(Watermark(target.watermark)) as watermark:
            watermark.write(last)
    except OSError as error:
        raise unwritable(str(target.watermark), error) from error
    return last


def copy_database(source: Path, target: Path, *, progress: Progress) -> None:
    """Copy a database as of one moment into a file that is not there yet; it can be read without any file beside it.

    Raises:
        JournalDamaged: the source is no database.
        JournalUnwritable: reading or writing failed.
    """
    demand_fit_sqlite(apsw.sqlite_lib_version())
    demand_begun(source)
    with ExitStack() as opened:
        with reading(str(source)):
            original = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
            opened.callback(original.close)
            original.set_busy_timeout(5_000)
            original.execute("BEGIN")  # One moment for all pages: who commits meanwhile does not begin the copy anew.
            original.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        try:
            create_private(target)
            copy = apsw.Connection(str(target), flags=apsw.SQLITE_OPEN_READWRITE)
            opened.callback(copy.close)
            _copy_pages(original, copy, progress)
            if copy.pragma("journal_mode", "delete") != "delete":
                raise JournalDamaged(f"expected {target} without a log of its own, found one")
            sync_folder(target.parent)
        except (apsw.Error, OSError) as error:
            raise unwritable(str(target), error) from error


def _copy_pages(original: apsw.Connection, copy: apsw.Connection, progress: Progress) -> None:
    copy.pragma("synchronous", "EXTRA")
    with copy.backup("main", original, "main") as backup:
        while not backup.done:
            backup.step(PAGES)
            progress(backup.page_count - backup.remaining, backup.page_count)
