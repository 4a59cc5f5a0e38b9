"""One backtest: a node's whole life on the stage, from the first bar to the last, and what it came to."""

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from actors.positions import PositionsState
from domain.market import TIMEFRAMES_MS, Instant
from domain.money import plain
from holdfast.backtest.node import BacktestNode
from holdfast.backtest.plan import Plan
from holdfast.backtest.tape import Tape
from holdfast.config.problems import ConfigurationError, Problem
from holdfast.parts import Parts
from holdfast.refusals import count_refusals
from holdfast.summary import ProgressLine
from messages.node import HoldingsAsked
from persistence.home import Home

GARBAGE_MAX = 50_000
LOOK_EVERY = 500
"""Steps of the market between two looks at how far it has come."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a backtest came to.  Money as text in quote currency, fractions of one in percent where they say so."""

    strategy: str
    parameters: dict[str, Any]
    source: str
    begin: Instant
    end: Instant
    bars: int
    refused: dict[str, int]
    """Rows that were not believed, by fault; those of the history too."""
    gaps: int
    """How often bars were missing."""
    signals: int
    denied: dict[str, int]
    """Entries that the breaker refused, by reason."""
    orders: int
    fills: int
    trades: int
    """Round trips that are finished."""
    win_rate: float | None
    profit_factor: float | None
    return_pct: float
    drawdown_pct: float
    """The deepest fall from the highest worth before it."""
    sharpe: float | None
    sortino: float | None
    exposure: float | None
    """Share of market time in which something was held."""
    equity: str
    fees: dict[str, str]
    quote: str
    restarts: int
    """Of actors: more than none means that the strategy, or the node, raised."""
    events: int
    head: str
    """Hash that chains all that was recorded: the same backtest has the same one."""
    seconds: float
    cpu_seconds: float
    bars_per_cpu_second: float


class Ran(msgspec.Struct, frozen=True):
    """A backtest that has come to its end."""

    result: Result
    tape: Tape
    parts: Parts
    closes: list[float]
    """What the account was worth at the end of each day."""


def run_backtest(plan: Plan, *, journal: Path | None, progress: bool) -> Ran:
    """Run a plan to the end of its data.  `journal` is a folder without a journal to keep this one in.

    Raises:
        ConfigurationError: the plan cannot be run, or the folder has a journal already.
        SupervisionError: the node gave itself up; the sentence says why.
    """
    parts = plan.parts()
    tape = Tape()
    began, began_cpu = time.monotonic(), time.process_time()
    with (
        _without_looking_for_garbage(),
        _home(journal) as home,
        _node(plan, parts, home, tape, progress=progress) as node,
    ):
        node.run()
        end = node.system.clock.market_ms()
        state = msgspec.json.decode(node.ask("positions", HoldingsAsked()), type=PositionsState)
        restarts = node.restarts
        node.stop("end of data")
        tape.end()
        result = _result(
            plan,
            parts,
            state,
            tape,
            end=end,
            restarts=restarts,
            events=node.last_seq,
            head=node.head,
            seconds=time.monotonic() - began,
            cpu_seconds=time.process_time() - began_cpu,
        )
    return Ran(result, tape, parts, state.performance.closes)


@contextmanager
def _without_looking_for_garbage() -> Iterator[None]:
    """Let the garbage collector look seldom: nearly all that a backtest makes goes by itself."""
    before = gc.get_threshold()
    gc.set_threshold(GARBAGE_MAX, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _home(journal: Path | None) -> Iterator[Path]:
    """Give the node a home: the folder whose journal is kept, else one that is gone afterwards."""
    if journal is None:
        with tempfile.TemporaryDirectory(prefix="holdfast-backtest-") as folder:
            yield Path(folder)
        return
    home = journal.expanduser().absolute()
    if Home(home).database.exists():
        expected = "a folder without a journal: a backtest begins its own"
        raise ConfigurationError([Problem("", expected, f"one in {home}", "--journal", "name another, or move it")])
    yield home


@contextmanager
def _node(plan: Plan, parts: Parts, home: Path, tape: Tape, *, progress: bool) -> Iterator[BacktestNode]:
    source = parts.source
    step_ms = min(TIMEFRAMES_MS[source.base_timeframe(symbol)] for symbol in source.symbols())
    line = ProgressLine(source.starts_at(), source.steps_total(), step_ms) if progress else None
    look = _looks(line, tape) if line is not None else _look_away
    node = BacktestNode(parts, home, folder=str(plan.folder), look=look, hear=tape.hear, mark_all=tape.mark_all)
    try:
        with node:
            yield node
    finally:
        if line is not None:
            line.clear()


def _looks(line: ProgressLine, tape: Tape) -> Callable[[Instant], None]:
    steps = 0

    def look(at: Instant) -> None:
        nonlocal steps
        steps += 1
        if steps % LOOK_EVERY == 0:
            line.show(at, None, len(tape.fills))

    return look


def _look_away(at: Instant) -> None:
    """Show nothing."""


def _result(
    plan: Plan,
    parts: Parts,
    state: PositionsState,
    tape: Tape,
    *,
    end: Instant,
    restarts: int,
    events: int,
    head: str,
    seconds: float,
    cpu_seconds: float,
) -> Result:
    performance = state.performance
    summary = performance.summary()
    refusals = count_refusals(tape.faults.elements())
    opened = (state.opened or {}).get(state.book.quote)
    equity = state.book.equity(state.marks)
    bars = performance.counts.get("bars", 0)
    return Result(
        strategy=plan.name,
        parameters=dict(plan.settings.strategies[plan.name].parameters),
        source=parts.source.describe(),
        begin=parts.source.starts_at(),
        end=end,
        bars=bars,
        refused=refusals.refused,
        gaps=refusals.gaps,
        signals=performance.counts.get("signals", 0),
        denied=dict(sorted(tape.denied.items())),
        orders=performance.counts.get("orders", 0),
        fills=summary.fills,
        trades=summary.trades,
        win_rate=summary.win_rate,
        profit_factor=summary.profit_factor,
        return_pct=round(float((equity / opened - 1) * 100), 4) if opened else 0.0,
        drawdown_pct=round(summary.drawdown_max * 100, 4),
        sharpe=summary.sharpe,
        sortino=summary.sortino,
        exposure=summary.exposure_time,
        equity=plain(equity),
        fees={asset: plain(amount) for asset, amount in sorted(summary.fees.items())},
        quote=state.book.quote,
        restarts=restarts,
        events=events,
        head=head,
        seconds=round(seconds, 3),
        cpu_seconds=round(cpu_seconds, 3),
        bars_per_cpu_second=round(bars / cpu_seconds, 0) if cpu_seconds else 0.0,
    )
