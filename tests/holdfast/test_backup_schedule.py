"""Laws of backups on schedule: made beside the node, by the wall clock, remembered, and made up for."""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateways.calendar import Calendar
from gateways.side_process import Ended, SideProcess
from holdfast.config.loading import load_settings
from holdfast.config.settings import Settings
from holdfast.mending import schedule
from holdfast.mending.manifest import newest_taken_ms
from holdfast.mending.schedule import Schedule, made_from
from messages.codec import decode
from messages.node import BackedUp
from persistence.reader import JournalReader
from persistence.verify import verify
from tests.holdfast.mended import live
from tests.holdfast.test_processes import Node

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]
DAY_MS = 86_400_000
WAIT_S = 40.0


def settings_with(*overrides: str) -> Settings:
    return load_settings(None, environ={}, overrides=overrides).settings


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the wall clock, to be set by the test."""
    now = [time.time_ns() // 1_000_000]
    monkeypatch.setattr(schedule, "_wall_ms", lambda: now[0])
    return now


def test_a_backup_is_due_once_at_its_hour_and_not_while_one_is_made(tmp_path: Path, wall: list[int]) -> None:
    home = live(tmp_path / "home", 60)
    settings = settings_with(f"backup.to={tmp_path / 'to'}", "backup.at=30 3 * * *")
    kept = Schedule(home, lambda: settings)
    assert not kept.is_due()
    wall[0] = Calendar("30 3 * * *").after(wall[0]) - 1
    assert not kept.is_due()
    wall[0] += 1
    assert kept.is_due()

    made: list[BackedUp] = []
    assert kept.begin(made.append) == ""

    assert not kept.is_due()
    wall[0] += DAY_MS
    assert not kept.is_due()
    wall[0] -= DAY_MS
    until(lambda: made)
    assert not made[0].problem
    assert verify(Path(made[0].folder)).is_sound
    assert not kept.is_due()
    wall[0] += DAY_MS
    assert kept.is_due()
    kept.close()


def test_a_backup_that_ends_before_it_is_kept_in_mind_does_not_stand_in_the_way_of_the_next(
    tmp_path: Path, wall: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    class EndsFirst(SideProcess):
        def __init__(self, *what: Any, **how: Any) -> None:
            super().__init__(*what, **how)
            self._watcher.join(WAIT_S)

    monkeypatch.setattr(schedule, "SideProcess", EndsFirst)
    settings = settings_with(f"backup.to={tmp_path / 'to'}", "backup.at=30 3 * * *")
    kept, made = Schedule(tmp_path / "home", lambda: settings), list[BackedUp]()
    assert kept.begin(made.append) == ""
    assert len(made) == 1

    wall[0] = Calendar("30 3 * * *").after(wall[0])

    assert kept.is_due()


def test_a_clock_that_was_put_back_is_not_waited_for(tmp_path: Path, wall: list[int]) -> None:
    settings = settings_with(f"backup.to={tmp_path / 'to'}", "backup.at=30 3 * * *")
    kept, true_ms = Schedule(tmp_path / "home", lambda: settings), wall[0]
    wall[0] += 3_650 * DAY_MS
    assert not kept.is_due()
    wall[0] = true_ms
    assert not kept.is_due()

    wall[0] = Calendar("30 3 * * *").after(true_ms)

    assert kept.is_due()


def test_what_fell_due_while_no_node_ran_is_made_up_for(tmp_path: Path, wall: list[int]) -> None:
    home = live(tmp_path / "home", 60)
    settings = settings_with(f"backup.to={tmp_path / 'to'}", "backup.at=30 3 * * *")
    made: list[BackedUp] = []
    first = Schedule(home, lambda: settings)
    first.begin(made.append)
    until(lambda: made)
    assert not made[0].problem
    assert newest_taken_ms(tmp_path / "to", home) is not None
    assert not Schedule(home, lambda: settings).is_due()

    wall[0] += DAY_MS

    assert Schedule(home, lambda: settings).is_due()
    other = live(tmp_path / "other", 60)
    assert not Schedule(other, lambda: settings).is_due()


@pytest.mark.parametrize("override", ["backup.to=", "backup.at="])
def test_where_no_place_or_no_hour_is_set_none_is_ever_due(tmp_path: Path, wall: list[int], override: str) -> None:
    settings = settings_with("backup.to=/backups", "backup.at=* * * * *", override)
    kept = Schedule(tmp_path, lambda: settings)

    for _ in range(10):
        assert not kept.is_due()
        wall[0] += DAY_MS


def test_what_went_wrong_is_told_in_words(tmp_path: Path) -> None:
    home = live(tmp_path / "home", 60)
    settings = settings_with(f"backup.to={home / 'backups'}")
    made: list[BackedUp] = []

    Schedule(home, lambda: settings).begin(made.append)
    until(lambda: made)

    assert "expected a folder outside of the home" in made[0].problem
    assert made_from(Ended(0, "", "", True), limit_s=7).problem == "expected to be done within 7 s, was not"
    assert made_from(Ended(-9, "", "Traceback\nBoom: oh\n", False), limit_s=7).problem == "ended with -9: Boom: oh"
    whole = BackedUp(folder="/b", sequence=1)
    assert made_from(Ended(0, msgspec.json.encode(whole).decode(), "", False), limit_s=7) == whole


def test_a_node_backs_itself_up_and_says_so(
    tmp_path: Path,
) -> None:
    home, to = tmp_path / "home", tmp_path / "to"
    past = live(tmp_path / "home", 60)
    # One of two days ago: the next fell due long since.
    settings = settings_with(f"backup.to={to}")
    made: list[BackedUp] = []
    Schedule(past, lambda: settings).begin(made.append)
    until(lambda: made)
    _age(Path(made[0].folder))

    node = Node(home, "--set", "feed.speed=600", "--set", f"backup.to={to}")
    try:
        node.wait_until(lambda: _backed_up(home), "a backup on schedule")
        (event,) = _backed_up(home)
        assert not event.problem
        assert verify(Path(event.folder)).is_sound
        assert "backup.done" in node.said()
    finally:
        node.end(signal.SIGTERM)
    assert len([path for path in to.iterdir() if not path.name.startswith(".")]) == 2


def _age(backup: Path) -> None:
    """Let a backup say that it was taken two days ago."""
    from holdfast.mending.manifest import read_manifest, write_manifest

    manifest = read_manifest(backup)
    (backup / "backup.json").unlink()
    write_manifest(backup, msgspec.structs.replace(manifest, taken_at_ms=manifest.taken_at_ms - 2 * DAY_MS))
    assert json.loads((backup / "backup.json").read_bytes())["taken_at_ms"] < manifest.taken_at_ms


def _backed_up(home: Path) -> list[BackedUp]:
    with JournalReader(home) as reader:
        found = [decode(each.kind, each.version, each.payload) for each in reader.read(kinds=["BackedUp"])]
    return [event for event in found if isinstance(event, BackedUp)]
