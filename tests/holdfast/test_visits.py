"""Operators in simulated weather: they come often enough, do all that one can, and leave a node that is active."""

from collections import Counter

import pytest

from holdfast.routes import node_names
from holdfast.simulation.faults import draw_weather
from holdfast.simulation.run import SUPERVISORS, simulate_seed
from holdfast.simulation.visits import MEDDLING, Visits, draw_visits
from holdfast.simulation.world import draw_world

SEEDS = range(200)
MINUTES = 120
WORLD = draw_world(0, hours=0.1)
PARTS = (*node_names(WORLD.parts.shape), *SUPERVISORS)


def visits_of(seed: int) -> Visits:
    return draw_visits(seed, minutes=MINUTES, parts=PARTS, symbols=("BTCUSDT",))


def test_every_command_and_a_part_that_gives_up_come_often() -> None:
    drawn = Counter(strike.act for seed in SEEDS for strike in visits_of(seed).strikes)

    assert all(drawn[act] >= 10 for act in (*MEDDLING, "resume", "snapshot", "give_up")), drawn


def test_what_is_stopped_is_let_go_on_later_and_before_the_end() -> None:
    for seed in SEEDS:
        strikes = visits_of(seed).strikes
        for stop in (strike for strike in strikes if strike.act in ("pause", "halt")):
            later = [strike for strike in strikes if strike.act == "resume" and strike.minute > stop.minute]

            assert later and min(strike.minute for strike in later) < MINUTES, seed


def test_who_looks_on_does_nothing_that_changes_what_is_traded() -> None:
    looking = [visits for seed in SEEDS if (visits := visits_of(seed)).mood == "looking"]

    assert looking
    assert all(visits.changes_nothing and visits.impatient is None for visits in looking)
    assert {strike.act for visits in looking for strike in visits.strikes} <= {"restart", "snapshot", "kill_within"}


def test_an_operator_leaves_the_faults_of_a_seed_as_they_are() -> None:
    weather = draw_weather(3, minutes=MINUTES, parts=PARTS, supervisors=SUPERVISORS)

    assert not {strike.act for strike in weather.strikes} & {*MEDDLING, "resume", "snapshot", "give_up"}


@pytest.mark.slow
def test_a_part_that_gives_up_is_mended_and_the_seed_lives_to_its_end() -> None:
    seed = next(seed for seed in SEEDS if visits_of(seed).impatient is not None)

    result = simulate_seed(seed, hours=2.0)

    assert not result.violations
    assert result.faults["give_up"] >= 1
    assert result.commands["resume"] >= 1
