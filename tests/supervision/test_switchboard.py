"""The switchboard: what leaves the house waits for its cause, what was fenced is silent, and settling counts right."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from supervision import Break, Exit, Fenced, Lane, MarketClock, Recorded, Seat, Settled, Switchboard
from supervision.cells import Cell, Outbox
from supervision.signals import Stop, Wake
from tests.supervision.troupe import (
    HandRecorder,
    House,
    Letter,
    Noted,
    Poke,
    Puppet,
    encode,
    supervisor,
)


class StillClock(MarketClock):
    """A clock that stands where it is set, but for the market's."""

    now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def wall_ms(self) -> int:
        return 0


class Board:
    """A switchboard in the hand: `say` is what a handler of a name says when it returns."""

    def __init__(self, *names: str, settles: bool = True, **routes: Any) -> None:
        self.clock = StillClock()
        self.recorder = HandRecorder()
        self.switchboard = Switchboard(
            clock=self.clock,
            recorder=self.recorder,
            encode=encode,
            routes=routes.get("routes", {}),
            leaves_house=frozenset({Letter}),
            a_moment_later=routes.get("a_moment_later", lambda call: call()),
        )
        self.seats: dict[str, Seat] = {}
        for name in names:
            self.switchboard.declare(name, settles=settles)
        for name in names:
            self.open(name)

    def open(self, name: str) -> Seat:
        seat = self.seats[name] = self.switchboard.open(name)
        assert seat.mailbox.get().message == Wake()
        self.say(name)
        return seat

    def say(
        self,
        name: str,
        *messages: tuple[str, Any],
        events: tuple[Any, ...] = (),
        seen: int = 0,
        wants_settled: bool = False,
        open_work: bool = False,
        seat: Seat | None = None,
    ) -> int:
        outbox = Outbox()
        outbox.messages = list(messages)
        outbox.events = [(*encode(event), event, None, 0, 0) for event in events]
        outbox.seen = seen
        outbox.wants_settled = wants_settled
        seat = seat or self.seats[name]
        last = self.switchboard.finish(seat.cell, seat.epoch, outbox, open_work=open_work)
        seat.mailbox.rest()
        return last

    def poke(self, name: str) -> None:
        """Put a message and take it in hand."""
        assert self.switchboard.tell(name, Poke())
        self.seats[name].mailbox.get()

    def heard(self, name: str) -> list[Any]:
        """Take everything out of a mailbox, each message done."""
        found = []
        while not self.seats[name].mailbox.empty():
            found.append(self.seats[name].mailbox.get().message)
            self.say(name)
        return found

    def durable(self, seq: int) -> None:
        self.recorder.durable_seq = max(seq, self.recorder.durable_seq)
        self.switchboard.on_durable(seq)


# -- what leaves the house -------------------------------------------------------------------------------------------


def test_what_leaves_the_house_waits_for_the_event_said_with_it() -> None:
    board = Board("a", "venue")
    board.poke("a")
    board.say("a", ("venue", Letter(1)), ("venue", Poke(2)), events=(Noted(),))

    assert board.heard("venue") == [Poke(2)]
    assert board.recorder.hurried == [1]
    assert board.switchboard.unsettled() == ("a: a send waits for sequence 1",)
    board.durable(1)
    assert board.heard("venue") == [Letter(1)]


def test_what_leaves_the_house_waits_for_all_its_sender_had_seen() -> None:
    board = Board("a", "venue")
    board.switchboard.record("edge", [Noted()] * 5)
    board.poke("a")
    board.say("a", ("venue", Letter()), seen=4)
    board.durable(3)
    assert board.heard("venue") == []
    board.durable(4)

    assert board.heard("venue") == [Letter()]


def test_what_leaves_the_house_waits_for_what_its_sender_said_before() -> None:
    board = Board("a", "venue")
    board.switchboard.record("edge", [Noted()] * 2)
    board.poke("a")
    board.say("a", ("venue", Letter(1)), events=(Noted(),), seen=1)
    board.durable(2)
    board.poke("a")
    board.say("a", ("venue", Letter(2)), seen=2)
    assert board.heard("venue") == []
    board.durable(3)

    assert board.heard("venue") == [Letter(1), Letter(2)]


