"""Laws of what the command line tells a person: whole, about the right home, and before anything is lost."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from gateways.exchange.home import ExchangeHome
from holdfast.backtest.grid import Cell
from holdfast.cli import tables
from holdfast.cli.backtest import _rows
from holdfast.cli.main import run_command_line
from holdfast.cli.mending import _say_rest
from holdfast.cli.output import complain, say, say_json
from holdfast.cli.tables import as_event, as_text
from holdfast.config.settings import Log
from holdfast.exit_codes import ExitCode
from holdfast.logs import NodeLog
from holdfast.replay import _print
from holdfast.secrets import print_scrubbed
from holdfast.venue import keys_of
from persistence.home import Lock
from persistence.journal import Journal

LONG = "x" * 100
LIVE = """
[feed]
source = "venue"
symbols = ["BTCUSDT"]
timeframe = "1m"

[venue]
kind = "binance"
url = "http://127.0.0.1:8080"

[venue.credentials]
api_key = "env:KEY_OF_A_TEST"
api_secret = "env:SECRET_OF_A_TEST"
"""
ROOT = Path(__file__).resolve().parents[2]


def holdfast(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of this checkout to its end."""
    command = [sys.executable, "-m", "holdfast", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder, and put back what a node sets for its process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))
    umask, interval = os.umask(0o022), sys.getswitchinterval()
    yield
    os.umask(umask)
    sys.setswitchinterval(interval)


def test_a_home_that_does_not_exist_yet_has_no_state_to_take_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_command_line(["config", "check", "--home", str(tmp_path / "none" / "here")])

    assert (code, capsys.readouterr().err) == (ExitCode.OK, "")
    assert not (tmp_path / "none").exists()


