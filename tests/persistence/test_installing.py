"""The laws of an exchange of journals that a disk has no room for."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.mending.manifest import generations_begun, note_generation
from persistence.errors import JournalUnwritable
from persistence.home import Home
from persistence.installing import Plan, begin_staging, commit, is_under_way


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let files grow to so many bytes: what goes beyond is cut, as on a disk that fills up."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_exchange_whose_plan_was_cut_by_a_full_disk_never_begins(tmp_path: Path) -> None:
    home = Home(tmp_path)
    begin_staging(home)
    plan = Plan(kind="salvage", quarantine="quarantine/now", moves=(), brings={}, said={"reason": "x" * 100})

    with room_for(50), pytest.raises(JournalUnwritable):
        commit(home, plan, cue=lambda point: None)

    assert not is_under_way(home)


def test_a_generation_whose_note_was_cut_by_a_full_disk_never_begins(tmp_path: Path) -> None:
    note_generation(tmp_path, 2, wall_ms=0, home=tmp_path)
    size = (tmp_path / "restored.jsonl").stat().st_size

    with room_for(size + 10), pytest.raises(OSError, match="File too large"):
        note_generation(tmp_path, 3, wall_ms=0, home=tmp_path)

    note_generation(tmp_path, 4, wall_ms=0, home=tmp_path)
    assert generations_begun(tmp_path) == {2, 4}
