"""Dated headlines from a CSV file, plain or gzipped.  Bad rows are skipped and named, a bad file is refused."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from domain.sources import Headline
from gateways.errors import SourceBroken, SourceMissing

FILE_BYTES_MAX = 256 * 1024 * 1024
"""Of the file, and of what it unpacks to."""
SKIPPED_MAX = 100
"""Bad rows that are named; all of them are counted."""
NAME_LENGTH_MAX = 100
"""Characters of a source or subject."""
TITLE_LENGTH_MAX = 10_000
TIME_MIN, TIME_MAX = 10**11, 10**13
"""Milliseconds between the years 1973 and 2286.  Seconds and microseconds fall outside."""
COLUMNS = ("ts", "title")
_GZIP_MAGIC = b"\x1f\x8b"


class NoHeadlines:
    """The source of a node that reads no news."""

    def describe(self) -> str:
        """Name the source for the journal."""
        return "no headlines"

    def load(self) -> Sequence[Headline]:
        """Return nothing."""
        return ()


class HeadlineFile:
    """A CSV file with the columns `ts` (milliseconds since the epoch, UTC), `title`, perhaps `source` and `subject`."""

    def __init__(self, path: Path | str) -> None:
        """Take the file's path; it is read when it is loaded, never before."""
        self._path = Path(path)
        self._sha256 = ""
        self._skipped: list[tuple[int, str]] = []
        self._skipped_count = 0

    @property
    def skipped(self) -> tuple[tuple[int, str], ...]:
        """The first bad rows of the last load, each as its line and the reason."""
        return tuple(self._skipped)

    @property
    def skipped_count(self) -> int:
        """How many bad rows the last load met."""
        return self._skipped_count

    def describe(self) -> str:
        """Name the file and, once it was loaded, the hash of its bytes; nothing is read for that."""
        return f"headlines {self._path.name}" + (f" sha256:{self._sha256}" if self._sha256 else "")

    def load(self) -> Sequence[Headline]:
        """Return the headlines by publication, source and title; rows that cannot be are skipped and counted.

        Raises:
            SourceMissing: the file cannot be read.
            SourceBroken: it is too large, cut short, not what was loaded before, lacks a column or has bad rows only.
        """
        self._skipped, self._skipped_count = [], 0
        content = self._read()
        headlines = sorted(self._rows(self._text(content)), key=lambda row: (row.published_at, row.source, row.title))
        if not headlines and self._skipped:
            line, reason = self._skipped[0]
            found = f"{self._skipped_count} bad rows and no good one: {reason}"
            raise SourceBroken(self._path, "headlines", found, line=line)
        # Only now: a file that could not be loaded may be mended.
        self._sha256 = sha256(content).hexdigest()
        return headlines

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                content = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            raise SourceMissing(self._path, "a readable file of headlines", error.strerror or str(error)) from error
        self._check_size(content)
        found = sha256(content).hexdigest()
        if self._sha256 not in ("", found):
            raise SourceBroken(self._path, f"the same content as before, sha256 {self._sha256}", found)
        return content

    def _text(self, content: bytes) -> str:
        if content.startswith(_GZIP_MAGIC):
            try:
                with gzip.open(io.BytesIO(content)) as file:
                    content = file.read(FILE_BYTES_MAX + 1)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise SourceBroken(self._path, "a whole gzip file", str(error)) from error
            self._check_size(content)
        # Replaced, not escaped: an escaped byte is a lone surrogate, which no JSON or SQLite would take later.
        return content.decode("utf-8-sig", errors="replace")

    def _check_size(self, content: bytes) -> None:
        if len(content) > FILE_BYTES_MAX:
            raise SourceBroken(self._path, f"at most {FILE_BYTES_MAX} bytes, packed and unpacked", "more")

    def _rows(self, text: str) -> Iterator[Headline]:
        reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="")
        missing = [column for column in COLUMNS if column not in self._header(reader)]
        if missing:
            found = ", ".join(self._header(reader))[:200] or "an empty line"
            raise SourceBroken(self._path, f"the columns {', '.join(COLUMNS)}", found, line=1)
        while True:
            try:
                row = next(reader)
                yield self._headline(row)
            except StopIteration:
                return
            except (csv.Error, ValueError) as error:
                self._skip(reader.reader.line_num, str(error))

    def _header(self, reader: "csv.DictReader[str]") -> Sequence[str]:
        try:
            return reader.fieldnames or ()
        except csv.Error as error:
            raise SourceBroken(self._path, "a CSV header", str(error), line=1) from error

    def _headline(self, row: dict[str, str]) -> Headline:
        title = row["title"].strip()
        if not 0 < len(title) <= TITLE_LENGTH_MAX:
            raise ValueError(f"title must have 1 to {TITLE_LENGTH_MAX} characters, had {len(title)}")
        if "\n" in title or "\r" in title:
            raise ValueError("title must be on one line, went over several; a quote was left open")
        return Headline(
            source=_name(row, "source") or self._path.name,
            title=title,
            published_at=_instant(row["ts"].strip()),
            subject=_name(row, "subject"),
        )

    def _skip(self, line: int, reason: str) -> None:
        self._skipped_count += 1
        if len(self._skipped) < SKIPPED_MAX:
            self._skipped.append((line, reason))


def _instant(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 13 and TIME_MIN <= int(text) < TIME_MAX):
        raise ValueError(f"ts must be milliseconds since the epoch, was {text[:40]!r}")
    return int(text)


def _name(row: dict[str, str], column: str) -> str:
    name = row.get(column, "").strip()
    if len(name) > NAME_LENGTH_MAX:
        raise ValueError(f"{column} must have at most {NAME_LENGTH_MAX} characters, had {len(name)}")
    return name
