"""Mailboxes: what goes when there is too much, what replaces what, and what outlives a restart."""

import threading
from collections.abc import Hashable
from typing import Any

import pykka
import pytest

from supervision import ActorDown, Exit, Lane, SpecError, check_specs
from supervision.mailbox import Mailbox, Post, Sender
from supervision.mailbox_spec import MailboxSpec
from supervision.spec import Backoff
from tests.supervision.troupe import PATIENCE_S, RUNTIMES, House, Poke, Puppet, failing_at, supervisor

on_all = pytest.mark.parametrize("runtime", RUNTIMES)


class Gated:
    """Holds its actor in its first message until it is let go."""

    def __init__(self) -> None:
        self.gate = threading.Event()

    def __call__(self, puppet: Puppet, message: Any) -> None:
        if message == Poke("gate"):
            assert self.gate.wait(PATIENCE_S)


def values(house: House, name: str) -> list[Any]:
    return [entry[2].value for entry in house.log if entry[:2] == ("took", name) and entry[2] != Poke("gate")]


def by_symbol(message: Any) -> Hashable | None:
    return message.value[0] if isinstance(message.value, tuple) else None


# -- overflow --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overflow", "is_taken", "left"),
    [
        ("reject", [True] * 3 + [False] * 2, [0, 1, 2]),
        ("drop_newest", [True] * 5, [0, 1, 2]),
        ("drop_oldest", [True] * 5, [2, 3, 4]),
    ],
)
def test_a_full_mailbox_does_as_it_was_told_and_loses_nothing_silently(
    overflow: Any, is_taken: list[bool], left: list[int]
) -> None:
    gated = Gated()
    with House("threads") as house:
        spec = MailboxSpec(ordinary_max=3, overflow=overflow)
        house.start(house.puppet("a", on_message=gated, mailbox=spec))
        house.system.tell("a", Poke("gate"))
        house.until(lambda: house.count("took", "a") == 1)
        assert [house.system.tell("a", Poke(n)) for n in range(5)] == is_taken
        assert house.dead_letters("a") == 2
        assert house.switchboard.dead_letters.counts == {("a", "Poke", "full"): 2}
        gated.gate.set()
        house.until(lambda: len(values(house, "a")) == 3)

        assert values(house, "a") == left


def test_the_lanes_above_and_events_stay_open_while_the_ordinary_one_is_full() -> None:
    mailbox = Mailbox(spec=MailboxSpec(ordinary_max=1))
    assert mailbox.put(Post(1)) and not mailbox.put(Post(2))

    assert mailbox.put(Post(3), Lane.SYSTEM) and mailbox.put(Post(4), Lane.CONTROL)
    mailbox.hear(Post(5))
    assert [mailbox.get().message for _ in range(4)] == [3, 4, 5, 1]


def test_a_question_that_is_dropped_for_a_newer_message_is_answered() -> None:
    mailbox = Mailbox(spec=MailboxSpec(ordinary_max=1, overflow="drop_oldest"))
    future: pykka.Future[Any] = pykka.ThreadingFuture()
    mailbox.put(Post("question", 0.0, future))
    mailbox.put(Post("newer"))

    with pytest.raises(LookupError, match="it was dropped for newer messages"):
        future.get(timeout=0)
    assert mailbox.get().message == "newer"


# -- conflation ------------------------------------------------------------------------------------------------------


def test_of_many_messages_of_one_key_only_the_newest_waits() -> None:
    gated = Gated()
    with House("threads") as house:
        house.start(house.puppet("a", on_message=gated, mailbox=MailboxSpec(conflate=by_symbol)))
        house.system.tell("a", Poke("gate"))
        house.until(lambda: house.count("took", "a") == 1)
        for n in range(10_000):
            assert house.system.tell("a", Poke((("BTC", "ETH")[n % 2], n)))
        house.system.tell("a", Poke("of no key"))
        gated.gate.set()
        house.until(lambda: len(values(house, "a")) == 3)
        house.rest()

        assert values(house, "a") == [("BTC", 9_998), ("ETH", 9_999), "of no key"]
        assert house.switchboard.dead_letters.counts == {("a", "Poke", "conflated"): 9_998}
        assert house.switchboard.unsettled() == ()


