"""Thousands of children: each is found where something is to be done about it, and nothing is kept of who has ended."""

import gc
import random
import weakref
from typing import Any, get_args

import pytest

from supervision import ChildSpec, Supervisor, SupervisorSpec
from supervision.child import Child, Need, Status
from supervision.children import Children
from supervision.requests import ChildUp, Done
from tests.supervision.troupe import RUNTIMES, House, Puppet

on_all = pytest.mark.parametrize("runtime", RUNTIMES)


class Luggage:
    """An argument that can be looked after."""


@pytest.mark.parametrize("seed", range(20))
def test_whatever_changes_those_with_a_need_are_found_in_order_of_start(seed: int) -> None:
    lot = random.Random(seed)
    children = Children()
    made: list[Child] = []
    for step in range(300):
        match lot.randrange(6):
            case 0:
                made.append(Child(ChildSpec(name=f"c{step}", start=Puppet)))
                children.add(made[-1])
            case 1 if made:
                children.remove(made.pop(lot.randrange(len(made))))
            case 2:
                children.end_recycling()
            case 3 if made:
                lot.choice(made).wanted = lot.random() < 0.5
            case 4 if made:
                lot.choice(made).recycle = lot.random() < 0.5
            case 5 if made:
                lot.choice(made).status = lot.choice(get_args(Status))

        assert list(children) == made
        for need in get_args(Need):
            assert list(children.needing(need)) == [child for child in made if child.need == need]
        assert children.are_at_rest == all(child.need is None for child in made)


def test_recycling_ends_for_all_at_once() -> None:
    made = [Child(ChildSpec(name=name, start=Puppet)) for name in "abc"]
    children = Children(made)
    for child in made:
        child.status, child.recycle = "up", True
    assert list(children.needing("stop")) == made

    children.end_recycling()

    assert [child.recycle for child in made] == [False, False, False]
    assert children.are_at_rest


def crew_of(house: House, kept: "weakref.WeakSet[Luggage]", **fields: Any) -> ChildSpec:
    """Return a template whose children are made with luggage, which their maker does not keep."""

    def make(system: Any, seat: Any, luggage: Luggage) -> Puppet:
        kept.add(luggage)
        return Puppet(system, seat, log=house.log)

    template = ChildSpec(name="worker", start=make, dispatcher=house._dispatcher, **fields)
    flags = SupervisorSpec(strategy="simple_one_for_one", intensity=3, period_s=60.0, children=(template,))
    return ChildSpec(
        name="pool",
        start=lambda system, seat: Supervisor(system, seat, spec=flags),
        shutdown_s=None,
        supervises=flags,
    )


def is_gone(kept: "weakref.WeakSet[Luggage]") -> bool:
    gc.collect()
    return not kept


@on_all
def test_nothing_is_kept_of_what_a_temporary_child_was_started_with(runtime: str) -> None:
    kept: weakref.WeakSet[Luggage] = weakref.WeakSet()
    with House(runtime) as house:
        house.start(crew_of(house, kept, restart="temporary"))
        pool = house.system.supervisor("pool")
        answer = pool.start_one_more(Luggage())
        assert isinstance(answer, ChildUp)

        pool.count_children()  # The request to start it is out of hand.
        assert is_gone(kept)
        assert house.is_up(answer.name)


@on_all
def test_nothing_is_kept_of_a_child_that_has_ended(runtime: str) -> None:
    kept: weakref.WeakSet[Luggage] = weakref.WeakSet()
    with House(runtime) as house:
        house.start(crew_of(house, kept))
        pool = house.system.supervisor("pool")
        answer = pool.start_one_more(Luggage())
        assert isinstance(answer, ChildUp)
        assert not is_gone(kept)

        assert pool.terminate_child(answer.name) == Done(answer.name)
        pool.count_children()  # The request to end it is out of hand.
        if runtime != "stage":  # Its thread may still be on its way out.
            house.until(lambda: is_gone(kept))
        assert is_gone(kept)
        assert house.system.names() == ("root", "pool")
        assert answer.name not in house.system._actors