def test_what_is_durable_already_leaves_at_once() -> None:
    board = Board("a", "venue")
    board.switchboard.record("edge", [Noted()])
    board.durable(1)
    board.poke("a")
    board.say("a", ("venue", Letter()), seen=1)

    assert board.heard("venue") == [Letter()]
    assert board.recorder.hurried == []


def test_what_is_durable_already_overtakes_nothing_said_before_it() -> None:
    board = Board("a", "b")
    board.say("a", ("b", Letter("order")), events=(Noted(1),))
    board.recorder.durable_seq = 1  # It is on disk, and the news of that is on its way.

    board.say("a", ("b", Letter("cancel")))
    board.switchboard.on_durable(1)

    assert board.heard("b") == [Letter("order"), Letter("cancel")]


def test_news_of_durability_out_of_order_let_go_of_nothing_too_early_and_nothing_twice() -> None:
    board = Board("a", "b", "venue")
    for name, value in (("a", 1), ("b", 2), ("a", 3)):
        board.poke(name)
        board.say(name, ("venue", Letter(value)), events=(Noted(),))
    board.switchboard.on_durable(2)
    board.switchboard.on_durable(1)
    assert board.heard("venue") == [Letter(1), Letter(2)]
    board.switchboard.on_durable(3)
    board.switchboard.on_durable(3)

    assert board.heard("venue") == [Letter(3)]


@pytest.mark.parametrize("end", ["fence", "close"])
def test_what_waits_is_revoked_when_its_sender_crashes_or_is_fenced(end: str) -> None:
    board = Board("a", "b", "venue")
    for name in "ab":
        board.poke(name)
        board.say(name, ("venue", Letter(name)), events=(Noted(),))
    if end == "fence":
        board.switchboard.fence("a", board.seats["a"].epoch)
    else:
        board.switchboard.close("a", board.seats["a"].epoch, Exit("crash"))
    board.open("a")
    board.durable(2)

    assert board.heard("venue") == [Letter("b")]


def test_what_waits_for_somebody_who_is_down_when_it_may_leave_is_a_dead_letter() -> None:
    board = Board("a", "venue")
    board.poke("a")
    board.say("a", ("venue", Letter()), events=(Noted(),))
    board.switchboard.close("venue", board.seats["venue"].epoch, Exit("crash"))
    board.durable(1)

    assert board.switchboard.dead_letters.counts == {("venue", "Letter", "down"): 1}


def test_what_comes_from_outside_is_passed_on_for_an_incarnation_while_that_lives_and_never_after() -> None:
    board = Board("venue", "executor")
    epoch = board.seats["venue"].epoch

    assert board.switchboard.pass_on("venue", epoch, "executor", Poke(1))
    board.switchboard.close("venue", epoch, Exit("crash"))
    assert not board.switchboard.pass_on("venue", epoch, "executor", Poke(2))
    board.open("venue")
    assert not board.switchboard.pass_on("venue", epoch, "executor", Poke(3))
    assert board.switchboard.pass_on("venue", board.seats["venue"].epoch, "executor", Poke(4))

    assert board.heard("executor") == [Poke(1), Poke(4)]
    assert board.switchboard.dead_letters.counts == {("executor", "Poke", "down"): 2}


def test_a_plain_actor_too_waits_for_what_it_has_heard() -> None:
    def tell_on(puppet: Puppet, message: Any) -> None:
        puppet.tell("venue", Letter(message.seq))

    house = House(routes={Noted: ["a"]})
    house.start(house.puppet("venue"), house.puppet("a", on_message=tell_on))
    house.switchboard.record("edge", [Noted()])
    house.until(lambda: house.count("took", "a") == 1)
    assert house.switchboard.unsettled() == ("a: a send waits for sequence 1",)
    house.rest()

    assert house.log[-1] == ("took", "venue", Letter(1))
    assert [record.seq for record in house.records] == [1]


# -- onlookers -------------------------------------------------------------------------------------------------------


def test_an_onlooker_hears_an_event_once_it_is_durable_and_in_sequence() -> None:
    board = Board("a", "b", routes={Noted: ["b", "onlooker"]})
    board.switchboard.declare("onlooker", hears_late=True)
    board.open("onlooker")
    for n in (1, 2, 3):
        board.poke("a")
        board.say("a", events=(Noted(n),))
    assert len(board.heard("b")) == 3
    assert board.heard("onlooker") == []
    board.durable(2)
    assert [record.seq for record in board.heard("onlooker")] == [1, 2]
    board.durable(3)

    assert [record.seq for record in board.heard("onlooker")] == [3]


