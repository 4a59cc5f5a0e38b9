"""A backtest's report: one HTML file that needs nothing from elsewhere."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from domain.market import DAY_MS
from domain.sources import MarketSource
from holdfast import __version__
from holdfast.backtest.metrics import Metrics, metrics_of
from holdfast.backtest.running import Ran, Result
from holdfast.backtest.series import RoundTrip, drawdowns, months, prices, round_trips, thin
from holdfast.shown import when
from messages.orders import OrderFilled

TRIPS_MAX = 500
"""Round trips that are listed, the newest ones."""
ARROWS_MAX = 2_000
"""Fills of a symbol that are drawn; more would hide the price."""


def write_report(ran: Ran, file: Path) -> None:
    """Write the report of a backtest.

    Raises:
        OSError: the file cannot be written.
    """
    page = _asset("report.html")
    data = msgspec.json.encode(report_data(ran)).decode().replace("</", "<\\/")
    parts = {
        "TITLE": _text(f"Backtest of {ran.result.strategy}"),
        "VERSION": _text(__version__),
        "UPLOT_CSS": _asset("uPlot.min.css"),
        "UPLOT_LICENSE": _text(_asset("uPlot.LICENSE")),
        "UPLOT_JS": _asset("uPlot.iife.min.js"),
        "DATA": data,
    }
    for name, content in parts.items():
        page = page.replace(f"%{name}%", content, 1)
    file.write_text(page, encoding="utf-8")


def report_data(ran: Ran) -> dict[str, Any]:
    """Return all that the page shows, as JSON values."""
    result, tape = ran.result, ran.tape
    trips = round_trips(tape.fills, ran.parts.shape.instruments)
    parameters = ", ".join(f"{key} {value}" for key, value in result.parameters.items()) or "as they are"
    return {
        "title": f"Backtest of {result.strategy}",
        "about": f"{when(result.begin)} to {when(result.end)}; parameters: {parameters}; {result.source}",
        "quote": result.quote,
        "tiles": tiles(result, run_metrics(ran)),
        "equity": thin(tape.marks_at, tape.equity),
        "drawdown": thin(tape.marks_at, drawdowns(tape.equity)),
        "markets": _markets(ran.parts.source, tape.fills),
        "months": [msgspec.to_builtins(month) for month in months(tape.marks_at, tape.equity)],
        "trips": [_trip(trip) for trip in trips[-TRIPS_MAX:]],
        "trips_note": f"The newest {TRIPS_MAX} of {len(trips)}." if len(trips) > TRIPS_MAX else "",
    }


def run_metrics(ran: Ran) -> Metrics:
    """Return the figures that rest on daily closes."""
    result = ran.result
    first = ran.tape.equity[0] if ran.tape.equity else 0.0
    return metrics_of(
        ran.closes,
        first=first,
        days=(result.end - result.begin) / DAY_MS,
        total=result.return_pct / 100,
        drawdown=result.drawdown_pct / 100,
    )


def tiles(result: Result, metrics: Metrics) -> list[dict[str, Any]]:
    """Return the figures on top: a name, a text, and a number whose sign gives the colour."""
    fees = ", ".join(f"{float(amount):,.2f} {asset}" for asset, amount in result.fees.items()) or "none"
    rows: Sequence[tuple[str, str, float]] = (
        ("return", f"{result.return_pct:+.2f} %", result.return_pct),
        ("deepest drawdown", f"{result.drawdown_pct:.2f} %", 0),
        (f"equity, {result.quote}", f"{float(result.equity):,.2f}", 0),
        ("return in a year (365 days)", _percent(metrics.yearly_return), metrics.yearly_return or 0),
        ("volatility in a year", _percent(metrics.volatility), 0),
        ("Sharpe ratio", _figure(result.sharpe), 0),
        ("Sortino ratio", _figure(result.sortino), 0),
        ("Calmar ratio", _figure(metrics.calmar), 0),
        ("round trips", f"{result.trades:,}", 0),
        ("win rate", _percent(result.win_rate), 0),
        ("profit factor", _figure(result.profit_factor), 0),
        ("time in the market", _percent(result.exposure), 0),
        ("best day", _percent(metrics.best_day), metrics.best_day or 0),
        ("worst day", _percent(metrics.worst_day), metrics.worst_day or 0),
        ("fills", f"{result.fills:,}", 0),
        ("fees", fees, 0),
    )
    return [{"name": name, "value": value, "tone": tone} for name, value, tone in rows]


def _markets(source: MarketSource, fills: Sequence[OrderFilled]) -> list[dict[str, Any]]:
    """Return the price of each symbol, with its fills at the newest `ARROWS_MAX`."""
    found: Mapping[str, tuple[list[int], list[float]]] = prices(source)
    markets = []
    for symbol, (at, closes) in found.items():
        mine = [filled.fill for filled in fills if filled.fill.symbol == symbol][-ARROWS_MAX:]
        sides = {
            side: ([fill.at for fill in mine if fill.side == side], [float(f.price) for f in mine if f.side == side])
            for side in ("buy", "sell")
        }
        markets.append({"symbol": symbol, "at": at, "close": closes, "bought": sides["buy"], "sold": sides["sell"]})
    return markets


def _trip(trip: RoundTrip) -> dict[str, Any]:
    return {
        "opened_at": trip.opened_at,
        "closed_at": trip.closed_at,
        "symbol": trip.symbol,
        "quantity": float(trip.bought),
        "bought_at": float(trip.paid / trip.bought) if trip.bought else None,
        "sold_at": float(trip.earned / trip.sold) if trip.sold else None,
        "made": float(trip.made),
        "share": float(trip.made / trip.paid) if trip.paid else 0.0,
    }


def _percent(share: float | None) -> str:
    return "not known" if share is None else f"{share:.2%}".replace("%", " %")


def _figure(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f}"


def _asset(name: str) -> str:
    return files("holdfast.backtest").joinpath("assets", name).read_text(encoding="utf-8")


def _text(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
