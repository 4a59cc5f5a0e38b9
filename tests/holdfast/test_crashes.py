"""What crashed is told from the journal, newest first, with what came of it; whether or not a node runs."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.cli.main import run_command_line
from holdfast.crashes import crashes
from holdfast.exit_codes import ExitCode
from messages.base import Event
from messages.codec import encode
from messages.parts import PartCrashed, PartStarted, SupervisorReported
from persistence.journal import Journal
from persistence.records import Draft


def keep(home: Path, *events: Event) -> None:
    """Write events into a journal, a second apart."""
    with closing(Journal.open(home)) as journal:
        drafts = []
        for seq, event in enumerate(events, 1):
            kind, version, payload = encode(event)
            drafts.append(Draft(seq, 0, seq * 1000, kind, version, "node", 1, 0, seq, 0, payload))
        journal.append(drafts)


def crashed(part: str, epoch: int, reason: str = "crash(ValueError: no)") -> PartCrashed:
    return PartCrashed(part, epoch, reason, "a stack", "Poke()", ("Wake",), 2, ("Poke", "Poke"), 4.5, ("market",))


def reported(part: str, epoch: int, count: int) -> SupervisorReported:
    return SupervisorReported("market", "child_terminated", "crash", part, epoch, "permanent", count)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    keep(
        tmp_path,
        PartStarted("market", "feed", 1),
        PartStarted("market", "sentiment", 2),
        crashed("feed", 1),
        reported("feed", 1, 1),
        PartStarted("market", "feed", 3),
        crashed("sentiment", 2, "hung(20 s)"),
        reported("sentiment", 2, 2),
        crashed("feed", 3),
        reported("feed", 3, 3),
        PartStarted("market", "sentiment", 4),
    )
    return tmp_path


def test_crashes_are_told_newest_first_with_what_their_supervisor_counted_and_whether_they_came_back(
    home: Path,
) -> None:
    told = crashes(home, 10)

    assert [(each["actor"], each["seq"], each["epoch"]) for each in told] == [
        ("feed", 8, 3),
        ("sentiment", 6, 2),
        ("feed", 3, 1),
    ]
    assert [each["restarts_in_window"] for each in told] == [3, 2, 1]
    assert [(each["at"], each["up_again_at"]) for each in told] == [(8000, None), (6000, 10_000), (3000, 5000)]
    assert (
        told[1].items()
        >= {
            "reason": "hung(20 s)",
            "stack": "a stack",
            "message": "Poke()",
            "last_messages": ("Wake",),
            "mailbox_depth": 2,
            "mailbox_types": ("Poke", "Poke"),
            "uptime_s": 4.5,
            "ancestors": ("market",),
        }.items()
    )


def test_no_more_crashes_are_told_than_were_asked_for(home: Path) -> None:
    assert [each["seq"] for each in crashes(home, 2)] == [8, 6]


def test_crashes_can_be_looked_at_when_the_node_is_gone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for_people = run_command_line(["ctl", "crashes", "--home", str(home), "-n", "1"]), capsys.readouterr().out
    for_programs = run_command_line(["ctl", "crashes", "--home", str(home), "--json"]), capsys.readouterr().out

    assert for_people[0] == for_programs[0] == ExitCode.OK
    assert for_people[1].startswith("feed  1970-01-01 00:00:08  crash(ValueError: no)\n")
    assert [each["seq"] for each in json.loads(for_programs[1])] == [8, 6, 3]


def test_a_home_without_a_journal_has_no_crashes_to_tell_of(tmp_path: Path) -> None:
    assert run_command_line(["ctl", "crashes", "--home", str(tmp_path)]) == ExitCode.IO_ERROR
