"""A hang on the stage: the actor keeps its message in hand while others go on, until it is fenced or let go."""

from typing import Any

import pytest

from supervision import CrashReport, Stage
from supervision.stage import StageRecorder
from tests.supervision.troupe import House, Noted, Poke, Puppet

LIMIT_S = 5.0


def speak(puppet: Puppet, message: Any) -> None:
    if isinstance(message, Poke) and puppet.name == "a":
        puppet.record(Noted(message.value))
        puppet.tell("b", Poke(message.value))


class CuedHouse(House):
    """A house whose stage hears of every point."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed=seed, routes={Noted: ["b"]})
        assert self.stage is not None
        self.ground: Stage = self.stage
        self.system.cue = self.ground.reach

    def heard(self) -> list[Any]:
        """Commit, and return all records."""
        assert isinstance(self.recorder, StageRecorder)
        self.recorder.commit()
        return self.records


@pytest.fixture
def house() -> CuedHouse:
    house = CuedHouse()
    house.start(house.puppet("a", on_message=speak, hang_after_s=LIMIT_S), house.puppet("b"))
    house.rest()
    return house


def test_a_hung_actor_keeps_its_message_in_hand_and_others_take_their_turns(house: CuedHouse) -> None:
    house.ground.hang("a")
    house.system.tell("a", Poke("stays"))
    house.system.tell("b", Poke("goes on"))
    house.rest(1.0)

    assert house.ground.hung == ("a",)
    assert "took" in {entry[0] for entry in house.log if entry[1] == "b"}
    assert house.heard() == []


def test_one_that_is_let_go_in_time_says_what_it_had_to_say(house: CuedHouse) -> None:
    first = house.epoch("a")
    house.ground.hang("a")
    house.system.tell("a", Poke("late"))
    house.rest(LIMIT_S / 2)
    house.ground.let_go()
    house.rest(2 * LIMIT_S)

    assert house.ground.hung == ()
    assert [record.event for record in house.heard()] == [Noted("late")]
    assert house.epoch("a") == first


def test_one_that_is_let_go_after_it_was_replaced_is_heard_by_nobody(house: CuedHouse) -> None:
    first = house.epoch("a")
    house.ground.hang("a")
    house.system.tell("a", Poke("too late"))
    house.until(lambda: house.epoch("a") > first)
    house.rest()
    house.system.tell("a", Poke("from the next"))
    house.ground.let_go()
    house.rest(2 * LIMIT_S)

    assert [record.event for record in house.heard()] == [Noted("from the next")]
    assert {record.epoch for record in house.heard()} == {house.epoch("a")}
    assert house.threads_of("a") == 1


def test_a_hang_is_reported_with_the_stack_of_where_it_hangs(house: CuedHouse) -> None:
    house.ground.hang("a", "after_release")
    house.system.tell("a", Poke("said"))
    house.until(lambda: bool(house.reported(CrashReport)))
    (report,) = house.reported(CrashReport)
    house.ground.let_go()
    house.rest()

    assert "in _handle_receive" in report.stack
    assert report.reason.startswith("hung(has been busy with Poke")
    assert [record.event for record in house.heard()] == [Noted("said")]


def test_nobody_who_does_not_live_can_hang(house: CuedHouse) -> None:
    assert not house.ground.hang("nobody")


def test_the_wall_clock_may_be_set_and_time_goes_on_as_before(house: CuedHouse) -> None:
    clock = house.ground.clock
    before_wall, before = clock.wall_ms(), clock.monotonic()
    clock.step_wall(-3_600_000)

    assert clock.wall_ms() == before_wall - 3_600_000
    assert clock.monotonic() == before
