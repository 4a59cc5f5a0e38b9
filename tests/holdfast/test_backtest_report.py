"""What a backtest shows: one page that needs nothing from elsewhere, series that lose no extreme, grids."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.market import DAY_MS, Instrument
from domain.money import Money
from domain.order import Fill, Side
from holdfast.backtest.grid import combinations, run_grid
from holdfast.backtest.metrics import metrics_of
from holdfast.backtest.plan import Plan, plan_backtest
from holdfast.backtest.report import report_data, write_report
from holdfast.backtest.running import Ran, run_backtest
from holdfast.backtest.series import drawdowns, months, round_trips, thin
from holdfast.config.problems import ConfigurationError
from holdfast.exit_codes import ExitCode
from messages.orders import OrderFilled
from tests.holdfast.test_backtest import PARAMETERS, SETTINGS, command, write_walk

D = Decimal
JANUARY_2024 = 1_704_067_200_000
INSTRUMENTS = {"BTCUSDT": Instrument("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.001"))}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("bars")
    write_walk(folder / "BTCUSDT_1m.csv", seed=1, bars=700)
    write_walk(folder / "ETHUSDT_1m.csv", seed=2, bars=700, price=20.0)
    return plan_backtest(folder, "ema-cross", parameters=PARAMETERS, config=None, overrides=SETTINGS)


@pytest.fixture(scope="module")
def ran(plan: Plan) -> Ran:
    return run_backtest(plan, journal=None, progress=False)


def filled(at: int, side: Side, quantity: str, price: str, fee: str = "0", asset: str = "USDT") -> OrderFilled:
    fill = Fill(f"t{at}", f"c{at}", "BTCUSDT", side, D(quantity), D(price), Money(D(fee), asset), "taker", at)
    return OrderFilled(fill=fill, strategy="s", evidence="report")


def test_a_report_is_one_page_that_fetches_nothing_and_names_whose_charts_it_has(ran: Ran, tmp_path: Path) -> None:
    write_report(ran, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()

    assert re.findall(r"""(?:src|href)\s*=\s*["'][^"']*["']|@import|url\(""", page) == []
    assert "Copyright (c) 2022 Leon Sorokin" in page
    assert not re.search(r"%[A-Z_]+%", page)


def test_what_a_report_shows_is_what_the_backtest_came_to(ran: Ran, tmp_path: Path) -> None:
    write_report(ran, tmp_path / "report.html")
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', (tmp_path / "report.html").read_text()
    )

    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    assert [market["symbol"] for market in data["markets"]] == ["BTCUSDT", "ETHUSDT"]
    assert sum(len(market[side][0]) for market in data["markets"] for side in ("bought", "sold")) == ran.result.fills
    assert sum(trip["closed_at"] is not None for trip in data["trips"]) == ran.result.trades
    assert data["equity"][1][-1] == pytest.approx(float(ran.result.equity), rel=0.01)


def test_a_name_that_is_markup_stays_a_name(ran: Ran) -> None:
    assert "</script" not in json.dumps(report_data(ran))


def test_a_series_that_is_thinned_keeps_its_extremes_and_its_end() -> None:
    at, values = list(range(10_000)), [0.0] * 10_000
    values[1_234], values[8_765], values[-1] = 7.0, -7.0, 3.0

    thinned_at, thinned = thin(at, values, 100)

    assert len(thinned) <= 101
    assert (max(thinned), min(thinned), thinned[-1]) == (7.0, -7.0, 3.0)
    assert thinned_at == sorted(thinned_at)


def test_a_drawdown_is_measured_from_the_highest_before_it() -> None:
    assert drawdowns([100.0, 120.0, 90.0, 120.0, 60.0]) == pytest.approx([0, 0, -0.25, 0, -0.5])


def test_a_month_ends_with_the_mark_at_its_midnight() -> None:
    february = JANUARY_2024 + 31 * DAY_MS

    found = months([JANUARY_2024 + 1, february, february + DAY_MS], [100.0, 110.0, 99.0])

    assert [(each.year, each.month) for each in found] == [(2024, 1), (2024, 2)]
    assert [each.made for each in found] == pytest.approx([0.1, -0.1])


def test_a_round_trip_ends_when_less_than_a_lot_is_left() -> None:
    fills = [
        filled(1, "buy", "1", "100", fee="0.0005", asset="BTC"),
        filled(2, "buy", "1", "110", fee="0.2"),
        filled(3, "sell", "1.9993", "120", fee="0.3"),
        filled(4, "buy", "1", "100"),
    ]

    first, second = round_trips(fills, INSTRUMENTS)

    assert (first.opened_at, first.closed_at) == (1, 3)
    assert first.made == D("1.9993") * 120 - 210 - D("0.5")
    assert second.closed_at is None


def test_a_year_has_365_days() -> None:
    metrics = metrics_of([110.0, 121.0], first=100.0, days=2, total=0.21, drawdown=0.1)

    assert metrics.yearly_return == pytest.approx(1.1**365 - 1)
    assert metrics.calmar == pytest.approx((1.1**365 - 1) / 0.1)
    assert metrics.days == 2


def test_a_grid_is_every_combination() -> None:
    assert combinations(["a=1,2", "b=x,0.5"]) == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": D("0.5")},
        {"a": 2, "b": "x"},
        {"a": 2, "b": D("0.5")},
    ]


def test_processes_side_by_side_come_to_what_one_comes_to(plan: Plan) -> None:
    found = combinations(["fast=5,6", "slow=13,5"])

    alone, together = run_grid(plan, found, jobs=1), run_grid(plan, found, jobs=2)

    heads = [[cell.result and cell.result.head for cell in cells] for cells in (alone, together)]
    assert heads[0] == heads[1]
    assert [cell.parameters for cell in alone if cell.result is None] == [
        {"fast": 5, "slow": 5},
        {"fast": 6, "slow": 5},
    ]
    assert all("fast must be below slow" in cell.problem for cell in alone if cell.result is None)


def test_a_grid_is_not_kept_as_one_journal(plan: Plan) -> None:
    data = plan.settings.feed.path

    done = command("--data", data, "--strategy", "ema-cross", "--grid", "fast=5,6", "--journal", "/tmp/never")

    assert done.returncode == ExitCode.CONFIGURATION
    assert "a single backtest to keep" in done.stderr


def test_a_grid_without_values_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="KEY=VALUE"):
        combinations(["fast"])
