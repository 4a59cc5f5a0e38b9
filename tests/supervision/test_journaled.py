"""Actors that remember: start, restart and recovery are one path, and reactions rest on memory alone."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from supervision import (
    Break,
    ChildSpec,
    CrashReport,
    Exit,
    JournaledActor,
    Lane,
    Recorded,
    Recovered,
    Seat,
    SupervisionError,
    System,
    Vitals,
)
from supervision.requests import ChildUp, StartFailed
from tests.supervision.troupe import RUNTIMES, House, Letter, Marked, Noted, Poke, Puppet

on_all = pytest.mark.parametrize("runtime", RUNTIMES)
HEARD = ("Noted", "Marked")


class Sum:
    """Remembers the values noted, and how far."""

    version = 3

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.seqs: list[int] = []

    def fold(self, record: Recorded) -> None:
        self.seqs.append(record.seq)
        if isinstance(record.event, Noted) and record.event.value == "poison":
            raise ValueError("it cannot be folded")
        if isinstance(record.event, Noted):
            self.values.append(record.event.value)

    def save(self) -> bytes:
        return json.dumps([self.values, self.seqs]).encode()

    def load(self, saved: bytes) -> None:
        self.values, self.seqs = json.loads(saved)


class Rememberer(JournaledActor):
    """Logs what it folds and when it reacts; notes what it is poked with; echoes wishes (negative numbers) once."""

    def __init__(self, system: System, seat: Seat, *, house: "Archive") -> None:
        self.memory = Sum()
        super().__init__(system, seat, memory=self.memory)
        self.house = house

    def started(self) -> None:
        self.house.log.append(("started", self.name, list(self.memory.values), self.seq))

    def receive(self, message: Any) -> Any:
        match message:
            case Poke(value="look"):
                return list(self.memory.values), list(self.memory.seqs)
            case Poke(value=value):
                self.record(Noted(value))
                if value == "bad":
                    raise ValueError("after recording")
        return None

    def react(self) -> None:
        self.house.log.append(("react", self.name, len(self.memory.values), self.seq))
        for value in self.memory.values:
            if isinstance(value, int) and value < 0 and -value not in self.memory.values:
                self.record(Noted(-value))

    def marked(self, record: Recorded, version: int, saved: bytes) -> None:
        self.house.states.append((record.seq, version, saved))

    def stopped(self) -> None:
        self.house.log.append(("ended", self.name))


class Archive(House):
    """A house whose journal is its list of records, with the snapshots told at markers."""

    def __init__(self, runtime: str = "stage", *, seed: int = 0, uses_snapshots: bool = True) -> None:
        self.states: list[tuple[int, int, bytes]] = []
        self.read: list[int] = []
        self.uses_snapshots = uses_snapshots
        super().__init__(
            runtime, seed=seed, recover=self.recover, routes={Noted: ["a", "b"], Marked: ["a"], Letter: ["nobody"]}
        )

    def recover(self, name: str, *, version: int, upto: int) -> Recovered:
        assert self.recorder.wait(upto, 1.0)
        kept = [(seq, saved) for seq, kept_version, saved in self.states if kept_version == version and seq <= upto]
        seq, state = kept[-1] if kept and self.uses_snapshots else (0, None)
        return Recovered(seq, state, self.since(seq, upto))

    def since(self, after: int, upto: int) -> Iterator[Recorded]:
        for record in list(self.records):
            if after < record.seq <= upto and record.kind in HEARD:
                self.read.append(record.seq)
                yield record

    def rememberer(self, name: str, **fields: Any) -> ChildSpec:
        return ChildSpec(name=name, start=lambda system, seat: Rememberer(system, seat, house=self), **fields)

    def note(self, *values: Any) -> None:
        self.switchboard.record("edge", [Noted(value) for value in values])

    def vitals_of(self, name: str) -> Vitals:
        return next(each for each in self.switchboard.vitals() if each.name == name)

    def memory_of(self, name: str) -> Sum:
        actor = self.system.actor(name)
        assert isinstance(actor, Rememberer)
        return actor.memory

    def exit_of(self, name: str) -> str:
        return self.vitals_of(name).last_exit

    def look(self, name: str = "a") -> Any:
        return self.system.ask(name, Poke("look"), 5.0)


@on_all
def test_an_actor_starts_with_everything_remembered_before_it(runtime: str) -> None:
    with Archive(runtime) as house:
        house.note(1, 2, 3)
        house.start(house.rememberer("a"))

        assert house.log[0] == ("started", "a", [1, 2, 3], 3)
        assert house.look() == ([1, 2, 3], [1, 2, 3])


@on_all
def test_recovery_is_the_snapshot_and_what_came_since(runtime: str) -> None:
    with Archive(runtime) as house:
        house.start(house.rememberer("a"))
        house.note(1, 2)
        house.switchboard.record("edge", [Marked()])
        house.note(3, 4)
        house.until(lambda: house.look()[0] == [1, 2, 3, 4])
        house.system.tell("a", Break("test"), Lane.SYSTEM)
        house.until(lambda: ("started", "a", [1, 2, 3, 4], 5) in house.log)

        assert house.read == [4, 5]
        assert house.look() == ([1, 2, 3, 4], [1, 2, 3, 4, 5])
        assert [state[:2] for state in house.states] == [(3, 3)]


@pytest.mark.parametrize("seed", range(15))
def test_recovery_gives_the_same_memory_with_and_without_snapshots(seed: int) -> None:
    memories = []
    for uses_snapshots in (True, False):
        house = Archive(seed=seed, uses_snapshots=uses_snapshots)
        house.start(house.rememberer("a"), house.rememberer("b"), intensity=5)
        for n in range(1, 30):
            house.system.tell("a", Poke(n if n % 3 else -n))
            if n % 8 == 0:
                house.switchboard.record("edge", [Marked()])
            if n % 11 == 0:
                house.rest()
                house.system.tell("a", Break("test"), Lane.SYSTEM)
                house.rest()
        house.rest()
        memories.append(sorted(map(str, house.look()[0])))
        told = [record.event.value for record in house.records if record.kind == "Noted"]
        assert house.look("a")[0] == house.look("b")[0]
        house.recorder.wait(house.switchboard.last_seq, 1.0)
        told = [record.event.value for record in house.records if record.kind == "Noted"]
        assert house.look("a")[0] == told
        assert house.look("a")[1] == [record.seq for record in house.records]

    assert memories[0] == memories[1]


@on_all
def test_what_was_said_while_an_actor_was_down_is_not_missed_and_not_folded_twice(runtime: str) -> None:
    with Archive(runtime) as house:
        house.start(house.rememberer("a"), intensity=50)
        for n in range(40):
            house.note(n)
            if n % 4 == 0:
                house.system.tell("a", Break("test"), Lane.SYSTEM)
                house.note(n + 100)
        house.until(lambda: house.is_up("a"))
        house.rest()

        seqs = house.look()[1]
        assert seqs == list(range(1, house.switchboard.last_seq + 1))


def test_an_event_at_or_below_the_own_sequence_is_ignored() -> None:
    house = Archive()
    house.start(house.rememberer("a"))
    house.note(1, 2)
    house.rest()
    house.recorder.wait(2, 1.0)
    for record in house.records:
        house.system.tell("a", record, Lane.EVENTS)
    house.rest()

    assert house.look() == ([1, 2], [1, 2])


@on_all
def test_an_event_that_cannot_be_folded_sets_its_actor_aside_without_a_retry_until_it_is_excused(runtime: str) -> None:
    with Archive(runtime) as house:
        house.start(house.puppet("first"), house.rememberer("a"), house.puppet("last"), intensity=1)
        house.note(1, "poison", 2)
        house.until(lambda: not house.is_up("a") and house.exit_of("a").startswith("poisoned"))
        house.rest(0.2)

        assert house.exit_of("a") == "poisoned(sequence 2, Noted: ValueError: it cannot be folded)"
        (of_a,) = (each for each in house.switchboard.vitals() if each.name == "a")
        assert of_a.is_poisoned
        assert not of_a._replace(last_exit="crash(ValueError: poisoned()").is_poisoned
        assert not of_a._replace(up=True).is_poisoned
        assert [report.reason.kind for report in house.terminations()] == ["crash", "poisoned"]
        assert [report.offender.restarts_in_window for report in house.terminations()] == [1, 1]
        assert house.surrenders() == []
        assert house.is_up("first")
        assert house.is_up("last")
        assert not house.vitals_of("a").retired, "settling goes on waiting for it"

        house.system.excused.add(("a", 2))
        house.system.restart("a", "it was excused")
        house.until(lambda: house.is_up("a"))
        assert house.look() == ([1, 2], [1, 3])


@on_all
def test_an_event_that_is_excused_before_it_comes_is_passed_over_as_it_comes(runtime: str) -> None:
    with Archive(runtime) as house:
        house.start(house.rememberer("a"))
        house.system.excused.add(("a", 2))
        house.note(1, "poison", 2)
        house.until(lambda: house.look() == ([1, 2], [1, 3]))

        assert house.terminations() == []


def test_a_poison_event_met_at_the_first_start_keeps_nobody_else_from_starting() -> None:
    house = Archive()
    house.note("poison")
    house.begin(house.rememberer("a"), house.puppet("b"))
    house.until(lambda: house.is_up("b"))
    house.rest(60.0)

    assert house.ends == []
    assert house.exit_of("a").startswith("poisoned(sequence 1, Noted")
    assert len(house.terminations()) == 1


@on_all
def test_a_poison_event_met_by_a_new_child_is_told_on_record_and_the_child_is_forgotten(runtime: str) -> None:
    with Archive(runtime) as house:
        house.start(house.puppet("first"), intensity=0)
        house.note("poison")
        answer = house.system.supervisor("root").start_child(house.rememberer("a"))

        reason = Exit("poisoned", "sequence 1, Noted: ValueError: it cannot be folded")
        assert answer == StartFailed("a", reason)
        assert [(report.context, report.reason) for report in house.terminations()] == [("start_error", reason)]
        assert [crash.reason for crash in house.reported(CrashReport)] == [str(reason)]
        assert "a" not in house.system.names()
        house.system.excused.add(("a", 1))
        assert isinstance(house.system.supervisor("root").start_child(house.rememberer("a")), ChildUp)


@on_all
def test_what_to_do_is_computed_after_recovery(runtime: str) -> None:
    with Archive(runtime) as house:
        house.note(-7)
        house.start(house.rememberer("a"))
        house.until(lambda: house.look()[0] == [-7, 7])

        assert [entry[0] for entry in house.log[:2]] == ["started", "react"]


@pytest.mark.parametrize("seed", range(10))
def test_no_reaction_while_an_own_event_is_on_its_way(seed: int) -> None:
    def note(puppet: Puppet, message: Any) -> None:
        if isinstance(message, Poke):
            puppet.record(Noted("b"))

    house = Archive(seed=seed)
    house.start(house.rememberer("a"), house.puppet("b", on_message=note))
    for n in range(1, 20):
        if n % 2:
            house.system.tell("a", Poke(-n))
        else:
            house.note(-n)
        house.system.tell("b", Poke())
        assert house.stage is not None
        for _ in range(n % 4):
            house.stage.step()
    house.rest()

    echoes = [value for value in house.look()[0] if isinstance(value, int) and value > 0]
    assert sorted(echoes) == list(range(1, 20))


def test_what_an_actor_records_is_folded_in_the_same_turn_and_what_that_leads_to_in_another() -> None:
    house = Archive()
    house.start(house.rememberer("a"))
    house.rest()
    assert house.stage is not None
    house.system.tell("a", Poke(-1))

    house.stage.step()

    assert house.switchboard.last_seq == 2
    memory = house.memory_of("a")
    assert memory.seqs == [1]
    house.stage.step()
    assert memory.seqs == [1, 2]


def test_what_waits_for_an_actor_is_folded_before_what_it_records() -> None:
    house = Archive()
    house.start(house.rememberer("a"))
    house.rest()
    assert house.stage is not None
    house.note(10)
    house.system.tell("a", Poke(20), Lane.CONTROL)

    house.stage.step()

    memory = house.memory_of("a")
    assert memory.seqs == []
    house.rest()
    assert (memory.seqs, memory.values) == ([1, 2], [10, 20])


def test_an_actor_that_cannot_fold_what_it_recorded_is_set_aside_for_the_event_and_not_for_the_message() -> None:
    house = Archive()
    house.start(house.rememberer("a"))
    house.system.tell("a", Poke("poison"))
    house.rest(30.0)

    assert house.exit_of("a").startswith("poisoned(sequence 1, Noted")
    assert next(report.message[:8] for report in house.reported(CrashReport)) == "Recorded"
    assert not house.switchboard.quarantine.is_used


def test_no_reaction_in_a_handler_that_has_recorded() -> None:
    house = Archive()
    house.start(house.rememberer("a"))
    house.log.clear()
    house.system.tell("a", Poke(1))
    house.rest()

    assert house.log == [("react", "a", 1, 1)]


def test_a_reaction_names_its_cause_and_what_its_actor_had_seen() -> None:
    house = Archive()
    house.start(house.rememberer("a"))
    house.note("first", -5)
    house.rest()
    house.recorder.wait(house.switchboard.last_seq, 1.0)

    first, wish, echo = house.records
    assert echo.event == Noted(5)
    assert (echo.causation, echo.correlation, echo.seen) == (wish.seq, wish.correlation, wish.seq)
    assert (first.correlation, wish.correlation) == (1, 2)
    assert (echo.actor, echo.epoch) == ("a", house.epoch("a"))


@on_all
def test_an_event_of_a_handler_that_raised_is_neither_numbered_nor_heard(runtime: str) -> None:
    with Archive(runtime) as house:
        house.start(house.rememberer("a"), house.rememberer("b"))
        house.system.tell("a", Poke("bad"))
        house.until(lambda: sum(entry[:2] == ("started", "a") for entry in house.log) == 2)

        assert house.switchboard.last_seq == 0
        assert house.look("b") == ([], [])


def test_an_actor_that_cannot_recover_does_not_start() -> None:
    house = House()
    house.begin(ChildSpec(name="a", start=lambda system, seat: Rememberer(system, seat, house=house)))  # type: ignore[arg-type]
    house.until(lambda: bool(house.ends))

    assert "needs a journal to recover from" in house.ends[0].detail
    with pytest.raises(SupervisionError, match="needs a journal"):
        house.system.recover("a", version=1, upto=0)


def test_the_state_told_at_a_marker_is_the_one_of_its_sequence() -> None:
    for seed in range(5):
        house = Archive(seed=seed)
        house.start(house.rememberer("a"))
        for n in range(10):
            house.system.tell("a", Poke(n))
            if n % 3 == 0:
                house.switchboard.record("edge", [Marked()])
        house.rest()
        house.recorder.wait(house.switchboard.last_seq, 1.0)

        assert len(house.states) == 4
        for seq, version, saved in house.states:
            again = Sum()
            for record in house.records[:seq]:
                again.fold(record)
            assert (version, saved) == (3, again.save())
