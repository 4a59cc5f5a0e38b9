"""Supervisors: orders of start and stop, restarts, giving up, and what may happen in the midst of it all."""

import random
import threading
from typing import Any

import pytest

from supervision import (
    Backoff,
    Break,
    Exit,
    Lane,
    Progress,
    Stop,
    SupervisionError,
    Supervisor,
)
from supervision.errors import Ignore, Poisoned
from supervision.signals import Exited, RecycleChild, Started
from tests.supervision.troupe import (
    RUNTIMES,
    House,
    Puppet,
    failing_at,
    lives,
    supervisor,
)

on_all = pytest.mark.parametrize("runtime", RUNTIMES)


# -- start -----------------------------------------------------------------------------------------------------------


@on_all
def test_children_start_in_order_and_each_waits_for_the_one_before(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a"), supervisor("s", house.puppet("b"), house.puppet("c")), house.puppet("d"))

        made_and_started = [entry for entry in house.log if entry[0] in ("made", "started")]
        assert made_and_started == [(what, name) for name in "abcd" for what in ("made", "started")]
        house.until(lambda: len(house.reported(Progress)) == 5)
        assert [report.name for report in house.reported(Progress)] == ["a", "b", "c", "s", "d"]


@on_all
def test_a_failed_first_start_is_not_retried_and_stops_what_was_started_in_reverse(runtime: str) -> None:
    with House(runtime) as house:
        never = house.puppet("d")
        house.begin(house.puppet("a"), house.puppet("b"), house.puppet("c", on_start=failing_at(1)), never)
        house.until(lambda: bool(house.ends))

        assert lives(house.log) == ["+a", "+b", "-c", "-b", "-a"]
        assert house.ends[0].kind == "shutdown"
        assert "failed to start c: init(ValueError: start 1 fails)" in house.ends[0].detail
        assert [(report.offender.name, report.reason.kind) for report in house.terminations()] == [("c", "init")]


@on_all
def test_a_first_start_that_fails_below_ends_all_the_way_up(runtime: str) -> None:
    with House(runtime) as house:
        house.begin(house.puppet("a"), supervisor("s", house.puppet("b"), house.puppet("c", on_start=failing_at(1))))
        house.until(lambda: bool(house.ends))

        assert lives(house.log) == ["+a", "+b", "-c", "-b", "-a"]
        assert "failed to start s: shutdown(failed to start c" in house.ends[0].detail


@on_all
def test_a_child_that_ends_while_the_others_still_start_is_restarted(runtime: str) -> None:
    with House(runtime) as house:
        break_a = lambda puppet: house.system.tell("a", Break("now"), Lane.SYSTEM)  # noqa: E731
        house.begin(house.puppet("a"), house.puppet("b", on_start=break_a))
        house.until(lambda: house.count("started", "a") == 2)

        assert house.ends == []


def test_a_start_that_hangs_is_abandoned_and_its_late_words_change_nothing() -> None:
    hang, starts = threading.Event(), []

    def begin(puppet: Puppet) -> None:
        starts.append(puppet.epoch)
        if len(starts) == 2:
            hang.wait(10)

    with House("threads") as house:
        house.start(house.puppet("a", on_start=begin, start_timeout_s=0.2))
        house.crash("a")
        house.until(lambda: len(starts) == 3 and house.count("started", "a") == 2)
        house.rest()
        assert house.system.abandoned == 1
        hang.set()
        house.until(lambda: house.threads_of("a") == 1)

        assert house.system.abandoned == 0
        assert house.epoch("a") == starts[2]
        assert house.is_up("a")
        assert "did not start within 0.2 s" in str(house.terminations()[-1].reason)


def test_stopping_does_not_wait_for_a_start_that_hangs() -> None:
    hang = threading.Event()
    with House("threads") as house:
        wait = lambda puppet: hang.wait(10)  # noqa: E731
        house.begin(house.puppet("a"), house.puppet("b", on_start=wait, start_timeout_s=30.0, shutdown_s=0.05))
        house.until(lambda: house.count("begun", "b") == 1)
        house.system.stop()
        house.until(lambda: bool(house.ends))

        assert house.ends == [Exit("shutdown")]
        assert lives(house.log) == ["+a", "-a"]
        hang.set()
        house.until(lambda: house.threads_of("b") == 0)


# -- stop ------------------------------------------------------------------------------------------------------------


@on_all
def test_children_stop_one_at_a_time_in_reverse_order(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a"), supervisor("s", house.puppet("b"), house.puppet("c")), house.puppet("d"))
        house.log.clear()
        house.system.stop()
        house.until(lambda: bool(house.ends))

        assert lives(house.log) == ["-d", "-c", "-b", "-a"]
        assert house.ends == [Exit("shutdown")]


@pytest.mark.parametrize("turns", range(1, 14))
def test_a_stop_at_any_moment_of_the_start_leaves_nothing_alive(turns: int) -> None:
    house = House(seed=turns)
    house.begin(house.puppet("a"), supervisor("s", house.puppet("b"), house.puppet("c")))
    assert house.stage is not None
    for _ in range(turns):
        house.stage.step()
    house.system.stop()
    house.until(lambda: bool(house.ends))

    assert not any(house.is_up(name) for name in house.system.names())
    assert house.ends == [Exit("shutdown")]
    assert house.system.abandoned == 0
    for name in "abc":
        assert house.count("started", name) == house.count("ended", name)


def test_a_child_that_does_not_stop_is_fenced_and_keeps_nobody_waiting() -> None:
    hang = threading.Event()
    with House("threads") as house:
        house.start(house.puppet("a"), house.puppet("b", on_message=lambda *_: hang.wait(10), shutdown_s=0.05))
        house.system.tell("b", "hang")
        house.until(lambda: house.count("took", "b") == 1)
        house.system.stop()
        house.until(lambda: bool(house.ends))

        assert lives(house.log)[-1] == "-a"
        assert house.system.abandoned == 1
        assert "did not stop within 0.05 s" in str(house.terminations()[0].reason)
        hang.set()
        house.until(lambda: house.threads_of("b") == 0)


@on_all
def test_a_child_given_no_time_to_stop_is_fenced_and_its_thread_still_ends(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", shutdown_s=0))
        for n in range(20):
            house.system.restart("a", "test")
            house.until(lambda n=n: house.count("started", "a") == n + 2)  # type: ignore[misc]
        house.until(lambda: house.count("ended", "a") == 20)

        assert house.threads_of("a") == 1
        assert house.surrenders() == []


@on_all
def test_a_failing_clean_up_does_not_hinder_the_stop(runtime: str) -> None:
    def fail(_puppet: Puppet) -> None:
        raise ValueError("clean-up fails")

    with House(runtime) as house:
        house.start(house.puppet("a"), house.puppet("b", on_stop=fail))
        house.system.stop()
        house.until(lambda: bool(house.ends))

        assert house.ends == [Exit("shutdown")]
        assert lives(house.log)[-2:] == ["-b", "-a"]


@on_all
@pytest.mark.parametrize("error", [Ignore("nothing to do"), Poisoned("sequence 1")])
def test_a_clean_up_that_fails_after_a_start_that_came_to_nothing_changes_no_reason(
    runtime: str, error: Exception
) -> None:
    def fail_at_start(_puppet: Puppet) -> None:
        raise error

    def fail(_puppet: Puppet) -> None:
        raise AttributeError("what a start would have made is not there")

    with House(runtime) as house:
        house.begin(house.puppet("a", on_start=fail_at_start, on_stop=fail), house.puppet("b"))
        house.until(lambda: house.is_up("b") or bool(house.ends))
        house.rest()

        assert house.count("begun", "a") == 1
        assert not house.ends


def test_a_stop_during_a_backoff_ends_at_once_and_nothing_starts_later() -> None:
    house = House()
    house.start(house.puppet("a", backoff=Backoff(base_s=5.0)))
    house.crash("a")
    house.rest()
    house.system.stop()
    house.until(lambda: bool(house.ends))
    ended_at = house.system.clock.monotonic()
    house.rest(30.0)

    assert ended_at < 5.0
    assert house.count("started", "a") == 1


# -- restart ---------------------------------------------------------------------------------------------------------


@on_all
def test_one_for_one_restarts_only_the_crashed(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a"), house.puppet("b"), house.puppet("c"))
        before = house.epoch("b")
        house.log.clear()
        house.crash("b")
        house.until(lambda: house.count("started", "b") == 1)

        assert lives(house.log) == ["-b", "+b"]
        assert house.epoch("b") > before
        assert ("made", "b") in house.log


@on_all
def test_one_for_all_stops_in_reverse_and_starts_in_order(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a"), house.puppet("b"), house.puppet("c"), strategy="one_for_all")
        house.log.clear()
        house.crash("b")
        house.until(lambda: house.count("started", "c") == 1)

        assert lives(house.log) == ["-b", "-c", "-a", "+a", "+b", "+c"]


@on_all
def test_rest_for_one_restarts_the_crashed_and_those_after_it(runtime: str) -> None:
    with House(runtime) as house:
        house.start(*(house.puppet(name) for name in "abcd"), strategy="rest_for_one")
        house.log.clear()
        house.crash("b")
        house.until(lambda: house.count("started", "d") == 1)

        assert lives(house.log) == ["-b", "-d", "-c", "+b", "+c", "+d"]


@on_all
@pytest.mark.parametrize(
    ("restart", "kind", "is_restarted"),
    [
        ("permanent", "normal", True),
        ("permanent", "crash", True),
        ("transient", "normal", False),
        ("transient", "shutdown", False),
        ("transient", "crash", True),
        ("transient", "killed", True),
        ("temporary", "normal", False),
        ("temporary", "crash", False),
    ],
)
def test_the_kind_of_a_child_and_of_its_end_decide_on_the_restart(
    runtime: str, restart: Any, kind: Any, is_restarted: bool
) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", restart=restart), house.puppet("b"))
        house.exit("a", kind)
        house.until(lambda: house.count("ended", "a") == 1)
        house.rest(0.03)

        assert house.count("started", "a") == 1 + is_restarted
        assert house.is_up("a") is is_restarted


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_a_temporary_child_is_not_even_restarted_for_a_sibling(strategy: Any) -> None:
    house = House()
    temporary = house.puppet("t", restart="temporary", settles=True)
    gone = house.puppet("g", restart="temporary", shutdown_s=0)
    house.start(house.puppet("a"), temporary, gone, house.puppet("b"), strategy=strategy)
    house.exit("g")
    house.rest()
    house.crash("a")
    house.rest(1.0)

    assert house.count("started", "b") == 2
    assert (house.count("started", "t"), house.count("ended", "t")) == (1, 1)
    assert house.count("started", "g") == 1
    assert house.switchboard.unsettled() == ()


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_a_temporary_child_whose_turn_to_start_had_not_come_is_forgotten_with_its_group(strategy: Any) -> None:
    house = House()
    temporary = house.puppet("t", restart="temporary", settles=True)
    house.begin(house.puppet("a"), house.puppet("b"), temporary, strategy=strategy)
    house.until(lambda: house.count("started", "a") == 1)
    house.system.tell("a", Break("before the last has started"), Lane.SYSTEM)
    house.rest()

    assert lives(house.log)[-2:] == ["+a", "+b"]
    assert [child.name for child in house.system.supervisor("root").which_children()] == ["a", "b"]
    assert house.switchboard.unsettled() == ()


def test_a_stopped_transient_child_comes_back_with_the_group() -> None:
    house = House()
    house.start(house.puppet("a"), house.puppet("b", restart="transient"), strategy="one_for_all")
    house.exit("b")
    house.rest()
    assert not house.is_up("b")
    house.crash("a")
    house.rest()

    assert house.is_up("b")


def test_a_start_that_fails_during_a_restart_is_tried_again() -> None:
    house = House()
    house.start(house.puppet("a", on_start=failing_at(2, 3)), house.puppet("b"), intensity=3)
    house.crash("a")
    house.rest()

    assert house.is_up("a")
    assert [(report.reason.kind, report.offender.restarts_in_window) for report in house.terminations()] == [
        ("crash", 1),
        ("init", 2),
        ("init", 3),
    ]


def test_starts_that_keep_failing_reach_the_intensity() -> None:
    house = House()
    house.start(house.puppet("a", on_start=failing_at(*range(2, 20))), house.puppet("b"), intensity=3)
    house.crash("a")
    house.until(lambda: bool(house.ends))

    assert house.count("begun", "a") == 4
    assert lives(house.log)[-1] == "-b"
    assert house.surrenders()[0].reason.detail.startswith("reached_max_restart_intensity: init(")


def test_rest_for_one_tries_again_from_the_one_that_failed_to_start() -> None:
    house = House()
    children = [house.puppet(name, on_start=failing_at(2) if name == "c" else None) for name in "abcd"]
    house.start(*children, strategy="rest_for_one")
    house.log.clear()
    house.crash("b")
    house.until(lambda: house.count("started", "d") == 1)

    assert lives(house.log) == ["-b", "-d", "-c", "+b", "-c", "+c", "+d"]


def test_one_for_all_begins_again_where_one_failed_to_start() -> None:
    house = House()
    children = [house.puppet(name, on_start=failing_at(2) if name == "b" else None) for name in "abc"]
    house.start(*children, strategy="one_for_all")
    house.log.clear()
    house.crash("a")
    house.until(lambda: house.count("started", "c") == 1)

    assert lives(house.log) == ["-a", "-c", "-b", "+a", "-b", "-a", "+a", "+b", "+c"]


def test_nobody_after_a_waiting_child_starts_before_it() -> None:
    house = House()
    backoff = Backoff(base_s=1.0, jitter=0.0)
    children = [house.puppet("a"), house.puppet("b", backoff=backoff), house.puppet("c")]
    house.start(*children, strategy="rest_for_one")
    house.log.clear()
    house.crash("b")
    house.rest(0.5)
    assert lives(house.log) == ["-b", "-c"]
    house.rest(1.0)

    assert lives(house.log) == ["-b", "-c", "+b", "+c"]


def test_a_child_that_waits_holds_up_no_sibling_of_one_for_one() -> None:
    house = House()
    house.start(house.puppet("a", backoff=Backoff(base_s=5.0)), house.puppet("b"))
    house.crash("a")
    house.crash("b")
    house.rest(1.0)

    assert house.is_up("b")
    assert not house.is_up("a")


@on_all
def test_signals_of_earlier_incarnations_are_ignored(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a"), house.puppet("b"))
        old = house.epoch("a")
        house.crash("a")
        house.until(lambda: house.count("started", "a") == 2)
        for signal in (Exited("a", old, Exit("crash")), Started("a", old), Exited("nobody", 1, Exit("crash"))):
            house.system.tell("root", signal, Lane.SYSTEM)
        house.rest()

        assert house.count("made", "a") == 2
        assert house.is_up("a")
        assert house.is_up("root")


# -- intensity -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after_s", "gives_up"), [(4.9, True), (5.0, True), (5.001, False)])
def test_the_window_of_the_intensity_includes_its_edge(after_s: float, gives_up: bool) -> None:
    house = House()
    house.start(house.puppet("a"), intensity=1, period_s=5.0)
    house.crash("a")
    assert house.stage is not None
    house.stage.after(after_s, lambda: house.system.tell("a", Break("test"), Lane.SYSTEM))
    house.rest(6.0)

    assert bool(house.surrenders()) is gives_up
    assert bool(house.ends) is gives_up


@on_all
def test_intensity_0_gives_up_at_the_first_crash(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a"), house.puppet("b"), house.puppet("c"), intensity=0)
        house.log.clear()
        house.crash("b")
        house.until(lambda: bool(house.ends))

        assert lives(house.log) == ["-b", "-c", "-a"]
        assert house.ends[0].kind == "shutdown"
        assert "reached_max_restart_intensity: b" in house.ends[0].detail
        gave_up = house.surrenders()[0]
        assert (gave_up.supervisor, gave_up.offender.name, gave_up.reason.kind) == ("root", "b", "shutdown")
        assert gave_up.reason.detail.startswith("reached_max_restart_intensity: crash(")


def test_a_restart_of_a_whole_group_counts_once() -> None:
    house = House()
    house.start(*(house.puppet(name) for name in "abcdef"), strategy="one_for_all", intensity=1)
    house.crash("c")
    house.rest()

    assert house.ends == []
    assert [report.offender.restarts_in_window for report in house.terminations()] == [1]


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_those_of_a_group_that_crash_together_count_once(strategy: Any) -> None:
    with House() as house:
        crew = supervisor("s", *map(house.puppet, "abc"), strategy=strategy, intensity=1)
        house.start(crew, intensity=0)
        assert house.stage is not None
        for name in "abc":
            house.system.tell(name, Break("all by one cause"), Lane.SYSTEM)
        house.stage.prefer = lambda names: next((names.index(each) for each in "abc" if each in names), None)
        house.rest(1.0)

        assert not house.surrenders()
        assert lives(house.log) == ["+a", "+b", "+c", "-a", "-b", "-c", "+a", "+b", "+c"]
        contexts = [(report.offender.name, report.context) for report in house.terminations()]
        assert contexts == [("a", "child_terminated"), ("b", "shutdown_error"), ("c", "shutdown_error")]


def test_a_permanent_supervisor_that_gave_up_is_restarted_by_its_own() -> None:
    house = House()
    house.start(supervisor("s", house.puppet("a"), house.puppet("b"), intensity=1), house.puppet("c"))
    house.crash("a")
    house.rest()
    house.crash("a")
    house.rest()

    assert house.is_up("s") and house.is_up("a") and house.is_up("b")
    assert house.count("started", "b") == 2
    assert house.count("started", "c") == 1


def test_crashes_climb_from_intensity_to_intensity_up_to_the_root() -> None:
    house = House()
    house.start(supervisor("s", house.puppet("a"), intensity=1), intensity=1)
    crashes = 0
    while not house.ends:
        house.crash("a")
        house.rest()
        crashes += 1

    assert crashes == 4
    assert [report.supervisor for report in house.surrenders()] == ["s", "s", "root"]


@on_all
def test_a_transient_supervisor_that_gave_up_stays_down_and_nobody_waits_for_it(runtime: str) -> None:
    with House(runtime) as house:
        market = supervisor(
            "market",
            house.puppet("a", settles=True),
            house.puppet("b", settles=True),
            intensity=0,
            restart="transient",
        )
        house.start(house.puppet("guard", settles=True), market)
        house.crash("a")
        house.until(lambda: not house.is_up("market") and house.switchboard.unsettled() == ())

        assert house.is_up("guard")
        assert not house.is_up("a") and not house.is_up("b")
        assert house.ends == []


@on_all
def test_a_part_of_a_supervisor_that_gave_up_is_restarted_by_hand_with_its_supervisor(runtime: str) -> None:
    with House(runtime) as house:
        children = [house.puppet(name, settles=True) for name in "ab"]
        house.start(house.puppet("guard"), supervisor("market", *children, intensity=0, restart="transient"))
        house.crash("a")
        house.until(lambda: not house.is_up("market") and house.switchboard.unsettled() == ())
        house.system.restart("b", "an operator asks")
        house.until(lambda: house.is_up("b"))
        house.rest()

        assert house.is_up("market") and house.is_up("a")
        assert house.switchboard.unsettled() == ()
        assert house.ends == []


def test_a_tree_that_is_restarted_by_hand_is_waited_for_as_a_whole() -> None:
    house = House()
    children = [house.puppet(name, settles=True) for name in "ab"]
    house.start(supervisor("market", *children, intensity=0, restart="transient"))
    house.crash("a")
    house.rest()
    assert house.switchboard.unsettled() == ()
    house.system.restart("market", "an operator asks")
    house.until(lambda: house.is_up("market"))
    while not house.is_up("b"):
        assert any(part.startswith("b:") for part in house.switchboard.unsettled())
        assert house.stage is not None and house.stage.step()

    house.rest()
    assert house.switchboard.unsettled() == ()


# -- by hand ---------------------------------------------------------------------------------------------------------


@on_all
def test_a_living_child_is_recycled_by_hand_and_it_counts_nothing(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a"), house.puppet("b"), intensity=0)
        for n in range(3):
            house.system.restart("a", "an operator asks")
            house.until(lambda n=n: house.count("started", "a") == n + 2)  # type: ignore[misc]

        assert house.count("ended", "a") == 3
        assert house.count("started", "b") == 1
        assert house.ends == []


def test_a_child_that_stopped_is_started_by_hand() -> None:
    house = House()
    house.start(house.puppet("a", restart="temporary"), house.puppet("b", restart="transient"))
    house.exit("a")
    house.exit("b")
    house.rest()
    house.system.restart("b", "an operator asks")
    house.rest()

    assert house.is_up("b")
    with pytest.raises(SupervisionError, match="a part must be one of root, b, was 'a'"):
        house.system.restart("a", "a temporary child is gone with its end")


def test_a_waiting_child_is_started_by_hand_at_once_and_its_old_timer_does_nothing() -> None:
    house = House()
    house.start(house.puppet("a", backoff=Backoff(base_s=5.0)))
    house.crash("a")
    house.rest()
    assert not house.is_up("a")
    house.system.restart("a", "an operator asks")
    house.rest()
    assert house.is_up("a")
    house.rest(20.0)

    assert house.count("made", "a") == 2


@pytest.mark.parametrize("turns", range(16))
def test_a_restart_by_hand_at_any_moment_of_a_restart_leaves_one_incarnation(turns: int) -> None:
    house = House(seed=turns)
    house.start(house.puppet("a"), house.puppet("b"), house.puppet("c"), strategy="one_for_all")
    house.system.tell("b", Break("test"), Lane.SYSTEM)
    assert house.stage is not None
    for _ in range(turns):
        house.stage.step()
    house.system.tell("root", RecycleChild("c", "an operator asks"), Lane.SYSTEM)
    house.rest()

    for name in "abc":
        assert house.is_up(name)
        assert house.count("started", name) - house.count("ended", name) == 1


def test_what_cannot_be_restarted_by_hand_is_refused() -> None:
    house = House()
    house.start(house.puppet("a"))

    with pytest.raises(SupervisionError, match="must be one of root, a, was 'b'"):
        house.system.restart("b", "test")
    with pytest.raises(SupervisionError, match="root cannot be restarted"):
        house.system.restart("root", "test")


# -- backoff ---------------------------------------------------------------------------------------------------------


def test_waits_double_up_to_the_cap_and_begin_anew_after_a_healthy_time() -> None:
    house = House()
    backoff = Backoff(base_s=1.0, cap_s=4.0, jitter=0.0, reset_after_s=10.0)
    house.start(house.puppet("a", backoff=backoff), intensity=8)
    waits = []
    for healthy_s in (0.0, 0.0, 0.0, 0.0, 9.9, 10.1, 0.0):
        house.rest(healthy_s)
        house.crash("a")
        crashed_at = house.system.clock.monotonic()
        house.until(lambda: house.is_up("a"))
        waits.append(house.system.clock.monotonic() - crashed_at)
        house.rest()

    assert waits == pytest.approx([1.0, 2.0, 4.0, 4.0, 4.0, 1.0, 2.0])


def test_the_healthy_time_of_an_earlier_incarnation_resets_nothing() -> None:
    house = House()
    backoff = Backoff(base_s=1.0, cap_s=8.0, jitter=0.0, reset_after_s=3.0)
    house.start(house.puppet("a", backoff=backoff), intensity=5)
    house.rest(2.5)
    house.crash("a")
    house.rest(1.1)
    house.crash("a")
    crashed_at = house.system.clock.monotonic()
    house.until(lambda: house.is_up("a"))

    assert house.system.clock.monotonic() - crashed_at == pytest.approx(2.0)


# -- supervisors that crash or are fenced ----------------------------------------------------------------------------


@on_all
def test_a_supervisor_that_crashes_leaves_no_orphan(runtime: str) -> None:
    with House(runtime) as house:
        inner = supervisor("inner", house.puppet("b"), house.puppet("c"))
        house.start(house.puppet("a"), supervisor("s", inner, house.puppet("d")), house.puppet("e"))
        before = {name: house.epoch(name) for name in ("inner", "b", "c", "d")}
        house.system.tell("s", Break("test"), Lane.CONTROL)
        house.until(lambda: house.count("started", "d") == 2)
        house.until(lambda: all(house.count("ended", name) == 1 for name in "bcd"))
        house.rest()

        assert all(house.is_up(name) and house.epoch(name) > before[name] for name in before)
        assert house.count("started", "a") == house.count("started", "e") == 1
        assert all(house.count("started", name) == 2 for name in "bcd")
        assert all(house.threads_of(name) == 1 for name in ("inner", "b", "c", "d", "s"))


@on_all
def test_a_fenced_supervisor_touches_nothing_of_its_successor(runtime: str) -> None:
    with House(runtime, seed=7) as house:
        inner = supervisor("s", house.puppet("a"), house.puppet("b", restart="transient"), house.puppet("c"))
        house.start(supervisor("p", inner), intensity=20)
        for n in range(10):
            house.system.tell("p", Break("test"), Lane.CONTROL)
            house.until(lambda n=n: house.count("started", "c") == n + 2)  # type: ignore[misc]
        house.until(lambda: all(house.count("ended", name) == 10 for name in "abc"))
        house.rest()

        assert all(house.is_up(name) and house.threads_of(name) == 1 for name in house.system.names())
        assert all(house.count("started", name) == 11 for name in "abc")
        assert {report.offender.name for report in house.terminations()} == {"p"}


def test_a_fenced_supervisor_can_start_nothing() -> None:
    house = House()
    house.start(supervisor("s", house.puppet("a")))
    old = house.epoch("s")
    spec = house.system.tree.spec_of("a")
    house.system.abandon("s", old)

    with pytest.raises(SupervisionError, match=f"epoch of s is {old + 2}, an incarnation of epoch {old} spoke"):
        house.system.spawn(spec, by=old)
    assert not house.is_up("a")


def test_a_supervisor_whose_start_hangs_is_abandoned_with_all_below_it() -> None:
    hang = threading.Event()
    hung: list[int] = []

    def begin(puppet: Puppet) -> None:
        if house.count("begun", "b") == 2:
            hung.append(puppet.epoch)
            hang.wait(10)

    with House("threads") as house:
        inner = supervisor("s", house.puppet("a"), house.puppet("b", on_start=begin), start_timeout_s=0.2)
        house.start(inner)
        house.system.tell("s", Break("test"), Lane.CONTROL)
        house.until(lambda: house.count("started", "a") == 3 and house.count("started", "b") == 2)
        hang.set()
        house.until(lambda: house.threads_of("a") == house.threads_of("b") == house.threads_of("s") == 1)

        assert house.is_up("s") and house.is_up("a") and house.is_up("b")
        assert house.epoch("b") > hung[0]


@on_all
def test_the_end_of_a_crashed_root_is_told(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a"))
        house.system.tell("root", Break("test"), Lane.CONTROL)
        house.until(lambda: bool(house.ends) and house.count("ended", "a") == 1)

        assert house.ends[0].kind == "crash"
        assert not house.is_up("a")


@on_all
def test_a_supervisor_that_fails_while_it_stops_still_ends(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a bug in the supervisor")

    with House(runtime) as house:
        house.start(supervisor("s", house.puppet("a")))
        monkeypatch.setattr(Supervisor, "_begin_stop", fail)
        house.system.tell("s", Stop(), Lane.SYSTEM)
        house.until(lambda: house.count("ended", "a") == 1)
        monkeypatch.undo()
        house.until(lambda: house.count("started", "a") == 2)

        assert house.is_up("s")


# -- all of it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(25))
def test_whatever_befalls_a_tree_it_comes_back_whole(seed: int) -> None:
    chance = random.Random(seed)
    house = House(seed=seed)
    backoff = Backoff(base_s=0.5, jitter=0.0, reset_after_s=2.0)
    late = [failing_at(*chance.sample(range(2, 12), 3)) for _ in range(6)]
    names = "abcdef"
    parts = [
        house.puppet(name, settles=True, on_start=begin, backoff=backoff)
        for name, begin in zip(names, late, strict=True)
    ]
    house.start(
        supervisor("s", *parts[:3], strategy="rest_for_one", intensity=40, period_s=1e6),
        supervisor("z", *parts[3:5], strategy="one_for_all", intensity=40, period_s=1e6),
        parts[5],
        intensity=40,
        period_s=1e6,
    )
    assert house.stage is not None
    for _ in range(30):
        name = chance.choice(("s", "z", *names))
        match chance.randrange(4):
            case 0 | 1:
                house.system.tell(name, Break("chaos"), Lane.SYSTEM)
            case 2:
                house.system.restart(name, "chaos")
            case 3:
                house.exit(name)
        for _ in range(chance.randrange(12)):
            house.stage.step()
    house.rest(60.0)

    assert house.ends == []
    assert all(house.is_up(name) for name in house.system.names())
    for name in names:
        assert house.count("made", name) - house.count("ended", name) == 1
    assert house.switchboard.unsettled() == ()
