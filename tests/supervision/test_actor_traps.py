"""The traps of the engine below, closed: failures are seen, questions are answered, and one end ends nobody else."""

import asyncio
import threading
from collections import deque
from typing import Any

import pykka
import pytest

from supervision import ActorDown, Break, ChildSpec, Crashed, CrashReport, Lane, Recorded, Stop, SupervisionError
from supervision.answer import Answer
from supervision.errors import SAID_CHARS_MAX, Ignore
from supervision.mailbox import QUESTIONS_MAX, Mailbox
from supervision.mailbox_spec import ORDINARY_MAX, MailboxSpec
from supervision.spec import Backoff
from tests.supervision.troupe import (
    RUNTIMES,
    Envelope,
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


class Unprintable(Exception):
    """An error, and a message, of which nothing can be said."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


def raising(error: BaseException) -> Any:
    def on_message(_puppet: Puppet, _message: Any) -> None:
        raise error

    return on_message


# -- failures are seen -----------------------------------------------------------------------------------------------


@on_all
def test_a_failure_in_start_is_reported_and_reaches_the_supervisor(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", on_start=failing_at(2)))
        house.crash("a")
        house.until(lambda: house.count("started", "a") == 2)

        crash = house.reported(CrashReport)[-1]
        assert (crash.name, crash.reason) == ("a", "init(ValueError: start 2 fails)")
        assert "troupe.py" in crash.stack
        assert [report.reason.kind for report in house.terminations()] == ["crash", "init"]


@on_all
def test_what_a_failed_start_held_is_let_go_of(runtime: str) -> None:
    with House(runtime) as house:
        house.begin(house.puppet("a", on_start=failing_at(1)))
        house.until(lambda: bool(house.ends))

        assert house.count("ended", "a") == 1


@on_all
def test_an_error_in_an_answer_reaches_the_asker_and_ends_the_actor(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=raising(KeyError("gone"))))

        with pytest.raises(KeyError, match="gone"):
            house.system.ask("a", Poke(), 5.0)
        house.until(lambda: house.count("started", "a") == 2)
        assert house.terminations()[0].reason == ("crash", "KeyError: 'gone'")
        assert house.reported(CrashReport)[0].message == "Poke(value=None)"


@on_all
@pytest.mark.parametrize(
    "error",
    [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit()],
    ids=repr,
)
def test_no_error_of_one_actor_stops_another(runtime: str, error: BaseException) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=raising(error)), house.puppet("b"))
        house.system.tell("a", Poke())
        house.until(lambda: house.count("started", "a") == 2)
        with pytest.raises(Crashed, match=f"a was ended by {type(error).__name__}"):
            house.system.ask("a", Poke(), 5.0)
        house.until(lambda: house.count("started", "a") == 3)

        assert lives(house.log) == ["+a", "+b", "-a", "+a", "-a", "+a"]


@on_all
@pytest.mark.parametrize("error", [ValueError("made wrong"), SystemExit(3)], ids=repr)
def test_an_error_in_the_making_of_an_actor_is_a_failed_start(runtime: str, error: BaseException) -> None:
    made: list[int] = []

    def make(system: Any, seat: Any) -> Puppet:
        made.append(seat.epoch)
        if len(made) == 2:
            raise error
        return Puppet(system, seat, log=house.log)

    with House(runtime) as house:
        house.start(ChildSpec(name="a", start=make), house.puppet("b"))
        house.crash("a")
        house.until(lambda: house.count("started", "a") == 2)

        assert house.count("started", "b") == 1
        assert [report.reason.kind for report in house.terminations()] == ["crash", "init"]
        crash = house.reported(CrashReport)[-1]
        assert (crash.name, crash.epoch, crash.ancestors) == ("a", made[1], ("root",))
        assert crash.reason == f"init({type(error).__name__}: {error})"
        assert crash.stack.startswith("Traceback")
        assert "raise error" in crash.stack


@on_all
def test_an_actor_that_finds_in_its_making_that_there_is_nothing_to_do_is_no_failure(runtime: str) -> None:
    def make(system: Any, seat: Any) -> Puppet:
        raise Ignore("nothing to do today")

    with House(runtime) as house:
        house.begin(ChildSpec(name="a", start=make), house.puppet("b"), intensity=0)
        house.until(lambda: house.is_up("b"))
        house.rest()

        assert not house.is_up("a")
        assert house.terminations() == house.reported(CrashReport) == house.ends == []


def test_the_end_of_a_root_that_could_not_be_made_is_told() -> None:
    def make(system: Any, seat: Any) -> Puppet:
        raise ValueError("made wrong")

    house = House()
    house.system.start(ChildSpec(name="root", start=make))

    assert house.ends == [("init", "ValueError: made wrong")]
    assert not house.is_up("root")


def test_an_actor_whose_thread_cannot_be_started_is_a_failed_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with House("threads") as house:
        house.start(house.puppet("a"), house.puppet("b"))
        starts: list[str] = []
        run = house.system.run

        def refuse_once(actor: Any, **ways: Any) -> None:
            starts.append(actor.name)
            if len(starts) == 1:
                raise RuntimeError("can't start new thread")
            run(actor, **ways)

        monkeypatch.setattr(house.system, "run", refuse_once)
        house.crash("a")
        house.until(lambda: house.count("started", "a") == 2)

        assert starts == ["a", "a"]
        assert house.count("started", "b") == 1
        assert "can't start new thread" in str(house.terminations()[-1].reason)


@on_all
def test_an_error_and_a_message_that_cannot_be_shown_hide_no_crash(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=raising(Unprintable()), restart="transient"))
        house.system.tell("a", Unprintable())
        house.until(lambda: house.count("started", "a") == 2)

        crash = house.reported(CrashReport)[0]
        assert crash.reason == "crash(Unprintable: it has no text)"
        assert crash.message == "<Unprintable that cannot be shown>"


@on_all
def test_a_crash_tells_its_message_without_its_place_in_memory(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=raising(ValueError("no")), restart="transient"))
        house.system.tell("a", Poke(object()))
        house.until(lambda: house.count("started", "a") == 2)

        assert house.reported(CrashReport)[0].message == "Poke(value=<object object>)"


@on_all
def test_a_listener_of_reports_that_fails_stops_nobody(runtime: str) -> None:
    def listen(_report: Any) -> None:
        raise OSError("the disk is full")

    with House(runtime, on_report=listen) as house:
        house.start(house.puppet("a", on_start=failing_at(2)))
        house.crash("a")
        house.until(lambda: house.count("started", "a") == 2)
        house.rest()

        assert house.is_up("root")
        assert house.system.reports_lost == 6


@on_all
def test_a_crash_report_is_cut_to_a_limit(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=raising(ValueError("x" * 100_000))))
        house.system.tell("a", Poke("y" * 100_000))
        house.until(lambda: house.count("started", "a") == 2)

        crash = house.reported(CrashReport)[0]
        assert (len(crash.message), len(crash.stack)) == (1_000, 8_000)
        assert len(crash.reason) <= SAID_CHARS_MAX + len("crash()")


# -- questions are answered ------------------------------------------------------------------------------------------


@on_all
def test_a_question_is_answered(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=lambda _puppet, message: message.value + 1))

        assert house.system.ask("a", Poke(41), 5.0) == 42


@on_all
@pytest.mark.parametrize("name", ["a", "nobody"])
def test_a_question_to_nobody_is_answered_at_once(runtime: str, name: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", restart="temporary"))
        house.exit("a")
        house.until(lambda: not house.is_up("a"))

        with pytest.raises(ActorDown, match=f"{name} is down"):
            house.system.ask(name, Poke(), 5.0)


def test_questions_that_wait_are_answered_when_the_actor_ends_fails_or_is_fenced() -> None:
    house = House()
    house.start(house.puppet("a", on_message=raising(ValueError("bad"))))
    for end in (
        lambda: house.exit("a", "shutdown"),
        lambda: house.system.tell("a", Break("test"), Lane.SYSTEM),
        lambda: house.system.tell("a", Poke(), Lane.SYSTEM),
        lambda: house.system.abandon("a", house.epoch("a")),
    ):
        futures: list[pykka.Future[Any]] = [pykka.ThreadingFuture() for _ in range(3)]
        for future in futures:
            house.switchboard.ask("a", Poke(), future)
        end()
        house.rest()
        for future in futures:
            with pytest.raises(ActorDown, match="a went down"):
                future.get(timeout=0)


def test_no_question_stays_unanswered_while_actors_come_and_go() -> None:
    answers: list[str] = []
    with House("threads") as house:
        house.start(house.puppet("a", on_message=lambda *_: "yes", settles=True), intensity=10_000)

        def ask_on() -> None:
            for _ in range(700):
                try:
                    answers.append(house.system.ask("a", Poke(), 5.0))
                except ActorDown:
                    answers.append("down")

        askers = [threading.Thread(target=ask_on) for _ in range(3)]
        for asker in askers:
            asker.start()
        while any(asker.is_alive() for asker in askers):
            house.exit("a")
        for asker in askers:
            asker.join()
        house.until_idle()

        assert len(answers) == 2100
        assert {"yes", "down"} >= set(answers)


def test_a_question_too_many_is_refused() -> None:
    hang = threading.Event()
    with House("threads") as house:
        house.start(house.puppet("a", on_message=lambda *_: hang.wait(10)))
        house.system.tell("a", Poke())
        house.until(lambda: house.count("took", "a") == 1)
        for _ in range(QUESTIONS_MAX):
            house.switchboard.ask("a", Poke(), pykka.ThreadingFuture())

        with pytest.raises(ActorDown, match="a is asked more than it can answer"):
            house.system.ask("a", Poke(), 5.0)
        hang.set()


@on_all
def test_an_actor_may_not_wait_for_an_answer_and_what_it_asked_is_not_done(runtime: str) -> None:
    caught: list[str] = []

    def ask(_puppet: Puppet, _message: Any) -> None:
        try:
            house.system.ask("b", Poke("asked"), 0.1)
        except SupervisionError as error:
            caught.append(str(error))

    with House(runtime) as house:
        house.start(house.puppet("a", on_message=ask), house.puppet("b"))
        house.system.tell("a", Poke())
        house.until(lambda: bool(caught))
        house.rest()

        assert caught == ["an actor must not wait for an answer: tell, and take the answer as a message"]
        assert house.count("took", "b") == 0


@on_all
def test_no_answer_in_time_is_a_timeout(runtime: str) -> None:
    hang = threading.Event()
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=lambda *_: hang.wait(10) if house.threads else None))
        if house.stage is not None:
            house.stage.kill()

        with pytest.raises(pykka.Timeout):
            house.system.ask("a", Poke(), 0.05)
        hang.set()


# -- messages --------------------------------------------------------------------------------------------------------


@on_all
def test_a_stop_is_not_queued_behind_a_backlog(runtime: str) -> None:
    begin = threading.Event()
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=lambda *_: begin.wait(5) if house.threads else None))
        house.system.tell("a", Poke())
        if house.threads is not None:
            house.until(lambda: house.count("took", "a") == 1)
        for n in range(999):
            house.system.tell("a", Poke(n))
        house.system.stop()
        if house.threads is not None:
            house.until(lambda: house.switchboard._cells["a"].mailbox.depth() == 1000)
        begin.set()
        house.until(lambda: bool(house.ends))

        assert house.count("took", "a") <= 1 if runtime == "threads" else house.count("took", "a") < 100
        assert house.dead_letters("a") == 1000 - house.count("took", "a")


@on_all
def test_a_message_to_nobody_is_counted_and_troubles_no_sender(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=lambda puppet, _message: puppet.tell("nobody", Poke())))
        house.system.tell("a", Poke())
        house.until(lambda: house.dead_letters("nobody") == 1)

        assert house.system.tell("nobody", Poke()) is False
        assert house.switchboard.dead_letters.counts == {("nobody", "Poke", "down"): 2}
        assert house.is_up("a")


def test_a_message_too_many_is_counted_and_the_lanes_above_stay_open() -> None:
    hang = threading.Event()
    limit = ORDINARY_MAX
    with House("threads") as house:
        house.start(house.puppet("a", on_message=lambda *_: hang.wait(10), restart="temporary", settles=True))
        house.system.tell("a", Poke())
        house.until(lambda: house.count("took", "a") == 1)
        taken = [house.system.tell("a", Poke()) for _ in range(limit + 5)]

        assert taken.count(False) == 5
        assert house.dead_letters("a") == 5
        assert house.system.tell("a", Stop("normal"), Lane.SYSTEM)
        hang.set()
        house.until(lambda: house.switchboard.unsettled() == ())


@on_all
def test_a_handler_that_raised_has_said_nothing(runtime: str) -> None:
    def say_and_fail(puppet: Puppet, _message: Any) -> None:
        puppet.record(Noted(1))
        puppet.tell("b", Poke())
        puppet.tell("b", Letter())
        puppet.await_settled()
        raise ValueError("after all that")

    with House(runtime, routes={Noted: ["b"]}) as house:
        house.start(house.puppet("a", on_message=say_and_fail), house.puppet("b"))
        house.system.tell("a", Poke())
        house.until(lambda: house.count("started", "a") == 2)
        house.rest()

        assert house.count("took", "a") == 1
        assert house.count("took", "b") == 0
        assert house.switchboard.last_seq == 0
        assert house.records == []


@on_all
def test_what_is_said_in_start_is_said_once_the_start_has_come_about(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("b"), house.puppet("a", on_start=lambda puppet: puppet.tell("b", Poke())))
        house.until(lambda: house.count("took", "b") == 1)

        assert house.log.index(("started", "a")) < house.log.index(("took", "b", Poke()))


@on_all
def test_timers_of_an_incarnation_that_ended_never_reach_the_next(runtime: str) -> None:
    def begin(puppet: Puppet) -> None:
        puppet.after(0.15, Poke(puppet.epoch))

    with House(runtime) as house:
        house.start(house.puppet("a", on_start=begin))
        house.crash("a")
        house.until(lambda: house.count("took", "a") == 1)
        house.rest(0.05)

        assert [entry for entry in house.log if entry[0] == "took"] == [("took", "a", Poke(house.epoch("a")))]
        assert house.dead_letters("a") == 1


@pytest.mark.parametrize("comes", ["before its end", "while nobody lives"])
def test_timers_of_an_incarnation_that_ended_never_reach_the_next_in_a_retained_mailbox(comes: str) -> None:
    with House() as house:
        backoff = Backoff(base_s=5.0, cap_s=5.0, jitter=0.0)
        house.start(house.puppet("a", mailbox=MailboxSpec(retains=True), backoff=backoff))
        epoch = house.epoch("a")
        if comes == "before its end":
            house.switchboard.tell("a", Poke("timer"), epoch=epoch)
        else:
            house.system.after(1.0, "a", Poke("timer"), epoch)
        house.crash("a")
        house.system.tell("a", Poke("message"))
        house.rest(10.0)

        assert house.epoch("a") > epoch
        assert [entry for entry in house.log if entry[0] == "took"] == [("took", "a", Poke("message"))]
        assert house.dead_letters("a") == 1


@on_all
def test_what_was_queued_for_an_incarnation_never_reaches_the_next(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=lambda *_: 1 / 0, restart="permanent"))
        house.switchboard._lock.acquire()
        for n in range(5):
            house.system.tell("a", Poke(n))
        house.switchboard._lock.release()
        house.until(lambda: house.count("started", "a") == 2)
        house.rest()

        assert 0 < house.count("took", "a") + house.dead_letters("a") <= 5
        assert house.is_up("root")


def test_a_fenced_incarnation_that_wakes_up_is_told_so_and_nothing_it_says_is_heard() -> None:
    hang, woke = threading.Event(), []

    def take(puppet: Puppet, message: Any) -> str:
        if message == Poke("hang"):
            hang.wait(10)
            woke.append(puppet.epoch)
            puppet.record(Noted())
            puppet.tell("b", Poke("from the dead"))
            puppet.tell("b", Letter())
        return "done"

    with House("threads", routes={Noted: ["b"]}) as house:
        house.start(house.puppet("a", on_message=take, shutdown_s=0.05), house.puppet("b"))
        house.system.tell("a", Poke("hang"))
        house.until(lambda: house.count("took", "a") == 1)
        house.system.restart("a", "it hangs")
        house.until(lambda: house.count("started", "a") == 2)
        hang.set()
        house.until(lambda: bool(woke) and house.threads_of("a") == 1)

        assert woke[0] < house.epoch("a")
        assert house.count("took", "b") == 0
        assert house.records == []
        assert house.system.ask("a", Poke(), 5.0) == "done"


@on_all
def test_an_unknown_message_ends_who_hears_it(runtime: str) -> None:
    with House(runtime) as house:
        house.start(supervisor("s", house.puppet("a")))
        with pytest.raises(Crashed, match="supervisor s knows no message such as Poke"):
            house.system.ask("s", Poke(), 5.0)
        house.until(lambda: house.count("started", "a") == 2)

        assert house.is_up("s")


# -- the mailbox -----------------------------------------------------------------------------------------------------


def test_a_mailbox_gives_the_most_urgent_first_and_each_lane_in_order() -> None:
    mailbox = Mailbox()
    for n, lane in enumerate([Lane.ORDINARY, Lane.EVENTS, Lane.ORDINARY, Lane.SYSTEM, Lane.CONTROL, Lane.SYSTEM]):
        mailbox.put(Envelope(n), lane)

    assert [mailbox.get().message for _ in range(6)] == [3, 5, 4, 1, 0, 2]
    assert mailbox.empty()


def test_a_mailbox_may_be_drained_while_it_is_read() -> None:
    failures: list[BaseException] = []
    taken: list[int] = []

    def drain(mailbox: Mailbox) -> None:
        try:
            taken.extend(envelope.message for _lane, envelope in mailbox.drain())
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    for _ in range(40):
        mailbox = Mailbox()
        for n in range(200):
            mailbox.put(Envelope(n))
        drainers = [threading.Thread(target=drain, args=(mailbox,)) for _ in range(3)]
        for drainer in drainers:
            drainer.start()
        for drainer in drainers:
            drainer.join()

    assert failures == []
    assert len(taken) == 40 * 200


def test_a_lane_full_of_questions_that_nobody_waits_for_any_more_is_passed_over() -> None:
    mailbox = Mailbox()
    for number in range(QUESTIONS_MAX):
        answer = Answer()
        assert mailbox.put(Envelope(number, answer), Lane.EVENTS)
        assert answer.give_up()
    mailbox.put(Envelope("left"))

    assert mailbox.get().message == "left"
    assert mailbox.put(Envelope("one more", Answer()), Lane.EVENTS)


@on_all
def test_who_was_told_of_an_event_and_asks_is_answered_by_one_who_has_heard_of_it(runtime: str) -> None:
    heard: list[Any] = []

    def answer(_puppet: Puppet, message: Any) -> Any:
        if type(message) is Recorded:
            heard.append(message.event.value)
        return list(heard)

    with House(runtime, routes={Noted: ["a"]}) as house:
        house.start(house.puppet("a", on_message=answer))
        for n in range(50):
            house.switchboard.record("edge", [Noted(n)])

            assert house.system.ask("a", Poke(), 5.0) == list(range(n + 1))


def test_a_lane_that_empties_between_look_and_taking_is_passed_over() -> None:
    class Emptied(deque[Any]):
        def __bool__(self) -> bool:
            return True

        def popleft(self) -> Any:
            raise IndexError("pop from an empty deque")

    mailbox = Mailbox()
    mailbox.put(Envelope("left"))
    mailbox.lanes = (Emptied(), *mailbox.lanes[1:])

    assert mailbox.get().message == "left"
