"""Poison: a message that ends its actor twice is kept aside, shown, and delivered or dropped by an operator."""

import threading
from typing import Any

import pytest

from supervision import ActorDown, CrashReport, Lane, MailboxSpec
from supervision.quarantine import FINGERPRINTS_MAX, KEPT_MAX, fingerprint_of
from tests.supervision.troupe import PATIENCE_S, RUNTIMES, House, Noted, Poke, Puppet

on_all = pytest.mark.parametrize("runtime", RUNTIMES)
POISON = Poke("poison")


class Poisoned:
    """Dies of one message, until it is cured."""

    def __init__(self, poison: Any = POISON) -> None:
        self.poison = poison
        self.is_cured = False

    def __call__(self, _puppet: Puppet, message: Any) -> None:
        if message == self.poison and not self.is_cured:
            raise ValueError("it was poisoned")


def send(house: House, message: Any, *, deaths: int, to: str = "a") -> None:
    started = house.count("started", to)
    house.system.tell(to, message)
    house.until(lambda: house.count("started", to) == started + deaths)
    house.rest()


@on_all
def test_a_message_that_ended_its_actor_twice_is_not_delivered_a_third_time(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=Poisoned()), house.puppet("b"), intensity=9)
        for deaths in (1, 1, 0, 0):
            send(house, Poke("poison"), deaths=deaths)
        house.system.tell("a", Poke("harmless"))
        house.system.tell("b", Poke("poison"))
        house.until(lambda: house.count("took", "b") == 1)
        house.until_idle()

        assert house.count("started", "a") == 3
        assert [entry[2] for entry in house.log if entry[:2] == ("took", "a")][-1] == Poke("harmless")
        (case,) = house.switchboard.quarantine.cases()
        assert (case.actor, case.message, case.deaths, case.waiting) == ("a", "Poke(value='poison')", 2, 2)
        assert case.reason == "crash(ValueError: it was poisoned)"
        assert case.fingerprint == fingerprint_of(Poke("poison"))


@on_all
def test_what_waits_for_the_next_incarnation_is_not_delivered_a_third_time_either(runtime: str) -> None:
    begun = threading.Event()

    def begin_late(_puppet: Puppet) -> None:
        assert house.stage is not None or begun.wait(PATIENCE_S)

    with House(runtime) as house:
        retaining = MailboxSpec(retains=True)
        house.begin(house.puppet("a", on_start=begin_late, on_message=Poisoned(), mailbox=retaining), intensity=9)
        house.until(lambda: house.is_up("a"))
        for _ in range(4):
            house.system.tell("a", Poke("poison"))
        house.system.tell("a", Poke("harmless"))
        begun.set()
        house.until(lambda: ("took", "a", Poke("harmless")) in house.log)

        assert house.count("started", "a") == 3
        assert [entry[2] for entry in house.log if entry[0] == "took"] == [Poke("poison")] * 2 + [Poke("harmless")]
        assert [case.waiting for case in house.switchboard.quarantine.cases()] == [2]


@on_all
def test_a_death_with_a_clean_up_that_fails_too_is_one_death(runtime: str) -> None:
    def fail(_puppet: Puppet) -> None:
        raise OSError("its clean-up fails")

    with House(runtime) as house:
        house.start(house.puppet("a", on_message=Poisoned(), on_stop=fail), intensity=9)
        send(house, Poke("poison"), deaths=1)

        assert house.switchboard.quarantine.cases() == []
        assert [str(each.reason) for each in house.terminations()] == ["crash(ValueError: it was poisoned)"]
        assert len(house.reported(CrashReport)) == 2


@on_all
def test_a_timer_is_never_quarantined_since_every_incarnation_lives_by_its_own(runtime: str) -> None:
    poisoned = Poisoned(Poke("beat"))

    with House(runtime) as house:
        beats = house.puppet("a", on_start=lambda puppet: puppet.after(0.01, Poke("beat")), on_message=poisoned)
        house.start(beats, intensity=99)
        house.until(lambda: house.count("started", "a") > 3)
        poisoned.is_cured = True
        house.until(lambda: house.is_up("a"))
        house.rest(0.1)

        assert house.count("started", "a") == house.count("took", "a")
        assert house.switchboard.quarantine.cases() == []


def test_what_is_quarantined_is_delivered_when_it_is_tried_again() -> None:
    poisoned = Poisoned()
    house = House()
    house.start(house.puppet("a", on_message=poisoned), intensity=9)
    for deaths in (1, 1, 0, 0):
        send(house, Poke("poison"), deaths=deaths)
    (case,) = house.switchboard.quarantine.cases()
    poisoned.is_cured = True
    house.log.clear()
    assert house.switchboard.quarantine.retry("a", case.fingerprint) == 2
    house.rest()

    assert house.log == [("took", "a", Poke("poison"))] * 2
    assert house.switchboard.quarantine.cases() == []
    assert house.switchboard.quarantine.retry("a", case.fingerprint) is None


