"""Every benchmark runs with tiny sizes, and prints figures that other programs can read."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.common import ROOT, below, compared, figure, recorded_bars, spread

needs_bars = pytest.mark.skipif(recorded_bars() is None, reason="no recorded bars in HOLDFAST_DATA or ../shared/data")


def run_benchmark(name: str, arguments: Sequence[str], folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", "--dir", str(folder), *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    figures: dict[str, Any] = json.loads(ended.stdout)
    return figures


def assert_compared(found: dict[str, Any]) -> None:
    assert found["ours"] > 0
    assert found["floor"] > 0
    assert found["ratio"] == pytest.approx(found["ours"] / found["floor"], rel=0.02)


@pytest.mark.slow
def test_an_idle_node_is_measured(tmp_path: Path) -> None:
    figures = run_benchmark("idle", ["--rounds", "1", "--settle-s", "0.1"], tmp_path)

    assert_compared(figures["idle_cpu"])
    assert figures["idle_rss"]["ours"] > 0
    assert {"target", "is_met"} <= figures["idle_rss"].keys()


def test_supervision_is_measured_beside_pykka(tmp_path: Path) -> None:
    sizes = ["--messages", "200", "--asks", "20", "--children", "20", "--events", "50", "--rounds", "1"]
    figures = run_benchmark("supervision", sizes, tmp_path)

    for name in ("tell", "ask_p50", "child_of_a_template", "child_by_its_spec"):
        assert_compared(figures[name])
    assert figures["ask_p99_beside_a_hog"]["ours"] > 0


def test_ticks_and_their_orders_are_measured(tmp_path: Path) -> None:
    figures = run_benchmark("tick_to_order", ["--samples", "20", "--block", "10"], tmp_path)

    assert_compared(figures["tick_to_order_p50"])
    assert_compared(figures["tick_to_order_p99"])
    assert figures["tick_to_order_p50"]["samples"] == 20


@pytest.mark.slow
@needs_bars
def test_a_recorded_run_is_measured_and_its_home_can_be_rebuilt(tmp_path: Path) -> None:
    home = tmp_path / "kept"

    run = run_benchmark("recorded_run", ["--days", "1", "--keep", str(home)], tmp_path)
    rebuilt = run_benchmark("rebuild", ["--home", str(home), "--rounds", "1"], tmp_path)

    assert_compared(run["recorded_run_time"])
    assert {"MainThread", "feed"} <= run["recorded_run_time"]["parts"].keys()
    assert rebuilt["rebuild"]["events"] == run["recorded_run_events"]["total"]
    assert_compared(rebuilt["rebuild"])


def test_a_backtest_is_measured_and_says_whom_it_leaves_out(tmp_path: Path) -> None:
    figures = run_benchmark("backtest", ["--bars", "2000", "--long", "3000"], tmp_path)

    assert figures["backtest_rate"]["fills"] > 30
    assert figures["backtest_memory"]["is_met"]
    assert figures["backtest_growth"]["ours"] > 0
    assert figures["backtest_beside_nautilus"]["left_out"] == "no --peers given"


def test_a_ratio_says_whether_it_meets_its_target() -> None:
    fast = compared("fast", ours=3.0, floor=2.0, unit="s", floor_is="bare", ratio_max=1.5)
    slow = compared("slow", ours=3.1, floor=2.0, unit="s", floor_is="bare", ratio_max=1.5)

    assert (fast["ratio"], fast["is_met"]) == (1.5, True)
    assert (slow["ratio"], slow["is_met"]) == (1.55, False)


def test_a_limit_itself_is_not_below_it() -> None:
    assert below(figure("memory", ours=63.9, unit="MB"), 64)["is_met"]
    assert not below(figure("memory", ours=64.0, unit="MB"), 64)["is_met"]


def test_a_spread_is_the_median_and_what_one_in_a_hundred_exceeds() -> None:
    times = [float(number) for number in range(1, 1001)]

    half, most = spread(times)

    assert half == 500.5
    assert 990 <= most <= 991
