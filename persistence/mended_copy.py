"""A copy of a database that SQLite refuses as a whole, patched so that what is left of it can be read.

SQLite reads nothing of a file that is shorter than its first page says, or whose first page is damaged.  Both are known
without the file: its length as it is, and the first page of any other journal, for the tables that are the journal are
the first that are made and never move.  Of a log SQLite reads nothing behind the first frame that is damaged; here all
of its pages are put into their places, and the chain of hashes says which records are whole.
"""

import os
import shutil
from collections import Counter
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
_LOG_HEADER, _FRAME_HEADER = 32, 24
_PAGE_NUMBER, _PAGES_AFTER_COMMIT, _SALT = slice(0, 4), slice(4, 8), slice(8, 16)
"""Fields of a frame's header: https://sqlite.org/walformat.html"""


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
        for file in (home.database, home.watermark):
            if file.exists():
                shutil.copyfile(file, copy.folder / file.name)
        _apply_log(_log_of(home), copy.database, size)
        pages = max(-(-copy.database.stat().st_size // size), 1)
        if name == "begun":
            _write(copy.database, 0, _counting(first_page, pages))
        _lengthen(copy.database, size, pages)
        yield copy.folder


def has_log(home: Home) -> bool:
    """Say whether part of a journal may be in its log still."""
    log = _log_of(home)
    return log.exists() and log.stat().st_size > 0


def _log_of(home: Home) -> Path:
    return home.database.with_name(f"{home.database.name}-wal")


def _apply_log(log: Path, database: Path, size: int) -> None:
    """Put the pages of a log into their places, up to its last commit, whether or not its checksums are right."""
    content = log.read_bytes() if log.exists() else b""
    step = _FRAME_HEADER + size
    frames = [content[place : place + step] for place in range(_LOG_HEADER, len(content) - step + 1, step)]
    # Frames that an earlier round has left behind have another salt; of this round's, one may be damaged itself.
    salts = Counter(frame[_SALT] for frame in frames[:3])
    salt = salts.most_common(1)[0][0] if salts else b""
    mine = [frame for frame in frames if frame[_SALT] == salt and any(salt)]
    commits = [number for number, frame in enumerate(mine) if any(frame[_PAGES_AFTER_COMMIT])]
    if not commits:
        return
    pages = int.from_bytes(mine[commits[-1]][_PAGES_AFTER_COMMIT], "big")
    if pages > database.stat().st_size // size + len(frames):
        pages = 0  # That number is damaged.
    for frame in mine[: commits[-1] + 1]:
        number = int.from_bytes(frame[_PAGE_NUMBER], "big")
        if 0 < number <= (pages or database.stat().st_size // size + len(frames)):
            _write(database, (number - 1) * size, frame[_FRAME_HEADER:])
    if pages:
        os.truncate(database, pages * size)


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
