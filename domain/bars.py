"""Rows become bars: what is believed of a source, what is not and why, and coarse bars built from fine ones."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import repeat
from operator import attrgetter, le
from typing import Literal, Protocol, runtime_checkable

import msgspec

from domain.market import DAY_MS, HOUR_MS, TIMEFRAMES_MS, Bar, Instant
from domain.money import ZERO
from domain.sources import Row, Step, Stretch

Fault = Literal["gap", "duplicate", "out_of_order", "absurd", "misaligned", "unreadable"]

PRICE_MIN, PRICE_MAX = Decimal("1e-12"), Decimal("1e12")
"""Prices in quote currency that a market may have; whatever is beyond is a broken row."""
VOLUME_MAX = Decimal("1e18")
"""The coins that are traded by the trillion stay far below this."""
JUMP_HOUR, JUMP_DAY = Decimal(3), Decimal(10)
"""By which factor a price may leave the last close within an hour, and within a day.

Beyond a day nothing tells an error from a market.  So a level that was refused is believed once it has lasted: a node
that is blind for ever would be the greater harm.
"""
TEXT_MAX = 80
"""Characters of a broken row that a finding quotes."""

_HIGH, _LOW, _VOLUME = attrgetter("high"), attrgetter("low"), attrgetter("volume")


class Finding(msgspec.Struct, frozen=True):
    """Something is wrong with a row; for a gap `opened_at` is the first bar that is missing."""

    symbol: str
    opened_at: Instant
    fault: Fault
    detail: str


@runtime_checkable
class TellsFindings(Protocol):
    """A market that reads its histories from rows, and tells what was wrong with them."""

    def findings(self, symbol: str) -> Sequence[Finding]:
        """Return what is wrong with the rows that a symbol's histories were built from, as far as they were."""


class Judged(msgspec.Struct, frozen=True):
    """What a step is worth: the bars that may be traded on, and what is wrong besides, in the order of the rows."""

    bars: tuple[Bar, ...]
    findings: tuple[Finding, ...]


def judge_step(step: Step, previous: Mapping[str, Bar], market_at: Instant) -> Judged:
    """Say which rows of a step are bars, given each symbol's newest bar and the instant market time has reached.

    A row that does not close when its step says, or whose step does not move market time on, came too late to be
    traded on, whatever it holds.  A gap is a finding beside the bar that follows it.  A bar that a venue tells twice in
    one step is one bar: heard twice, it would count twice in averages, and close its frame a second time.
    """
    bars: list[Bar] = []
    findings: list[Finding] = []
    newest: dict[str, Bar] = {}
    for row in step.rows:
        before = newest.get(row.symbol) or previous.get(row.symbol)
        verdict = judge_row(row, before)
        if isinstance(verdict, Bar) and (verdict.closed_at != step.at or step.at <= market_at):
            verdict = _find(row, "out_of_order", f"closed at {verdict.closed_at}, came when it was {step.at}")
        if isinstance(verdict, Finding):
            findings.append(verdict)
            continue
        bars.append(verdict)
        newest[row.symbol] = verdict
        gap = gap_before(verdict, before)
        if gap is not None:
            findings.append(gap)
    return Judged(tuple(bars), tuple(findings))


def read_stretch(stretch: Stretch, previous: Bar | None) -> list[Bar] | None:
    """Return the rows of a stretch as bars where none is odd, as `judge_row` says; None where one may be.

    Nearly all stretches are like that, and to look at all rows together takes a third of the time.
    """
    span = TIMEFRAMES_MS[stretch.timeframe]
    if stretch.opened_at[0] % span if previous is None else stretch.opened_at[0] != previous.closed_at:
        return None
    try:
        opens, highs, lows, closes, volumes = (
            list(map(Decimal, texts))
            for texts in (stretch.open, stretch.high, stretch.low, stretch.close, stretch.volume)
        )
        before = [closes[0] if previous is None else previous.close, *closes[:-1]]
        is_ordinary = (
            all(map(le, lows, opens))
            and all(map(le, opens, highs))
            and all(map(le, lows, closes))
            and all(map(le, closes, highs))
            and ZERO <= min(volumes) <= max(volumes) <= VOLUME_MAX
            and min(lows) >= PRICE_MIN
            and max(highs) <= PRICE_MAX
            and (span > DAY_MS or max(highs) <= JUMP_HOUR * min(before))
            and (span > DAY_MS or min(lows) * JUMP_HOUR >= max(before))
        )
    except InvalidOperation:
        return None
    if not is_ordinary:
        return None
    closed_at = [opened_at + span for opened_at in stretch.opened_at]
    symbols, timeframes = repeat(stretch.symbol), repeat(stretch.timeframe)
    return list(map(Bar, symbols, timeframes, stretch.opened_at, closed_at, opens, highs, lows, closes, volumes))


