"""A dispatcher: many actors on one thread, the most urgent first, and a hung one keeps nobody else."""

import threading
from typing import Any

import pytest

from supervision import Lane, Recorded, Settled, SpecError, Stop, check_specs
from supervision.bell import Turns
from supervision.mailbox import Mailbox, Post
from supervision.turns import Player
from tests.supervision.troupe import PATIENCE_S, House, Noted, Poke, Puppet, supervisor


def thread_of(seen: dict[str, int]) -> Any:
    def note(puppet: Puppet, message: Any) -> None:
        seen[puppet.name] = threading.get_ident()

    return note


def test_actors_that_name_a_dispatcher_share_its_thread_and_others_have_their_own() -> None:
    seen: dict[str, int] = {}
    with House("shared") as house:
        names = ("a", "b", "c", "alone")
        house.start(
            *(house.puppet(name, on_message=thread_of(seen)) for name in names[:3]),
            house.puppet("alone", on_message=thread_of(seen), dispatcher=""),
        )
        for name in names:
            house.system.tell(name, Poke())
        house.until(lambda: len(seen) == 4)

    assert seen["a"] == seen["b"] == seen["c"] != seen["alone"]


def test_the_most_urgent_goes_first_and_each_hears_in_order() -> None:
    gate = threading.Event()

    def wait(_puppet: Puppet, message: Any) -> None:
        if message == Poke("gate"):
            assert gate.wait(PATIENCE_S)

    with House("shared") as house:
        house.start(
            house.puppet("low", urgency=1),
            house.puppet("high", urgency=5),
            house.puppet("gate", urgency=3, on_message=wait),
        )
        house.system.tell("gate", Poke("gate"))
        for n in (1, 2):
            for name in ("low", "gate", "high"):
                house.system.tell(name, Poke(n))
        gate.set()
        house.until(lambda: house.count("took", "low") == 2)

    took = [(entry[1], entry[2].value) for entry in house.log if entry[0] == "took" and entry[2] != Poke("gate")]
    assert took == [("high", 1), ("high", 2), ("gate", 1), ("gate", 2), ("low", 1), ("low", 2)]


def test_an_actor_that_is_slow_to_begin_holds_up_nobody() -> None:
    gate = threading.Event()

    def begin(_puppet: Puppet) -> None:
        if house.count("made", "slow") == 2:
            assert gate.wait(PATIENCE_S)

    with House("shared") as house:
        house.start(house.puppet("a"), house.puppet("slow", on_start=begin))
        house.crash("slow")
        house.until(lambda: house.count("begun", "slow") == 2)
        house.system.tell("slow", Poke("before it has begun"))
        house.system.tell("a", Poke("meanwhile"))
        house.until(lambda: house.count("took", "a") == 1)
        assert house.count("took", "slow") == 0
        gate.set()

        house.until(lambda: house.count("took", "slow") == 1)


def test_the_others_go_on_when_one_is_given_up_in_the_midst_of_its_turn() -> None:
    gate = threading.Event()

    def hang(puppet: Puppet, message: Any) -> None:
        if message == Poke("hang"):
            assert gate.wait(10 * PATIENCE_S)
            puppet.record(Noted("too late"))

    with House("shared", routes={Noted: ["b"]}) as house:
        house.start(house.puppet("a", on_message=hang, shutdown_s=0.05), house.puppet("b"))
        old = house.epoch("a")
        house.system.tell("a", Poke("hang"))
        house.until(lambda: house.count("took", "a") == 1)
        house.system.tell("b", Poke("waits"))
        house.system.restart("a", "it hangs")
        house.until(lambda: house.count("took", "b") == 1)
        house.until(lambda: house.is_up("a") and house.epoch("a") > old)
        house.system.tell("a", Poke("to the new one"))
        house.until(lambda: house.count("took", "a") == 2)
        assert house.system.abandoned == 1
        gate.set()
        house.until(lambda: house.count("ended", "a") == 1)
        house.rest()

        assert house.records == []
        assert not any(isinstance(entry[2], Recorded) for entry in house.log if entry[:2] == ("took", "b"))
        assert house.system.abandoned == 0
        assert house.threads_of("a") == 1


