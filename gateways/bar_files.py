"""One file of recorded bars: gzip or plain CSV, named after its symbol and time frame."""

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from domain.market import TIMEFRAMES_MS, Instant
from gateways.errors import SourceBroken, SourceMissing

COLUMNS = ("ts", "open", "high", "low", "close", "volume")
INSTANT_MIN, INSTANT_MAX = 1_230_768_000_000, 4_102_444_800_000
"""2009 and 2100, in milliseconds: before any market, and far enough.  Seconds and microseconds fall outside."""
BATCH_BYTES = 1 << 14
LINE_BYTES_MAX = 1 << 16
EXCERPT_MAX = 60
"""Characters of a broken line that are quoted."""

_NAME = re.compile(r"(?:^|[_-])([A-Za-z0-9]+)[_-](\d{1,3}[A-Za-z]{1,3})(?=[_.-]|$)")
_GZIP_MAGIC = b"\x1f\x8b"
_TAIL_LINES = 16
_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)

Numbers = tuple[str, ...]
"""Open, high, low, close and volume as text; of a line that is no row, its beginning and four empty ones."""


class Extent(NamedTuple):
    """How far a file goes: the last opening time that can be read, and how many lines follow the header."""

    last_opened_at: Instant
    rows: int


def parse_name(path: Path) -> tuple[str, str] | None:
    """Return the symbol and time frame in a file's name, such as BTCUSDT_1m; None where there is none.

    Raises:
        SourceBroken: the name holds a time frame that Holdfast does not know.
    """
    match = _NAME.search(path.name)
    if match is None:
        return None
    require_timeframe(path, match.group(2))
    return match.group(1).upper(), match.group(2)


def require_timeframe(path: Path, timeframe: str) -> None:
    """Raise SourceBroken for a time frame that Holdfast does not know."""
    if timeframe not in TIMEFRAMES_MS:
        raise SourceBroken(path, f"a time frame of {', '.join(TIMEFRAMES_MS)}", repr(timeframe))


