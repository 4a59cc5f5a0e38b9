"""The laws of the venue's clock: the quickest answer counts, and a clock that was set is noticed."""

from gateways.live.clock import SAMPLES, VenueClock


def take(clock: VenueClock, *, offset: int, round_trip: int, at: int = 1_000_000) -> bool:
    """Measure a clock that is ahead by `offset`, on a way of which all delay is on the way back."""
    return clock.take(asked_at_ms=at, answered_at_ms=at + round_trip, venue_ms=at + offset)


def test_the_quickest_of_the_last_answers_counts() -> None:
    clock = VenueClock()

    take(clock, offset=500, round_trip=900)
    take(clock, offset=500, round_trip=10)
    take(clock, offset=500, round_trip=700)

    assert abs(clock.offset_ms - 500) <= 5


def test_an_old_quick_answer_is_forgotten() -> None:
    clock = VenueClock()
    take(clock, offset=500, round_trip=2)

    for _ in range(SAMPLES):
        take(clock, offset=700, round_trip=20)

    assert abs(clock.offset_ms - 700) <= 10


def test_a_clock_that_was_set_counts_at_once() -> None:
    clock = VenueClock()
    for _ in range(SAMPLES):
        assert not take(clock, offset=0, round_trip=10)

    assert take(clock, offset=-3_600_000, round_trip=40)
    assert abs(clock.offset_ms + 3_600_000) <= 20


def test_an_answer_that_was_slow_is_not_taken_for_a_clock_that_was_set() -> None:
    clock = VenueClock()
    take(clock, offset=0, round_trip=10)

    assert not take(clock, offset=0, round_trip=8_000)
    assert abs(clock.offset_ms) <= 5


def test_what_was_never_measured_is_taken_for_equal() -> None:
    clock = VenueClock()

    assert (clock.is_known, clock.offset_ms) == (False, 0)
