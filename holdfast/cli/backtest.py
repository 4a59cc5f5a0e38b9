"""`holdfast backtest`: the node's own actors over recorded bars, as fast as they go."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from holdfast.cli.configured import ConfigFile, Overrides
from holdfast.cli.output import say, say_json

if TYPE_CHECKING:
    from holdfast.backtest.running import Result

KeyValues = Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)]


def backtest(
    *,
    data: Path,
    strategy: str,
    param: KeyValues = (),
    journal: Annotated[Path | None, Parameter(show_default=False)] = None,
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
    journal
        A folder to keep the journal in, for replay and why; it must not hold one.
    progress
        Show progress; as a rule where standard error is a terminal.
    as_json
        Write JSON.
    """
    from holdfast.backtest.plan import plan_backtest
    from holdfast.backtest.running import run_backtest

    plan = plan_backtest(data, strategy, parameters=param, config=config, overrides=overrides)
    is_shown = sys.stderr.isatty() and not as_json if progress is None else progress
    ran = run_backtest(plan, journal=journal, progress=is_shown)
    if as_json:
        import msgspec

        say_json(msgspec.to_builtins(ran.result))
    else:
        say(as_lines(ran.result))
    return 0


def as_lines(result: "Result") -> str:
    """Return a result as lines for people."""
    fees = ", ".join(f"{amount} {asset}" for asset, amount in result.fees.items()) or "none"
    denied = ", ".join(f"{count} {reason}" for reason, count in result.denied.items()) or "none"
    parameters = ", ".join(f"{key}={value}" for key, value in result.parameters.items()) or "as they are"
    rows = {
        "strategy": f"{result.strategy}, parameters {parameters}",
        "source": result.source,
        "from": _when(result.begin),
        "to": _when(result.end),
        "bars": result.bars,
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
