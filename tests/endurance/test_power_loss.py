"""A share of what power cuts leave of a journal, and that a journal that syncs less is found out."""

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from persistence import journal, opening
from tests.endurance.power_loss import CONTROLS, control, run, shorten_log
from tests.endurance.recorded_disk import Operation, states

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")]


@pytest.fixture(autouse=True)
def _a_short_log() -> Iterator[None]:
    lengths = [(module, module.LOG_BYTES) for module in (opening, journal)]
    shorten_log()
    yield
    for module, length in lengths:
        module.LOG_BYTES = length  # type: ignore[attr-defined]


def test_what_a_power_cut_leaves_of_a_journal_is_a_journal(tmp_path: Path) -> None:
    tally: Counter[str] = Counter()
    run(tmp_path, 11, "", 500, tally, lambda: None)

    assert tally["distinct states"] == 500


@pytest.mark.parametrize("how", CONTROLS)
def test_a_journal_that_promises_more_than_it_syncs_is_found_out(tmp_path: Path, how: str) -> None:
    assert control(tmp_path / "control", 11, how)


def test_every_part_of_what_was_not_synced_may_be_left_and_nothing_that_was_is_lost() -> None:
    done = [
        Operation("write", "a", 0, b"11"),
        Operation("sync", "a"),
        Operation("say", "", 1),
        Operation("write", "a", 1, b"2"),
        Operation("write", "b", 0, b"3"),
        Operation("sync", "b"),
    ]
    found = {(state.files.get("a"), state.files.get("b"), state.said) for state in states({}, done, random.Random(0))}

    assert found == {
        (None, None, 0),
        (b"11", None, 0),
        (b"11", None, 1),
        (b"12", None, 1),
        (b"11", b"3", 1),
        (b"12", b"3", 1),
    }
