"""Laws of an import in the real process: exit codes, what is said, what `holdfast import` shows, and SIGKILL."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from holdfast.cues import VARIABLE
from holdfast.exit_codes import ExitCode
from holdfast.replay import verify_everything
from holdfast.torture.lives import durable_seq
from persistence.reader import JournalReader
from tests.endurance.nodes import ROOT, NodeProcess, Outcome, outcome_of, run_to_end

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
STATE = ROOT / "examples" / "state.json"
ARGUMENTS = (
    *("--set", "feed.speed=max", "--set", "feed.end=2024-01-02", "--set", "admin.enabled=false"),
    *("--set", "log.format=json"),
)


def holdfast(*arguments: object, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of this checkout to its end."""
    return subprocess.run(
        [sys.executable, "-m", "holdfast", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def a_home(folder: Path, state: str | None = None) -> Path:
    """Return a new home with the state of another program in it: the example, unless it is given."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    (home / "state.json").write_text(STATE.read_text() if state is None else state)
    return home


def said(text: str, event: str) -> list[dict[str, Any]]:
    """Return the lines of a log that say an event."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("event") == event]


def count_of(home: Path, kind: str) -> int:
    with JournalReader(home) as reader:
        return sum(1 for _ in reader.read(kinds=[kind]))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    home = a_home(tmp_path_factory.mktemp("reference"))
    run_to_end(home, ARGUMENTS)
    return outcome_of(home)


# -- the first start -----------------------------------------------------------------------------------------------


def test_a_first_start_takes_the_state_of_its_home_over_and_says_so(tmp_path: Path, reference: Outcome) -> None:
    home = a_home(tmp_path)

    done = holdfast("run", "--home", home, *ARGUMENTS)

    assert done.returncode == ExitCode.OK, done.stderr
    (imported,) = said(done.stderr, "state.imported")
    assert (imported["positions"], imported["trades"]) == (2, 2)
    assert imported["files"] == [str(home / "state.json")]
    assert any("names no strategy" in line["said"] for line in said(done.stderr, "state.notice"))
    assert outcome_of(home) == reference
    assert (home / "state.json").read_bytes() == STATE.read_bytes()
    with sqlite3.connect(f"file:{home / 'journal.db'}?mode=ro", uri=True) as journal:
        rows = journal.execute("SELECT id, side, quantity, price FROM imported_trades ORDER BY number").fetchall()
    assert rows == [("8841", "buy", "12.5", "98.12"), ("8850", "sell", "12.5", "101.87")]


def test_what_was_taken_over_is_proven_and_shown_by_a_replay(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    run_to_end(home, ARGUMENTS)

    proven = holdfast("replay", "--verify", "--json", "--home", home)
    early = holdfast("replay", "--to", "6", "--json", "--home", home)
    text = holdfast("replay", "--home", home)

    view = json.loads(early.stdout)
    assert proven.returncode == ExitCode.OK
    assert json.loads(proven.stdout)["verified"]
    assert view["positions"]["BTCUSDT"]["quantity"] == "0.05"
    assert view["positions"]["BTCUSDT"]["average_price"] == "42180.55"
    assert view["imported"]["files"][0].startswith(str(home / "state.json"))
    assert "imported     2 positions and 2 trades" in text.stdout


def test_a_state_may_have_megabytes_that_mean_nothing_here(tmp_path: Path) -> None:
    home = a_home(tmp_path, json.dumps(json.loads(STATE.read_text()) | {"candles": ["é" * 1000] * 10_000}))

    done = holdfast("run", "--home", home, *ARGUMENTS)

    assert done.returncode == ExitCode.OK, done.stderr
    assert count_of(home, "PastImported") > 1
    assert holdfast("replay", "--verify", "--home", home).returncode == ExitCode.OK


def test_a_run_returns_what_the_whole_account_gained_not_what_its_cash_became(tmp_path: Path) -> None:
    done = holdfast("run", "--json", "--home", a_home(tmp_path), *ARGUMENTS)

    summary = json.loads(done.stdout)
    assert float(summary["equity"]) > 9_000
    assert -5 < summary["return_pct"] < 5


def test_a_state_may_lie_where_the_configuration_says(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    state = json.loads(STATE.read_text())
    for name in ("positions", "trades", "performance"):
        (tmp_path / "old" / f"{name}.json").write_text(json.dumps(state[name]))
    (tmp_path / "mine.toml").write_text('[import]\npath = "old"\n')

    home = a_home(tmp_path)

    done = holdfast("run", "--home", home, "--config", tmp_path / "mine.toml", *ARGUMENTS)

    assert done.returncode == ExitCode.OK, done.stderr
    (imported,) = said(done.stderr, "state.imported")
    (passed_over,) = said(done.stderr, "state.not_read")
    assert [Path(file).name for file in imported["files"]] == ["positions.json", "trades.json", "performance.json"]
    assert (passed_over["file"], passed_over["why"]) == (str(home / "state.json"), "import.path names another place")
    assert any("venue.balances" in line["said"] for line in said(done.stderr, "state.notice"))


def test_a_bad_state_leaves_with_78_every_mistake_and_nothing_written(tmp_path: Path) -> None:
    state = json.loads(STATE.read_text())
    state["cash"]["USDT"] = "much"
    state["positions"][0]["symbol"] = "XMRUSDT"
    del state["trades"][1]["price"]
    home = a_home(tmp_path, json.dumps(state))
    before = (home / "state.json").read_bytes()

    done = holdfast("run", "--home", home, *ARGUMENTS)

    assert done.returncode == ExitCode.CONFIGURATION
    for path in ("cash.USDT", "positions[0].symbol", "trades[1].price"):
        assert f"holdfast: {path}: expected" in done.stderr
    assert done.stderr.count("holdfast: ") == 3
    assert "Traceback" not in done.stderr
    assert durable_seq(home) == 0
    assert not (home / "venue.db").exists()
    assert not (home / "logs").exists()
    assert (home / "state.json").read_bytes() == before
    shutil.copy(STATE, home / "state.json")
    assert holdfast("run", "--home", home, *ARGUMENTS).returncode == ExitCode.OK


@pytest.mark.parametrize("is_named", [True, False])
def test_a_check_of_the_configuration_finds_what_a_start_would_refuse_of_a_state(
    tmp_path: Path, is_named: bool
) -> None:
    state = json.loads(STATE.read_text())
    state["cash"]["USDT"] = "much"
    home = a_home(tmp_path, json.dumps(state))
    options: list[str | Path] = ["--home", home, *ARGUMENTS]
    if is_named:
        (home / "state.json").rename(tmp_path / "old.json")
        options += ["--set", f"import.path={tmp_path / 'old.json'}"]

    checked, started = holdfast("config", "check", *options), holdfast("run", *options)

    assert checked.returncode == started.returncode == ExitCode.CONFIGURATION
    assert checked.stderr.splitlines() == [
        line for line in started.stderr.splitlines() if line.startswith("holdfast: ")
    ]
    assert "holdfast: cash.USDT: expected" in checked.stderr


def test_a_check_of_the_configuration_says_what_is_taken_over_as_long_as_that_is_to_come(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    options = ("--home", home, *ARGUMENTS)

    before = json.loads(holdfast("config", "check", "--json", *options).stdout)
    is_untouched = {path.name for path in home.iterdir()} == {"state.json"}
    lived = holdfast("run", *options)
    (home / "state.json").write_text("no state any more")
    after = holdfast("config", "check", "--json", *options)

    assert (before["takes_over"], is_untouched) == ([str(home / "state.json")], True)
    assert lived.returncode == ExitCode.OK, lived.stderr
    assert json.loads(after.stdout)["takes_over"] == []
    other = holdfast("config", "check", *options, "--set", 'feed.symbols=["SOLUSDT"]')
    assert other.returncode == ExitCode.CONFIGURATION
    assert "all symbols of this home's journal" in other.stderr
    assert str(home) in other.stderr


def test_a_home_does_not_go_on_with_another_kind_of_market(tmp_path: Path) -> None:
    home, bars = tmp_path / "home", tmp_path / "bars"
    bars.mkdir()
    (bars / "BTCUSDT_1m.csv").write_text(
        "ts,open,high,low,close,volume\n"
        + "".join(f"{1_704_067_200_000 + 60_000 * minute},100,101,99,100,5\n" for minute in range(50))
    )
    recorded = (
        "--home",
        home,
        "--set",
        "feed.source=files",
        "--set",
        f"feed.path={bars}",
        "--set",
        "sentiment.source=none",
    )
    lived = holdfast("run", *recorded, "--set", "feed.speed=max", "--set", "feed.warmup_bars=1")
    written = durable_seq(home)

    refused = holdfast("run", "--home", home, "--set", "feed.symbols=BTCUSDT", "--set", "feed.speed=max")

    assert lived.returncode == ExitCode.OK, lived.stderr
    assert refused.returncode == ExitCode.CONFIGURATION
    assert "feed.source: expected a source like that of this home's journal (recorded market)" in refused.stderr
    assert "found generated market" in refused.stderr
    assert durable_seq(home) == written > 50


@pytest.mark.parametrize("name", ["nowhere", "nowhere/state.json", "."])
def test_a_place_without_a_state_leaves_with_78(tmp_path: Path, name: str) -> None:
    place = tmp_path / name

    options = ("--home", tmp_path / "home", "--set", f"import.path={place}", *ARGUMENTS)
    done, checked = holdfast("run", *options), holdfast("config", "check", *options)

    assert done.returncode == checked.returncode == ExitCode.CONFIGURATION
    assert str(place) in done.stderr
    assert checked.stderr == done.stderr


# -- later starts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda file: None, None),
        (Path.unlink, None),
        (lambda file: file.write_text("{"), "it has changed since it was imported"),
        (lambda file: (file.unlink(), file.mkdir()), None),
        (lambda file: (file.unlink(), subprocess.run(["mkfifo", file], check=True)), None),
    ],
)
def test_a_later_start_does_not_read_it_again_and_says_where_it_has_changed(
    tmp_path: Path, reference: Outcome, change: Any, why: str | None
) -> None:
    home = a_home(tmp_path)
    run_to_end(home, ARGUMENTS)
    change(home / "state.json")

    done = holdfast("run", "--home", home, *ARGUMENTS)

    assert done.returncode == ExitCode.OK, done.stderr
    assert [line["why"] for line in said(done.stderr, "state.not_read")] == ([] if why is None else [why])
    assert not said(done.stderr, "state.imported")
    assert count_of(home, "StateImported") == 1
    assert outcome_of(home) == reference


def test_a_state_that_comes_too_late_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run_to_end(home, ARGUMENTS)
    shutil.copy(STATE, home / "state.json")

    done = holdfast("run", "--home", home, *ARGUMENTS)

    assert [line["why"] for line in said(done.stderr, "state.not_read")] == ["the account was open already"]
    assert count_of(home, "StateImported") == 0


# -- deaths --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point",
    ["journal.before_commit:1", "journal.after_commit:1", "journal.after_watermark:1", "positions.before_release:1"],
)
def test_a_process_killed_while_it_starts_for_the_first_time_ends_as_one_that_was_not(
    tmp_path: Path, reference: Outcome, point: str
) -> None:
    home = a_home(tmp_path)
    for _ in range(2):
        node = NodeProcess(home, ARGUMENTS, environment={VARIABLE: point})
        node.end()
        assert node.process.returncode == -signal.SIGKILL
        assert (home / "venue.db").exists()
    run_to_end(home, ARGUMENTS)

    assert outcome_of(home) == reference
    assert count_of(home, "StateImported") == 1
    assert not [check for check in verify_everything(home) if check.problems]


def test_a_process_killed_at_any_moment_of_its_first_starts_ends_as_one_that_was_not(
    tmp_path: Path, reference: Outcome
) -> None:
    home = a_home(tmp_path)
    draw = random.Random(5)
    for _ in range(12):
        node = NodeProcess(home, ARGUMENTS)
        time.sleep(0.15 + draw.random() * 0.5)
        node.kill()
    run_to_end(home, ARGUMENTS)

    assert outcome_of(home) == reference
    assert count_of(home, "StateImported") == 1
    assert not [check for check in verify_everything(home) if check.problems]


def test_a_market_without_the_symbol_of_a_position_is_refused_before_any_bar_was_seen(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    NodeProcess(home, ARGUMENTS, environment={VARIABLE: "journal.after_commit:1"}).end()

    done = holdfast("run", "--home", home, *ARGUMENTS, "--set", 'feed.symbols=["SOLUSDT"]')

    assert done.returncode == ExitCode.CONFIGURATION
    assert "found none of BTCUSDT (held " in done.stderr
    assert "; ETHUSDT (held " in done.stderr
    assert holdfast("replay", "--home", home).returncode == ExitCode.OK


def test_a_book_left_behind_that_does_not_agree_is_refused_with_78_until_it_is_out_of_the_way(tmp_path: Path) -> None:
    home = a_home(tmp_path)
    NodeProcess(home, ARGUMENTS, environment={VARIABLE: "journal.before_commit:1"}).end()
    (home / "state.json").unlink()

    refused = holdfast("run", "--home", home, *ARGUMENTS)
    (home / "venue.db").rename(home / "venue.old")
    for rest in home.glob("venue.db-*"):
        rest.unlink()
    after = holdfast("run", "--home", home, *ARGUMENTS)

    assert refused.returncode == ExitCode.CONFIGURATION
    assert "expected a book that holds 10000 USDT" in refused.stderr
    found = "found one that holds 0.5 BNB and 0.05 BTC and 0.6 ETH and 6412.37 USDT"
    assert f"{found} ({home / 'venue.db'})" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert after.returncode == ExitCode.OK, after.stderr


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_shows_what_would_be_taken_and_writes_nothing(tmp_path: Path) -> None:
    home = a_home(tmp_path)

    text = holdfast("import", home / "state.json", "--home", home)
    done = holdfast("import", home, "--json", "--home", home)

    view = json.loads(done.stdout)
    assert text.returncode == done.returncode == ExitCode.OK
    assert "ETHUSDT" in text.stdout
    assert "notice: 0.5 BNB count as nothing" in text.stdout
    assert view["account"] == {"USDT": "6412.37", "BNB": "0.5", "BTC": "0.05", "ETH": "0.6"}
    assert view["positions"][0] == {
        "strategy": "confidence",
        "symbol": "BTCUSDT",
        "quantity": "0.05",
        "average_price": "42180.55",
        "entered_at": 1704057300000,
        "stop_price": "41200",
        "take_profit": "45900",
    }
    assert view["trades"]["count"] == 2
    assert view["performance"]["wins"] == 9
    assert view["problems"] == []
    assert [path.name for path in home.iterdir()] == ["state.json"]


def test_the_command_tells_every_mistake_and_leaves_with_78(tmp_path: Path) -> None:
    home = a_home(tmp_path, '{"cash": {"USDT": -1}, "positions": [{"symbol": "BTCUSDT"}]}')

    text = holdfast("import", home)
    done = holdfast("import", home, "--json")

    told = json.loads(done.stdout)
    assert text.returncode == done.returncode == told["error"]["exit_code"] == ExitCode.CONFIGURATION
    assert [problem["key"] for problem in told["problems"]] == ["cash.USDT", "positions[0].quantity"]
    assert all(problem["origin"] == str(home / "state.json") for problem in told["problems"])
    assert len(text.stderr.splitlines()) == 2


def test_the_command_judges_by_the_configuration_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[feed]\nsymbols = ["ETHUSDT"]\n')

    done = holdfast("import", STATE, "--config", tmp_path / "mine.toml", "--set", "strategies.confidence.enabled=false")

    assert done.returncode == ExitCode.CONFIGURATION
    assert "positions[0].symbol: expected a symbol of the feed (ETHUSDT)" in done.stderr
    assert "positions[0].strategy: expected a strategy that is enabled (ema_cross)" in done.stderr


def test_the_command_loads_no_exchange_library() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "holdfast", "import", str(STATE)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert "holdfast.imports.opening" in done.stderr
    assert not [name for name in ("ccxt", "peewee", "structlog") if f" {name}\n" in done.stderr]