def test_a_name_in_a_list_of_values_is_followed_by_the_whole_value(capsys: pytest.CaptureFixture[str]) -> None:
    home = Path("exchange").absolute()
    exchange = ExchangeHome(home)
    exchange.keys()
    exchange.release()

    assert run_command_line(["venue", "keys", "--home", "exchange"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert all(value in shown for value in keys_of(home).values())
    assert (
        as_text({"reasons": [LONG, LONG], "cash": {"USDT": LONG}}) == f"reasons  {LONG}, {LONG}\ncash     USDT {LONG}"
    )


def test_the_last_column_of_a_table_is_never_cut_and_others_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "is_watched", lambda stream: True)
    head, line = as_text([{"name": LONG, "problem": LONG}]).splitlines()

    assert line == f"{LONG[:57]}...  {LONG}"
    assert head.split() == ["name", "problem"]


def test_nothing_is_cut_where_no_person_looks_on() -> None:
    _head, line = as_text([{"name": LONG, "problem": LONG}]).splitlines()

    assert line == f"{LONG}  {LONG}"
    assert as_event({"seq": 1, "payload": {"bars": [LONG, LONG]}}).endswith(f"bars={LONG}, {LONG}")


def test_what_went_wrong_with_a_backtest_of_a_grid_is_the_last_column() -> None:
    rows = _rows([Cell({"a": 1}, problem=LONG), Cell({"a": 2, "b": 3}, problem=LONG)])

    assert list(rows[0]) == ["a", "b", "problem"]
    assert as_text(rows).count(LONG) == 2


def test_a_node_closes_its_own_home_before_it_writes_to_it(tmp_path: Path) -> None:
    (home := tmp_path / "home").mkdir(mode=0o755)
    home.chmod(0o755)

    ended = holdfast("run", "--home", str(home), "--set", "feed.speed=max", "--set", "feed.end=2024-01-02T00:00:00Z")

    assert ended.returncode == ExitCode.OK, ended.stderr
    assert home.stat().st_mode & 0o777 == 0o700
    assert "home.closed" in ended.stderr
    assert "0755" in ended.stderr


def test_a_home_that_cannot_be_closed_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (home := tmp_path / "home").mkdir()
    home.chmod(0o1777)

    ended = holdfast("run", "--home", str(home))

    assert ended.returncode == ExitCode.IO_ERROR
    assert "use another --home" in ended.stderr
    assert (list(home.iterdir()), home.stat().st_mode & 0o7777) == ([], 0o1777)


@pytest.mark.parametrize(("report", "found"), [("none/report.html", "no folder"), (".", "is a folder")])
def test_a_report_that_could_not_be_written_is_refused_before_the_backtest_begins(
    report: str, found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_command_line(["backtest", "--data", "nowhere", "--strategy", "ema-cross", "--report", report])

    said = capsys.readouterr().err
    assert code == ExitCode.CONFIGURATION
    assert "--report" in said
    assert found in said


def test_a_real_venue_is_summed_up_by_its_place_and_without_what_is_the_paper_venues_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEY_OF_A_TEST", "key-of-a-test-0123456789")
    monkeypatch.setenv("SECRET_OF_A_TEST", "secret-of-a-test-0123456789")
    (tmp_path / "live.toml").write_text(LIVE)

    code = run_command_line(["config", "check", "--config", "live.toml"])

    said = capsys.readouterr().out
    assert code == ExitCode.OK
    assert "binance venue at http://127.0.0.1:8080" in said
    assert not any(word in said for word in ("speed", "600", "10000"))


def test_a_second_node_is_told_who_has_the_home_and_to_use_another(tmp_path: Path) -> None:
    with closing(Journal.open(tmp_path / "home")):
        ended = holdfast("run", "--home", str(tmp_path / "home"))

    assert ended.returncode == ExitCode.LOCKED
    assert f"(process {os.getpid()})" in ended.stderr
    assert f"another node has the home {tmp_path / 'home'}; use another --home" in ended.stderr


@pytest.mark.parametrize("command", [["run"], ["replay"], ["audit"], ["journal", "stats"]])
@pytest.mark.parametrize("names", ["{home}", "--home {home}", "--home={home}"])
def test_a_damaged_journal_is_named_with_its_home_and_what_to_do(
    command: list[str], names: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "damaged"
    Journal.open(home).close()
    (home / "journal.watermark").write_bytes(b"no mark " * 1_000)
    options = names.format(home=home).split() if names.startswith("--") else []
    if not options:
        monkeypatch.setenv("HOLDFAST_HOME", str(home))

    code = run_command_line([*command, *options])

    said = capsys.readouterr().err
    assert code == ExitCode.DAMAGED
    assert f"the journal of the home {home} is damaged" in said
    assert "`holdfast journal verify`" in said
    assert "`holdfast journal salvage --plan`" in said


def test_a_sequence_beyond_the_journal_is_64(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Journal.open(tmp_path).close()

    assert run_command_line(["replay", "--to", "1200", "--home", str(tmp_path)]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert said == "holdfast: expected a sequence of this journal, which ends at 0, found 1200 (--to)\n"


def test_reconcile_without_its_plan_is_64_in_the_voice_of_all_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["reconcile"]) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("holdfast: expected --plan")


TOLD_BY_OTHERS = "\x1b[2J\x1b]0;all is well\x07\x9b31m\u202egnp\r\x7f"


def test_what_others_have_written_does_nothing_to_the_terminal_it_is_shown_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = {"seq": 1, "kind": "OrderRejected", "payload": {"reason": TOLD_BY_OTHERS}}

    say(as_event(said))
    say_json(said)
    complain(TOLD_BY_OTHERS)

    shown = capsys.readouterr()
    assert all(line.isprintable() for line in (shown.out + shown.err).split("\n"))
    assert json.loads(shown.out.splitlines()[1]) == said


def test_what_a_replay_shows_of_a_journal_does_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    check = {"name": "fold", "checked": 1, "problems": [TOLD_BY_OTHERS], "passed_over": 0, "reason": ""}

    for as_json in (False, True):
        _print({"checks": [check]}, as_json=as_json)

    shown = capsys.readouterr().out
    assert all(line.isprintable() for line in shown.split("\n"))
    assert json.loads(shown.splitlines()[-1]) == {"checks": [check]}


def test_what_others_have_written_does_nothing_to_the_terminal_of_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(NodeLog(Log(), tmp_path)) as log:
        log("warning", "reconcile.unanswered", why="\x1b[2J", of=[TOLD_BY_OTHERS])

    assert all(line.isprintable() for line in capsys.readouterr().err.split("\n"))


def test_what_others_have_written_does_nothing_to_the_terminal_that_an_error_ends_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = ValueError(TOLD_BY_OTHERS)

    print_scrubbed(error, error.__traceback__)

    assert all(line.isprintable() for line in capsys.readouterr().err.split("\n"))


def test_orders_that_are_not_shown_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    strays = [{"client_id": f"h{number}", "strategy": "s", "state": "accepted"} for number in range(23)]

    _say_rest({"quarantine": "", "unknown_orders": strays})

    said = capsys.readouterr().out
    assert "h19" in said and "h20" not in said
    assert "... and 3 more; --json has all" in said


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            ["venue.credentials.api_secret=env:NOPE"],
            "venue.credentials.api_secret: expected environment variable NOPE to be set, found that it is not",
        ),
        (
            ["strategies.mine.class=flup.py:Flip"],
            "strategies.mine: expected a Python file, found none at {here}/flup.py (flup.py:Flip)",
        ),
        (
            ["strategies.mine.class=broken.py:Mine"],
            "strategies.mine: expected a module that can be imported, found SyntaxError: ",
        ),
        (
            ["strategies.mine.class=other.py:Mine"],
            "strategies.mine: expected a class Mine, found Other (other.py:Mine)",
        ),
        (
            ["feed.source=files", "feed.path=BTCUSDT_1m.csv.gz"],
            "feed: expected a whole gzip file, found Compressed file ended",
        ),
    ],
)
def test_a_mistake_says_once_what_was_expected_and_once_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: list[str], sentence: str
) -> None:
    Path("broken.py").write_text("class Mine(:\n")
    Path("other.py").write_text("class Other: pass\n")
    rows = "ts,open,high,low,close,volume\n" + "".join(
        f"{1_700_000_040_000 + 60_000 * row},1,1,1,1,1\n" for row in range(1, 2_000)
    )
    Path("BTCUSDT_1m.csv.gz").write_bytes(gzip.compress(rows.encode())[:-40])

    code = run_command_line(["config", "check", *(word for each in settings for word in ("--set", each))])

    said = capsys.readouterr().err
    assert code == ExitCode.CONFIGURATION
    assert sentence.format(here=Path().absolute()) in said
    assert (said.count("expected "), said.count("found ")) == (1, 1), said


