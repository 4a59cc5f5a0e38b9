"""Watches: one word of each end, to each who watches, and never after it was ended."""

from typing import Any

import pytest

from supervision import Exit, Lane
from supervision.signals import Down
from tests.supervision.troupe import RUNTIMES, House, Poke, Puppet, failing_at, supervisor

on_all = pytest.mark.parametrize("runtime", RUNTIMES)


def watcher(house: House, name: str = "w", **how: Any) -> Any:
    """Return an actor that watches and unwatches what it is told to."""

    def obey(puppet: Puppet, message: Any) -> None:
        if isinstance(message, Poke):
            act, value = message.value
            if act == "watch":
                house.log.append(("watches", puppet.name, puppet.watch(value, **how)))
            elif act == "unwatch":
                puppet.unwatch(value)

    return house.puppet(name, on_message=obey)


def order(house: House, act: str, value: Any, *, by: str = "w") -> None:
    took = house.count("took", by)
    house.system.tell(by, Poke((act, value)))
    house.until(lambda: house.count("took", by) > took)
    house.rest()


def downs(house: House, name: str = "w") -> list[Down]:
    return [entry[2] for entry in house.log if entry[:2] == ("took", name) and isinstance(entry[2], Down)]


def refs(house: House, name: str = "w") -> list[int]:
    return [entry[2] for entry in house.log if entry[:2] == ("watches", name)]


@on_all
def test_the_end_of_an_incarnation_is_told_once_with_its_reason(runtime: str) -> None:
    with House(runtime) as house:
        house.start(watcher(house), house.puppet("a"))
        epoch = house.epoch("a")
        order(house, "watch", "a")
        house.crash("a")
        house.until(lambda: len(downs(house)) == 1)
        house.until(lambda: house.count("started", "a") == 2)
        house.crash("a")
        house.rest()

        (down,) = downs(house)
        assert (down.ref, down.name, down.epoch, down.reason.kind) == (refs(house)[0], "a", epoch, "crash")


@on_all
def test_a_watch_on_nobody_is_answered_at_once(runtime: str) -> None:
    with House(runtime) as house:
        house.start(watcher(house), house.puppet("a", restart="transient"))
        house.exit("a")
        house.until(lambda: not house.is_up("a"))
        for name in ("a", "nobody"):
            order(house, "watch", name)
        house.until(lambda: len(downs(house)) == 2)

        assert [(down.name, down.reason) for down in downs(house)] == [
            ("a", Exit("noproc")),
            ("nobody", Exit("noproc")),
        ]
        assert [down.ref for down in downs(house)] == refs(house)


@on_all
def test_all_who_watch_are_told_and_each_watch_by_itself(runtime: str) -> None:
    with House(runtime) as house:
        house.start(watcher(house, "w"), watcher(house, "v"), house.puppet("a"))
        order(house, "watch", "a", by="w")
        order(house, "watch", "a", by="w")
        order(house, "watch", "a", by="v")
        house.exit("a", "shutdown")
        house.until(lambda: len(downs(house, "w")) == 2 and len(downs(house, "v")) == 1)

        assert {down.ref for down in downs(house, "w")} == set(refs(house, "w"))
        assert downs(house, "v")[0].reason == Exit("shutdown")


@on_all
def test_nothing_is_told_after_a_watch_was_ended(runtime: str) -> None:
    with House(runtime) as house:
        house.start(watcher(house), house.puppet("a"))
        order(house, "watch", "a")
        order(house, "unwatch", refs(house)[0])
        house.crash("a")
        house.rest()

        assert downs(house) == []


def test_a_word_that_is_on_its_way_is_not_heard_when_the_watch_is_ended_before() -> None:
    def end_it(puppet: Puppet, message: Any) -> None:
        if message == Poke("watch"):
            puppet.ref = puppet.watch("a")  # type: ignore[attr-defined]
        elif message == Poke("crash and end the watch"):
            house.switchboard.close("a", house.epoch("a"), Exit("crash", "in this very moment"))
            assert puppet._mailbox.depth() == 1
            puppet.unwatch(puppet.ref)  # type: ignore[attr-defined]

    house = House()
    house.start(house.puppet("w", on_message=end_it), house.puppet("a", restart="temporary"))
    house.system.tell("w", Poke("watch"))
    house.system.tell("w", Poke("crash and end the watch"))
    house.rest()

    assert downs(house) == []


