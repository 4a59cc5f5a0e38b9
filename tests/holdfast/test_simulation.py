"""Whole nodes under faults drawn from seeds: nothing that must hold is ever broken, and one seed is one run."""

import pytest

from holdfast.simulation.run import SEEDS_PER_WORLD, simulate_seed

SEEDS = 1_000
HOURS = 2.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_PER_WORLD))
def test_every_seed_is_lived_without_a_violation(first: int) -> None:
    for seed in range(first, first + SEEDS_PER_WORLD):
        result = simulate_seed(seed, hours=HOURS)

        assert not result.violations, f"holdfast simulate --from {seed} --seeds 1 --hours {HOURS:g} --trace"
        assert result.hours >= HOURS
        assert result.orders >= 20, seed
        assert sum(result.faults.values()) >= 3, seed