def test_an_onlooker_is_told_a_moment_later_and_much_at_once() -> None:
    later: list[Callable[[], None]] = []
    board = Board("a", routes={Noted: ["onlooker"]}, a_moment_later=later.append)
    board.switchboard.declare("onlooker", hears_late=True)
    board.open("onlooker")
    board.switchboard.record("edge", [Noted(1), Noted(2)])
    board.durable(1)
    board.durable(2)
    board.switchboard.record("edge", [Noted(3)])
    assert board.heard("onlooker") == []
    assert len(later) == 1
    later.pop()()
    assert [record.seq for record in board.heard("onlooker")] == [1, 2]
    board.durable(3)
    later.pop()()

    assert [record.seq for record in board.heard("onlooker")] == [3]


def test_an_onlooker_that_is_down_when_it_would_hear_misses_it_and_its_successor_hears_on() -> None:
    board = Board("a", routes={Noted: ["onlooker"]})
    board.switchboard.declare("onlooker", hears_late=True)
    seat = board.open("onlooker")
    board.switchboard.record("edge", [Noted(1), Noted(2)])
    board.switchboard.close("onlooker", seat.epoch, Exit("crash"))
    board.durable(1)
    board.open("onlooker")
    board.durable(2)

    assert [record.seq for record in board.heard("onlooker")] == [2]


# -- vitals ----------------------------------------------------------------------------------------------------------


def test_the_age_of_the_oldest_message_is_told_whether_it_waits_or_is_in_hand() -> None:
    board = Board("a")
    board.clock.now_s = 10.0
    board.switchboard.tell("a", Poke(1))
    board.clock.now_s = 12.0
    board.switchboard.tell("a", Poke(2), Lane.SYSTEM)
    board.clock.now_s = 15.0
    (vitals,) = board.switchboard.vitals()
    assert (vitals.mailbox_depth, vitals.oldest_s, vitals.busy_s) == (2, 5.0, 0.0)
    mailbox = board.seats["a"].mailbox
    assert mailbox.get().message == Poke(2)
    assert mailbox.get().message == Poke(1)
    mailbox.in_hand, mailbox.busy_since = Poke(1), 14.0
    (vitals,) = board.switchboard.vitals()

    assert (vitals.mailbox_depth, vitals.oldest_s, vitals.busy_s, vitals.busy_with) == (0, 1.0, 1.0, "Poke")


# -- numbers ---------------------------------------------------------------------------------------------------------


def test_events_are_numbered_without_a_gap_and_heard_by_all_in_that_order() -> None:
    board = Board("a", "b", "c", routes={Noted: ["b", "c", "nobody"]})
    board.poke("a")
    assert board.say("a", events=(Noted(1), Noted(2))) == 2
    board.switchboard.record("edge", [Noted(3)])

    for name in "bc":
        assert [(record.seq, record.event) for record in board.heard(name)] == [(n, Noted(n)) for n in (1, 2, 3)]
    assert [record.seq for record in board.recorder.records] == [1, 2, 3]
    assert [record.actor for record in board.recorder.records] == ["a", "a", "edge"]


def test_nothing_is_kept_of_who_spoke_from_the_edge() -> None:
    house = House(routes={Noted: ["a"]})
    house.start(house.puppet("a"))

    def cells() -> int:
        gc.collect()  # Those of other tests' houses may go at any moment.
        return sum(type(each) is Cell for each in gc.get_objects())

    before = cells()
    for value in range(100):
        house.switchboard.record("edge", [Noted(value)])
    house.rest()

    assert house.count("took", "a") == 100
    assert cells() == before


def test_an_incarnation_hears_exactly_what_is_numbered_after_it_joined() -> None:
    board = Board("a", routes={Noted: ["a"]})
    board.switchboard.record("edge", [Noted(1)])
    seat = board.open("a")
    board.switchboard.record("edge", [Noted(2)])

    assert seat.joined == 1
    assert [record.seq for record in board.heard("a")] == [2]