@on_all
def test_a_watcher_that_has_ended_is_told_nothing_and_its_successor_neither(runtime: str) -> None:
    with House(runtime) as house:
        house.start(watcher(house), house.puppet("a"))
        order(house, "watch", "a")
        house.crash("w")
        house.until(lambda: house.count("started", "w") == 2)
        house.crash("a")
        house.rest()

        assert downs(house) == []
        assert house.switchboard.watches._watches == {}
        assert not any(letter.type == "Down" for letter in house.switchboard.dead_letters.counts)


@on_all
def test_who_watches_a_name_hears_nothing_of_restarts_and_one_word_when_it_is_given_up(runtime: str) -> None:
    with House(runtime) as house:
        inner = supervisor("s", house.puppet("a"), intensity=1, restart="transient")
        house.start(watcher(house, until_gone=True), inner)
        order(house, "watch", "a")
        house.crash("a")
        house.until(lambda: house.count("started", "a") == 2)
        house.rest()
        assert downs(house) == []
        house.crash("a")
        house.until(lambda: len(downs(house)) == 1)
        order(house, "watch", "a")

        assert [down.name for down in downs(house)] == ["a", "a"]
        assert downs(house)[1].reason == Exit("noproc")


def test_who_watches_a_name_is_told_when_it_is_no_part_of_the_tree_any_more() -> None:
    house = House()
    house.start(watcher(house, until_gone=True), house.puppet("a", restart="temporary"), house.puppet("b"))
    order(house, "watch", "a")
    order(house, "watch", "b")
    house.exit("a")
    house.rest()
    house.system.supervisor("root").terminate_child("b")
    house.rest()

    assert [(down.name, down.reason.kind) for down in downs(house)] == [("a", "normal"), ("b", "shutdown")]


def test_a_name_in_backoff_is_still_watched() -> None:
    house = House()
    house.start(watcher(house, until_gone=True), house.puppet("a", on_start=failing_at(2, 3)), intensity=9)
    house.system.tell("a", Poke())
    house.crash("a")
    order(house, "watch", "a")
    house.rest()

    assert house.is_up("a")
    assert downs(house) == []


@pytest.mark.parametrize("runtime", ["threads", "shared"])
def test_a_fenced_incarnation_is_down_and_the_reason_says_why(runtime: str) -> None:
    with House(runtime) as house:
        house.start(watcher(house), house.puppet("a", shutdown_s=0))
        order(house, "watch", "a")
        house.system.give_up_on("a", house.epoch("a"), Exit("hung", "a test"))
        house.until(lambda: len(downs(house)) == 1)

        assert downs(house)[0].reason == Exit("hung", "a test")


def test_no_watch_is_lost_and_none_told_twice_while_actors_come_and_go() -> None:
    with House("threads") as house:
        house.start(watcher(house, "w"), watcher(house, "v"), house.puppet("a"), intensity=10_000)
        for n in range(60):
            for by in ("w", "v"):
                house.system.tell(by, Poke(("watch", "a")), Lane.ORDINARY)
            if n % 3 == 0:
                house.crash("a")
        house.until(lambda: all(len(refs(house, by)) == 60 for by in ("w", "v")))
        house.crash("a")
        house.until(lambda: all(len(downs(house, by)) == 60 for by in ("w", "v")))

        for by in ("w", "v"):
            assert sorted(down.ref for down in downs(house, by)) == sorted(refs(house, by))


@pytest.mark.parametrize("over", ["watched", "watcher", "unwatched", "gone"])
def test_nothing_is_kept_of_a_watch_that_is_over(over: str) -> None:
    house = House()
    house.start(watcher(house), house.puppet("a"), house.puppet("b"))
    order(house, "watch", "a")
    order(house, "watch", "b")
    watches = house.switchboard.watches
    assert set(watches._watches) == {"a", "b"}
    match over:
        case "watched":
            house.crash("a")
            house.crash("b")
        case "watcher":
            house.crash("w")
        case "unwatched":
            for ref in refs(house):
                order(house, "unwatch", ref)
        case "gone":
            for name in ("a", "b"):
                house.system.supervisor("root").terminate_child(name)
                house.system.supervisor("root").delete_child(name)
    house.rest()

    assert not watches._watches
    assert not watches._begun