def judge_row(row: Row, previous: Bar | None) -> Bar | Finding:
    """Return the row as a bar, or what is wrong with it; `previous` is the newest bar that was believed."""
    bar = _read(row)
    if isinstance(bar, Finding):
        return bar
    return _misplaced(bar, row, previous) or _absurd(bar, row, previous) or bar


def gap_before(bar: Bar, previous: Bar | None) -> Finding | None:
    """Return the gap between two bars that follow each other, or None where nothing is missing."""
    if previous is None or bar.opened_at == previous.closed_at:
        return None
    missing = count_missing(bar, previous)
    detail = f"{missing} of {bar.timeframe} missing until {bar.opened_at}"
    return Finding(bar.symbol, previous.closed_at, "gap", detail)


def count_missing(bar: Bar, previous: Bar) -> int:
    """Return how many bars are missing between two of one time frame."""
    return (bar.opened_at - previous.closed_at) // TIMEFRAMES_MS[bar.timeframe]


def frames_of(base: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the wanted time frames that can be built from a base one, or the base itself where there are none."""
    span = TIMEFRAMES_MS[base]
    return tuple(frame for frame in wanted if TIMEFRAMES_MS[frame] % span == 0) or (base,)


class FrameBuilder(msgspec.Struct):
    """Builds one symbol's bars of a coarser time frame out of the base bars that came since the last one closed.

    They are only put together when the frame closes: a bar in its midst, as nearly every one is, costs next to nothing.
    """

    timeframe: str
    opened_at: Instant = 0
    closes_at: Instant = 0
    """Of the frame that is not closed yet; zero where there is none."""
    parts: list[Bar] = msgspec.field(default_factory=list)

    @property
    def partial(self) -> Bar | None:
        """Return all that is known of the frame that is not closed yet."""
        return self._whole() if self.parts else None

    def add(self, bar: Bar) -> list[Bar]:
        """Take in the next base bar and return the frames that are closed now: none, one, or two after a gap.

        A frame closes with its last base bar.  Where that is missing, it closes when a later one shows that it ended.

        Raises:
            ValueError: the bar belongs to a frame before the one that is being built.
        """
        if self.opened_at <= bar.opened_at and bar.closed_at < self.closes_at:
            self.parts.append(bar)
            return []
        closed: list[Bar] = []
        if self.parts and not self.opened_at <= bar.opened_at < self.closes_at:
            if bar.opened_at < self.opened_at:
                raise ValueError(f"a bar must open at or after {self.opened_at}, opened at {bar.opened_at}")
            closed.append(self._close())
        if not self.parts:
            span = TIMEFRAMES_MS[self.timeframe]
            self.opened_at = bar.opened_at - bar.opened_at % span
            self.closes_at = self.opened_at + span
        self.parts.append(bar)
        if bar.closed_at == self.closes_at:
            closed.append(self._close())
        return closed

    def expire(self, now: Instant) -> list[Bar]:
        """Close the frame if it ended at or before an instant, although its last base bar never came."""
        return [self._close()] if self.parts and now >= self.closes_at else []

    def _close(self) -> Bar:
        whole = self._whole()
        self.opened_at = self.closes_at = 0
        self.parts = []
        return whole

    def _whole(self) -> Bar:
        parts = self.parts
        return Bar(
            parts[0].symbol,
            self.timeframe,
            self.opened_at,
            self.closes_at,
            parts[0].open,
            max(map(_HIGH, parts)),
            min(map(_LOW, parts)),
            parts[-1].close,
            sum(map(_VOLUME, parts[1:]), parts[0].volume),
        )


def chain_frames(builders: Sequence[FrameBuilder]) -> list[list[FrameBuilder]]:
    """Arrange builders, finest first, so that each takes the bars of the one before it where they fit into its own."""
    chains: list[list[FrameBuilder]] = []
    for builder in sorted(builders, key=lambda builder: TIMEFRAMES_MS[builder.timeframe]):
        span = TIMEFRAMES_MS[builder.timeframe]
        fitting = [chain for chain in chains if span % TIMEFRAMES_MS[chain[-1].timeframe] == 0]
        if fitting:
            fitting[0].append(builder)
        else:
            chains.append([builder])
    return chains


def take_in(chain: Sequence[FrameBuilder], bar: Bar) -> list[Bar]:
    """Give a base bar to a chain of builders and return all frames that are closed now, finest first."""
    closed: list[Bar] = []
    parts = [bar]
    for builder in chain:
        mine: list[Bar] = []
        for part in parts:
            mine += builder.add(part)
        mine += builder.expire(bar.opened_at)
        closed += mine
        parts = mine
    return closed


def _read(row: Row) -> Bar | Finding:
    try:
        bar = Bar(
            row.symbol,
            row.timeframe,
            row.opened_at,
            row.opened_at + TIMEFRAMES_MS[row.timeframe],
            Decimal(row.open),
            Decimal(row.high),
            Decimal(row.low),
            Decimal(row.close),
            Decimal(row.volume),
        )
    except InvalidOperation:
        return _unreadable(row)
    is_finite = (
        bar.open.is_finite()
        and bar.high.is_finite()
        and bar.low.is_finite()
        and bar.close.is_finite()
        and bar.volume.is_finite()
    )
    return bar if is_finite else _unreadable(row)


def _unreadable(row: Row) -> Finding:
    for name in ("open", "high", "low", "close", "volume"):
        text: str = getattr(row, name)
        try:
            if Decimal(text).is_finite():
                continue
        except InvalidOperation:
            pass
        return _find(row, "unreadable", f"{name} must be a finite number, was {text[:TEXT_MAX]!r}")
    raise ValueError(f"a row with five finite numbers is readable: {row}")


def _misplaced(bar: Bar, row: Row, previous: Bar | None) -> Finding | None:
    opened_at = bar.opened_at
    if previous is not None and opened_at == previous.closed_at:
        return None
    if opened_at % TIMEFRAMES_MS[bar.timeframe]:
        return _find(row, "misaligned", f"a {bar.timeframe} bar must open at a multiple of it, opened at {opened_at}")
    if previous is None or opened_at > previous.closed_at:
        return None
    if opened_at == previous.opened_at:
        return _find(row, "duplicate", f"the bar opened at {opened_at} came before")
    return _find(row, "out_of_order", f"opened at {opened_at}, came after the bar opened at {previous.opened_at}")


def _absurd(bar: Bar, row: Row, previous: Bar | None) -> Finding | None:
    high, low, factor = bar.high, bar.low, _jump_max(bar, previous)
    if not (low <= bar.open <= high and low <= bar.close <= high):
        problem = f"low <= open, close <= high must hold, were {row.low}, {row.open}, {row.close}, {row.high}"
    elif not ZERO <= bar.volume <= VOLUME_MAX:
        problem = f"volume must be in 0..{VOLUME_MAX}, was {row.volume}"
    elif low < PRICE_MIN or high > PRICE_MAX:
        problem = f"prices must be in {PRICE_MIN}..{PRICE_MAX}, were {row.low}..{row.high}"
    elif previous is not None and factor and not (high <= factor * previous.close and low * factor >= previous.close):
        problem = f"prices must stay within {factor} times of the close at {previous.close}, were {row.low}..{row.high}"
    else:
        return None
    return _find(row, "absurd", problem)


def _jump_max(bar: Bar, previous: Bar | None) -> Decimal | None:
    if previous is None:
        return None
    elapsed = bar.closed_at - previous.closed_at
    if elapsed <= HOUR_MS:
        return JUMP_HOUR
    return JUMP_DAY if elapsed <= DAY_MS else None


def _find(row: Row, fault: Fault, detail: str) -> Finding:
    return Finding(row.symbol, row.opened_at, fault, detail[: 4 * TEXT_MAX])
