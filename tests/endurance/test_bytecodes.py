"""A share of the deaths at bytecodes of the order path, and that nodes with a bug are found out by them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from persistence import journal, opening
from tests.endurance.bytecodes import CONTROLS, Ended, control, ended, kill_really, live, recover_all, walk
from tests.endurance.power_loss import shorten_log

pytestmark = pytest.mark.slow
STRIDE = 50


@pytest.fixture(autouse=True)
def _a_short_log() -> Iterator[None]:
    lengths = [(module, module.LOG_BYTES) for module in (opening, journal)]
    shorten_log()
    yield
    for module, length in lengths:
        module.LOG_BYTES = length  # type: ignore[attr-defined]


@pytest.fixture
def reference(tmp_path: Path) -> Ended:
    live(tmp_path / "reference", seed=3)
    return ended(tmp_path / "reference")


def test_a_death_at_any_bytecode_of_the_order_path_changes_nothing(tmp_path: Path, reference: Ended) -> None:
    path = walk(tmp_path / "walk", seed=3, stride=STRIDE)
    recover_all(path, reference, seed=3)

    assert len(reference.outcome.fills) >= 4
    assert path.bytecodes > 50_000
    assert len(path.seen) >= 15
    names = {Path(file).name for file in path.files}
    assert names >= {"breaker.py", "executor.py", "switchboard.py", "journal.py", "evidence.py", "positions.py"}


def test_a_process_killed_at_a_bytecode_leaves_what_was_seen_there(tmp_path: Path, reference: Ended) -> None:
    path = walk(tmp_path / "walk", seed=4, stride=STRIDE)

    assert kill_really(path, tmp_path, reference, 4, seed=4) == 4


@pytest.mark.parametrize("bug", CONTROLS)
def test_a_node_with_a_bug_is_found_out_at_some_bytecode(tmp_path: Path, reference: Ended, bug: str) -> None:
    assert "bytecode" in control(tmp_path, bug, reference, seed=3, stride=STRIDE)