def test_an_event_moves_market_time_and_is_of_that_time() -> None:
    board = Board("a")
    outbox = Outbox()
    outbox.events = [(*encode(Noted()), Noted(), at, 0, 0) for at in (5_000, None, 4_000)]
    board.poke("a")
    board.switchboard.finish(board.seats["a"].cell, board.seats["a"].epoch, outbox, open_work=False)

    assert [record.at for record in board.recorder.records] == [5_000, 5_000, 5_000]


def test_later_incarnations_have_greater_epochs_and_go_on_after_those_of_before() -> None:
    board = Switchboard(
        clock=StillClock(), recorder=HandRecorder(), encode=encode, routes={}, last_seq=70, last_epoch=1_000_000
    )
    board.declare("a")
    board.declare("b")
    epochs = [board.open(name).epoch for name in "abab"]

    assert epochs == [1_000_001, 1_000_002, 1_000_003, 1_000_004]
    assert board.record("edge", [Noted()]) == 71


# -- fencing ---------------------------------------------------------------------------------------------------------


def test_a_fenced_incarnation_is_told_so_and_nothing_it_says_is_released() -> None:
    board = Board("a", "b", routes={Noted: ["b"]})
    board.poke("a")
    old = board.seats["a"]
    assert board.switchboard.fence("a", old.epoch)

    with pytest.raises(Fenced, match=f"epoch of a is {old.epoch + 2}, an incarnation of epoch {old.epoch} spoke"):
        board.say("a", ("b", Poke()), events=(Noted(),), seat=old)
    assert board.heard("b") == []
    assert board.switchboard.last_seq == 0


def test_the_last_word_to_a_fenced_incarnation_is_not_taken_away_by_the_next() -> None:
    board = Board("a")
    old = board.seats["a"]
    board.switchboard.fence("a", old.epoch)
    board.open("a")

    assert old.mailbox.get().message == Stop("killed")
    assert not board.switchboard.dead_letters.counts


def test_an_incarnation_that_has_ended_is_neither_closed_nor_fenced_again() -> None:
    board = Board("a")
    epoch = board.seats["a"].epoch

    assert board.switchboard.close("a", epoch, Exit("normal"))
    assert not board.switchboard.close("a", epoch, Exit("crash"))
    assert not board.switchboard.fence("a", epoch)
    assert board.switchboard.vitals()[0].last_exit == "normal"
    assert board.switchboard.epoch_of("a") == epoch


def test_a_message_for_one_incarnation_does_not_reach_another() -> None:
    board = Board("a")
    old = board.seats["a"].epoch
    board.open("a")

    assert not board.switchboard.tell("a", Poke(), epoch=old)
    assert board.switchboard.tell("a", Poke(), epoch=board.seats["a"].epoch)
    assert board.switchboard.dead_letters.counts == {("a", "Poke", "down"): 1}


# -- settling --------------------------------------------------------------------------------------------------------


def test_settled_is_told_once_all_that_was_caused_is_done() -> None:
    board = Board("feed", "a", "b", routes={Noted: ["a"]})
    board.poke("feed")
    board.say("feed", events=(Noted(),), wants_settled=True)
    assert board.seats["feed"].mailbox.empty()
    board.seats["a"].mailbox.get()
    board.say("a", ("b", Poke()))
    assert board.seats["feed"].mailbox.empty()
    board.seats["b"].mailbox.get()
    board.say("b", open_work=True)
    assert board.seats["feed"].mailbox.empty()
    board.poke("b")
    board.say("b", ("a", Letter()), events=(Noted(),), open_work=False)
    assert len(board.heard("a")) == 1
    assert board.seats["feed"].mailbox.empty()
    board.durable(2)
    assert board.heard("a") == [Letter()]

    assert board.heard("feed") == [Settled(2)]
    assert board.switchboard.unsettled() == ()


def test_settled_is_told_at_once_where_nothing_is_to_be_done() -> None:
    for settles in (True, False):
        board = Board("feed", settles=settles)
        board.poke("feed")
        board.say("feed", wants_settled=True)

        assert board.heard("feed") == [Settled(0)]


