"""Laws of `holdfast audit` as a command: exit codes, JSON, what it refuses, and what it never hides."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.market import HOUR_MS, MINUTE_MS
from holdfast.audit.compare import audit
from holdfast.backtest.plan import plan_backtest
from holdfast.backtest.running import run_backtest
from holdfast.cli.main import run_command_line
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.records import Draft
from tests.endurance.nodes import ROOT, NodeProcess, run_to_end
from tests.holdfast.audited import (
    FIRST_DAY,
    SECOND_AT,
    SECOND_DAY,
    demand_equal,
    first_ones,
    leave_out,
    parts_on,
    write_bars,
)
from tests.holdfast.test_backtest import PARAMETERS, SETTINGS, write_walk
from tests.holdfast.test_equivalence import live_through

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FOLLOWER = '''
from decimal import Decimal
from domain.proposal import Entry


class Follower:
    """Buys BTCUSDT at each close of ETHUSDT, however old the price is that it has seen."""

    timeframes = ("15m",)

    def __init__(self, symbols, parameters):
        self.close = self.led_at = 0

    def on_bar(self, bar):
        if bar.symbol == "BTCUSDT":
            self.close = float(bar.close)
        else:
            self.led_at = bar.closed_at

    def on_score(self, score):
        pass

    def propose(self, view):
        held = view.holdings["BTCUSDT"]
        if not self.close or self.led_at != view.at or held.quantity or held.entry_in_flight:
            return ()
        price = Decimal(str(self.close))
        return (Entry("BTCUSDT", Decimal("0.001"), price, view.at + 600_000, stop_price=price / 2),)

    def save(self):
        return {"close": self.close, "led_at": self.led_at}

    def restore(self, state):
        self.close, self.led_at = state["close"], state["led_at"]
'''


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder) / "home"


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(tmp_path_factory.mktemp("bars"))


@pytest.fixture(scope="module")
def lived(bars: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        live_through(parts_on(bars), Path(folder) / "home", seed=5)
        yield Path(folder) / "home"


def holdfast(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "holdfast", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)


def view_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    view = json.loads(capsys.readouterr().out)
    assert isinstance(view, dict)
    return view


Alter = Callable[[dict[str, Any]], None]


def forge(home: Path, forged: Path, *, kind: str, after: int, alter: Alter) -> int:
    """Write a journal again, chain and all, but with the first event of a kind after an instant altered."""
    altered = 0
    with JournalReader(home) as reader, closing(Journal.open(forged)) as journal:
        for record in reader.read():
            fields = {name: getattr(record, name) for name in record.__struct_fields__ if name != "hash"}
            if record.kind == kind and record.at > after and not altered:
                event = json.loads(record.payload)
                alter(event)
                fields["payload"], altered = json.dumps(event).encode(), record.seq
            journal.append([Draft(**fields)])
    return altered


def raise_price(event: dict[str, Any]) -> None:
    event["fill"]["price"] = str(Decimal(event["fill"]["price"]) + 1)


# -- what is not explained -----------------------------------------------------------------------------------------


def test_what_the_same_inputs_do_not_lead_to_is_unexplained_whatever_else_has_happened(
    lived: Path, home: Path, tmp_path: Path
) -> None:
    def buy_more(event: dict[str, Any]) -> None:
        event["quantity"] = str(Decimal(event["quantity"]) / 2)

    seq = forge(lived, home, kind="OrderApproved", after=SECOND_AT, alter=buy_more)
    now = write_bars(tmp_path / "now", leave_out("BTCUSDT", SECOND_AT + MINUTE_MS, minutes=1))

    for found in (audit(home, SECOND_DAY), audit(home, SECOND_DAY, data=now)):
        for side in (found.replay, found.backtest):
            first = side.differences[0]
            assert first.pair.journal is not None
            assert (first.cause, first.follows, first.pair.journal.seq) == ("unexplained", None, seq)


def test_a_fill_that_the_same_inputs_do_not_lead_to_is_slippage_on_either_side(lived: Path, home: Path) -> None:
    seq = forge(lived, home, kind="OrderFilled", after=SECOND_AT, alter=raise_price)

    found = audit(home, SECOND_DAY)

    for side in (found.replay, found.backtest):
        first = side.differences[0]
        assert first.pair.journal is not None
        assert (first.cause, first.pair.journal.seq) == ("slippage", seq)
        assert side.fills.matched == side.fills.places - 1


def test_a_day_that_began_in_another_state_is_not_equal_whatever_it_decided(lived: Path, home: Path) -> None:
    forge(lived, home, kind="OrderFilled", after=SECOND_AT - 24 * HOUR_MS, alter=raise_price)

    found = audit(home, SECOND_DAY)

    assert found.before is not None
    assert found.before.at < SECOND_AT
    assert not found.is_equal
    assert {each.follows for each in found.backtest.differences} <= {0}


def test_a_denial_for_an_old_price_is_staleness_with_the_bars_that_were_missing(
    bars: Path, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "follower.py").write_text(FOLLOWER)
    own = (f"strategies.follower.class={tmp_path / 'follower.py'}:Follower", "strategies.confidence.enabled=false")
    gap_at = SECOND_AT - 24 * HOUR_MS + MINUTE_MS
    then = write_bars(tmp_path / "then", leave_out("BTCUSDT", gap_at, minutes=50))
    live_through(parts_on(then, *own, "strategies.ema_cross.enabled=false"), home, seed=1)

    found = audit(home, FIRST_DAY, data=bars)

    first = next(each for each in first_ones(found) if each.cause == "staleness")
    assert first.pair.journal is not None
    assert first.pair.journal.values()["reason"] == "STALE_MARKET"
    assert [each.cause for each in first.evidence] == ["missing bar"]
    assert found.tallies()["missing bar"].inputs == 50


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_exit_code_says_whether_all_is_equal(lived: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["audit", "--day", SECOND_DAY, "--json", "--home", str(lived)]) == 0
    equal = view_of(capsys)
    assert (equal["equal"], equal["score"], equal["is_whole"], equal["causes"]) == (True, "100.00", True, {})
    assert equal["begins"] == {"from": "re-run", "equal": True, "difference": None}

    other = ["--set", "venue.slippage_bps=5", "--home", str(lived)]
    assert run_command_line(["audit", "--json", *other]) == 1
    view = view_of(capsys)
    assert view["equal"] is False
    assert view["backtest"]["fills"]["score"] == view["score"] == "0.00"
    assert view["replay"]["fills"]["score"] == "100.00"
    assert view["causes"]["slippage"]["first"] >= 5
    (first, *_) = view["backtest"]["differences"]
    assert first["journal"]["kind"] == first["backtest"]["kind"] == "OrderFilled"
    assert first["slip"]["price_bps"].startswith("-")

    assert run_command_line(["audit", *other]) == 1
    said = capsys.readouterr().out
    assert "slippage" in said
    assert "bps" in said


def test_a_day_without_a_decision_is_said_to_have_no_score(lived: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["audit", "--day", "2024-01-04", "--home", str(lived)]) == 0
    assert "none: nothing was decided" in capsys.readouterr().out

    assert run_command_line(["audit", "--day", "2024-01-04", "--json", "--home", str(lived)]) == 0
    assert view_of(capsys)["score"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--day", "2024-02-30"], 64, "expected a day"),
        (["--day", "20240102"], 64, "expected a day"),
        (["--day", "2023-12-31"], 64, "2024-01-02, 2024-01-03, 2024-01-04"),
        (["--set", "risk.exposure_max=0.1"], 78, "what-if"),
        (["--set", "venue.slippage_bps=-1"], 78, "basis points"),
        (["--data", "/nowhere/at/all"], 78, "nothing at /nowhere/at/all"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    lived: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert run_command_line(["audit", *arguments, "--home", str(lived)]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("command", "lives"), [(["audit"], 3), (["replay", "--rerun"], 1)], ids=["audit", "rerun"])
def test_who_looks_on_sees_how_far_the_market_has_come(
    lived: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str], lives: int
) -> None:
    monkeypatch.setattr(f"holdfast.cli.{command[0]}.is_watched", lambda stream: True)

    run_command_line([*command, "--home", str(lived)])
    shown = capsys.readouterr().err
    run_command_line([*command, "--home", str(lived), "--json"])

    assert shown.count("market time ") >= lives
    assert shown.endswith("\r")
    assert capsys.readouterr().err == ""


def test_a_damaged_journal_and_a_missing_one_have_codes_of_their_own(
    lived: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["audit", "--home", str(home)]) == 74

    shutil.copytree(lived, home)
    place = home / "journal.db"
    place.write_bytes(place.read_bytes().replace(b'"quantity":"0.', b'"quantity":"1.'))
    assert run_command_line(["audit", "--home", str(home)]) == 65
    assert "chain" in capsys.readouterr().err


def test_a_backtests_journal_is_refused(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_walk(tmp_path / "BTCUSDT_1m.csv", seed=3, bars=1_500)
    plan = plan_backtest(tmp_path, "ema-cross", parameters=PARAMETERS, config=None, overrides=SETTINGS)
    run_backtest(plan, journal=home, progress=False)

    assert run_command_line(["audit", "--home", str(home)]) == 78
    assert "one of a backtest" in capsys.readouterr().err


def test_a_backtests_journal_without_a_bar_in_it_is_refused_as_one(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_walk(tmp_path / "BTCUSDT_1m.csv", seed=3, bars=1_500)
    frames = ('feed.frames=["15m"]', "feed.warmup_bars=5")
    plan = plan_backtest(tmp_path, "ema-cross", parameters=(), config=None, overrides=frames)
    run_backtest(plan, journal=home, progress=False)

    assert run_command_line(["audit", "--home", str(home)]) == 78
    assert "one of a backtest" in capsys.readouterr().err


def test_the_journal_of_a_real_venue_is_refused(lived: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def trade_there(event: dict[str, Any]) -> None:
        event["configuration"]["venue"]["kind"] = "binance"

    forge(lived, home, kind="NodeStarted", after=-1, alter=trade_there)

    for command in (["audit"], ["replay", "--rerun"], ["replay", "--what-if", "risk.risk_per_trade=0.002"]):
        assert run_command_line([*command, "--home", str(home)]) == 78
        assert "expected a journal whose orders went to the paper venue" in capsys.readouterr().err


def test_bars_that_are_elsewhere_now_are_asked_for_and_taken(
    bars: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    then, now = tmp_path / "then", tmp_path / "now"
    shutil.copytree(bars, then)
    live_through(parts_on(then), home, seed=1)
    then.rename(now)

    assert run_command_line(["audit", "--home", str(home)]) == 78
    assert "--data" in capsys.readouterr().err
    assert run_command_line(["audit", "--home", str(home), "--data", str(now)]) == 0


def test_a_real_node_that_was_killed_is_equal_while_it_runs_and_when_it_is_stopped(home: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[feed]\nspeed = "max"\nend = 2024-01-03T00:00:00Z\n', encoding="utf-8")
    for events in (300, 900):
        node = NodeProcess(home, ["--config", str(config)])
        assert node.wait_for_events(events)
        node.kill()
    config.write_text("[feed]\nspeed = 3600\nend = 2024-01-03T00:00:00Z\n", encoding="utf-8")
    node = NodeProcess(home, ["--config", str(config)])
    assert node.wait_for_events(200)
    running = holdfast("audit", "--json", "--home", str(home))
    still_ran = node.process.poll() is None
    node.kill()
    run_to_end(home, ["--config", str(config), "--set", "feed.speed=max"])

    assert (running.returncode, still_ran) == (0, True), running
    for day in ("2024-01-01", "2024-01-02"):
        found = holdfast("audit", "--day", day, "--json", "--home", str(home))
        assert (found.returncode, json.loads(found.stdout)["score"]) == (0, "100.00"), found
    demand_equal(audit(home, "2024-01-02"))
