"""Kill equivalence with real processes and SIGKILL: a share of the long run in `tests.endurance.kill_equivalence`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.cues import VARIABLE
from holdfast.replay import verify_everything
from holdfast.torture.lives import durable_seq
from tests.endurance.kill_equivalence import arguments_for, compare, data_folder, kill_through
from tests.endurance.nodes import NodeProcess, Outcome, outcome_of, run_to_end

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
DAYS = 3
SAMPLE_END = "2024-01-04T00:00:00Z"


@pytest.fixture(scope="module")
def arguments() -> list[str]:
    given = arguments_for(days=DAYS)
    return given if data_folder() is not None else [*given, "--set", f"feed.end={SAMPLE_END}"]


@pytest.fixture(scope="module")
def reference_home(arguments: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("reference") / "home"
    run_to_end(home, arguments)
    yield home


@pytest.fixture(scope="module")
def reference(reference_home: Path) -> Outcome:
    return outcome_of(reference_home)


def test_a_node_killed_at_any_moments_ends_as_one_that_was_not(
    arguments: list[str], reference_home: Path, reference: Outcome, tmp_path: Path
) -> None:
    tally = kill_through(tmp_path / "home", arguments, kills=10, seed=11, reference=reference_home)

    assert len(reference.fills) >= 20
    assert compare(reference, outcome_of(tmp_path / "home")) == [], tally
    assert tally.kills == 10
    assert not [check for check in verify_everything(tmp_path / "home") if check.problems]


BOUNDARIES = (
    ("journal.before_commit", 30),
    ("journal.after_commit", 25),
    ("journal.after_watermark", 20),
    ("venue.before_book", 3),
    ("venue.after_book", 2),
    ("executor.before_release", 400),
    ("executor.after_release", 500),
    ("venue.before_release", 300),
    ("positions.before_release", 200),
    ("breaker.after_release", 350),
    ("feed.before_release", 250),
)
"""A point, and how often it is passed before death comes."""


def test_a_node_killed_at_every_boundary_ends_as_one_that_was_not(
    arguments: list[str], reference: Outcome, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    for point, times in BOUNDARIES:
        before = durable_seq(home)
        node = NodeProcess(home, arguments, environment={VARIABLE: f"{point}:{times}"})
        node.end()
        assert node.process.returncode == -9, f"{point} was passed fewer than {times} times"
        assert durable_seq(home) > before, point
    run_to_end(home, arguments)

    assert compare(reference, outcome_of(home)) == []