def test_a_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    below = str(tmp_path / "file" / "below")

    assert run_command_line(["run", "--home", below]) == ExitCode.IO_ERROR
    assert run_command_line(["journal", "backup", "--to", below, "--home", str(tmp_path / "home")]) == ExitCode.IO_ERROR
    said = capsys.readouterr().err
    assert said.count(f"expected to make the folder {below}, found: ") == 2, said
    assert "Errno" not in said


def test_who_would_mend_the_home_of_a_node_is_told_to_stop_it_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(Journal.open(tmp_path / "home")):
        code = run_command_line(["journal", "salvage", "--home", str(tmp_path / "home")])

    said = capsys.readouterr().err
    assert code == ExitCode.LOCKED, said
    assert f"a node has the home {tmp_path / 'home'}; stop that one first, or use another --home" in said


def test_a_second_backup_to_one_folder_is_told_to_wait(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Journal.open(tmp_path / "home").close()
    (tmp_path / "backups").mkdir()
    with ExitStack() as stack:
        stack.callback(Lock(tmp_path / "backups" / ".backup.lock").release)
        code = run_command_line(["journal", "backup", "--to", "backups", "--home", str(tmp_path / "home")])

    assert code == ExitCode.LOCKED
    assert "another backup is under way in that folder; wait for it" in capsys.readouterr().err
