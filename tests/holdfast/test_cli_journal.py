"""Laws of `holdfast journal`: it tells what the journal holds, and proves it or says where it cannot."""

import json
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from holdfast import journal_tools
from holdfast.cli.main import run_command_line
from holdfast.exit_codes import ExitCode
from messages.codec import encode
from messages.node import NodeStopped, StateMarked
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.records import Draft

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a home, and put the hooks for what nobody caught back."""
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    for module, hook in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, hook, getattr(module, hook))


def draft(seq: int) -> Draft:
    event = NodeStopped(reason=f"r{seq}") if seq % 5 == 0 else StateMarked(why=f"w{seq}")
    kind, version, payload = encode(event)
    return Draft(
        seq=seq,
        at=1_623_326_400_000 + seq,
        wall=1_700_000_000_000 + seq,
        kind=kind,
        version=version,
        actor="tester",
        epoch=1,
        seen=0,
        correlation=seq,
        causation=0,
        payload=payload,
    )


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Write a journal of 50 events, and return its home."""
    with closing(Journal.open(tmp_path)) as journal:
        journal.append([draft(seq) for seq in range(1, 51)])
    return tmp_path


@pytest.mark.usefixtures("journal")
def test_stats_counts_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["journal", "stats", "--json"]) == ExitCode.OK

    found = json.loads(capsys.readouterr().out)
    assert (found["events"], found["seq"], found["generation"], found["boots"]) == (50, 50, 1, 1)
    assert found["kinds"] == {"StateMarked": 40, "NodeStopped": 10}
    assert (found["first_at"], found["last_at"]) == (1_623_326_400_001, 1_623_326_400_050)
    assert found["bytes"]["journal.db"] > 0


@pytest.mark.usefixtures("journal")
def test_stats_are_readable(capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line(["journal", "stats"])

    written = capsys.readouterr().out
    assert "2021-06-10 12:00:00" in written
    assert "StateMarked" in written


def test_an_empty_journal_has_stats_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Journal.open(tmp_path).close()

    assert run_command_line(["journal", "stats", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["events"] == 0
    assert run_command_line(["journal", "tail"]) == ExitCode.OK
    assert run_command_line(["journal", "verify"]) == ExitCode.OK


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize(
    ("options", "sequences"),
    [
        (["-n", "3"], [48, 49, 50]),
        (["-n", "0"], []),
        (["-n", "1000"], list(range(1, 51))),
        (["-n", "2", "--kind", "NodeStopped"], [45, 50]),
        (["-n", "2", "--kind", "NodeStopped", "--kind", "StateMarked"], [49, 50]),
        (["--kind", "Nothing"], []),
    ],
)
def test_tail_shows_the_newest_oldest_first(
    options: list[str], sequences: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["journal", "tail", *options, "--json"]) == ExitCode.OK

    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["seq"] for event in events] == sequences


@pytest.mark.usefixtures("journal")
def test_a_person_reads_an_event_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line(["journal", "tail", "-n", "1"])

    assert capsys.readouterr().out.split() == ["50", "2021-06-10", "12:00:00", "tester", "NodeStopped", "reason=r50"]


def test_following_tells_each_event_once_and_in_sequence(journal: Path) -> None:
    with JournalReader(journal) as reader, closing(Journal.open(journal)) as writer:
        following = journal_tools.follow(reader, 48, (), poll_s=0.001)
        told = [next(following).seq, next(following).seq]
        writer.append([draft(seq) for seq in range(51, 61)])
        told += [next(following).seq for _ in range(10)]
        following.close()

    assert told == list(range(49, 61))


def test_export_writes_every_event_whole(journal: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run_command_line(["journal", "export", "--after", "10", "--until", "20"]) == ExitCode.OK
    on_screen = capsysbinary.readouterr().out
    out = journal / "export.jsonl"
    assert run_command_line(["journal", "export", "--output", str(out)]) == ExitCode.OK

    events = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert [json.loads(line)["seq"] for line in on_screen.splitlines()] == list(range(11, 21))
    assert [event["seq"] for event in events] == list(range(1, 51))
    assert events[4]["payload"] == {"reason": "r5"}
    assert len(events[4]["hash"]) == 32
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_export_overwrites_nothing(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = journal / "precious"
    out.write_text("precious")

    assert run_command_line(["journal", "export", "-o", str(out)]) == ExitCode.IO_ERROR
    assert "precious" in capsys.readouterr().err
    assert out.read_text() == "precious"


@pytest.mark.usefixtures("journal")
def test_a_journal_that_is_whole_is_proven(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["journal", "verify", "--json"]) == ExitCode.OK

    found = json.loads(capsys.readouterr().out)
    assert (found["sound"], found["events"], found["seq"], found["findings"]) == (True, 50, 50, [])
    assert len(found["hash"]) == 32


def test_a_journal_that_was_changed_is_65_and_the_place_is_named(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(journal / "journal.db")) as database:
        database.execute("UPDATE events SET payload = ? WHERE seq = 33", (b'{"why":"x33"}',))
        database.commit()

    verified = run_command_line(["journal", "verify"])
    words = capsys.readouterr().err
    as_json = run_command_line(["journal", "verify", "--json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    counted = run_command_line(["journal", "stats"])

    assert (verified, as_json, counted) == (65, 65, 65)
    assert "33" in words
    assert [finding["sequence"] for finding in findings if finding["place"] == "chain"] == [33]


def test_a_journal_whose_end_is_missing_is_65(journal: Path) -> None:
    with closing(sqlite3.connect(journal / "journal.db")) as database:
        database.execute("DELETE FROM events WHERE seq > 47")
        database.commit()

    assert run_command_line(["journal", "verify"]) == ExitCode.DAMAGED
    assert run_command_line(["journal", "tail"]) == ExitCode.DAMAGED


@pytest.mark.usefixtures("journal")
def test_following_ends_at_a_word_from_the_keyboard() -> None:
    line = [sys.executable, "-m", "holdfast", "journal", "tail", "-n", "1", "--follow", "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        process.send_signal(2)
        _out, err = process.communicate(timeout=20)

    assert first["seq"] == 50
    assert process.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in err
