"""What a run came to, and how far it has come, for the person who watches."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, TextIO

import msgspec

from actors.positions import PositionsState
from domain.market import Instant
from domain.money import plain
from holdfast.refusals import Refusals, told_refused
from holdfast.shown import when
from holdfast.streams import say_to

LOOK_EVERY_S = 0.5
"""Between two looks at how far a market has come."""


class RunSummary(msgspec.Struct, frozen=True):
    """What is said at the end of a run.  Counts are of the whole journal, `restarts` and `seconds` of this process."""

    source: str
    reason: str
    market_time: Instant
    bars: int
    refused: dict[str, int]
    """Rows that were not believed, by fault."""
    gaps: int
    """How often bars were missing."""
    signals: int
    orders: int
    fills: int
    return_pct: float
    drawdown_pct: float
    equity: str
    fees: dict[str, str]
    restarts: int
    seconds: float
    seq: int


def summarise(
    holdings: bytes,
    refusals: Refusals,
    *,
    source: str,
    reason: str,
    market_time: Instant,
    restarts: int,
    seconds: float,
    seq: int,
) -> RunSummary:
    """Return the summary of a run from what the position keeper knows, and what was not believed."""
    state = msgspec.json.decode(holdings, type=PositionsState)
    performance = state.performance
    equity = state.book.equity(state.marks)
    opened = _opening_worth(state)
    return RunSummary(
        source=source,
        reason=reason,
        market_time=market_time,
        bars=performance.counts.get("bars", 0),
        refused=refusals.refused,
        gaps=refusals.gaps,
        signals=performance.counts.get("signals", 0),
        orders=performance.counts.get("orders", 0),
        fills=performance.fills,
        return_pct=round(float((equity / opened - 1) * 100), 4) if opened else 0.0,
        drawdown_pct=round(float(performance.drawdown_max) * 100, 4),
        equity=plain(equity.quantize(Decimal("0.01"))),
        fees={asset: plain(amount) for asset, amount in sorted(performance.fees.items())},
        restarts=restarts,
        seconds=round(seconds, 2),
        seq=seq,
    )


def _opening_worth(state: PositionsState) -> Decimal:
    """Return what the account was worth at first; other assets than the quote asset have a worth once it is marked."""
    opened = {asset: amount for asset, amount in (state.opened or {}).items() if amount}
    if set(opened) <= {state.book.quote}:
        return opened.get(state.book.quote, Decimal(0))
    return state.performance.equity_first or Decimal(0)


def print_summary(summary: RunSummary, *, as_json: bool, out: TextIO | None = None) -> None:
    """Print a summary, one JSON object or a line for each figure, where somebody listens."""
    out = out or sys.stdout
    if as_json:
        say_to(out, msgspec.json.encode(summary).decode() + "\n")
        return
    rows: dict[str, Any] = msgspec.structs.asdict(summary)
    rows["market_time"] = when(summary.market_time)
    rows["fees"] = ", ".join(f"{amount} {asset}" for asset, amount in summary.fees.items()) or "none"
    rows["return_pct"] = f"{summary.return_pct:+.2f} %"
    rows["drawdown_pct"] = f"{summary.drawdown_pct:.2f} %"
    rows["refused"] = told_refused(summary.refused)
    names = {
        "refused": "refused rows",
        "return_pct": "return",
        "drawdown_pct": "drawdown",
        "market_time": "market time",
        "seq": "last sequence",
    }
    say_to(out, "".join(f"{names.get(name, name):<14} {value}\n" for name, value in rows.items()))


class ProgressLine:
    """One line on a terminal that is written over and over, for as long as somebody looks."""

    def __init__(self, starts_at: Instant, steps_total: int | None, step_ms: int, out: TextIO | None = None) -> None:
        self._starts_at = starts_at
        self._span_ms = steps_total * step_ms if steps_total else 0
        self._out = out or sys.stderr
        self._width = 0

    def show(self, at: Instant, seq: int | None, fills: int | None) -> None:
        """Say how far the market has come."""
        share = min(1.0, max(0.0, (at - self._starts_at) / self._span_ms)) if self._span_ms else 0.0
        done = f"{share:6.1%}" if self._span_ms else ""
        filled = "" if fills is None else f"  {fills} fills"
        events = "" if seq is None else f"  {seq} events"
        line = f"{done}  market time {when(at)}{events}{filled}"
        say_to(self._out, "\r" + line.ljust(self._width))
        self._width = len(line)

    def clear(self) -> None:
        """Leave an empty line."""
        say_to(self._out, "\r" + " " * self._width + "\r")


@contextmanager
def showing(starts_at: Instant, ends_at: Instant, *, wanted: bool) -> Iterator[Callable[[Instant], None]]:
    """Yield what is told how far the market has come, and shows it now and then where that is wanted."""
    if not wanted:
        yield lambda at: None
        return
    line = ProgressLine(starts_at, ends_at - starts_at, 1)
    shown = 0.0

    def look(at: Instant) -> None:
        nonlocal shown
        if time.monotonic() - shown >= LOOK_EVERY_S:
            shown = time.monotonic()
            line.show(at, None, None)

    try:
        yield look
    finally:
        line.clear()
