"""A copy of a database that SQLite refuses as a whole, patched so that what is left of it can be read.

SQLite reads nothing of a file that is shorter than its first page says, or whose first page is damaged.  Both are known
without the file: its length as it is, and the first page of any other journal, for the tables that are the journal are
the first that are made and never move.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw

from persistence.home import Home
from persistence.journal import Journal

_PAGES = slice(28, 32)
_FREE_PAGES = slice(32, 40)
_CHANGED = slice(24, 28)
_COUNTED_AT = slice(92, 96)
"""Fields of the first page: https://sqlite.org/fileformat.html"""


def mended_copies(home: Home, folder: Path) -> Iterator[Path]:
    """Give, one after the other, homes below an empty folder with copies that are patched more and more.

    Raises:
        OSError, JournalUnwritable: they cannot be written.
    """
    first_page = _first_page(folder / "pattern")
    size = len(first_page)
    for name in ("lengthened", "begun"):
        copy = Home(folder / name)
        copy.folder.mkdir(mode=0o700)
        for file in (home.database, home.watermark, home.database.with_name(f"{home.database.name}-wal")):
            if file.exists():
                shutil.copyfile(file, copy.folder / file.name)
        pages = max(-(-copy.database.stat().st_size // size), 1)
        if name == "begun":
            _write(copy.database, 0, _counting(first_page, pages))
        _lengthen(copy.database, size, pages)
        yield copy.folder


def _first_page(folder: Path) -> bytes:
    """Return the first page of a journal, made here, that never had a record."""
    with closing(Journal.open(folder)):
        pass
    with closing(apsw.Connection(str(Home(folder).database), flags=apsw.SQLITE_OPEN_READONLY)) as database:
        size = int(database.pragma("page_size"))
    with Home(folder).database.open("rb") as file:
        return file.read(size)


def _counting(first_page: bytes, pages: int) -> bytes:
    """Return a first page that says that its file has so many pages, of which none is free."""
    page = bytearray(first_page)
    page[_PAGES] = pages.to_bytes(4, "big")
    page[_FREE_PAGES] = bytes(8)
    page[_COUNTED_AT] = page[_CHANGED]
    return bytes(page)


def _lengthen(database: Path, size: int, pages: int) -> None:
    """Fill up with empty pages what the first page says that there must be."""
    with database.open("rb") as file:
        said = int.from_bytes(file.read(32)[_PAGES], "big")
    wanted = max(pages, said if said < 64 * pages + 1024 else 0) * size
    os.truncate(database, wanted)


def _write(path: Path, place: int, content: bytes) -> None:
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.pwrite(file, content, place)
    finally:
        os.close(file)
