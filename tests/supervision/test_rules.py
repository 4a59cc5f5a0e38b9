"""Rules of OTP's that need few words: what is not said, what is refused, what counts, and what is told to whom."""

import threading
from typing import Any

import pykka
import pytest

from supervision import (
    Backoff,
    ChildSpec,
    CrashReport,
    Exit,
    MailboxSpec,
    Progress,
    SpecError,
    Supervisor,
    SupervisorReport,
    SupervisorSpec,
    check_specs,
)
from supervision.dead_letters import Letter as DeadLetter
from supervision.errors import Ignore
from supervision.mailbox import Sender
from supervision.requests import ChildUp, Done, Invalid, StartFailed
from supervision.signals import Lane, Offender, Stop
from tests.supervision.troupe import (
    PATIENCE_S,
    RUNTIMES,
    HandRecorder,
    House,
    Letter,
    Noted,
    Poke,
    Puppet,
    failing_at,
    lives,
    supervisor,
)

on_all = pytest.mark.parametrize("runtime", RUNTIMES)
on_threads = pytest.mark.parametrize("runtime", ["threads", "shared"])


def never(system: Any, seat: Any) -> Puppet:
    pytest.fail("nothing may be started")


# -- specifications --------------------------------------------------------------------------------------------------


def test_what_is_not_said_is_as_in_otp() -> None:
    flags = SupervisorSpec()
    worker = ChildSpec(name="w", start=never)
    above = ChildSpec(name="s", start=never, supervises=flags)

    assert (flags.strategy, flags.intensity, flags.period_s, flags.auto_shutdown) == ("one_for_one", 1, 5.0, "never")
    assert (worker.restart, worker.significant, worker.shutdown_s, worker.type) == ("permanent", False, 5.0, "worker")
    assert (above.restart, above.significant, above.shutdown_s, above.type) == ("permanent", False, None, "supervisor")
    check_specs(above)


def test_a_field_that_there_is_not_is_a_mistake() -> None:
    unknown: dict[str, Any] = {"restarts": "permanent"}
    with pytest.raises(TypeError, match="restarts"):
        ChildSpec(name="a", start=never, **unknown)
    with pytest.raises(TypeError, match="start"):
        ChildSpec(name="a")  # type: ignore[call-arg]


NO_START: Any = None
HALF: Any = 0.5
ENDLESS: Any = float("inf")


@pytest.mark.parametrize(
    ("child", "flags", "said"),
    [
        ({"start": NO_START}, {}, "a: its start must be what makes an actor, was None"),
        ({}, {"intensity": HALF}, "intensity must be a whole number of at least 0, was 0.5"),
        ({}, {"intensity": ENDLESS}, "intensity must be a whole number of at least 0, was inf"),
        ({"significant": True}, {"auto_shutdown": "any_significant"}, "a: a significant child must be transient"),
        ({"significant": True, "restart": "transient"}, {}, "needs a supervisor whose auto_shutdown is not never"),
        ({}, {"auto_shutdown": "some"}, "auto_shutdown must be never, any_significant or all_significant"),
        (
            {},
            {"auto_shutdown": "all_significant", "strategy": "simple_one_for_one"},
            "auto_shutdown must be never with simple_one_for_one",
        ),
    ],
)
def test_what_cannot_be_is_found_without_starting_and_the_same_at_a_start_and_of_a_new_child(
    child: dict[str, Any], flags: dict[str, Any], said: str
) -> None:
    fields: dict[str, Any] = {"name": "a", "start": never} | child
    tree = supervisor("s", ChildSpec(**fields), restart="transient", **flags)
    with pytest.raises(SpecError, match=said) as found:
        check_specs(tree)

    with pytest.raises(SpecError) as at_start:
        House().system.start(tree)
    assert str(at_start.value) == str(found.value)
    house = House()
    house.start(house.puppet("z"))
    assert house.system.supervisor("root").start_child(tree) == Invalid(str(found.value))
    assert house.system.names() == ("root", "z")


def test_a_supervisor_that_ends_with_its_children_must_not_be_permanent() -> None:
    tree = supervisor("s", ChildSpec(name="a", start=never), auto_shutdown="any_significant")

    with pytest.raises(SpecError, match="must not be permanent: it would be restarted"):
        check_specs(supervisor("root", tree))


def test_a_tree_that_can_be_is_checked_and_nothing_of_it_is_started() -> None:
    check_specs(supervisor("root", ChildSpec(name="a", start=never), supervisor("s", ChildSpec(name="b", start=never))))


# -- starts and restarts ---------------------------------------------------------------------------------------------


