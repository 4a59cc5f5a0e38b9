"""The laws of the venue's clock: the quickest answer counts, and a clock that was set is noticed."""

from gateways.live.clock import SAMPLES, VenueClock

NOW_MS = 1_700_000_000_000


class Machine:
    """A machine's clocks, of which the wall clock can be set."""

    def __init__(self) -> None:
        self.monotonic = 100.0
        self.wall = NOW_MS / 1000

    def clock(self) -> VenueClock:
        return VenueClock(monotonic_s=lambda: self.monotonic, wall_s=lambda: self.wall)


def take(clock: VenueClock, *, offset: int, round_trip: int, at: float = 100.0) -> bool:
    """Measure a clock that is ahead by `offset`, on a way of which all delay is on the way back."""
    venue_ms = NOW_MS + offset + round((at - 100) * 1000)
    return clock.take(asked_at_s=at, answered_at_s=at + round_trip / 1000, venue_ms=venue_ms)


def test_the_quickest_of_the_last_answers_counts() -> None:
    clock = Machine().clock()

    take(clock, offset=500, round_trip=900)
    take(clock, offset=500, round_trip=10)
    take(clock, offset=500, round_trip=700)

    assert abs(clock.ahead_of_wall_ms() - 500) <= 5


def test_an_old_quick_answer_is_forgotten() -> None:
    clock = Machine().clock()
    take(clock, offset=500, round_trip=2)

    for _ in range(SAMPLES):
        take(clock, offset=700, round_trip=20)

    assert abs(clock.ahead_of_wall_ms() - 700) <= 10


def test_a_venues_clock_was_set_where_two_answers_in_a_row_say_so() -> None:
    clock = Machine().clock()
    for _ in range(SAMPLES):
        assert not take(clock, offset=0, round_trip=10)

    assert not take(clock, offset=-3_600_000, round_trip=40)
    assert clock.is_in_doubt
    assert take(clock, offset=-3_600_000, round_trip=40)
    assert abs(clock.ahead_of_wall_ms() + 3_600_000) <= 20
    assert not clock.is_in_doubt


def test_one_answer_that_is_false_sets_nothing() -> None:
    clock = Machine().clock()
    take(clock, offset=0, round_trip=10)

    for false in (86_400_000, -86_400_000):
        assert not take(clock, offset=false, round_trip=10)
        assert abs(clock.ahead_of_wall_ms()) <= 5
    assert not take(clock, offset=0, round_trip=10)

    assert not clock.is_in_doubt
    assert not take(clock, offset=86_400_000, round_trip=10)
    assert abs(clock.ahead_of_wall_ms()) <= 5


def test_an_answer_that_was_slow_is_not_taken_for_a_clock_that_was_set() -> None:
    clock = Machine().clock()
    take(clock, offset=0, round_trip=10)

    assert not take(clock, offset=0, round_trip=8_000)
    assert abs(clock.ahead_of_wall_ms()) <= 5


def test_what_was_never_measured_is_taken_for_the_machines() -> None:
    machine = Machine()
    clock = machine.clock()

    machine.monotonic += 5
    machine.wall += 5

    assert (clock.is_known, clock.now_ms()) == (False, NOW_MS + 5_000)


def test_a_machine_whose_clock_is_set_knows_the_venues_time_all_the_same() -> None:
    machine = Machine()
    clock = machine.clock()
    take(clock, offset=0, round_trip=0)

    machine.wall += 3_600
    machine.monotonic += 2

    assert clock.now_ms() == NOW_MS + 2_000
    assert clock.ahead_of_wall_ms() == 2_000 - 3_600_000


def test_a_time_that_is_sure_is_never_ahead_of_the_venues_whichever_way_was_slow() -> None:
    machine = Machine()
    clock = machine.clock()

    # All of the delay is on the way there: the middle of the way is ahead of the venue by half of it.
    clock.take(asked_at_s=98.0, answered_at_s=100.0, venue_ms=NOW_MS)

    assert clock.now_ms() == NOW_MS + 1_000
    assert clock.surely_ms() == NOW_MS
