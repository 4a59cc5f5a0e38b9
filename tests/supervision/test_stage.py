"""The stage: one seed is one run, order is kept between two, and time passes only when nothing else can happen."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any

import pytest

from supervision import Break, Lane, Recorded, Stage, SupervisionError
from supervision.bell import Bell
from supervision.mailbox import Mailbox
from supervision.stage import StageRecorder
from tests.supervision.troupe import Envelope, House, Letter, Noted, Poke, Puppet

NAMES = "abcdef"


def gossip(puppet: Puppet, message: Any) -> None:
    if not isinstance(message, Poke):
        return
    hops, sender, number = message.value
    puppet.record(Noted((sender, puppet.name, number)))
    if hops:
        me = NAMES.index(puppet.name)
        for step in (1, 2):
            puppet.tell(NAMES[(me + step) % len(NAMES)], Poke((hops - 1, puppet.name, number * 2 + step)))
    if number % 5 == 0:
        puppet.after(0.5, Letter(number))


def gossiped(seed: int, *, crash: bool = True) -> House:
    """A house in which six tell each other things, remember, set timers, and one crashes."""
    house = House(seed=seed, routes={Noted: ["a", "d"]})
    house.start(*(house.puppet(name, on_message=gossip) for name in NAMES), intensity=5)
    for name in NAMES:
        house.system.tell(name, Poke((3, "edge", 1)))
    if crash:
        house.rest()
        house.system.tell("c", Break("test"), Lane.SYSTEM)
    house.rest(2.0)
    return house


def trace(house: House) -> str:
    records = [record[:11] for record in house.records]
    return hashlib.sha256(repr((house.log, records, house.switchboard.dead_letters.counts)).encode()).hexdigest()


def test_the_same_seed_is_the_same_run() -> None:
    first, second = gossiped(42), gossiped(42)

    assert first.log == second.log
    assert trace(first) == trace(second)
    assert first.stage is not None and second.stage is not None
    assert first.stage.steps == second.stage.steps


def test_other_seeds_are_other_runs_that_do_the_same_work() -> None:
    houses = [gossiped(seed, crash=False) for seed in range(8)]

    assert len({trace(house) for house in houses}) == 8
    assert len({house.count("took", "b") for house in houses}) == 1
    assert len({house.switchboard.last_seq for house in houses}) == 1


@pytest.mark.parametrize("seed", range(5))
def test_what_one_says_to_another_arrives_in_the_order_it_was_said(seed: int) -> None:
    def count_on(puppet: Puppet, message: Any) -> None:
        if message == Poke("go"):
            for n in range(3):
                puppet.tell("r", Poke((puppet.name, puppet.count)))  # type: ignore[attr-defined]
                puppet.count += 1  # type: ignore[attr-defined]
                puppet.tell("x", Poke(n))

    def begin(puppet: Puppet) -> None:
        puppet.count = 0  # type: ignore[attr-defined]

    house = House(seed=seed)
    speakers = [house.puppet(name, on_message=count_on, on_start=begin) for name in "abc"]
    house.start(*speakers, house.puppet("x"), house.puppet("r"))
    for _ in range(10):
        for name in "abc":
            house.system.tell(name, Poke("go"))
    house.rest()

    heard: dict[str, list[int]] = defaultdict(list)
    for entry in house.log:
        if entry[:2] == ("took", "r"):
            heard[entry[2].value[0]].append(entry[2].value[1])
    assert heard == {name: list(range(30)) for name in "abc"}


@pytest.mark.parametrize("seed", range(5))
def test_all_hear_events_in_sequence(seed: int) -> None:
    house = gossiped(seed)

    for name in "ad":
        heard = [entry[2].seq for entry in house.log if entry[:2] == ("took", name) and isinstance(entry[2], Recorded)]
        assert heard == sorted(set(heard))


def test_time_passes_only_when_nothing_else_can_happen() -> None:
    house = House()
    took_at: list[float] = []

    def take(puppet: Puppet, message: Any) -> None:
        took_at.append(house.system.clock.monotonic())
        if message.value:
            puppet.tell("a", Poke(message.value - 1))

    house.start(house.puppet("a", on_message=take))
    house.system.after(10.0, "a", Poke(0), house.epoch("a"))
    house.system.tell("a", Poke(50))
    house.rest(20.0)

    assert took_at == [0.0] * 51 + [10.0]
    assert house.system.clock.wall_ms() == 20_000


def test_timers_of_one_instant_go_off_in_the_order_they_were_set() -> None:
    house = House()
    house.start(house.puppet("a"))
    for n in range(20):
        house.system.after(1.0, "a", Poke(n), house.epoch("a"))
    house.rest(2.0)

    assert [entry[2].value for entry in house.log if entry[0] == "took"] == list(range(20))


def test_what_is_due_in_the_past_happens_now() -> None:
    house = House()
    house.start(house.puppet("a"))
    house.rest(5.0)
    house.system.after(-3.0, "a", Poke(), house.epoch("a"))
    house.until(lambda: house.count("took", "a") == 1)

    assert house.system.clock.monotonic() == 5.0


def test_a_start_is_a_turn_like_any_other() -> None:
    house = House()
    house.begin(house.puppet("a"))
    assert house.log == []
    house.until(lambda: house.count("made", "a") == 1)

    assert house.log == [("made", "a")]
    assert house.is_up("a")


def test_after_a_kill_nothing_happens_and_what_is_not_committed_is_lost() -> None:
    house = House()
    house.start(house.puppet("a", on_message=lambda puppet, _message: puppet.record(Noted())))
    house.system.tell("a", Poke())
    house.until(lambda: house.switchboard.last_seq == 1)
    assert house.stage is not None
    house.stage.kill()

    assert not house.stage.step()
    house.system.tell("a", Poke())
    assert not house.stage.step()
    assert house.records == []


def test_a_run_without_an_end_is_named() -> None:
    house = House()
    house.start(house.puppet("a", on_message=lambda puppet, message: puppet.tell("a", message)))
    house.system.tell("a", Poke())

    assert house.stage is not None
    with pytest.raises(SupervisionError, match="must come to its end within 100 turns"):
        house.stage.run_until(lambda: False, steps_max=100)


def test_a_question_passes_only_the_time_it_may_take() -> None:
    house = House()
    house.start(house.puppet("a", on_message=lambda puppet, message: message.value))

    assert house.system.ask("a", Poke("yes"), 1.0) == "yes"
    assert house.system.clock.monotonic() == 0.0


# -- the recorder ----------------------------------------------------------------------------------------------------


def a_record(seq: int) -> Recorded:
    return Recorded(seq, 0, 0, "Noted", 1, "a", 1, 0, seq, 0, b"", Noted())


def test_a_recorder_commits_when_somebody_waits_or_enough_has_gathered() -> None:
    written: list[Sequence[Recorded]] = []
    durable: list[int] = []
    recorder = StageRecorder(written.append, 0)
    recorder.on_durable = durable.append
    recorder.enqueue([a_record(1)])
    assert not recorder.wants_turn
    recorder.hurry(1)
    assert recorder.wants_turn
    recorder.commit()
    assert not recorder.wants_turn
    recorder.enqueue([a_record(seq) for seq in range(2, 514)])

    assert recorder.wants_turn
    recorder.commit()
    assert [len(batch) for batch in written] == [1, 512]
    assert durable == [1, 513]
    assert recorder.durable_seq == 513


def test_who_must_wait_on_a_stage_has_it_committed_at_once() -> None:
    recorder = StageRecorder(lambda records: None, 0)
    recorder.enqueue([a_record(1), a_record(2)])

    assert recorder.wait(2, 0.0)
    assert not recorder.wait(3, 0.0)


def test_a_shared_mailbox_gives_one_message_a_turn() -> None:
    mailbox = Mailbox()
    mailbox.give_turns(Bell())
    mailbox.put(Envelope(1))
    mailbox.put(Envelope(2), Lane.SYSTEM)
    mailbox.begin_turn()

    assert mailbox.get().message == 2
    with pytest.raises(BaseException, match=r"^$") as over:
        mailbox.get()
    assert not isinstance(over.value, Exception)
    assert mailbox.depth() == 1


def test_an_ended_actor_takes_no_turn_any_more() -> None:
    house = House()
    house.start(house.puppet("a", restart="temporary"), house.puppet("b", shutdown_s=0))
    house.exit("a")
    house.system.restart("b", "test")
    house.rest()

    assert isinstance(house.stage, Stage)
    assert sorted(player.actor.name for player in house.stage._players) == ["b", "root"]


def test_the_callers_arithmetic_changes_nothing_on_a_stage() -> None:
    def told() -> list[str]:
        said: list[str] = []

        def reckon(puppet: Puppet, message: Any) -> None:
            if isinstance(message, Poke):
                said.append(f"{Decimal(message.value) / 3:.3f} {Decimal(message.value):.1f}")

        house = House(seed=1)
        house.start(house.puppet("a", on_message=reckon))
        house.system.tell("a", Poke("0.25"))
        house.rest()
        return said

    plain = told()
    with localcontext(Context(prec=2, rounding=ROUND_HALF_UP)):
        odd = told()

    assert plain == odd == ["0.083 0.2"]
