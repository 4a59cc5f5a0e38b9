"""A hang: seen by the age of the message in hand, fenced, reported with its stack, and replaced."""

import itertools
import threading
from typing import Any

import pytest

from supervision import Backoff, Break, CrashReport, Exit, watchdog
from supervision.signals import Lane
from tests.supervision.troupe import PATIENCE_S, House, Noted, Poke, Puppet, supervisor

LIMIT_S = 0.1

on_threads = pytest.mark.parametrize("runtime", ["threads", "shared"])


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "LOOK_S", 0.02)


class Hang:
    """Hangs when it is told to, until it is let go."""

    def __init__(self) -> None:
        self.gate = threading.Event()

    def __call__(self, puppet: Puppet, message: Any) -> None:
        if message == Poke("hang"):
            self.wait_where_the_stack_shows_it()
            puppet.record(Noted("too late"))
            puppet.tell("b", Poke("too late"))

    def wait_where_the_stack_shows_it(self) -> None:
        assert self.gate.wait(20 * PATIENCE_S)


@on_threads
def test_a_hung_actor_is_replaced_and_what_it_still_says_is_not_heard(runtime: str) -> None:
    hang = Hang()
    with House(runtime, routes={Noted: ["b"]}) as house:
        house.start(house.puppet("a", on_message=hang, hang_after_s=LIMIT_S), house.puppet("b"))
        first = house.epoch("a")
        house.system.tell("a", Poke("hang"))
        house.until(lambda: house.count("started", "a") == 2)
        house.system.tell("a", Poke("after"))
        house.until(lambda: house.count("took", "a") == 2)
        assert house.system.abandoned == 1
        hang.gate.set()
        house.until(lambda: house.threads_of("a") == 1)
        house.rest()

        assert house.epoch("a") > first
        assert house.count("took", "b") == 0
        assert house.records == []
        assert house.system.abandoned == 0


@on_threads
def test_a_hang_is_reported_with_its_stack_and_its_message(runtime: str) -> None:
    hang = Hang()
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=hang, hang_after_s=LIMIT_S))
        house.system.tell("a", Poke("hang"))
        house.until(lambda: house.count("started", "a") == 2)
        (report,) = house.reported(CrashReport)
        (ended,) = house.terminations()
        hang.gate.set()

    assert "wait_where_the_stack_shows_it" in report.stack
    assert report.message == "Poke(value='hang')"
    assert report.reason.startswith("hung(has been busy with Poke for 0.")
    assert ended.reason.kind == "hung"


@on_threads
def test_the_others_of_its_thread_do_not_wait_for_it(runtime: str) -> None:
    hang = Hang()
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=hang, hang_after_s=LIMIT_S), house.puppet("b"))
        house.system.tell("a", Poke("hang"))
        house.until(lambda: house.count("took", "a") == 1)
        house.system.tell("b", Poke())
        house.until(lambda: house.count("took", "b") == 1)
        hang.gate.set()


@on_threads
def test_a_hang_counts_as_a_restart_and_leads_to_giving_up(runtime: str) -> None:
    hang = Hang()
    with House(runtime) as house:
        house.start(
            supervisor("s", house.puppet("a", on_message=hang, hang_after_s=LIMIT_S), intensity=1, restart="transient")
        )
        for life in (1, 2):
            house.until(lambda life=life: house.count("started", "a") == life)  # type: ignore[misc]
            house.system.tell("a", Poke("hang"))
        house.until(lambda: not house.is_up("s"))
        hang.gate.set()

        assert not house.is_up("a")


@on_threads
def test_an_actor_without_a_limit_and_one_that_is_only_idle_are_let_be(runtime: str) -> None:
    hang = Hang()
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=hang, dispatcher=""), house.puppet("idle", hang_after_s=0.05))
        house.system.tell("a", Poke("hang"))
        house.rest(0.4)

        assert house.count("started", "a") == house.count("started", "idle") == 1
        hang.gate.set()


@on_threads
def test_a_hung_actor_that_holds_what_nobody_can_take_over_ends_the_process(runtime: str) -> None:
    hang = Hang()
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=hang, hang_after_s=LIMIT_S, fenceable=False))
        house.system.tell("a", Poke("hang"))
        house.until(lambda: bool(house.stuck))
        hang.gate.set()

        assert house.stuck[0].startswith("a has been busy with Poke for 0.")
        assert house.stuck[0].endswith("and nobody can take over what it holds")
        assert house.count("started", "a") == 1


@on_threads
def test_what_nobody_can_take_over_has_no_successor_while_it_is_in_hand_also_where_it_did_not_stop(
    runtime: str,
) -> None:
    hang = Hang()
    with House(runtime) as house:
        # The one that crashes has a thread of its own: it must not wait for the one that hangs.
        first = house.puppet("first", dispatcher="")
        backoff = Backoff(base_s=0.1, cap_s=0.1)
        desk = house.puppet("desk", on_message=hang, fenceable=False, shutdown_s=0.1, backoff=backoff)
        house.start(first, desk, strategy="rest_for_one", intensity=99)
        house.system.tell("desk", Poke("hang"))
        house.until(lambda: house.count("took", "desk") == 1)
        house.crash("first")
        house.until(lambda: len([each for each in house.terminations() if each.context == "start_error"]) > 1)
        while_in_hand = house.count("begun", "desk")
        hang.gate.set()
        house.until(lambda: house.count("begun", "desk") == 2)

        assert while_in_hand == 1
        assert "nobody can take over what it holds" in str(house.terminations()[-1].reason)


