"""Backtests are runs of the node: the same fills as on paper, a journal like any other, mistakes that are told."""

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from actors.positions import PositionsMemory
from holdfast.backtest.plan import plan_backtest
from holdfast.backtest.running import Ran, run_backtest
from holdfast.cli.main import run_command_line
from holdfast.config.problems import ConfigurationError
from holdfast.exit_codes import ExitCode
from holdfast.refusals import Refusals, refusals_in
from holdfast.replay import rebuild, verify_everything
from tests.endurance.nodes import ROOT, Outcome, outcome_of, run_to_end

FIRST = 1_704_067_200_000
SETTINGS = ("feed.frames=['1m', '15m']", "feed.warmup_bars=10", "risk.symbol_exposure_max=0.9")
PARAMETERS = ("timeframe=1m", "fast=5", "slow=13", "cooldown_minutes=3", "stop_atr=1.5", "take_profit_atr=2")


RAISING = """
class Raising:
    timeframes = ("1m",)

    def __init__(self, symbols, parameters):
        self.bars = 0

    def on_bar(self, bar):
        self.bars += 1

    def on_score(self, score):
        pass

    def propose(self, view):
        if self.bars > 200:
            raise ValueError("the moon is not full")
        return ()

    def save(self):
        return {"bars": self.bars}

    def restore(self, state):
        self.bars = state["bars"]
"""


def write_walk(file: Path, *, seed: int, bars: int, price: float = 100.0) -> None:
    """Write a seeded random walk; a few rows of it are missing, doubled or broken."""
    draw = random.Random(seed)
    lines = ["ts,open,high,low,close,volume"]
    for number in range(bars):
        opened, price = price, price * (1 + draw.gauss(0, 0.002))
        high, low = max(opened, price) * (1 + 0.001 * draw.random()), min(opened, price) * (1 - 0.001 * draw.random())
        row = f"{FIRST + number * 60_000},{opened:.2f},{high:.2f},{low:.2f},{price:.2f},{draw.randrange(5, 500)}"
        oddity = draw.random()
        if oddity < 0.004:
            continue
        lines += [row, row] if oddity < 0.008 else [row]
        if oddity > 0.996:
            lines.append(f"{FIRST + number * 60_000},nonsense")
    file.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bars")
    write_walk(folder / "BTCUSDT_1m.csv", seed=1, bars=1_500)
    write_walk(folder / "ETHUSDT_1m.csv", seed=2, bars=1_500, price=20.0)
    return folder


def run(bars: Path, *, journal: Path | None = None, parameters: Sequence[str] = PARAMETERS) -> Ran:
    plan = plan_backtest(bars, "ema-cross", parameters=parameters, config=None, overrides=SETTINGS)
    return run_backtest(plan, journal=journal, progress=False)


def on_paper(bars: Path, home: Path) -> Outcome:
    config = home.with_suffix(".toml")
    parameters = "\n".join(each.replace("=1m", '="1m"') for each in PARAMETERS)
    config.write_text(f"[strategies.ema_cross.parameters]\n{parameters}\n")
    overrides = (*SETTINGS, "feed.source=files", f"feed.path={bars}", "feed.speed=max", "admin.enabled=false")
    run_to_end(home, ["--config", str(config), *(word for each in overrides for word in ("--set", each))])
    return outcome_of(home)


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "holdfast", "backtest", *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_backtest_and_a_paper_run_over_the_same_bars_give_the_same_fills(bars: Path, tmp_path: Path) -> None:
    ran = run(bars, journal=tmp_path / "kept")

    paper = on_paper(bars, tmp_path / "paper")

    assert outcome_of(tmp_path / "kept") == paper
    assert len(paper.fills) == len(ran.tape.fills) > 50
    assert {fill[0] for fill in paper.fills} == {"BTCUSDT", "ETHUSDT"}


def test_the_journal_that_is_kept_can_be_verified(bars: Path, tmp_path: Path) -> None:
    run(bars, journal=tmp_path)

    checks = {check.name: (check.checked, check.problems) for check in verify_everything(tmp_path)}
    assert checks["states"] == (1, [])
    assert not any(problems for _, problems in checks.values())


def test_bars_that_are_not_there_any_more_are_no_damage_of_the_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "BTCUSDT_1m.csv"
    write_walk(file, seed=1, bars=1_500)
    run(file, journal=tmp_path / "kept")
    file.unlink()

    assert run_command_line(["replay", "--verify", "--home", str(tmp_path / "kept")]) == ExitCode.CONFIGURATION
    assert str(file) in capsys.readouterr().err


