"""Laws of `holdfast replay --rerun` and `--what-if`: the same inputs lead to the same decisions again."""

import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateways.sample import SampleMarket
from holdfast.backtest.plan import plan_backtest
from holdfast.backtest.running import run_backtest
from holdfast.cli.main import run_command_line
from holdfast.config.problems import ConfigurationError
from holdfast.config.view import flatten
from holdfast.parts import Parts
from holdfast.rebuild import eras
from holdfast.rerun.command import Compared, rerun
from holdfast.rerun.decisions import Reading
from holdfast.rerun.inputs import settings_from
from holdfast.staging import StagedNode
from holdfast.torture.lives import durable_seq
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.records import Draft
from tests.endurance.nodes import ROOT, NodeProcess, run_to_end
from tests.holdfast.imported import parts_of
from tests.holdfast.test_backtest import PARAMETERS, SETTINGS, write_walk
from tests.holdfast.test_equivalence import OVERRIDES, crash_through, kill_through, live_through, parts_for
from tests.holdfast.test_import_equivalence import STATE

HIGH, CLOSE = 5, 7
"""Places in a bar."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def parts() -> Parts:
    return parts_for(2)


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder) / "home"


@pytest.fixture(scope="module")
def lived(parts: Parts) -> Iterator[Path]:
    """Return the home of a node that lived through."""
    with tempfile.TemporaryDirectory() as folder:
        live_through(parts, Path(folder) / "home", seed=5)
        yield Path(folder) / "home"


def demand_equal(compared: Compared, *, fills_min: int = 30) -> None:
    assert compared.difference is None, compared.difference
    assert compared.compared > 1_000
    assert compared.rerun == compared.journal
    assert compared.journal.fills >= fills_min


def files_of(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in home.iterdir() if path.name in ("journal.db", "journal.watermark")}


def test_a_journal_is_run_again_to_the_same_decisions_and_only_read(lived: Path) -> None:
    before = files_of(lived)

    demand_equal(rerun(lived))
    assert files_of(lived) == before


@pytest.mark.parametrize("seed", range(2))
def test_actors_that_crashed_decided_the_same(parts: Parts, home: Path, seed: int) -> None:
    crash_through(parts, home, seed=seed, wanted=60)

    demand_equal(rerun(home))


@pytest.mark.parametrize("seed", [1])
def test_a_node_that_was_killed_many_times_decided_the_same(parts: Parts, home: Path, seed: int) -> None:
    kill_through(parts, home, seed=seed, wanted=40)

    demand_equal(rerun(home))


@pytest.mark.parametrize("seed", range(4))
def test_a_journal_that_ends_anywhere_is_run_again_up_to_there(parts: Parts, home: Path, seed: int) -> None:
    draw = random.Random(seed)
    with StagedNode(parts, home, seed=seed) as node:
        turns = draw.randint(4_000, 9_000)
        node.run(lambda: node.stage.steps >= turns)
        node.kill()

    compared = rerun(home)

    assert compared.difference is None
    assert compared.compared > 100


def test_a_journal_whose_market_ended_while_it_was_read_is_not_taken_for_whole(lived: Path) -> None:
    with JournalReader(lived) as reader:
        last = reader.last()[0]
        ended = next(reader.read_newest(["MarketEnded"], 1))

        assert Reading(reader, until=last).is_whole()
        assert not Reading(reader, until=ended.seq - 1).is_whole()


def test_another_configuration_in_between_takes_effect_there(parts: Parts, home: Path) -> None:
    with StagedNode(parts, home, seed=1) as node:
        node.run(lambda: node.counted("FramesClosed") >= 60)
        node.kill()
    risk = msgspec.structs.replace(parts.settings.risk, exposure_max=parts.settings.risk.exposure_max / 2)
    settings = msgspec.structs.replace(parts.settings, risk=risk)
    limits = msgspec.structs.replace(parts.limits, exposure_max=risk.exposure_max)
    live_through(msgspec.structs.replace(parts, settings=settings, limits=limits), home, seed=2)

    demand_equal(rerun(home))


def forge(home: Path, forged: Path, *, number: int) -> int:
    """Write a journal again, chain and all, but with a bar that closed one in a thousand higher; return when."""
    bars = changed_at = 0
    with JournalReader(home) as reader, closing(Journal.open(forged)) as journal:
        for record in reader.read():
            fields = {name: getattr(record, name) for name in record.__struct_fields__ if name != "hash"}
            bars += record.kind == "BarsClosed"
            if bars == number and not changed_at:
                event = json.loads(record.payload)
                bar = event["bars"][0]
                for price in (HIGH, CLOSE):
                    bar[price] = f"{float(bar[HIGH]) * 1.001:.2f}"
                fields["payload"] = json.dumps(event).encode()
                changed_at = record.at
            journal.append([Draft(**fields)])
    return changed_at


def test_a_changed_bar_is_found_where_it_first_shows(lived: Path, home: Path) -> None:
    at = forge(lived, home, number=1_000)

    difference = rerun(home).difference

    assert difference is not None
    assert at <= difference.at <= at + 15 * 60_000
    assert difference.journal is not None
    assert difference.rerun is not None
    assert difference.journal.kind == difference.rerun.kind


def test_a_changed_limit_is_found_at_the_first_verdict_it_changes(lived: Path) -> None:
    compared = rerun(lived, what_if=["risk.order_notional_max=100"])

    assert compared.difference is not None
    assert compared.difference.journal is not None
    assert compared.difference.journal.kind == "OrderApproved"
    assert compared.difference.at == first_at(lived, "OrderApproved")
    assert compared.rerun.equity != compared.journal.equity


def first_at(home: Path, kind: str) -> int:
    with JournalReader(home) as reader:
        return next(iter(reader.read(kinds=[kind]))).at


def test_the_journaled_configuration_gives_the_same_settings_again(parts: Parts, lived: Path) -> None:
    with JournalReader(lived) as reader:
        era = eras(reader, reader.last()[0])[-1]

    assert flatten(settings_from(era)) == flatten(parts.settings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("risk.exposure_max=500", "expected a number above 0"),
        ("risk.exposur_max=0.5", "unknown"),
        ("feed.path=/tmp", "come from the journal"),
        ("nonsense", "="),
    ],
)
def test_another_setting_that_cannot_be_is_the_configurations_own_error(lived: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        rerun(lived, what_if=[text])


def holdfast(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "holdfast", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)


def test_a_real_node_that_was_killed_is_run_again_unless_its_strategys_file_is_gone(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text((ROOT / "domain/strategies/ema_cross.py").read_text(encoding="utf-8"), encoding="utf-8")
    config = tmp_path / "config.toml"
    text = f'[feed]\nspeed = "max"\nend = 2024-01-03T00:00:00Z\n[strategies.mine]\nclass = "{file}:EmaCross"\n'
    config.write_text(text, encoding="utf-8")
    for events in (300, 900):
        node = NodeProcess(home, ["--config", str(config)])
        node.wait_for_events(events)
        node.kill()
    run_to_end(home, ["--config", str(config)])

    again = holdfast("replay", "--rerun", "--json", "--home", str(home))
    assert json.loads(again.stdout)["equal"], again.stdout
    assert again.returncode == 0
    other = holdfast("replay", "--what-if", "strategies.mine.parameters.fast=5", "--json", "--home", str(home))
    assert other.returncode == 0, other.stderr
    assert json.loads(other.stdout)["difference"]["journal"]["kind"] == "OfferAnswered"

    file.unlink()
    gone = holdfast("replay", "--rerun", "--home", str(home))
    assert gone.returncode == 78
    assert "strategies.mine" in gone.stderr


def test_the_command_line_says_equal_or_shows_both_sides(lived: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["replay", "--rerun", "--json", "--home", str(lived)]) == 0
    assert json.loads(capsys.readouterr().out)["equal"] is True

    what_if = ["--what-if", "risk.order_notional_max=100", "--what-if", "venue.slippage_bps=10"]
    assert run_command_line(["replay", *what_if, "--json", "--home", str(lived)]) == 0
    view = json.loads(capsys.readouterr().out)
    assert view["difference"]["journal"]["kind"] == "OrderApproved"
    assert {"orders", "fills", "equity", "fees", "drawdown_pct"} <= set(view["journal"]) & set(view["rerun"])

    assert run_command_line(["replay", *what_if, "--home", str(lived)]) == 0
    assert "re-run" in capsys.readouterr().out
    assert run_command_line(["replay", "--what-if", "risk.x=1", "--home", str(lived)]) == 78
    assert "--what-if" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--rerun"], ["--what-if", "risk.order_notional_max=100"]])
def test_a_damaged_journal_is_refused_before_it_is_run_again(
    lived: Path,
    home: Path,
    option: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Bars that were changed may be years apart: a re-run of them comes to no end.
    monkeypatch.setattr("holdfast.rerun.command.Rerun", None)
    shutil.copytree(lived, home)
    place = home / "journal.db"
    place.write_bytes(place.read_bytes().replace(b'"quantity":"0.', b'"quantity":"1.'))

    assert run_command_line(["replay", *option, "--home", str(home)]) == 65
    assert "chain" in capsys.readouterr().err


def test_an_account_that_was_taken_over_is_opened_the_same_again(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "state.json").write_text(json.dumps(STATE))
    kill_through(msgspec.structs.replace(parts_of(*OVERRIDES), source=SampleMarket(days=1)), home, seed=1, wanted=10)
    (home / "state.json").unlink()

    demand_equal(rerun(home), fills_min=5)


def test_a_backtests_journal_is_run_again_over_its_files(home: Path, tmp_path: Path) -> None:
    write_walk(tmp_path / "BTCUSDT_1m.csv", seed=3, bars=1_500)
    plan = plan_backtest(tmp_path, "ema-cross", parameters=PARAMETERS, config=None, overrides=SETTINGS)
    run_backtest(plan, journal=home, progress=False)

    compared = rerun(home)
    assert compared.difference is None, compared.difference
    assert compared.rerun == compared.journal
    assert compared.journal.fills >= 10


def test_recorded_bars_with_rows_that_were_refused_are_run_again(home: Path, tmp_path: Path) -> None:
    write_walk(tmp_path / "BTCUSDT_1m.csv", seed=3, bars=1_500)
    plan = plan_backtest(tmp_path, "ema-cross", parameters=PARAMETERS, config=None, overrides=SETTINGS)
    live_through(plan.parts(), home, seed=1)
    with JournalReader(home) as reader:
        assert len(list(reader.read(kinds=["RowRefused"]))) >= 5
    (tmp_path / "BTCUSDT_1m.csv").unlink()

    demand_equal(rerun(home), fills_min=10)


RISK = "[feed]\nspeed = 20000\n[risk]\nexposure_max = {0}\nsymbol_exposure_max = {0}\n"


def test_a_reload_and_commands_to_a_real_node_take_effect_where_they_did(home: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(RISK.format("0.4"), encoding="utf-8")
    node = NodeProcess(home, ["--config", str(config)])
    assert node.wait_for_events(600)
    config.write_text(RISK.format("0.1"), encoding="utf-8")
    given = (["reload"], ["flatten"], ["crash", "executor"])
    answers = [holdfast("ctl", *words, "--home", str(home)) for words in given]
    first = durable_seq(home)
    node.wait_for_events(first - node.first_seq + 600)
    node.kill()

    assert [answer.returncode for answer in answers] == [0, 0, 0], answers
    with JournalReader(home) as reader:
        assert len(eras(reader, reader.last()[0])) == 2
    demand_equal(rerun(home), fills_min=5)