def test_what_is_tried_again_and_still_kills_is_quarantined_again() -> None:
    house = House()
    house.start(house.puppet("a", on_message=Poisoned()), intensity=99)
    for deaths in (1, 1, 0):
        send(house, Poke("poison"), deaths=deaths)
    (case,) = house.switchboard.quarantine.cases()
    assert house.switchboard.quarantine.retry("a", case.fingerprint)
    house.rest()
    assert house.count("started", "a") == 4
    send(house, Poke("poison"), deaths=1)
    send(house, Poke("poison"), deaths=0)

    assert [case.deaths for case in house.switchboard.quarantine.cases()] == [2]


def test_what_is_dropped_is_gone_and_the_next_like_it_is_delivered() -> None:
    poisoned = Poisoned()
    house = House()
    house.start(house.puppet("a", on_message=poisoned), intensity=9)
    for deaths in (1, 1, 0):
        send(house, Poke("poison"), deaths=deaths)
    poisoned.is_cured = True
    house.log.clear()

    assert house.switchboard.quarantine.drop("a", fingerprint_of(Poke("poison")))
    house.rest()
    assert house.log == []
    assert not house.switchboard.quarantine.drop("a", fingerprint_of(Poke("poison")))
    send(house, Poke("poison"), deaths=0)
    assert house.log == [("took", "a", Poke("poison"))]


@on_all
def test_a_quarantined_question_is_answered_at_once(runtime: str) -> None:
    with House(runtime) as house:
        house.start(house.puppet("a", on_message=Poisoned()), intensity=9)
        for deaths in (1, 1):
            send(house, Poke("poison"), deaths=deaths)

        with pytest.raises(ActorDown, match="a was ended by such a message before: it is quarantined"):
            house.system.ask("a", Poke("poison"), 1.0)


def test_other_messages_and_the_same_to_others_are_no_poison() -> None:
    house = House()
    house.start(house.puppet("a", on_message=Poisoned()), house.puppet("b", on_message=Poisoned()), intensity=9)
    send(house, Poke("poison"), deaths=1, to="a")
    send(house, Poke("poison"), deaths=1, to="b")
    send(house, Poke("poison "), deaths=0, to="a")
    assert house.switchboard.quarantine.cases() == []
    send(house, Poke("poison"), deaths=1, to="a")

    assert [case.actor for case in house.switchboard.quarantine.cases()] == ["a"]


def test_breaking_on_purpose_and_events_are_no_poison() -> None:
    house = House(routes={Noted: ["a"]})

    def die_of_events(_puppet: Puppet, message: Any) -> None:
        if hasattr(message, "event"):
            raise ValueError("an event")

    house.start(house.puppet("a", on_message=die_of_events), intensity=99)
    for _ in range(3):
        house.crash("a")
        house.rest()
        house.switchboard.record("edge", [Noted()])
        house.rest()

    assert house.count("started", "a") == 7
    assert house.switchboard.quarantine.cases() == []


def test_messages_are_told_apart_by_type_and_content_and_not_by_addresses() -> None:
    class Other:
        def __init__(self, value: int) -> None:
            self.value = value

    assert fingerprint_of(Poke(1)) != fingerprint_of(Poke(2)) != fingerprint_of(Noted(2))
    assert fingerprint_of(Other(1)) == fingerprint_of(Other(2))
    assert fingerprint_of(Poke("\ud800"))


def test_what_is_kept_has_a_limit() -> None:
    house = House()
    house.start(house.puppet("a", on_message=Poisoned()), intensity=9)
    for deaths in (1, 1):
        send(house, Poke("poison"), deaths=deaths)
    for _ in range(KEPT_MAX + 5):
        house.system.tell("a", Poke("poison"), Lane.CONTROL)
    for n in range(2 * FINGERPRINTS_MAX):
        house.switchboard.quarantine.blame("a", Poke(n), "once")

    (case,) = house.switchboard.quarantine.cases()
    assert case.waiting == KEPT_MAX
    assert house.switchboard.dead_letters.counts == {("a", "Poke", "quarantined"): 5}
    assert len(house.switchboard.quarantine._cases) <= FINGERPRINTS_MAX
    assert house.switchboard.quarantine.drop("a", case.fingerprint) == KEPT_MAX
    assert house.dead_letters("a") == KEPT_MAX + 5


def test_a_message_that_cannot_be_shown_can_be_quarantined() -> None:
    class Unprintable:
        def __repr__(self) -> str:
            raise RuntimeError("no words")

    poison = Unprintable()
    house = House()
    house.start(house.puppet("a", on_message=Poisoned(poison)), intensity=9)
    for deaths in (1, 1, 0):
        send(house, poison, deaths=deaths)

    (case,) = house.switchboard.quarantine.cases()
    assert case.message == "<Unprintable that cannot be shown>"


def test_a_clean_up_that_fails_is_blamed_on_no_message() -> None:
    def fail(_puppet: Puppet) -> None:
        raise ValueError("it cannot be cleaned up")

    house = House()
    house.start(house.puppet("a", on_stop=fail), intensity=99)
    for _ in range(3):
        house.system.tell("a", Poke("harmless"))
        house.rest()
        house.exit("a")
        house.rest()

    assert house.count("started", "a") == 4
    assert house.switchboard.quarantine.cases() == []
    assert house.switchboard.quarantine._cases == {}