@pytest.mark.parametrize("symbols", [["BTCUSDT"], ["BTCUSDT", "ETHUSDT"]])
@pytest.mark.parametrize("bars", [150, 1_500])
def test_rows_that_are_not_believed_are_counted_by_fault_on_paper_too(
    tmp_path: Path, symbols: list[str], bars: int
) -> None:
    """Wherever they are: in the history, in the midst, or in a last line that was cut."""
    odd = {"duplicate": 0, "unreadable": 0}
    (folder := tmp_path / "bars").mkdir()
    for symbol in symbols:
        file = folder / f"{symbol}_1m.csv"
        write_walk(file, seed=1, bars=bars)
        header, *rows = [row for row in file.read_text().splitlines() if "nonsense" not in row]
        rows = sorted(set(rows))
        for place in (bars // 4, bars // 2):
            rows[place] = f"{rows[place]}\n{rows[place]}\n{rows[place].split(',')[0]},nonsense"
            odd["duplicate"] += 1
            odd["unreadable"] += 1
        odd["unreadable"] += 1
        file.write_text("\n".join([header, *rows, "162333"]))

    result = run(folder).result
    on_paper(folder, tmp_path / "paper")

    counted = refusals_in(tmp_path / "paper")
    assert counted == Refusals(result.refused, result.gaps)
    assert sum(result.refused.values()) == sum(odd.values())
    assert result.refused["unreadable"] == odd["unreadable"]


def test_a_journal_whose_fold_gives_other_states_is_not_verified(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(bars, journal=tmp_path)
    fold = PositionsMemory.fold
    monkeypatch.setattr(
        PositionsMemory, "fold", lambda self, record: None if record.kind == "OrderFilled" else fold(self, record)
    )

    (found,) = [check for check in verify_everything(tmp_path) if check.problems]

    assert found.name == "states"
    assert "a full fold gives other states of positions" in found.problems[0]


def test_the_same_backtest_has_the_same_chain_of_hashes_and_another_another(bars: Path) -> None:
    first, again, other = run(bars), run(bars), run(bars, parameters=(*PARAMETERS, "fast=6"))

    assert first.result.head == again.result.head
    assert first.result.head != other.result.head


def test_the_command_prints_one_json_object(bars: Path) -> None:
    options = [word for each in PARAMETERS for word in ("--param", each)]
    options += [word for each in SETTINGS for word in ("--set", each)]

    done = command("--data", str(bars), "--strategy", "ema-cross", *options, "--json")

    result: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == ExitCode.OK
    assert result["fills"] > 50
    assert result["parameters"]["fast"] == 5


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--data", "nowhere", "--strategy", "ema-cross"], "found nothing"),
        (["--data", ".", "--strategy", "moon"], "moon"),
        (["--data", ".", "--strategy", "ema-cross", "--param", "fast"], "KEY=VALUE"),
    ],
)
def test_a_mistake_is_told_with_what_was_expected_and_found(bars: Path, arguments: list[str], expected: str) -> None:
    given = [str(bars) if each == "." else each for each in arguments]

    done = command(*given)

    assert done.returncode == ExitCode.CONFIGURATION
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_has_a_journal_is_left_alone(bars: Path, tmp_path: Path) -> None:
    run(bars, journal=tmp_path)

    with pytest.raises(ConfigurationError, match="a folder without a journal"):
        run(bars, journal=tmp_path)


def test_a_strategy_that_fails_for_good_ends_the_backtest_and_is_named(bars: Path, tmp_path: Path) -> None:
    file = tmp_path / "raising.py"
    file.write_text(RAISING)

    done = command("--data", str(bars), "--strategy", f"{file}:Raising", "--set", "feed.frames=['1m']")

    assert done.returncode == ExitCode.GAVE_UP
    assert "gave up: strategies, for strategy.raising" in done.stderr
    assert "the moon is not full" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_node_does_not_go_on_with_the_journal_of_a_backtest(bars: Path, tmp_path: Path) -> None:
    run(bars, journal=tmp_path)

    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "run", "--home", str(tmp_path), "--set", "feed.speed=max"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == ExitCode.CONFIGURATION
    assert "one of a backtest" in done.stderr


def test_a_journal_is_not_read_with_other_bars_than_the_backtest_had(bars: Path, tmp_path: Path) -> None:
    file = tmp_path / "BTCUSDT_1m.csv"
    write_walk(file, seed=1, bars=1_500)
    run(file, journal=tmp_path / "kept")

    write_walk(file, seed=2, bars=1_500)

    with pytest.raises(ConfigurationError, match="put these files back"):
        rebuild(tmp_path / "kept")
