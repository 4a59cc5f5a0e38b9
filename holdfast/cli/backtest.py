"""`holdfast backtest`: the node's own actors over recorded bars, as fast as they go."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from holdfast.cli.configured import ConfigFile, Overrides
from holdfast.cli.output import say, say_json
from holdfast.cli.tables import as_text

if TYPE_CHECKING:
    from holdfast.backtest.grid import Cell
    from holdfast.backtest.plan import Plan
    from holdfast.backtest.running import Result

JOBS_MAX = 256
KeyValues = Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)]


def _require_jobs(_kind: object, jobs: int | None) -> None:
    """Raise ValueError for a number of processes that cannot be."""
    if jobs is not None and not 1 <= jobs <= JOBS_MAX:
        raise ValueError(f"expected from 1 to {JOBS_MAX} processes, found {jobs}")


def backtest(
    *,
    data: Path,
    strategy: str,
    param: KeyValues = (),
    grid: KeyValues = (),
    jobs: Annotated[int | None, Parameter(show_default=False, validator=_require_jobs)] = None,
    journal: Annotated[Path | None, Parameter(show_default=False)] = None,
    report: Annotated[Path | None, Parameter(show_default=False)] = None,
    config: ConfigFile = None,
    overrides: Overrides = (),
    progress: Annotated[bool | None, Parameter(show_default=False)] = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> int:
    """Run a strategy over recorded bars, with the node's own breaker, executor, positions and paper venue.

    Parameters
    ----------
    data
        A file of recorded bars, or a folder of them, as for feed.path.
    strategy
        ema-cross, confidence, a strategy of the configuration by its name, a dotted path, or file.py:Class.
    param
        KEY=VALUE: a parameter of the strategy; may be repeated.
    grid
        KEY=VALUE,VALUE,...: run it with each of these; several make every combination.
    jobs
        Processes that share a grid; as many as there are cores if not given.
    journal
        A folder to keep the journal in, for replay and why; it must not hold one.
    report
        Write a report with charts to this HTML file, which needs nothing from elsewhere.
    progress
        Show progress; as a rule where standard error is a terminal.
    as_json
        Write JSON.
    """
    from holdfast.backtest.plan import plan_backtest

    if report is not None:
        _demand_place(report.expanduser())
    plan = plan_backtest(data, strategy, parameters=param, config=config, overrides=overrides)
    is_shown = sys.stderr.isatty() and not as_json if progress is None else progress
    if grid:
        _demand_one_run(journal=journal, report=report)
        return _run_grid(plan, grid, jobs or os.cpu_count() or 1, is_shown=is_shown, as_json=as_json)
    return _run_one(plan, journal, report, is_shown=is_shown, as_json=as_json)


def _run_one(plan: "Plan", journal: Path | None, report: Path | None, *, is_shown: bool, as_json: bool) -> int:
    from holdfast.backtest.running import run_backtest

    ran = run_backtest(plan, journal=journal, progress=is_shown)
    if report is not None:
        from holdfast.backtest.report import write_report

        write_report(ran, report.expanduser())
    if as_json:
        say_json(msgspec.to_builtins(ran.result))
    else:
        say(as_lines(ran.result))
    return 0


def _run_grid(plan: "Plan", grid: tuple[str, ...], jobs: int, *, is_shown: bool, as_json: bool) -> int:
    from holdfast.backtest.grid import combinations, run_grid

    found = combinations(grid)

    def show(done: int) -> None:
        if is_shown:
            sys.stderr.write(f"\r{done} of {len(found)} backtests" + ("\n" if done == len(found) else ""))
            sys.stderr.flush()

    cells = run_grid(plan, found, jobs=jobs, on_done=show)
    if as_json:
        say_json(msgspec.to_builtins(cells))
    else:
        say(as_text({"backtests": _rows(cells)}))
    return 0


def _demand_one_run(*, journal: Path | None, report: Path | None) -> None:
    from holdfast.config.problems import ConfigurationError, Problem

    for option, given in (("--journal", journal), ("--report", report)):
        if given is not None:
            expected = "a single backtest to keep or to report on"
            raise ConfigurationError([Problem("", expected, "a grid of them", option, "run the one you want again")])


def _demand_place(report: Path) -> None:
    """Refuse a report that could not be written when all is done.

    Raises:
        ConfigurationError: its folder is not there or cannot be written to, or it is a folder itself.
    """
    from holdfast.config.problems import ConfigurationError, Problem

    folder = report.absolute().parent
    if not folder.is_dir():
        found = f"no folder {folder}"
    elif report.is_dir():
        found = f"that {report} is a folder"
    elif not os.access(report if report.exists() else folder, os.W_OK):
        found = f"that {report} may not be written"
    else:
        return
    raise ConfigurationError([Problem("", "a file in a folder that is there", found, "--report", "make it first")])


def _rows(cells: "Sequence[Cell]") -> list[dict[str, Any]]:
    """Return the combinations as rows for people, what went wrong as the last column."""
    rows = [_row(cell) for cell in cells]
    others = dict.fromkeys(key for row in rows for key in row if key != "problem")
    return [others | row for row in rows]


def _row(cell: "Cell") -> dict[str, Any]:
    """Return a combination as a row for people."""
    result = cell.result
    row = {key: str(value) for key, value in cell.parameters.items()}
    if result is None:
        return row | {"problem": cell.problem.splitlines()[0]}
    return row | {
        "return": f"{result.return_pct:+.2f} %",
        "drawdown": f"{result.drawdown_pct:.2f} %",
        "Sharpe": _figure(result.sharpe),
        "trades": str(result.trades),
        "win rate": _percent(result.win_rate),
        "profit factor": _figure(result.profit_factor),
        "equity": result.equity,
    }


def as_lines(result: "Result") -> str:
    """Return a result as lines for people."""
    from holdfast.refusals import told_refused

    fees = ", ".join(f"{amount} {asset}" for asset, amount in result.fees.items()) or "none"
    denied = ", ".join(f"{count} {reason}" for reason, count in result.denied.items()) or "none"
    parameters = ", ".join(f"{key}={value}" for key, value in result.parameters.items()) or "as they are"
    rows = {
        "strategy": f"{result.strategy}, parameters {parameters}",
        "source": result.source,
        "from": _when(result.begin),
        "to": _when(result.end),
        "bars": result.bars,
        "refused rows": told_refused(result.refused),
        "gaps": result.gaps,
        "signals": result.signals,
        "denied": denied,
        "orders": result.orders,
        "fills": result.fills,
        "round trips": result.trades,
        "win rate": _percent(result.win_rate),
        "profit factor": _figure(result.profit_factor),
        "return": f"{result.return_pct:+.2f} %",
        "drawdown": f"{result.drawdown_pct:.2f} %",
        "Sharpe": _figure(result.sharpe),
        "Sortino": _figure(result.sortino),
        "exposure": _percent(result.exposure),
        "equity": f"{result.equity} {result.quote}",
        "fees": fees,
        "restarts": result.restarts,
        "chain head": f"{result.head} of {result.events} events",
        "took": f"{result.seconds:.2f} s, {result.bars_per_cpu_second:,.0f} bars per CPU second",
    }
    return "\n".join(f"{name:<14} {value}" for name, value in rows.items())


def _when(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{share:.1%}"


def _figure(value: Any) -> str:
    return "not known" if value is None else f"{value:.2f}"
