"""A market from files of recorded bars, merged in market time and read as lazily as a market comes."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from domain.bars import Finding, FrameBuilder, frames_of, judge_step
from domain.market import DAY_MS, TIMEFRAMES_MS, Bar, Instant
from domain.sources import Row, Step, Stretch
from gateways.bar_files import BarFile, Numbers, parse_name, require_timeframe
from gateways.errors import SourceBroken, SourceMissing

SUFFIXES = (".csv", ".csv.gz")
DETOURS_MAX = 4
"""So often rows that do not follow each other are read one by one for a while; after that, all are."""
ROWS_APART = 1_000
AHEAD_MAX_MS = DAY_MS
"""A row that is further ahead than this, and whose follower is not, has an error in its time."""


class RecordedMarket:
    """Recorded bars of several symbols.  Memory does not grow with the files."""

    @staticmethod
    def open(
        path: Path,
        *,
        symbols: Sequence[str] | None = None,
        timeframes: Mapping[str, str] | None = None,
        start: Instant | None = None,
        end: Instant | None = None,
        warmup_bars: int = 100,
        frames: Sequence[str] = ("15m", "1h"),
    ) -> "RecordedMarket":
        """Open a file, or those files of a folder whose names say symbol and time frame (`binance_BTCUSDT_1m.csv.gz`).

        `symbols` selects and orders them; otherwise all come, by name.  `timeframes` chooses the time frame by symbol
        where a folder has several; otherwise it is the finest, where fills are matched most truly.  A single file whose
        name says nothing takes symbol and time frame from these two.  Files of one symbol and time frame are read one
        after another, by their first row.

        `start` is the first instant to trade, taken as it is; a frame that it cuts is built from what is left.
        Otherwise `warmup_bars` of the coarsest frame come before it, but at most a third of the data.  What closes
        after `end` is not read.

        Raises:
            SourceMissing: no such file or folder, or no file of a symbol in it.
            SourceBroken: a file is not one of bars; the sentence says where, what was expected and what was found.
        """
        if not path.exists():
            raise SourceMissing(path, "a file or a folder", "nothing")
        chosen = timeframes or {}
        names = _list_folder(path) if path.is_dir() else [_name_file(path, symbols, chosen)]
        series = []
        for place, symbol in enumerate(sorted({name.symbol for name in names}) if symbols is None else symbols):
            mine = _select(names, symbol, chosen.get(symbol))
            if not mine:
                wanted = f"a file of {symbol} {chosen.get(symbol, '')}".rstrip()
                found = sorted({f"{name.symbol} {name.timeframe}" for name in names})
                raise SourceMissing(path, wanted, f"files of {', '.join(found) or 'no symbol'}")
            files = [BarFile(each.path, symbol=symbol, timeframe=each.timeframe) for each in mine]
            series.append(_Series(files, place=place, end=end))
        if not series:
            raise SourceMissing(path, "a file named like BTCUSDT_1m.csv.gz", "none")
        return RecordedMarket(path, series, start=start, warmup_bars=warmup_bars, frames=frames)

    def __init__(
        self, path: Path, series: Sequence["_Series"], *, start: Instant | None, warmup_bars: int, frames: Sequence[str]
    ) -> None:
        if warmup_bars < 0:
            raise ValueError(f"warmup_bars must be at least 0, was {warmup_bars}")
        if len({each.symbol for each in series}) != len(series):
            raise ValueError(f"symbols must be given once each, were {', '.join(each.symbol for each in series)}")
        self._series = {each.symbol: each for each in series}
        self._warmup_bars = warmup_bars
        self._frames = {each.symbol: frames_of(each.timeframe, frames) for each in series}
        self._coarsest_ms = max(TIMEFRAMES_MS[frame] for wanted in self._frames.values() for frame in wanted)
        self._ends_at = max(each.last_closed_at for each in series)
        self._starts_at = self._warm_at() if start is None else start
        if self._starts_at >= self._ends_at:
            raise SourceBroken(path, f"a bar that closes after {self._starts_at}", f"the last at {self._ends_at}")
        self._histories: dict[str, dict[str, deque[Bar]]] = {}
        self._findings: dict[str, list[Finding]] = {}

    def describe(self) -> str:
        """Name each file with its symbol, time frame and the hash of its bytes."""
        files = (
            f"{file.symbol} {file.timeframe} {file.path.name} sha256:{file.sha256}"
            for series in self._series.values()
            for file in series.files
        )
        return f"recorded market: {'; '.join(files)}"

    def symbols(self) -> Sequence[str]:
        """Return its symbols in configured order."""
        return tuple(self._series)

    def base_timeframe(self, symbol: str) -> str:
        """Return the time frame of a symbol's files."""
        return self._series[symbol].timeframe

    def starts_at(self) -> Instant:
        """Return the first instant that may be traded; what closes up to it is history."""
        return self._starts_at

    def history(self, symbol: str, timeframe: str) -> Sequence[Bar]:
        """Return a symbol's newest closed bars of one of its frames up to `starts_at`, oldest first."""
        if symbol not in self._histories:
            self._histories[symbol], self._findings[symbol] = self._build_history(symbol)
        if timeframe not in self._histories[symbol]:
            raise ValueError(f"a frame of {symbol} must be one of {self._frames[symbol]}, was {timeframe!r}")
        return tuple(self._histories[symbol][timeframe])

    def findings(self, symbol: str) -> Sequence[Finding]:
        """Return what is wrong with the rows that a symbol's histories were built from, as far as they were."""
        return tuple(self._findings.get(symbol, ()))

    def steps(self, after: Instant) -> Iterator[Step]:
        """Read the steps that close after an instant, and before them what came late after the row that closes at it.

        A row that is not after the rows before it, or has no readable time, comes in a step of its own, after the row
        before it and at the same instant.

        Raises:
            SourceBroken: a file is damaged, or was changed since it was opened.
        """
        due, rows = 0, list[Row]()
        for at, is_late, _, row in merge(*(series.items(after) for series in self._series.values())):
            if at == due and not is_late:
                rows.append(row)
                continue
            if rows:
                yield Step(due, tuple(rows))
            due, rows = at, [] if is_late else [row]
            if is_late:
                yield Step(at, (row,))
        if rows:
            yield Step(due, tuple(rows))

    def stretches(self, after: Instant) -> Iterator[Step | Stretch]:
        """Read what `steps` reads, in stretches where there is one symbol whose rows follow each other.

        Raises:
            SourceBroken: a file is damaged, or was changed since it was opened.
        """
        series = next(iter(self._series.values()))
        detours = 0
        while len(self._series) == 1 and detours < DETOURS_MAX:
            for stretch in series.stretches(after):
                if isinstance(stretch, Stretch):
                    after = stretch.opened_at[-1] + TIMEFRAMES_MS[series.timeframe]
                    yield stretch
                    continue
                detours, until = detours + 1, max(stretch, after)
                for step in self.steps(after):
                    after = step.at
                    yield step
                    if after > until:  # Not before: rows that are late may come at the same instant.
                        break
                break
            else:
                return
        yield from self.steps(after)

    def steps_total(self) -> int:
        """Return how many steps there are from `starts_at` on, at most."""
        finest_ms = min(TIMEFRAMES_MS[series.timeframe] for series in self._series.values())
        rows = sum(file.extent.rows for series in self._series.values() for file in series.files)
        return min((self._ends_at - self._starts_at) // finest_ms, rows)

    def _warm_at(self) -> Instant:
        span = self._coarsest_ms
        firsts = [series.first_opened_at for series in self._series.values()]
        warm = -(-max(firsts) // span) * span + self._warmup_bars * span
        third = min(firsts) + (self._ends_at - min(firsts)) // 3
        return min(warm, third // span * span)

    def _build_history(self, symbol: str) -> tuple[dict[str, deque[Bar]], list[Finding]]:
        histories = {frame: deque[Bar](maxlen=self._warmup_bars) for frame in self._frames[symbol]}
        builders = [FrameBuilder(frame) for frame in histories]
        findings: list[Finding] = []
        newest: Bar | None = None
        # One frame more than needed, so that the oldest one is whole.
        after = self._starts_at - (self._warmup_bars + 1) * self._coarsest_ms
        for at, is_late, _, row in self._series[symbol].items(after):
            if (at, is_late) > (self._starts_at, 0):  # What comes late after the last row of history is read by steps.
                break
            if is_late and newest is None:
                continue
            judged = judge_step(Step(at, (row,)), {} if newest is None else {symbol: newest}, 0)
            findings += judged.findings
            for bar in judged.bars:
                newest = bar
                for builder in builders:
                    histories[builder.timeframe].extend(builder.add(bar))
        for builder in builders:
            if builder.partial is not None and builder.partial.closed_at <= self._starts_at:
                histories[builder.timeframe].append(builder.partial)
        return histories, findings


class _Name(NamedTuple):
    path: Path
    symbol: str
    timeframe: str


def _list_folder(folder: Path) -> list[_Name]:
    paths = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIXES))
    return [_Name(path, *parsed) for path in paths if (parsed := parse_name(path)) is not None]


def _name_file(path: Path, symbols: Sequence[str] | None, timeframes: Mapping[str, str]) -> _Name:
    parsed = parse_name(path)
    if parsed is not None:
        return _Name(path, *parsed)
    if symbols is not None and len(symbols) == 1 and symbols[0] in timeframes:
        require_timeframe(path, timeframes[symbols[0]])
        return _Name(path, symbols[0], timeframes[symbols[0]])
    expected = "a name like BTCUSDT_1m.csv.gz, or one symbol with its time frame in the configuration"
    raise SourceBroken(path, expected, f"{path.name!r}")


def _select(names: Sequence[_Name], symbol: str, timeframe: str | None) -> list[_Name]:
    mine = [name for name in names if name.symbol == symbol]
    if timeframe is None and mine:
        timeframe = min((name.timeframe for name in mine), key=TIMEFRAMES_MS.__getitem__)
    return [name for name in mine if name.timeframe == timeframe]


class _Series:
    """The files of one symbol, one after another."""

    def __init__(self, files: Sequence[BarFile], *, place: int, end: Instant | None) -> None:
        self.files = sorted(files, key=lambda file: (file.first_opened_at, file.path.name))
        self.symbol = files[0].symbol
        self.timeframe = files[0].timeframe
        self.first_opened_at = self.files[0].first_opened_at
        self._span = TIMEFRAMES_MS[self.timeframe]
        self._place = place
        self._end = end

    @property
    def last_closed_at(self) -> Instant:
        last = max(file.extent.last_opened_at for file in self.files) + self._span
        return last if self._end is None else min(last, self._end)

    def items(self, after: Instant) -> Iterator[tuple[Instant, int, int, Row]]:
        """Read the rows that are due after an instant: when, 0 or (for a late row) 1, the symbol's place, and the row.

        In this order tuples of several series compare as the market goes, and never down to the row.
        """
        symbol, timeframe, span, place = self.symbol, self.timeframe, self._span, self._place
        read_until, end = after - span, self._end
        newest = self.first_opened_at - 1
        for opened_at, numbers in self._records(read_until):
            if opened_at is not None and opened_at > newest:
                newest = opened_at
                if opened_at <= read_until:
                    continue
                if end is not None and opened_at + span > end:
                    return
                yield opened_at + span, 0, place, Row(symbol, timeframe, opened_at, *numbers)
            elif newest >= read_until:
                shown_at = newest if opened_at is None else opened_at
                yield newest + span, 1, place, Row(symbol, timeframe, shown_at, *numbers)

    def stretches(self, after: Instant) -> "Iterator[Stretch | Instant]":
        """Read the rows that are due after an instant while they follow each other.

        Where they do not, end with an instant up to which they have to be read one by one.
        """
        span, read_until, newest = self._span, after - self._span, 0
        for found in chain.from_iterable(file.columns() for file in self.files):
            if found is None:
                yield newest + ROWS_APART * span
                return
            times, numbers = found
            follows = times == list(range(times[0], times[0] + len(times) * span, span))
            is_whole = self._end is None or times[-1] + span <= self._end
            if not (follows and is_whole and (not newest or times[0] == newest + span)):
                yield max(times[-1] + span, newest + ROWS_APART * span)
                return
            newest = times[-1]
            first = max(0, (read_until - times[0]) // span + 1)
            if first < len(times):
                columns = [column[first:] for column in numbers]
                yield Stretch(self.symbol, self.timeframe, times[first:], *columns)

    def _records(self, skip_until: Instant) -> Iterator[tuple[Instant | None, Numbers]]:
        """Read all files; a time far ahead of those around it is no time, else one wrong digit would end the data."""
        newest = self.first_opened_at
        held: tuple[Instant, Numbers] | None = None
        for record in chain.from_iterable(
            file.records(skip_until if newest < skip_until and held is None else 0) for file in self.files
        ):
            opened_at = record[0]
            if held is not None:
                if opened_at is not None and newest < opened_at < held[0]:
                    yield None, _ahead(held[0])
                else:
                    newest = held[0]
                    yield held
                held = None
            if opened_at is not None and opened_at - newest > AHEAD_MAX_MS:
                held = opened_at, record[1]
                continue
            if opened_at is not None and opened_at > newest:
                newest = opened_at
            yield record
        if held is not None:
            yield held


def _ahead(opened_at: Instant) -> Numbers:
    return (f"opened at {opened_at}, ahead of the rows after it", "", "", "", "")