def test_an_errand_takes_its_turn_between_actors_and_is_refused_elsewhere() -> None:
    done: list[int] = []
    asked: list[bool] = []

    with House("shared") as house:
        assert house.threads is not None
        ask = house.threads.errand(lambda: done.append(threading.get_ident()), dispatcher="crew", urgency=3)

        def send(puppet: Puppet, message: Any) -> None:
            asked.append(ask())
            house.log.append(("asked", puppet.name, len(done)))

        house.start(house.puppet("a", on_message=send, urgency=9), house.puppet("z", urgency=1))
        for _ in range(2):
            house.system.tell("a", Poke())
        house.system.tell("z", Poke())
        house.until(lambda: house.count("took", "z") == 1)
        assert not ask()

        assert asked == [True, True]
        assert len(done) == 2
        assert threading.get_ident() not in done


def test_settled_is_told_when_those_who_share_a_thread_and_those_who_do_not_have_nothing_left() -> None:
    settled: list[tuple[int, int]] = []

    def feed(puppet: Puppet, message: Any) -> None:
        if isinstance(message, Settled):
            settled.append((message.seq, house.count("took", "c")))
        if message == Poke("go") or (isinstance(message, Settled) and len(settled) < 200):
            puppet.record(Noted(len(settled)))
            puppet.await_settled()

    def worker(puppet: Puppet, message: Any) -> None:
        if isinstance(message, Recorded):
            puppet.tell("b", Poke(message.seq))
        elif isinstance(message, Poke):
            puppet.tell("c", Poke(message.value))

    with House("shared", routes={Noted: ["a"]}) as house:
        house.start(
            house.puppet("feed", on_message=feed, settles=True),
            house.puppet("a", on_message=worker, settles=True),
            house.puppet("b", on_message=worker, settles=True, dispatcher=""),
            house.puppet("c", settles=True, dispatcher="other"),
        )
        house.system.tell("feed", Poke("go"))
        house.until(lambda: len(settled) == 200)

    assert settled == [(n, n) for n in range(1, 201)]


def test_messages_that_came_before_it_shared_a_thread_get_their_turns() -> None:
    turns, mailbox = Turns(), Mailbox()
    for n in range(3):
        mailbox.put(Post(n))
    mailbox.share(turns, 0, "reader")

    assert [turns.next() for _ in range(3)] == ["reader"] * 3


def test_who_begins_at_the_same_time_as_another_hides_no_queue() -> None:
    turns = Turns()
    late: list[threading.Thread] = []

    class Slow(int):
        """Is compared when the queues are put in order, and lets another begin just then."""

        def __hash__(self) -> int:
            return int(self)

        def __eq__(self, other: object) -> bool:
            if not late:
                late.append(threading.Thread(target=turns.queue_for, args=(3,)))
                late[0].start()
                late[0].join(0.1)
            return int(self) == other

    turns.queue_for(1)
    turns.queue_for(Slow(2))
    late[0].join(PATIENCE_S)

    assert len(turns.queues) == 3


def test_a_supervisor_cannot_share_a_thread() -> None:
    with pytest.raises(SpecError, match="s: a supervisor must have a thread of its own, named dispatcher 'crew'"):
        check_specs(supervisor("s", dispatcher="crew"))


def test_a_burst_from_many_threads_is_handled_once_each_and_in_order() -> None:
    with House("shared") as house:
        house.start(*(house.puppet(name) for name in "abc"))

        def burst(who: int) -> None:
            for n in range(300):
                house.system.tell("abc"[n % 3], Poke((who, n)))

        senders = [threading.Thread(target=burst, args=(who,)) for who in range(6)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        house.until(lambda: sum(house.count("took", name) for name in "abc") == 1_800)

    for name in "abc":
        for who in range(6):
            heard = [
                entry[2].value[1] for entry in house.log if entry[:2] == ("took", name) and entry[2].value[0] == who
            ]
            assert heard == sorted(set(heard))


def test_an_actor_that_ended_takes_no_turn_any_more() -> None:
    with House("shared") as house:
        house.start(house.puppet("a", restart="temporary"), house.puppet("b"))
        house.exit("a")
        house.until(lambda: house.threads_of("a") == 0)
        house.system.tell("b", Stop(), Lane.SYSTEM)
        house.until(lambda: house.count("started", "b") == 2)

        assert house.threads_of("b") == 1


def test_a_player_has_a_turn_for_each_message_and_none_without() -> None:
    house = House()
    house.start(house.puppet("a"))
    actor = house.system._actors["a"]
    player = Player(actor)

    assert player.take_quick_turn()
    house.system.tell("a", Poke(1))
    assert player.take_quick_turn()
    assert house.count("took", "a") == 1