def test_too_many_threads_left_behind_end_the_process() -> None:
    hang = Hang()
    with House("threads", abandoned_max=2) as house:
        house.start(*(house.puppet(name, on_message=hang, hang_after_s=LIMIT_S) for name in "abc"), intensity=9)
        for name in "abc":
            assert not house.stuck
            house.system.tell(name, Poke("hang"))
            house.until(lambda name=name: house.count("started", name) == 2)  # type: ignore[misc]
        house.until(lambda: bool(house.stuck))
        hang.gate.set()

    assert house.stuck[0] == "3 threads were left behind, more than 2"


def test_a_thread_that_cannot_be_had_for_those_left_without_theirs_ends_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hang = Hang()

    def start_none(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with House("shared") as house:
        house.start(house.puppet("a", on_message=hang, hang_after_s=LIMIT_S), house.puppet("b"), intensity=9)
        with monkeypatch.context() as without:
            without.setattr(threading.Thread, "start", start_none)
            house.system.tell("a", Poke("hang"))
            house.until(lambda: bool(house.stuck))
        hang.gate.set()

    assert house.stuck[0] == "a keeps the thread that it shared: RuntimeError: can't start new thread"


def test_threads_left_behind_by_starts_that_hang_end_the_process_too() -> None:
    gate, begun = threading.Event(), itertools.count()

    def hang_but_the_first_time(_puppet: Puppet) -> None:
        assert not next(begun) or gate.wait(20 * PATIENCE_S)

    with House("threads", abandoned_max=2) as house:
        # So many starts never fall into its period: each takes a time-out.
        slow = house.puppet("a", on_start=hang_but_the_first_time, start_timeout_s=0.1)
        house.start(slow, intensity=3, period_s=0.2)
        house.crash("a")
        house.until(lambda: bool(house.stuck))
        gate.set()

    assert house.stuck[0] == "3 threads were left behind, more than 2"


def test_who_was_fenced_and_has_ended_is_not_left_behind() -> None:
    hang = Hang()
    with House("threads", abandoned_max=1) as house:
        crew = [house.puppet(name, on_message=hang, hang_after_s=LIMIT_S) for name in "abc"]
        house.start(supervisor("s", *crew), intensity=9)
        house.system.tell("s", Break("all below it are fenced, and end"), Lane.SYSTEM)
        house.until(lambda: all(house.count("started", name) == 2 for name in "abc"))
        house.until(lambda: house.system.abandoned == 0)
        house.system.tell("a", Poke("hang"))
        house.until(lambda: house.count("started", "a") == 3)
        house.rest(0.1)

        assert house.system.abandoned == 1
        assert not house.stuck
        hang.gate.set()
        house.until(lambda: house.system.abandoned == 0)


def test_an_actor_with_more_events_than_may_wait_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "EVENTS_MAX", 10)
    hang = Hang()
    with House("threads", routes={Noted: ["a"]}) as house:
        house.start(house.puppet("a", on_message=hang))
        house.system.tell("a", Poke("hang"))
        house.until(lambda: house.count("took", "a") == 1)
        house.switchboard.record("edge", [Noted()] * 11)
        house.until(lambda: house.count("started", "a") == 2)
        hang.gate.set()

        assert "has 11 events to hear, more than 10" in house.reported(CrashReport)[0].reason


def test_a_timer_that_fails_keeps_no_other_from_going_off(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    over = threading.Event()

    with House("threads") as house:
        house.start()
        assert house.threads is not None
        house.threads.after(0.0, lambda: 1 / 0)
        house.threads.after(0.01, over.set)

        assert over.wait(PATIENCE_S)
        assert [each.exc_type for each in told] == [ZeroDivisionError]


def test_who_has_ended_or_was_replaced_is_not_given_up() -> None:
    with House("threads") as house:
        house.start(house.puppet("a"))
        first = house.epoch("a")
        house.crash("a")
        house.until(lambda: house.count("started", "a") == 2)

        assert not house.system.give_up_on("a", first, Exit("hung", "test"))
        assert house.system.tell("a", Poke(), Lane.CONTROL)
        assert house.system.abandoned == 0


def test_a_name_that_the_tree_does_not_know_any_more_keeps_no_hang_from_being_found() -> None:
    hang = Hang()
    with House("threads") as house:
        house.start(house.puppet("a", on_message=hang, hang_after_s=LIMIT_S))
        house.switchboard.declare("taken away")
        house.rest(0.1)

        house.system.tell("a", Poke("hang"))
        house.until(lambda: house.count("started", "a") == 2)
        hang.gate.set()
