"""Every allocation of an append, a few of whole nodes, and that half a state is found out."""

from collections import Counter
from pathlib import Path

import pytest

from tests.endurance.allocations import HAS_MEANS, control, starve_everywhere, starve_nodes

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not HAS_MEANS, reason="no _testcapi")]


def test_an_allocation_that_fails_leaves_a_group_whole_or_absent(tmp_path: Path) -> None:
    tally: Counter[str] = Counter()
    starve_everywhere(tmp_path, tally, stride=61)

    assert tally["append"] > 1
    assert tally["append_ahead"] > 1
    assert tally["keep"] > 1


def test_a_node_whose_memory_runs_out_on_the_order_path_comes_back_to_the_same_fills(tmp_path: Path) -> None:
    tally: Counter[str] = Counter()
    starve_nodes(tmp_path, 6, 5, tally)

    assert sum(tally.values()) == 6


def test_a_journal_that_commits_in_halves_is_found_out(tmp_path: Path) -> None:
    assert "half a group" in control(tmp_path / "control", stride=5)
