"""Children that come and go while their supervisor runs: OTP's calls, and OTP's answers."""

import random
import threading
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from supervision import ActorDown, Break, ChildSpec, Exit, Lane, Stop, SupervisionError, Supervisor, SupervisorSpec
from supervision.errors import Ignore
from supervision.requests import (
    AlreadyPresent,
    AlreadyStarted,
    ChildCounts,
    ChildInfo,
    ChildUp,
    Done,
    Ignored,
    Invalid,
    NoProc,
    Refused,
    StartChild,
    StartFailed,
    TerminateChild,
    WhichChildren,
)
from supervision.spec import Backoff
from supervision.supervisor_ref import SupervisorRef
from tests.supervision.troupe import PATIENCE_S, RUNTIMES, House, Poke, Puppet, failing_at, lives, supervisor

on_all = pytest.mark.parametrize("runtime", RUNTIMES)
SLOW = Backoff(base_s=30.0, cap_s=30.0, jitter=0.0, reset_after_s=30.0)


def root(house: House) -> SupervisorRef:
    return house.system.supervisor("root")


def kinds(house: House) -> list[tuple[str, str]]:
    return [(info.name, info.state if isinstance(info.state, str) else "up") for info in root(house).which_children()]


# -- start_child -----------------------------------------------------------------------------------------------------


@on_all
def test_a_child_is_added_at_the_end_and_acknowledged(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a"))

        assert root(house).start_child(house.puppet("b")) == ChildUp("b", house.epoch("b"))
        assert house.count("started", "b") == 1
        assert kinds(house) == [("a", "up"), ("b", "up")]
        house.system.tell("b", Poke())
        house.until(lambda: house.count("took", "b") == 1)


@on_all
def test_a_child_that_is_there_is_not_started_twice(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a"), house.puppet("b", restart="transient"))
        assert root(house).start_child(house.puppet("a")) == AlreadyStarted("a", house.epoch("a"))
        house.exit("b")
        house.until(lambda: not house.is_up("b"))

        assert root(house).start_child(house.puppet("b")) == AlreadyPresent("b")
        assert house.count("made", "a") == house.count("made", "b") == 1


@on_all
def test_a_new_child_that_does_not_start_is_forgotten_and_counts_nothing(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a"), intensity=0)
        answer = root(house).start_child(house.puppet("b", on_start=failing_at(1)))

        assert isinstance(answer, StartFailed)
        assert answer.reason == Exit("init", "ValueError: start 1 fails")
        assert kinds(house) == [("a", "up")]
        assert "b" not in house.system.names()
        assert [report.context for report in house.terminations()] == ["start_error"]
        assert isinstance(root(house).start_child(house.puppet("b")), ChildUp)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"restart": "always"}, "b: restart must be permanent, transient or temporary, was 'always'"),
        ({"significant": True, "restart": "transient"}, "needs a supervisor whose auto_shutdown is not never"),
        ({"backoff": Backoff(base_s=90, cap_s=90)}, "could never give up"),
    ],
)
def test_a_child_that_cannot_be_changes_nothing(fields: dict[str, Any], said: str) -> None:
    house = House()
    house.start(house.puppet("a"))
    answer = root(house).start_child(house.puppet("b", **fields))

    assert isinstance(answer, Invalid)
    assert said in answer.problem
    assert kinds(house) == [("a", "up")]


def test_a_name_that_is_used_elsewhere_in_the_tree_is_refused() -> None:
    house = House()
    house.start(supervisor("s", house.puppet("a")))

    answer = root(house).start_child(house.puppet("a"))

    assert answer == Invalid("names of children must differ, 'a' is used twice")