@pytest.mark.parametrize("runtime", ["threads", "shared"])
def test_the_newest_of_each_key_is_always_handled_however_quick_its_reader_is(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", mailbox=MailboxSpec(conflate=by_symbol)))

        def burst(symbol: str) -> None:
            for n in range(2_000):
                house.system.tell("a", Poke((symbol, n)))

        senders = [threading.Thread(target=burst, args=(symbol,)) for symbol in ("x", "y", "z")]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        house.until_idle()

        for symbol in ("x", "y", "z"):
            heard = [number for each, number in values(house, "a") if each == symbol]
            assert heard[-1] == 1_999
            assert heard == sorted(heard)


def test_what_was_taken_out_is_not_replaced() -> None:
    mailbox = Mailbox(spec=MailboxSpec(conflate=lambda message: "one key"))
    mailbox.put(Post(1))
    assert mailbox.get().message == 1
    mailbox.put(Post(2))
    mailbox.put(Post(3))

    assert mailbox.get().message == 3
    assert mailbox.empty()
    assert mailbox.pop() is None


def test_what_takes_the_place_of_another_message_has_its_own_sender() -> None:
    mailbox = Mailbox(spec=MailboxSpec(conflate=lambda message: "one key"))
    mailbox.put(Post("old", sender=Sender("a", 1)))
    mailbox.put(Post("new", sender=Sender("b", 2)))

    taken = mailbox.get()
    assert isinstance(taken, Post)
    assert (taken.message, taken.sender) == ("new", Sender("b", 2))


# -- retained messages -----------------------------------------------------------------------------------------------


@on_all
def test_what_waits_is_there_for_the_next_incarnation_where_it_is_retained(runtime: str) -> None:
    gated = Gated()

    def take(puppet: Puppet, message: Any) -> None:
        if house.stage is None:
            gated(puppet, message)
        if message == Poke("die"):
            raise ValueError("a test")

    with House(runtime) as house:
        house.start(
            house.puppet("keeps", on_message=take, mailbox=MailboxSpec(retains=True)),
            house.puppet("drops", on_message=take),
        )
        for name in ("keeps", "drops"):
            for value in ("die", 1, 2):
                house.system.tell(name, Poke(value))
        gated.gate.set()
        house.until(lambda: house.count("started", "keeps") == house.count("started", "drops") == 2)
        for name in ("keeps", "drops"):
            house.system.tell(name, Poke(3))
        house.until(lambda: values(house, "keeps")[-1:] == [3] and values(house, "drops")[-1:] == [3])

        assert values(house, "keeps") == ["die", 1, 2, 3]
        assert house.dead_letters("keeps") == 0
        assert len(values(house, "drops")) + house.dead_letters("drops") == 4


def test_what_comes_while_an_actor_is_down_waits_for_it_where_it_is_retained() -> None:
    house = House()
    slow = Backoff(base_s=5.0, cap_s=5.0, jitter=0.0, reset_after_s=5.0)
    house.start(house.puppet("a", mailbox=MailboxSpec(retains=True, ordinary_max=2), backoff=slow), period_s=600.0)
    house.crash("a")
    taken = [house.system.tell("a", Poke(n)) for n in range(3)]
    assert not house.is_up("a")
    house.rest(10.0)

    assert taken == [True, True, False]
    assert values(house, "a") == [0, 1]


def test_a_question_is_not_retained() -> None:
    house = House()
    house.start(house.puppet("a", mailbox=MailboxSpec(retains=True)))
    future: pykka.Future[Any] = pykka.ThreadingFuture()
    house.switchboard.ask("a", Poke("question"), future)
    house.switchboard.close("a", house.epoch("a"), Exit("crash"))

    with pytest.raises(ActorDown):
        future.get(timeout=0)


def test_a_message_for_one_incarnation_is_not_retained_for_the_next() -> None:
    house = House()
    house.start(house.puppet("a", mailbox=MailboxSpec(retains=True)))
    epoch = house.epoch("a")
    house.crash("a")
    house.system.after(0.0, "a", Poke("a timer of the one before"), epoch)
    house.rest()

    assert values(house, "a") == []


def pokes_buried(house: House) -> int:
    return sum(n for letter, n in house.switchboard.dead_letters.counts.items() if letter[:2] == ("a", "Poke"))


def test_what_waits_for_one_that_is_given_up_goes_to_the_dead_letters() -> None:
    house = House()
    child = house.puppet("a", mailbox=MailboxSpec(retains=True), on_start=failing_at(2, 3))
    house.start(supervisor("s", child, intensity=1, restart="transient"))
    house.crash("a")
    house.system.tell("a", Poke(1))
    house.rest()
    assert not house.is_up("s")

    assert pokes_buried(house) == 1
    assert not house.system.tell("a", Poke(2))
    assert pokes_buried(house) == 2


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (MailboxSpec(ordinary_max=0), "a: a mailbox must take at least 1 ordinary message, was 0"),
        (MailboxSpec(overflow="explode"), "a: overflow must be reject, drop_oldest or drop_newest, was 'explode'"),  # type: ignore[arg-type]
    ],
)
def test_a_policy_that_cannot_be_is_refused(spec: MailboxSpec, said: str) -> None:
    house = House()

    with pytest.raises(SpecError, match=said):
        check_specs(supervisor("root", house.puppet("a", mailbox=spec)))


# -- marks -----------------------------------------------------------------------------------------------------------


def test_the_most_that_a_lane_has_held_is_told() -> None:
    gated = Gated()
    with House("threads") as house:
        house.start(house.puppet("a", on_message=gated))
        house.system.tell("a", Poke("gate"))
        house.until(lambda: house.count("took", "a") == 1)
        for n in range(7):
            house.system.tell("a", Poke(n))
        gated.gate.set()
        house.until(lambda: len(values(house, "a")) == 7)

        assert next(each for each in house.switchboard.vitals() if each.name == "a").high_water == 7