@on_all
def test_a_supervisor_that_cannot_start_its_children_tells_who_started_it_which_one_and_why(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a"), intensity=0)
        added = supervisor("s", house.puppet("b"), house.puppet("c", on_start=failing_at(1)), intensity=9)
        answer = house.system.supervisor("root").start_child(added)

        failed = Exit("shutdown", "failed to start c: init(ValueError: start 1 fails)")
        assert answer == StartFailed("s", failed)
        assert lives(house.log) == ["+a", "+b", "-c", "-b"]
        assert [(report.context, report.offender.name) for report in house.terminations()] == [
            ("start_error", "c"),
            ("start_error", "s"),
        ]
        assert house.system.names() == ("root", "a")


@on_all
def test_a_transient_child_that_ended_well_is_kept_and_revived_when_asked(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", restart="transient"), intensity=0)
        house.exit("a")
        house.until(lambda: not house.is_up("a"))
        root = house.system.supervisor("root")
        assert root.which_children()[0].state == "none"

        assert root.restart_child("a") == ChildUp("a", house.epoch("a"))
        assert house.count("started", "a") == 2


@on_all
def test_each_restart_is_a_new_actor_that_knows_nothing_of_the_one_before(runtime: str) -> None:
    seen: list[Puppet] = []
    with House(runtime) as house:
        house.start(house.puppet("a", on_start=seen.append))
        vars(seen[0])["kept"] = "something"
        house.crash("a")
        house.until(lambda: house.count("started", "a") == 2)

        assert seen[0] is not seen[1]
        assert "kept" not in vars(seen[1])
        assert seen[1].epoch > seen[0].epoch


def test_one_of_a_template_that_has_nothing_to_do_when_it_is_restarted_is_forgotten() -> None:
    house = House()
    starts: list[str] = []

    def make(system: Any, seat: Any, wish: str) -> Puppet:
        puppet = Puppet(system, seat, log=house.log)

        def begin(_puppet: Puppet) -> None:
            starts.append(wish)
            if len(starts) == 2:
                raise Ignore("not needed any more")

        puppet.on_begin = begin
        return puppet

    house.start(supervisor("pool", ChildSpec(name="t", start=make), strategy="simple_one_for_one"))
    pool = house.system.supervisor("pool")
    answer = pool.start_one_more("x")
    assert isinstance(answer, ChildUp)
    house.crash(answer.name)
    house.rest()

    assert starts == ["x", "x"]
    assert pool.which_children() == ()
    assert house.system.names() == ("root", "pool")


# -- what counts -----------------------------------------------------------------------------------------------------


def test_crashes_of_different_children_count_together() -> None:
    house = House()
    house.start(*(house.puppet(name) for name in "abc"), intensity=2)
    for name in "abc":
        assert house.ends == []
        house.crash(name)
        house.rest()

    assert "reached_max_restart_intensity: c" in house.ends[0].detail


def test_a_wall_clock_that_is_set_changes_nothing_about_what_counts() -> None:
    house = House()
    house.start(house.puppet("a"), intensity=1, period_s=5.0)
    assert house.stage is not None
    house.crash("a")
    house.rest()
    house.stage.clock.step_wall(-3_600_000)
    house.rest(6.0)
    house.crash("a")
    house.rest()
    assert house.ends == []
    house.stage.clock.step_wall(3_600_000)
    house.crash("a")
    house.rest()

    assert house.ends


def waits_of(seed: int) -> list[float]:
    house = House(seed=seed)
    backoff = Backoff(base_s=1.0, cap_s=3.0, jitter=0.5, reset_after_s=60.0)
    house.start(house.puppet("a", backoff=backoff), intensity=9, period_s=600.0)
    waits = []
    for _ in range(4):
        house.crash("a")
        crashed_at = house.system.clock.monotonic()
        house.until(lambda: house.is_up("a"))
        waits.append(house.system.clock.monotonic() - crashed_at)
        house.rest()
    return waits


def test_jitter_is_drawn_from_the_seed_and_cut_to_the_cap() -> None:
    waits = waits_of(seed=1)

    assert waits == waits_of(seed=1) != waits_of(seed=2)
    assert 1.0 < waits[0] < 1.5
    assert 2.0 < waits[1] < 3.0
    assert waits[2:] == pytest.approx([3.0, 3.0])


def test_the_timer_of_a_healthy_time_is_that_of_one_incarnation() -> None:
    house = House()
    backoff = Backoff(base_s=0.1, cap_s=8.0, jitter=0.0, reset_after_s=3.0)
    house.start(house.puppet("a", backoff=backoff), intensity=5)
    house.rest(2.5)
    house.crash("a")
    house.rest(0.7)  # It is up again, and the first one's timer has run out.
    assert house.is_up("a")
    house.crash("a")
    crashed_at = house.system.clock.monotonic()
    house.until(lambda: house.is_up("a"))

    assert house.system.clock.monotonic() - crashed_at == pytest.approx(0.2)


# -- stops -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("restart", "kind", "is_expected"),
    [
        ("permanent", "shutdown", True),
        ("permanent", "normal", False),
        ("transient", "normal", True),
        ("transient", "shutdown", True),
        ("transient", "crash", False),
        ("temporary", "normal", True),
        ("temporary", "killed", False),
    ],
)
def test_a_child_that_ends_otherwise_than_it_must_while_it_is_stopped_is_reported_and_stops_nothing(
    restart: Any, kind: Any, is_expected: bool
) -> None:
    house = House()
    house.start(house.puppet("a"), house.puppet("b", restart=restart), house.puppet("c"))
    # It ends by itself at the moment at which it is told to.
    tell = house.system.tell

    def twist(to: str, message: Any, lane: Lane = Lane.ORDINARY, *, epoch: int | None = None) -> bool:
        said = Stop(kind) if to == "b" and isinstance(message, Stop) else message
        return tell(to, said, lane, epoch=epoch)

    house.system.tell = twist
    house.system.stop()
    house.until(lambda: bool(house.ends))

    assert lives(house.log)[-3:] == ["-c", "-b", "-a"]
    errors = [(each.context, each.offender.name, each.reason.kind) for each in house.terminations()]
    assert errors == ([] if is_expected else [("shutdown_error", "b", kind)])


class Naughty(Puppet):
    """Hears no stop but the last one."""

    def _ends_at_once(self, stop: Stop) -> bool:
        return stop.kind == "killed" and super()._ends_at_once(stop)


def test_a_child_that_does_not_listen_holds_up_nobody() -> None:
    house = House()
    naughty = ChildSpec(name="n", start=lambda system, seat: Naughty(system, seat, log=house.log), shutdown_s=2.0)
    house.start(house.puppet("a"), naughty, house.puppet("b"))
    began = house.system.clock.monotonic()
    house.system.stop()
    house.until(lambda: bool(house.ends))

    assert house.system.clock.monotonic() - began == pytest.approx(2.0)
    assert [(each.context, each.offender.name, each.reason.kind) for each in house.terminations()] == [
        ("shutdown_error", "n", "killed")
    ]
    assert not house.is_up("n") and not house.is_up("a")


# -- messages --------------------------------------------------------------------------------------------------------


@on_all
def test_a_message_tells_which_incarnation_said_it_also_one_that_was_retained(runtime: str) -> None:
    senders: list[tuple[Any, Sender | None]] = []

    def hear(puppet: Puppet, message: Any) -> None:
        senders.append((message.value, puppet.sender))

    def say(puppet: Puppet, message: Any) -> None:
        if isinstance(message, Letter):
            puppet.record(Noted())  # It is held until this is durable.
        puppet.tell("a", message)

    with House(runtime) as house:
        kept = MailboxSpec(retains=True)
        slow = Backoff(base_s=0.2, cap_s=0.2, jitter=0.0)
        house.start(house.puppet("a", on_message=hear, mailbox=kept, backoff=slow), house.puppet("b", on_message=say))
        first = house.epoch("b")
        house.crash("a")
        house.system.tell("b", Poke("before"))
        house.until(lambda: house.count("took", "b") == 1)
        house.crash("b")
        house.until(lambda: house.count("started", "b") == 2)
        house.system.tell("b", Poke("after"))
        house.system.tell("b", Letter("held"))
        if isinstance(house.recorder, HandRecorder):
            house.until(lambda: bool(house.records))
            house.switchboard.on_durable(house.records[-1].seq)
        house.until(lambda: len(senders) == 3)
        house.system.tell("a", Poke("edge"))
        house.until(lambda: len(senders) == 4)

        second = house.epoch("b")
        assert second > first
        assert senders == [
            ("before", Sender("b", first)),
            ("after", Sender("b", second)),
            ("held", Sender("b", second)),
            ("edge", None),
        ]


@on_threads
def test_a_question_that_nobody_waits_for_any_more_is_not_begun(runtime: str) -> None:
    gate = threading.Event()

    def hang(_puppet: Puppet, message: Any) -> Any:
        return gate.wait(PATIENCE_S) if message == Poke("hang") else message.value

    with House(runtime) as house:
        house.start(house.puppet("a", on_message=hang))
        house.system.tell("a", Poke("hang"))
        house.until(lambda: house.count("took", "a") == 1)
        with pytest.raises(pykka.Timeout):
            house.system.ask("a", Poke("too late"), 0.05)
        gate.set()

        assert house.system.ask("a", Poke("in time"), PATIENCE_S) == "in time"
        assert [entry[2].value for entry in house.log if entry[0] == "took"] == ["hang", "in time"]
        assert house.switchboard.dead_letters.counts == {DeadLetter("a", "Poke", "expired"): 1}


@on_threads
def test_an_answer_that_comes_too_late_is_a_dead_letter_and_its_actor_lives_on(runtime: str) -> None:
    gate = threading.Event()

    def hang(_puppet: Puppet, message: Any) -> Any:
        assert gate.wait(PATIENCE_S)
        if message == Poke("bad"):
            raise ValueError("too late as well")
        return "late"

    with House(runtime) as house:
        house.start(house.puppet("a", on_message=hang))
        with pytest.raises(pykka.Timeout):
            house.system.ask("a", Poke(), 0.05)
        gate.set()
        house.until(lambda: house.dead_letters("a") == 1)
        assert house.switchboard.dead_letters.counts == {DeadLetter("a", "str", "late answer"): 1}
        assert house.system.ask("a", Poke(), PATIENCE_S) == "late"
        assert house.count("started", "a") == 1


def test_a_late_answer_of_a_supervisor_is_a_dead_letter_too(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    serve = Supervisor._request

    def hang(self: Supervisor, message: Any) -> None:
        assert gate.wait(PATIENCE_S)
        serve(self, message)

    monkeypatch.setattr(Supervisor, "_request", hang)
    with House("threads") as house:
        house.start(house.puppet("a"))
        with pytest.raises(pykka.Timeout):
            house.system.supervisor("root").count_children(timeout_s=0.05)
        gate.set()
        house.until(lambda: house.dead_letters("root") == 1)

        assert house.switchboard.dead_letters.counts == {DeadLetter("root", "ChildCounts", "late answer"): 1}
        assert house.system.supervisor("root").terminate_child("a") == Done("a")


@on_all
def test_signals_are_taken_before_everything_else_that_waits(runtime: str) -> None:
    gate = threading.Event()

    def hang(_puppet: Puppet, message: Any) -> None:
        if message == Poke("first") and house.threads is not None:
            gate.wait(PATIENCE_S)

    with House(runtime) as house:
        house.start(house.puppet("a", on_message=hang, restart="temporary"))
        house.system.tell("a", Poke("first"))
        for number in range(5):
            house.system.tell("a", Poke(number))
        if house.threads is not None:
            house.until(lambda: house.count("took", "a") == 1)
        house.exit("a")
        gate.set()
        house.until(lambda: house.count("ended", "a") == 1)

        assert house.count("took", "a") == (1 if house.threads is not None else 0)


# -- reports ---------------------------------------------------------------------------------------------------------


def test_a_report_of_a_supervisor_names_all_of_the_offender() -> None:
    house = House()
    house.start(supervisor("s", house.puppet("a", shutdown_s=3.0), intensity=5))
    epoch = house.epoch("a")
    house.crash("a")
    house.rest()

    (report,) = house.reported(SupervisorReport)
    offender = Offender(
        name="a",
        epoch=epoch,
        restart="permanent",
        significant=False,
        shutdown_s=3.0,
        type="worker",
        restarts_in_window=1,
    )
    assert report == SupervisorReport("s", "child_terminated", report.reason, offender)
    assert report.reason.kind == "crash"
    progress = house.reported(Progress)
    assert [(each.supervisor, each.name) for each in progress] == [("s", "a"), ("root", "s"), ("s", "a")]
    assert [each.epoch for each in progress if each.name == "a"] == [epoch, house.epoch("a")]


def test_a_report_of_a_crash_tells_what_there_was_and_what_waited() -> None:
    house = House()

    def fail(puppet: Puppet, message: Any) -> None:
        if isinstance(message, Letter):
            raise ValueError("broken")

    house.start(supervisor("s", house.puppet("a", on_message=fail)))
    epoch = house.epoch("a")
    house.rest(2.0)
    for message in (Poke(1), Letter(1), Poke(2), Letter(2)):
        house.system.tell("a", message)
    house.rest()

    (crash,) = house.reported(CrashReport)
    assert (crash.name, crash.epoch, crash.reason) == ("a", epoch, "crash(ValueError: broken)")
    assert (crash.message, crash.last_messages) == ("Letter(value=1)", ("Wake", "Poke"))
    assert (crash.mailbox_depth, crash.mailbox_types) == (2, ("Poke", "Letter"))
    assert crash.uptime_s == pytest.approx(2.0)
    assert crash.ancestors == ("s", "root")
    assert 'raise ValueError("broken")' in crash.stack


@pytest.mark.parametrize(
    ("restart", "kind", "is_reported"),
    [
        ("permanent", "normal", True),
        ("permanent", "shutdown", True),
        ("transient", "normal", False),
        ("transient", "shutdown", False),
        ("temporary", "normal", False),
        ("temporary", "crash", True),
        ("transient", "crash", True),
    ],
)
def test_an_end_is_reported_where_it_is_not_as_it_should_be(restart: Any, kind: Any, is_reported: bool) -> None:
    house = House()
    house.start(house.puppet("a", restart=restart))
    house.exit("a", kind)
    house.rest()

    assert [report.context for report in house.terminations()] == ["child_terminated"] * is_reported