@on_all
def test_a_whole_tree_can_be_added_and_taken_away(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a"))
        added = supervisor("s", house.puppet("b"), house.puppet("c"))
        assert isinstance(root(house).start_child(added), ChildUp)
        assert lives(house.log) == ["+a", "+b", "+c"]
        house.crash("c")
        house.until(lambda: house.count("started", "c") == 2)
        house.log.clear()

        assert root(house).terminate_child("s") == Done("s")
        assert lives(house.log) == ["-c", "-b"]
        assert root(house).delete_child("s") == Done("s")
        assert house.system.names() == ("root", "a")


@on_all
def test_a_child_added_by_hand_survives_its_siblings_and_not_its_supervisor(runtime: str) -> None:
    with House(runtime) as house:
        house.start(supervisor("s", house.puppet("a"), intensity=3), intensity=3)
        assert isinstance(house.system.supervisor("s").start_child(house.puppet("b")), ChildUp)
        house.crash("a")
        house.until(lambda: house.count("started", "a") == 2)
        assert house.is_up("b")
        house.crash("s")
        house.until(lambda: house.count("started", "a") == 3)
        house.until_idle()

        assert not house.switchboard.is_up("b")
        assert house.system.names() == ("root", "s", "a")
        assert isinstance(house.system.supervisor("s").start_child(house.puppet("b")), ChildUp)


@on_all
def test_a_child_may_have_nothing_to_do(runtime: str) -> None:
    def ignore(_puppet: Puppet) -> None:
        raise Ignore("nothing to do today")

    with House(runtime) as house:
        house.begin(house.puppet("a", on_start=ignore), house.puppet("b"), intensity=0)
        house.until(lambda: house.count("started", "b") == 1)
        house.rest()
        assert kinds(house) == [("a", "none"), ("b", "up")]
        assert root(house).restart_child("a") == Ignored("a")
        assert root(house).start_child(house.puppet("c", on_start=ignore)) == Ignored("c")
        assert root(house).start_child(house.puppet("d", on_start=ignore, restart="temporary")) == Ignored("d")

        assert kinds(house) == [("a", "none"), ("b", "up"), ("c", "none")]
        assert house.terminations() == []
        assert house.reported(type(house.reports[0])) == house.reports  # Progress only: no crash report


# -- terminate, restart, delete --------------------------------------------------------------------------------------


@on_all
def test_a_child_is_terminated_kept_restarted_and_deleted(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a"), house.puppet("b"), intensity=0)
        assert root(house).delete_child("a") == Refused("a", "running")
        assert root(house).restart_child("a") == Refused("a", "running")
        assert root(house).terminate_child("a") == Done("a")
        assert root(house).terminate_child("a") == Done("a")
        assert kinds(house) == [("a", "none"), ("b", "up")]
        assert root(house).restart_child("a") == ChildUp("a", house.epoch("a"))
        assert root(house).terminate_child("a") == Done("a")
        assert root(house).delete_child("a") == Done("a")

        assert kinds(house) == [("b", "up")]
        for call in (root(house).terminate_child, root(house).restart_child, root(house).delete_child):
            assert call("a") == Refused("a", "not_found")


def test_a_temporary_child_is_forgotten_with_its_end() -> None:
    house = House()
    house.start(house.puppet("a", restart="temporary"), house.puppet("b", restart="temporary"), house.puppet("c"))
    assert root(house).terminate_child("a") == Done("a")
    house.crash("b")
    house.rest()

    assert kinds(house) == [("c", "up")]
    assert house.system.names() == ("root", "c")
    assert house.switchboard.is_up("b") is False


def test_a_child_that_waits_for_its_restart_is_terminated_and_its_timer_does_nothing() -> None:
    house = House()
    house.start(house.puppet("a", backoff=SLOW), period_s=600.0)
    house.crash("a")
    house.until(lambda: kinds(house) == [("a", "restarting")])
    assert root(house).delete_child("a") == Refused("a", "restarting")
    assert root(house).restart_child("a") == Refused("a", "restarting")
    assert root(house).start_child(house.puppet("a")) == AlreadyPresent("a")
    assert root(house).terminate_child("a") == Done("a")
    house.rest(60.0)

    assert kinds(house) == [("a", "none")]
    assert house.count("made", "a") == 1


def test_a_restart_by_request_that_fails_is_answered_and_not_tried_again() -> None:
    house = House()
    house.start(house.puppet("a", on_start=failing_at(2)), intensity=0)
    assert root(house).terminate_child("a") == Done("a")
    answer = root(house).restart_child("a")

    assert isinstance(answer, StartFailed)
    assert kinds(house) == [("a", "none")]
    assert isinstance(root(house).restart_child("a"), ChildUp)


def test_a_terminated_child_comes_back_when_its_group_restarts() -> None:
    house = House()
    house.start(house.puppet("a"), house.puppet("b"), strategy="one_for_all")
    assert root(house).terminate_child("b") == Done("b")
    house.crash("a")
    house.rest()

    assert kinds(house) == [("a", "up"), ("b", "up")]


@pytest.mark.parametrize("runtime", ["threads", "shared"])
def test_a_child_is_terminated_while_it_starts(runtime: str) -> None:
    gate = threading.Event()

    with House(runtime) as house:
        house.start(house.puppet("a"))
        answers: list[Any] = []
        slow = house.puppet("slow", on_start=lambda _puppet: gate.wait(PATIENCE_S), shutdown_s=0.05)
        house.system.tell("root", StartChild(answers.append, slow), Lane.SYSTEM)
        house.until(lambda: house.count("begun", "slow") == 1)
        assert root(house).which_children()[1].state == "restarting"

        assert root(house).terminate_child("slow") == Done("slow")
        assert [type(answer) for answer in answers] == [StartFailed]
        gate.set()


def test_who_asked_for_the_end_of_a_child_that_ends_before_it_is_asked_to_is_answered() -> None:
    with House() as house:
        house.start(house.puppet("a"))
        assert house.stage is not None
        house.stage.prefer = lambda names: next((names.index(each) for each in ("root", "a") if each in names), None)
        answers: list[Any] = []
        # The stop of `a` has to wait for the start of `b`, and `a` does not wait for its stop.
        house.system.tell("root", StartChild(answers.append, house.puppet("b")), Lane.SYSTEM)
        house.system.tell("root", TerminateChild(answers.append, "a"), Lane.SYSTEM)
        house.system.tell("a", Break("test"), Lane.SYSTEM)
        house.rest(1.0)

        assert answers == [Done("a"), ChildUp("b", house.epoch("b"))]
        assert kinds(house) == [("a", "none"), ("b", "up")]


# -- looking ---------------------------------------------------------------------------------------------------------


def test_children_are_listed_and_counted_alive_or_not() -> None:
    house = House()
    house.start(
        house.puppet("a"),
        supervisor("s", house.puppet("b")),
        house.puppet("c", restart="transient"),
        house.puppet("d", backoff=SLOW),
        period_s=600.0,
    )
    house.exit("c")
    house.until(lambda: not house.is_up("c"))
    house.crash("d")
    house.until(lambda: not house.is_up("d"))

    assert root(house).which_children() == (
        ChildInfo("a", house.epoch("a"), "worker"),
        ChildInfo("s", house.epoch("s"), "supervisor"),
        ChildInfo("c", "none", "worker"),
        ChildInfo("d", "restarting", "worker"),
    )
    assert root(house).count_children() == ChildCounts(specs=4, active=2, supervisors=1, workers=3)


def test_a_specification_is_told_with_its_defaults() -> None:
    house = House()
    spec = house.puppet("a")
    house.start(spec)
    found = root(house).get_childspec("a")

    assert found == spec
    assert isinstance(found, ChildSpec)
    assert (found.restart, found.shutdown_s, found.significant, found.type) == ("permanent", 5.0, False, "worker")
    assert root(house).get_childspec("x") == Refused("x", "not_found")


# -- templates -------------------------------------------------------------------------------------------------------


def template(house: House, **fields: Any) -> ChildSpec:
    made: list[tuple[Any, ...]] = []

    def make(system: Any, seat: Any, *arguments: Any) -> Puppet:
        made.append(arguments)
        house.log.append(("made", seat.cell.name, *arguments))
        return Puppet(system, seat, log=house.log)

    return ChildSpec(name="t", start=make, dispatcher=house._dispatcher, **fields)


def pool(house: House, *, intensity: int = 5, **fields: Any) -> ChildSpec:
    return supervisor("pool", template(house, **fields), strategy="simple_one_for_one", intensity=intensity)


def ups(answers: list[Any]) -> list[str]:
    assert all(isinstance(answer, ChildUp) for answer in answers), answers
    return [answer.name for answer in answers]


@on_all
def test_a_template_starts_none_and_makes_one_more_with_its_arguments_when_asked(runtime: str) -> None:
    with House(runtime) as house:
        house.start(pool(house))
        ref = house.system.supervisor("pool")
        assert ref.count_children() == ChildCounts(specs=1, active=0, supervisors=0, workers=0)
        first, second = ups([ref.start_one_more("x"), ref.start_one_more("y", 2)])
        assert [entry[2:] for entry in house.log if entry[0] == "made"] == [("x",), ("y", 2)]
        assert ref.count_children() == ChildCounts(specs=1, active=2, supervisors=0, workers=2)
        house.crash(first)
        house.until(lambda: house.count("started", first) == 2)

        assert [entry[1:] for entry in house.log if entry[0] == "made"][-1] == (first, "x")
        assert house.count("started", second) == 1


@on_all
def test_children_of_a_template_are_told_apart_by_what_they_were_given_as_names(runtime: str) -> None:
    with House(runtime) as house:
        house.start(pool(house))
        ref = house.system.supervisor("pool")
        (one,) = ups([ref.start_one_more()])
        simple: Any = "simple_one_for_one"
        assert ref.start_child(house.puppet("z")) == Refused("z", simple)
        assert ref.restart_child(one) == Refused(one, simple)
        assert ref.delete_child(one) == Refused(one, simple)
        assert ref.terminate_child("t") == Refused("t", simple)
        assert ref.terminate_child(one) == Done(one)
        assert ref.terminate_child(one) == Refused(one, "not_found")

        assert ref.which_children() == ()


def test_one_made_from_a_template_that_ignores_its_start_is_forgotten() -> None:
    house = House()

    def make(system: Any, seat: Any, ignores: bool) -> Puppet:
        puppet = Puppet(system, seat, log=house.log)

        def begin(_puppet: Puppet) -> None:
            if ignores:
                raise Ignore("not needed")

        puppet.on_begin = begin
        return puppet

    spec = ChildSpec(name="t", start=make)
    house.start(supervisor("pool", spec, strategy="simple_one_for_one"))
    ref = house.system.supervisor("pool")
    answer = ref.start_one_more(True)

    assert isinstance(answer, Ignored)
    assert ref.which_children() == ()
    assert isinstance(ref.start_one_more(False), ChildUp)


def test_all_made_from_a_template_stop_at_once_with_one_deadline() -> None:
    house = House()

    def make(system: Any, seat: Any) -> Puppet:
        return Puppet(system, seat, log=house.log)

    house.start(
        supervisor("pool", ChildSpec(name="t", start=make, shutdown_s=7.0), strategy="simple_one_for_one"),
        house.puppet("a"),
    )
    ref = house.system.supervisor("pool")
    names = ups([ref.start_one_more() for _ in range(4)])
    deaf = set(names)
    tell = house.system.tell

    def lose_stops(to: str, message: Any, lane: Lane = Lane.ORDINARY, *, epoch: int | None = None) -> bool:
        return True if to in deaf and isinstance(message, Stop) else tell(to, message, lane, epoch=epoch)

    house.system.tell = lose_stops
    began = house.system.clock.monotonic()
    assert root(house).terminate_child("pool", timeout_s=60.0) == Done("pool")

    assert house.system.clock.monotonic() - began == pytest.approx(7.0)
    assert len([report for report in house.terminations() if report.context == "shutdown_error"]) == 4


# -- significance ----------------------------------------------------------------------------------------------------


def test_a_supervisor_ends_with_its_first_significant_child() -> None:
    house = House()
    house.start(
        supervisor(
            "s",
            house.puppet("a", restart="transient", significant=True),
            house.puppet("b", restart="transient", significant=True),
            house.puppet("c"),
            auto_shutdown="any_significant",
            restart="transient",
        ),
        house.puppet("z"),
    )
    house.log.clear()
    house.exit("a")
    house.rest()

    assert lives(house.log) == ["-a", "-c", "-b"]
    assert not house.is_up("s")
    assert house.is_up("z")


def test_a_supervisor_ends_with_its_last_significant_child() -> None:
    house = House()
    house.start(
        supervisor(
            "s",
            house.puppet("a", restart="transient", significant=True),
            house.puppet("b", restart="temporary", significant=True),
            house.puppet("c"),
            auto_shutdown="all_significant",
            restart="transient",
        )
    )
    house.exit("a")
    house.rest()
    assert house.is_up("s")
    house.crash("b")
    house.rest()

    assert not house.is_up("s")


def test_a_crash_of_a_significant_transient_child_is_only_a_restart() -> None:
    house = House()
    child = house.puppet("a", restart="transient", significant=True)
    house.start(supervisor("s", child, auto_shutdown="any_significant", restart="transient"))
    house.crash("a")
    house.rest()

    assert house.is_up("s") and house.is_up("a")


def test_an_end_that_was_asked_for_or_came_with_a_sibling_is_not_significant() -> None:
    house = House()
    house.start(
        supervisor(
            "s",
            house.puppet("a"),
            house.puppet("b", restart="transient", significant=True),
            auto_shutdown="any_significant",
            restart="transient",
            strategy="one_for_all",
        )
    )
    house.crash("a")
    house.rest()
    assert house.is_up("b")
    assert house.system.supervisor("s").terminate_child("b") == Done("b")
    house.rest()

    assert house.is_up("s")


def test_the_end_of_a_significant_supervisor_ends_the_one_above_it() -> None:
    house = House()
    inner = supervisor(
        "inner",
        house.puppet("a", restart="transient", significant=True),
        auto_shutdown="any_significant",
        restart="transient",
        significant=True,
    )
    house.start(supervisor("outer", inner, auto_shutdown="all_significant", restart="transient"), house.puppet("z"))
    house.exit("a")
    house.rest()

    assert not house.is_up("inner") and not house.is_up("outer")
    assert house.is_up("z")


# -- changed specifications ------------------------------------------------------------------------------------------


def test_new_specifications_hold_from_the_next_start_and_touch_nothing_that_runs() -> None:
    house = House()
    house.start(house.puppet("a"), house.puppet("b"))
    epochs = house.epoch("a"), house.epoch("b")
    changed = house.puppet("a", on_start=lambda puppet: house.log.append(("changed", puppet.name)))
    new = SupervisorSpec(intensity=3, period_s=60.0, children=(changed, house.puppet("c")))

    assert root(house).change_specs(new) == Done("root")
    assert (house.epoch("a"), house.epoch("b")) == epochs
    assert kinds(house) == [("a", "up"), ("b", "up"), ("c", "none")]
    assert house.count("changed", "a") == 0
    house.crash("a")
    house.rest()
    assert house.count("changed", "a") == 1
    assert isinstance(root(house).restart_child("c"), ChildUp)


def test_specifications_that_cannot_be_change_nothing() -> None:
    house = House()
    house.start(house.puppet("a"), intensity=2)
    twice = SupervisorSpec(children=(house.puppet("x"), house.puppet("x")))

    assert root(house).change_specs(twice) == Invalid("names of children must differ, 'x' is used twice")
    assert kinds(house) == [("a", "up")]
    assert house.system.names() == ("root", "a")


def test_a_changed_intensity_holds_at_once() -> None:
    house = House()
    house.start(house.puppet("a"), intensity=9)
    assert root(house).change_specs(SupervisorSpec(intensity=0, children=(house.puppet("a"),))) == Done("root")
    house.crash("a")
    house.rest()

    assert house.ends


def test_restarts_from_before_a_change_of_specifications_still_count() -> None:
    house = House()
    house.start(house.puppet("a"), intensity=1)
    house.crash("a")
    house.rest()
    spec = SupervisorSpec(intensity=1, period_s=60.0, children=(house.puppet("a"),))
    assert root(house).change_specs(spec) == Done("root")
    house.crash("a")
    house.rest()

    assert house.ends


# -- who calls -------------------------------------------------------------------------------------------------------


@on_all
def test_a_supervisor_that_is_not_there_or_is_no_supervisor_is_told_at_once(runtime: str) -> None:
    with House(runtime) as house:
        house.start(supervisor("s", house.puppet("a"), restart="transient"))
        assert root(house).terminate_child("s") == Done("s")

        for name in ("s", "nobody"):
            with pytest.raises(ActorDown, match=f"{name} is down"):
                house.system.supervisor(name).which_children()


@on_all
def test_who_waits_for_a_supervisor_that_ends_is_told(runtime: str) -> None:
    with House(runtime) as house:
        house.start(supervisor("s", house.puppet("a"), restart="transient"))
        answers: list[Any] = []
        house.system.tell("s", Stop(), Lane.SYSTEM)
        for _ in range(20):
            house.system.tell("s", WhichChildren(answers.append), Lane.SYSTEM)
        house.until(lambda: len(answers) == 20)

        assert {type(answer) for answer in answers} <= {tuple, NoProc}
        assert answers[-1] == NoProc("s")


def test_a_request_that_breaks_the_supervisor_is_answered() -> None:
    house = House()
    house.start(supervisor("s", house.puppet("a")))
    answers: list[Any] = []
    house.system.tell("s", StartChild(answers.append, 7), Lane.SYSTEM)  # type: ignore[arg-type]
    house.rest()

    assert answers == [NoProc("s")]
    assert house.is_up("s")


def test_an_actor_tells_and_does_not_call() -> None:
    house = House()
    problems: list[str] = []
    answers: list[Any] = []

    def call(puppet: Puppet, message: Any) -> None:
        try:
            root(house).which_children()
        except SupervisionError as error:
            problems.append(str(error))
        puppet.tell("root", WhichChildren(answers.append))

    house.start(house.puppet("a", on_message=call))
    house.system.tell("a", Poke())
    house.rest()

    assert problems == ["an actor must not wait for an answer: tell, and take the answer as a message"]
    assert [info.name for info in answers[0]] == ["a"]


def test_no_answer_in_time_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    with House("threads") as house:
        house.start(house.puppet("a"))

        def hang(_supervisor: Supervisor, _message: Any) -> None:
            gate.wait(PATIENCE_S)

        monkeypatch.setattr(Supervisor, "_request", hang)
        with pytest.raises(pykka.Timeout):
            root(house).which_children(timeout_s=0.05)
        gate.set()


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_asked_in_whatever_order_the_tree_and_the_switchboard_agree(seed: int) -> None:
    house = House(seed=seed)
    house.start(house.puppet("a"), supervisor("s", house.puppet("b")), pool(house), intensity=1_000)
    chance = random.Random(seed)
    answers: list[Any] = []

    def some_child() -> str:
        return chance.choice([*house.system.names()[1:], "new1", "new2"])

    def crash_some() -> None:
        if alive := [name for name in house.system.names()[1:] if house.is_up(name)]:
            house.crash(chance.choice(alive))

    acts: list[Callable[[], Any]] = [
        lambda: root(house).start_child(house.puppet(chance.choice(["new1", "new2"]))),
        lambda: root(house).terminate_child(some_child()),
        lambda: root(house).restart_child(some_child()),
        lambda: root(house).delete_child(some_child()),
        lambda: house.system.supervisor("pool").start_one_more(),
        lambda: house.system.supervisor("pool").terminate_child(some_child()),
        crash_some,
    ]
    for _ in range(60):
        try:
            answers.append(chance.choice(acts)())
        except ActorDown:
            answers.append(None)
        house.rest()
        names = set(house.system.names())
        assert names == {vitals.name for vitals in house.switchboard.vitals()}
        listed = root(house).which_children()
        assert {info.name for info in listed} == {name for name in names if house.system.tree.parent_of(name) == "root"}
        assert all(house.is_up(info.name) == isinstance(info.state, int) for info in listed)

    assert house.ends == []
    assert {"ChildUp", "Done", "Refused"} <= {type(answer).__name__ for answer in answers}