def test_who_is_down_is_waited_for_until_it_is_given_up_or_back() -> None:
    board = Board("feed", "a")
    board.switchboard.close("a", board.seats["a"].epoch, Exit("crash", "x"))
    board.poke("feed")
    board.say("feed", wants_settled=True)
    assert board.switchboard.unsettled() == ("a: down after crash(x)",)
    assert board.seats["feed"].mailbox.empty()
    board.switchboard.retire("a")
    assert board.heard("feed") == [Settled(0)]
    board.switchboard.expect("a")
    board.poke("feed")
    board.say("feed", wants_settled=True)
    assert board.seats["feed"].mailbox.empty()
    board.open("a")

    assert board.heard("feed") == [Settled(0)]


def test_a_successor_does_not_get_what_its_predecessor_awaited() -> None:
    board = Board("feed", "a")
    board.poke("a")
    board.poke("feed")
    board.say("feed", wants_settled=True)
    board.open("feed")
    board.say("a")

    assert board.heard("feed") == []


def test_what_is_waited_for_is_named() -> None:
    board = Board("a", "b")
    board.switchboard.tell("a", Poke())
    board.poke("b")
    board.say("b", open_work=True)

    assert board.switchboard.unsettled() == ("a: 1 messages, busy with nothing", "b: waits for an answer")


@pytest.mark.parametrize("seed", range(6))
def test_settling_sees_the_work_of_restarted_actors_too(seed: int) -> None:
    settled: list[tuple[int, int]] = []

    def feed(puppet: Puppet, message: Any) -> None:
        if isinstance(message, Settled):
            settled.append((message.seq, house.count("took", "c")))
        if message == Poke("go") or (isinstance(message, Settled) and len(settled) < 20):
            puppet.record(Noted(len(settled)))
            puppet.await_settled()

    def worker(puppet: Puppet, message: Any) -> None:
        if isinstance(message, Recorded):
            puppet.tell("b", Poke(message.seq))
        elif isinstance(message, Poke):
            puppet.tell("c", Poke(message.value))

    house = House(seed=seed, routes={Noted: ["a"]})
    house.start(
        house.puppet("feed", on_message=feed, settles=True),
        supervisor("s", *(house.puppet(n, on_message=worker, settles=True) for n in "ab"), intensity=9),
        house.puppet("c", settles=True),
        intensity=9,
    )
    house.system.tell("feed", Poke("go"))
    house.until(lambda: len(settled) == 5)
    house.rest()
    assert settled == [(n, n) for n in range(1, 21)]
    for name in ("a", "s"):
        house.system.tell(name, Break("test"), Lane.SYSTEM)
        house.rest()

    assert house.switchboard.unsettled() == ()


class Accounts(RuleBasedStateMachine):
    """Whatever happens to whom in which order, what settling rests on is what the mailboxes hold."""

    names = st.sampled_from("abc")
    flags = st.booleans()

    def __init__(self) -> None:
        super().__init__()
        self.board = Board(routes={Noted: ["a", "b"]})
        for name in "abc":
            self.board.switchboard.declare(name, settles=name != "c")
        self.in_hand: dict[str, Seat] = {}
        self.zombies: list[Seat] = []

    def lose(self, name: str) -> None:
        if name in self.in_hand:
            self.zombies.append(self.in_hand.pop(name))

    @rule(name=names)
    def open(self, name: str) -> None:
        self.lose(name)
        self.board.seats[name] = self.board.switchboard.open(name)

    @rule(name=names, fenced=flags, stale=st.integers(0, 2))
    def end(self, name: str, fenced: bool, stale: int) -> None:
        if name not in self.board.seats:
            return
        epoch = self.board.seats[name].epoch - stale
        if fenced:
            self.board.switchboard.fence(name, epoch)
        else:
            self.board.switchboard.close(name, epoch, Exit("crash"))
        if not stale:
            self.lose(name)

    @rule(name=names, lane=st.sampled_from(Lane))
    def tell(self, name: str, lane: Lane) -> None:
        self.board.switchboard.tell(name, Poke(), lane)

    @rule(name=names)
    def take(self, name: str) -> None:
        seat = self.board.seats.get(name)
        is_free = name not in self.in_hand and self.board.switchboard.is_up(name)
        if seat is not None and is_free and not seat.mailbox.empty():
            seat.mailbox.get()
            self.in_hand[name] = seat

    @rule(name=names, to=names, says=st.integers(0, 2), open_work=flags, wants=flags, seen=st.integers(0, 9))
    def finish(self, name: str, to: str, says: int, open_work: bool, wants: bool, seen: int) -> None:
        if (seat := self.in_hand.pop(name, None)) is not None:
            said = ((to, Letter()), (to, Poke()))[:says]
            events = (Noted(),) * says
            self.board.say(name, *said, events=events, seen=seen, wants_settled=wants, open_work=open_work, seat=seat)

    @precondition(lambda self: bool(self.zombies))
    @rule()
    def speak_from_the_dead(self) -> None:
        seat = self.zombies.pop()
        before = self.board.switchboard.last_seq
        if seat.cell.epoch != seat.epoch:
            with pytest.raises(Fenced):
                self.board.say(seat.cell.name, ("b", Poke()), events=(Noted(),), seat=seat)
        assert self.board.switchboard.last_seq == before

    @rule(seq=st.integers(0, 30))
    def be_durable(self, seq: int) -> None:
        self.board.durable(seq)

    @rule(name=names, gives_up=flags)
    def retire_or_expect(self, name: str, gives_up: bool) -> None:
        (self.board.switchboard.retire if gives_up else self.board.switchboard.expect)(name)

    @invariant()
    def accounts_are_right(self) -> None:
        switchboard = self.board.switchboard
        cells = list(switchboard._cells.values())
        for cell in cells:
            is_busy = cell.name in self.in_hand or not cell.mailbox.empty()
            assert not (cell.up and is_busy and cell.mailbox.is_idle())

    @invariant()
    def nobody_awaits_what_has_come(self) -> None:
        switchboard = self.board.switchboard
        is_settled = not switchboard.unsettled()
        assert not (is_settled and switchboard._settle_waiter is not None)