class BarFile:
    """A file of bars of one symbol and time frame, which must stay as it is while it is in use."""

    def __init__(self, path: Path, *, symbol: str, timeframe: str) -> None:
        """Read the header and the first row.

        Raises:
            SourceMissing: there is no such file, or it may not be read.
            SourceBroken: it is not gzip though named so, lacks a column, or its first row has no time.
        """
        require_timeframe(path, timeframe)
        self.path = path
        self.symbol = symbol
        self.timeframe = timeframe
        self._state: tuple[int, int] | None = None
        lines = chain.from_iterable(self._batches())
        self._width, self._places = self._read_header(next(lines, ""))
        self.first_opened_at = self._read_first(next(lines, ""))

    def records(self, skip_until: Instant = 0) -> Iterator[tuple[Instant | None, Numbers]]:
        """Read the lines after the header: when a bar opened, None where that cannot be read, and its numbers.

        Most lines before the first one at `skip_until` or after it are left out where they are in order: a late point
        is reached sooner.

        Raises:
            SourceBroken: the compressed data is damaged, or the file is not what it was when it was opened first.
        """
        place, width, numbers = self._places[0], self._width, itemgetter(*self._places[1:])
        for number, batch in enumerate(self._batches()):
            for line in self._thin(batch if number else batch[1:], skip_until):
                fields = line.split(",")
                try:
                    opened_at = int(fields[place])
                except (ValueError, IndexError):
                    if line and not line.isspace():
                        yield None, _whole(line)
                    continue
                if opened_at >= skip_until:
                    skip_until = 0
                if not INSTANT_MIN <= opened_at < INSTANT_MAX:
                    yield None, _whole(line)
                elif len(fields) == width:
                    yield opened_at, numbers(fields)
                else:
                    yield opened_at, _whole(line)

    def columns(self) -> Iterator[tuple[list[Instant], list[list[str]]] | None]:
        """Read many lines at a time, as columns: opening times, and numbers as text; None for lines that are odd.

        Raises:
            SourceBroken: the compressed data is damaged, or the file is not what it was when it was opened first.
        """
        for number, text in enumerate(self._texts()):
            rows = text if number else text.partition("\n")[2]
            if rows:
                yield self._columns_of(rows)

    def _columns_of(self, text: str) -> tuple[list[Instant], list[list[str]]] | None:
        # One split for all lines, the ends of which stay as fields of their own, takes half the time of one for each.
        fields, stride = text.replace("\n", ",\n,").split(","), self._width + 1
        ends = fields[self._width :: stride]
        if (len(fields) + 1) % stride or ends.count("\n") != len(ends) or fields.count("\n") != len(ends):
            return None
        time, *numbers = (fields[place::stride] for place in self._places)
        try:
            instants = list(map(int, time))
        except ValueError:
            return None
        is_plausible = INSTANT_MIN <= min(instants) <= max(instants) < INSTANT_MAX
        return (instants, numbers) if is_plausible else None

    def _thin(self, batch: list[str], skip_until: Instant) -> list[str]:
        """Leave out lines that are passed over and all in order; two stay for who compares neighbours."""
        if len(batch) < 4 or (self._instant(batch[-1]) or INSTANT_MAX) >= skip_until:
            return batch
        place = self._places[0]
        try:
            times = [int(line.split(",", place + 1)[place]) for line in batch]
        except (ValueError, IndexError):
            return batch
        is_in_order = times[0] >= INSTANT_MIN and times == sorted(times)
        return batch[-2:] if is_in_order else batch

    @cached_property
    def extent(self) -> Extent:
        """Return how far the file goes.  Unpacks all of it once, but reads only the end.

        Raises:
            SourceBroken: the compressed data is damaged.
        """
        rows, tail = -1, [""]
        for batch in self._batches():
            rows += len(batch)
            tail = tail[-_TAIL_LINES:] + batch
        instants = (self._instant(line) for line in tail)
        return Extent(max((at for at in instants if at is not None), default=self.first_opened_at), rows)

    @cached_property
    def sha256(self) -> str:
        """Return the hash of the file's bytes, in hex."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _batches(self) -> Iterator[list[str]]:
        return (text.split("\n") for text in self._texts())

    def _texts(self) -> Iterator[str]:
        # Many lines at a time: three times as fast as one by one.
        lines_read, rest = 0, b""
        with self._open() as file:
            try:
                while chunk := file.read(BATCH_BYTES):
                    body, newline, rest = (rest + chunk).rpartition(b"\n")
                    if len(rest) > LINE_BYTES_MAX:
                        raise self._broken(f"a line of at most {LINE_BYTES_MAX} bytes", "a longer one", lines_read + 1)
                    if newline:
                        yield (text := _decode(body))
                        lines_read += text.count("\n") + 1
            except _DAMAGE as error:
                raise self._broken("a whole gzip file", str(error), lines_read + 1) from error
            except OSError as error:
                raise SourceMissing(self.path, "a file that can be read", error.strerror or str(error)) from error
        if rest:
            yield _decode(rest)

    def _open(self) -> BinaryIO:
        try:
            file = self.path.open("rb")
        except OSError as error:
            raise SourceMissing(self.path, "a file of bars", error.strerror or str(error)) from error
        with ExitStack() as on_failure:
            on_failure.callback(file.close)
            self._require_unchanged(os.fstat(file.fileno()))
            start = file.read(len(_GZIP_MAGIC))
            file.seek(0)
            if start != _GZIP_MAGIC and self.path.suffix == ".gz":
                raise self._broken("gzip data, which begins with 1f 8b", start.hex(" ") or "an empty file")
            if start != _GZIP_MAGIC:
                on_failure.pop_all()
                return file
        return cast(BinaryIO, gzip.open(self.path, "rb"))

    def _require_unchanged(self, status: os.stat_result) -> None:
        state = (status.st_size, status.st_mtime_ns)
        if self._state is None:
            self._state = state
        if state != self._state:
            raise self._broken("the file that was opened at the start", "that it was changed since")

    def _read_header(self, header: str) -> tuple[int, tuple[int, ...]]:
        names = [name.strip().lower() for name in header.lstrip("\ufeff").split(",")]
        missing = [column for column in COLUMNS if column not in names]
        if missing:
            raise self._broken(f"the columns {', '.join(COLUMNS)}", _quote(header), 1)
        return len(names), tuple(names.index(column) for column in COLUMNS)

    def _read_first(self, line: str) -> Instant:
        if not line:
            raise self._broken("a row of bars", "the end of the file", 2)
        opened_at = self._instant(line)
        if opened_at is None:
            raise self._broken("a time in milliseconds since the epoch, after 2008 and before 2100", _quote(line), 2)
        return opened_at

    def _instant(self, line: str) -> Instant | None:
        try:
            at = int(line.split(",")[self._places[0]])
        except (ValueError, IndexError):
            return None
        return at if INSTANT_MIN <= at < INSTANT_MAX else None

    def _broken(self, expected: str, found: str, line: int | None = None) -> SourceBroken:
        return SourceBroken(self.path, expected, found, line=line)


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").replace("\r", "")


def _whole(line: str) -> Numbers:
    return (line[:EXCERPT_MAX], "", "", "", "")


def _quote(line: str) -> str:
    return repr(line[:EXCERPT_MAX]) if line else "an empty line"
