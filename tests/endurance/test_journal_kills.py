"""A share of the kills of the journal alone, and that who breaks its promise is found out by them."""

from collections import Counter
from pathlib import Path

import pytest

from tests.endurance.journal_kills import control, run_home

pytestmark = pytest.mark.slow


def test_a_journal_whose_writers_are_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    tally: Counter[str] = Counter()
    run_home(tmp_path / "home", 11, 60, tally)

    assert tally["kills"] == 60
    assert tally["after records of its own"] >= 15
    assert tally["any moment"] >= 15


def test_a_writer_that_acknowledges_too_early_is_found_out(tmp_path: Path) -> None:
    assert control(tmp_path, 11)