TestAccounts = Accounts.TestCase
TestAccounts.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


@given(st.lists(st.tuples(st.sampled_from(["say", "send", "durable"]), st.integers(0, 6)), max_size=40))
@settings(max_examples=100, deadline=None)
def test_nothing_leaves_the_house_before_its_cause_is_durable_and_all_leaves_in_order(
    steps: list[tuple[str, int]],
) -> None:
    board = Board("a", "venue")
    gates: list[int] = []
    known, left = 0, 0
    for what, number in steps:
        if what == "durable":
            board.durable(min(board.switchboard.last_seq, board.recorder.durable_seq + number))
        else:
            board.poke("a")
            events = (Noted(),) * (number if what == "say" else 0)
            send = [("venue", Letter(len(gates)))] if what == "send" else []
            known = max(known, board.say("a", *send, events=events, seen=known))
            gates.extend([known] * len(send))
        for letter in board.heard("venue"):
            assert letter == Letter(left)
            assert gates[left] <= board.recorder.durable_seq
            left += 1
    board.durable(board.switchboard.last_seq)

    assert left + len(board.heard("venue")) == len(gates)


def test_a_send_to_nobody_that_was_waited_for_settles_when_it_may_leave() -> None:
    board = Board("feed")
    board.poke("feed")
    board.say("feed", ("nobody", Letter()), events=(Noted(),), wants_settled=True)
    assert board.seats["feed"].mailbox.empty()
    board.durable(1)

    assert board.heard("feed") == [Settled(1)]


def test_children_that_had_stopped_are_waited_for_when_their_supervisor_starts_anew() -> None:
    house = House()
    children = [house.puppet(name, restart="transient", settles=True) for name in "ab"]
    house.start(supervisor("s", *children))
    house.exit("b")
    house.rest()
    house.system.tell("s", Break("test"), Lane.SYSTEM)
    house.until(lambda: house.count("made", "a") == 2)

    assert "b: down after normal" in house.switchboard.unsettled()
    house.rest()
    assert house.is_up("b")


def test_a_stopped_child_is_waited_for_from_the_moment_its_group_restarts() -> None:
    house = House()
    house.start(
        house.puppet("a", settles=True),
        house.puppet("b", restart="transient", settles=True),
        strategy="one_for_all",
    )
    house.exit("b")
    house.rest()
    house.system.tell("a", Break("test"), Lane.SYSTEM)
    house.until(lambda: house.count("made", "a") == 2)

    assert "b: down after normal" in house.switchboard.unsettled()
    house.rest()
    assert house.is_up("b")
