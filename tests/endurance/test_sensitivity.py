"""A harness that finds no bug proves nothing: the bugs of the list that are found soonest are found on every change."""

import pytest

from tests.endurance.mutants import MUTANTS
from tests.endurance.mutation import Mutant
from tests.endurance.sensitivity import hunt

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

RARE = {"a_finished_orders_late_fills_are_passed_over", "reservations_are_not_restored"}
"""They take more seeds than there is time for on every change; `python -m tests.endurance.sensitivity` finds them."""
QUICK = [mutant for mutant in MUTANTS if mutant.__name__ not in RARE][::3]
"""Every other one of the rest, for there is no time for all of them on every change."""


def test_the_list_has_what_it_must() -> None:
    assert len(MUTANTS) >= 20
    assert len({mutant.__name__ for mutant in MUTANTS}) == len(MUTANTS)
    assert {mutant.__name__ for mutant in MUTANTS} > RARE
    assert all(mutant.__doc__ for mutant in MUTANTS)


@pytest.mark.parametrize("mutant", QUICK, ids=lambda mutant: mutant.__name__)
def test_a_bug_that_is_put_in_on_purpose_is_found(mutant: Mutant) -> None:
    assert hunt(mutant, seeds_max=25).law
