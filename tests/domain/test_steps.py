"""The laws of an order's life: what follows from what the executor knows."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.execution import Approval, Execution
from domain.imported import HeldPosition
from domain.market import Instrument
from domain.money import Money, floor_to
from domain.order import Fill
from domain.plan import RETRY_AFTER_MS
from domain.proposal import Entry, Exit
from domain.steps import (
    FULL_STOPS_MAX,
    STOPS_MAX,
    Cancel,
    Deny,
    EndLeaving,
    Leave,
    Place,
    Situation,
    Step,
    next_steps,
)

D = Decimal
COIN = Instrument(
    symbol="COINUSDT", base="COIN", quote="USDT", tick=D("0.01"), lot=D("0.1"), quantity_min=D("0.1"), notional_min=D(5)
)
HERE = Situation(now=1_000, instruments={"COINUSDT": COIN}, generation=1, deadline_ms=60_000)


class Story:
    """An executor's knowledge, told event by event."""

    def __init__(self, *, quantity_max: str | None = None) -> None:
        coin = msgspec.structs.replace(COIN, quantity_max=None if quantity_max is None else D(quantity_max))
        self.here = msgspec.structs.replace(HERE, instruments={"COINUSDT": coin})
        self.known = Execution(closes={"COINUSDT": D(100)})
        self.seq = 0

    def next(self) -> int:
        self.seq += 1
        return self.seq

    def steps(self, now: int = 1_000) -> list[Step]:
        return next_steps(self.known, msgspec.structs.replace(self.here, now=now))

    def approve(
        self, quantity: str = "10", *, stop: str | None = "90", target: str | None = "120", strategy: str = "one"
    ) -> None:
        seq = self.next()
        entry = Entry(
            symbol="COINUSDT",
            quantity=D(quantity),
            price=D(100),
            good_until=2_000,
            stop_price=None if stop is None else D(stop),
            take_profit=None if target is None else D(target),
        )
        self.known.approve(Approval(f"p{seq}", strategy, entry, D(quantity), ordered_by=seq))

    def take(self, step: Step, *, seen: int | None = None) -> str:
        """Fold what a step records; return the client id of a placed order."""
        seq = self.next()
        seen = seq - 1 if seen is None else seen
        match step:
            case Place(terms=terms, proposal_id=proposal_id):
                self.known.intend(terms, proposal_id, seq=seq, seen=seen)
                return terms.client_id
            case Cancel(client_id=client_id):
                self.known.canceling.append(client_id)
            case Leave(strategy=strategy, symbol=symbol, why=why, quantity=quantity):
                self.known.order_exit(strategy, symbol, why, quantity, seq=seq, seen=seen)
            case EndLeaving(strategy=strategy, symbol=symbol):
                self.known.end_exit(strategy, symbol, seq=seq, seen=seen)
            case Deny(proposal_id=proposal_id):
                self.known.drop(proposal_id)
        return ""

    def only(self, now: int = 1_000) -> Step:
        (step,) = self.steps(now)
        return step

    def fill(self, client_id: str, quantity: str, price: str = "100", fee: Money | None = None) -> None:
        order = self.known.order(client_id)
        assert order is not None
        seq = self.next()
        fee = fee or Money(D(0), "USDT")
        side = order.terms.side
        fill = Fill(f"t{seq}", client_id, "COINUSDT", side, D(quantity), D(price), fee, "taker", 1_000)
        self.known.fill(fill, seq)

    def bought(
        self, quantity: str = "10", *, stop: str | None = "90", target: str | None = "120", strategy: str = "one"
    ) -> str:
        self.approve(quantity, stop=stop, target=target, strategy=strategy)
        client_id = self.place()
        self.fill(client_id, quantity)
        return client_id

    def place(self) -> str:
        """Take the only step, which is an order, and have it accepted."""
        client_id = self.take(self.only())
        self.known.accept(client_id, "v1")
        return client_id


def a_protected_position(quantity: str = "10") -> tuple[Story, str]:
    story = Story()
    story.bought(quantity)
    return story, story.place()


def test_an_approved_entry_is_placed_once_under_an_id_of_its_own() -> None:
    story = Story()
    story.approve()

    step = story.only()
    story.take(step)

    assert isinstance(step, Place)
    assert (step.terms.type, step.terms.quantity, step.terms.client_id) == ("market", D(10), "h0100000001e00")
    assert story.steps() == []


def test_an_old_wish_is_never_placed() -> None:
    story = Story()
    story.approve()

    step = story.only(now=2_001)

    assert isinstance(step, Deny)
    assert step.reason == "EXPIRED"


def test_what_is_bought_is_covered_by_a_stop_on_the_tick() -> None:
    story = Story()
    story.bought(stop="90.005")

    step = story.only()

    assert isinstance(step, Place)
    assert (step.terms.leg, step.terms.side, step.terms.stop_price) == ("stop", "sell", D("90.00"))
    assert step.terms.quantity == 10


def test_a_fee_in_the_base_asset_is_not_sold() -> None:
    story = Story()
    story.approve()
    story.fill(story.place(), "10", fee=Money(D("0.05"), "COIN"))

    step = story.only()

    assert isinstance(step, Place)
    assert step.terms.quantity == D("9.9")


def test_a_rest_too_small_for_a_stop_of_its_own_is_covered_by_one_stop_for_all() -> None:
    story = Story()
    story.approve(stop="40")
    entry = story.place()
    story.fill(entry, "9.9")
    first = story.place()
    story.fill(entry, "0.1")

    cancel = story.only()
    story.take(cancel)
    story.known.end(first, "canceled", story.next(), 1_000)
    again = story.only()

    assert isinstance(cancel, Cancel)
    assert isinstance(again, Place)
    assert again.terms.quantity == 10


def test_an_entry_that_fills_in_many_parts_is_covered_whole_by_few_stops() -> None:
    story = Story()
    story.approve()
    entry = story.place()
    for _ in range(10):
        story.fill(entry, "1")
        while isinstance(step := story.only(), Cancel):
            story.take(step)
            story.known.end(step.client_id, "canceled", story.next(), 1_000)
        story.known.accept(story.take(step), "v1")
        stops = [order for order in story.known.orders.values() if order.terms.leg == "stop"]
        assert len(stops) <= STOPS_MAX

    assert sum(order.remaining for order in stops) == 10
    assert story.steps() == []


def settled(story: Story) -> list[Decimal]:
    """Do all that follows; return what is left of the stops that rest."""
    for _ in range(20):
        if not (steps := story.steps()):
            return sorted(order.remaining for order in story.known.orders.values() if order.terms.leg == "stop")
        client_id = story.take(steps[0])
        if isinstance(steps[0], Cancel):
            story.known.end(steps[0].client_id, "canceled", story.next(), 1_000)
        else:
            story.known.accept(client_id, f"v{client_id}")
    raise AssertionError("what follows has no end")


def test_what_is_more_than_one_order_may_be_for_has_several_stops() -> None:
    story = Story(quantity_max="4.05")
    story.bought("10", stop="90")

    assert settled(story) == [D(2), D(4), D(4)]

    story.bought("1.5", stop="90")

    assert settled(story) == [D("3.5"), D(4), D(4)], "one for both takes the place of the smallest"


@given(st.lists(st.decimals("0.1", "9", places=1), min_size=1, max_size=8), st.decimals("0.5", "6", places=2))
def test_however_it_was_bought_and_sold_at_its_stop_few_stops_cover_what_they_may(
    parts: list[Decimal], most: Decimal
) -> None:
    story = Story(quantity_max=str(most))
    largest = floor_to(most, D("0.1"))
    for part in parts:
        story.bought(str(part), stop="90", target=None)
        stops = settled(story)
        held = story.known.plan_of("one", "COINUSDT").held

        assert max(stops, default=D(0)) <= largest
        assert len(stops) <= FULL_STOPS_MAX
        assert sum(stops) <= held
        assert sum(stops) > held - D("0.1") or len(stops) == FULL_STOPS_MAX


@pytest.mark.parametrize(("gone", "rests"), [("10", []), ("4", ["6"]), ("9.95", [])])
def test_no_stop_sells_more_than_is_held(gone: str, rests: list[str]) -> None:
    """Somebody else may have sold what is free, another strategy's, while this one's stop held on to its own."""
    story, stop = a_protected_position()
    story.known.adopt("one", "COINUSDT", -D(gone), story.next())

    cancel = story.only()
    story.take(cancel)
    story.known.end(stop, "canceled", story.next(), 1_000)
    placed = [step.terms.quantity for step in story.steps() if isinstance(step, Place)]

    assert isinstance(cancel, Cancel)
    assert cancel.client_id == stop
    assert placed == [D(each) for each in rests]


def test_what_is_more_than_all_stops_may_be_for_is_left_at_the_stop_price() -> None:
    story = Story(quantity_max="2")
    story.bought("10", stop="90")

    assert settled(story) == [D(2)] * FULL_STOPS_MAX

    story.known.closes["COINUSDT"] = D(89)
    step = story.only()

    assert isinstance(step, Leave)
    assert step.why.startswith("stop passed")


def test_what_is_more_than_one_order_may_be_for_is_sold_in_several_one_after_the_other() -> None:
    story = Story(quantity_max="4")
    story.bought("10", stop=None, target=None)
    story.known.wish_exit("one", Exit("COINUSDT", 2_000, None, "enough"), story.next())
    story.take(story.only())

    sold = []
    while not isinstance(step := story.only(), EndLeaving):
        assert isinstance(step, Place)
        sold.append(step.terms.quantity)
        client_id = story.take(step)
        story.known.accept(client_id, f"v{client_id}")
        if story.known.plan_of("one", "COINUSDT").held - step.terms.quantity > 4:
            assert story.steps() == []
        story.fill(client_id, str(step.terms.quantity))

    assert sold == [D(4), D(4), D(2)]


def test_a_stop_that_could_not_rest_is_left_at_the_market_once_its_price_is_reached() -> None:
    story = Story()
    story.bought(stop="90")
    story.known.refuse(story.place(), story.next(), 1_000)
    assert story.steps() == []

    story.known.closes["COINUSDT"] = D(89)
    leave = story.only()
    story.take(leave)
    sell = story.only()

    assert isinstance(leave, Leave)
    assert isinstance(sell, Place)
    assert (sell.terms.leg, sell.terms.type, sell.terms.quantity) == ("exit", "market", D(10))


def test_who_leaves_does_not_wait_for_a_stop_that_was_refused() -> None:
    story = Story()
    story.bought(stop="90")
    story.known.refuse(story.place(), story.next(), 1_000)
    story.known.wish_exit("one", Exit("COINUSDT", 2_000, None, "enough"), story.next())
    story.take(story.only())

    sell = story.only()
    story.known.refuse(story.take(sell), story.next(), 1_000)

    assert isinstance(sell, Place)
    assert sell.terms.leg == "exit"
    assert story.steps() == [], "an exit that was refused itself waits"


@pytest.mark.parametrize("state", ["expired", "canceled"])
def test_an_exit_that_the_venue_ends_with_nothing_sold_is_tried_again_less_and_less_often(state: Any) -> None:
    """A market without buyers, or with none but ourselves: who sells into it again at once does so for ever."""
    story, stop = a_protected_position()
    story.known.wish_exit("one", Exit("COINUSDT", 2_000, None, "enough"), story.next())
    story.take(story.only())
    story.take(story.only())
    story.known.end(stop, "canceled", story.next(), 1_000)

    now, pauses = 1_000, []
    for _ in range(7):
        client_id = story.take(story.only(now))
        story.known.accept(client_id, "v2")
        story.known.end(client_id, state, story.next(), now)
        assert story.steps(now) == []
        now, before = story.known.plan_of("one", "COINUSDT").not_before, now
        pauses.append(now - before)
    story.fill(story.take(story.only(now)), "10")

    assert pauses == [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
    assert story.known.plan_of("one", "COINUSDT").refusals == 0


def test_an_exit_that_was_called_off_or_has_sold_some_is_followed_by_the_next_at_once() -> None:
    story, stop = a_protected_position()
    story.known.wish_exit("one", Exit("COINUSDT", 2_000, None, "enough"), story.next())
    story.take(story.only())
    story.take(story.only())
    story.known.end(stop, "canceled", story.next(), 1_000)
    exit_id = story.place()
    story.fill(exit_id, "4")
    story.known.end(exit_id, "expired", story.next(), 1_000)

    second = story.place()
    story.known.stop_leaving("keep it", story.next())
    story.take(story.only())
    story.known.end(second, "canceled", story.next(), 1_000)
    third = story.only()

    assert isinstance(third, Place)
    assert (third.terms.leg, third.terms.quantity) == ("stop", D(6))


def test_a_price_from_before_it_was_bought_is_no_reason_to_leave_what_has_no_stop_yet() -> None:
    story = Story()
    story.bought(stop="90")
    story.known.refuse(story.place(), story.next(), 1_000)

    story.known.closes["COINUSDT"], story.known.closed_at["COINUSDT"] = D(89), 999

    assert story.steps() == []


def test_a_stop_that_rests_is_the_venues_to_watch_where_it_refuses_those_that_come_too_late() -> None:
    story, stop = a_protected_position()
    story.known.closes["COINUSDT"] = D(80)

    assert story.steps() == []
    (leave,) = next_steps(story.known, msgspec.structs.replace(HERE, watches_stops=True))
    story.take(leave)
    cancel = story.only()

    assert isinstance(leave, Leave)
    assert isinstance(cancel, Cancel)
    assert cancel.client_id == stop


def test_where_stops_are_watched_none_is_placed_that_comes_too_late() -> None:
    story = Story()
    story.bought(stop="90")
    story.known.closes["COINUSDT"] = D(90)

    (leave,) = next_steps(story.known, msgspec.structs.replace(HERE, watches_stops=True))
    story.take(leave)
    sell = story.only()

    assert isinstance(leave, Leave)
    assert isinstance(sell, Place)
    assert sell.terms.leg == "exit"


def test_leaving_cancels_the_stop_waits_for_the_proof_and_then_sells() -> None:
    story, stop = a_protected_position()
    story.known.wish_exit("one", Exit("COINUSDT", 2_000, None, "enough"), story.next())

    leave = story.only()
    story.take(leave)
    cancel = story.only()
    story.take(cancel)
    while_canceling = story.steps()
    story.known.end(stop, "canceled", story.next(), 1_000)
    sell = story.only()

    assert isinstance(leave, Leave)
    assert isinstance(cancel, Cancel)
    assert while_canceling == []
    assert isinstance(sell, Place)
    assert (sell.terms.leg, sell.terms.type, sell.terms.quantity) == ("exit", "market", D(10))


def test_a_take_profit_that_is_reached_leaves_the_position() -> None:
    story, _ = a_protected_position()
    story.known.closes["COINUSDT"] = D(120)

    step = story.only()

    assert isinstance(step, Leave)


def test_nothing_is_begun_while_the_fate_of_an_order_is_unknown() -> None:
    story, stop = a_protected_position()
    story.known.orders[stop].state = "unresolved"
    story.known.closes["COINUSDT"] = D(120)
    story.approve()

    (step,) = story.steps()

    assert isinstance(step, Deny)
    assert step.reason == "UNRESOLVED_ORDER"


def test_an_entry_decided_before_a_halt_was_heard_of_is_canceled() -> None:
    story = Story()
    story.approve()
    step = story.only()
    seen = story.seq
    story.known.stop_entries("an operator", story.next())

    client_id = story.take(step, seen=seen)
    story.known.accept(client_id, "v1")
    after = story.only()

    assert isinstance(after, Cancel)
    assert after.client_id == client_id


def test_what_an_entry_still_buys_after_a_flatten_is_left_again() -> None:
    story = Story()
    story.approve()
    step = story.only()
    seen = story.seq
    story.known.wish_flat("", "an operator", 9_000, story.next())
    client_id = story.take(step, seen=seen)
    story.known.accept(client_id, "v1")

    story.fill(client_id, "10")
    after = story.only()

    assert isinstance(after, Leave)


def test_an_approval_from_before_a_flatten_is_not_placed_after_it() -> None:
    story = Story()
    story.approve()
    story.known.wish_flat("COINUSDT", "an operator", 9_000, story.next())

    step = story.only()

    assert isinstance(step, Deny)
    assert step.reason == "BREAKER_NOT_ACTIVE"


def test_an_entry_that_never_fills_leaves_the_stop_of_what_is_held() -> None:
    story, _ = a_protected_position()
    story.approve(stop=None, target=None)
    client_id = story.take(story.only())

    story.known.refuse(client_id, story.next(), 1_000)
    plan = story.known.plans["one|COINUSDT"]

    assert (plan.stop_price, plan.take_profit) == (D(90), D(120))


def test_an_added_entry_without_a_stop_keeps_the_one_there_is() -> None:
    story, _ = a_protected_position()
    story.bought(stop=None, target=None)
    plan = story.known.plans["one|COINUSDT"]

    assert (plan.stop_price, plan.take_profit) == (D(90), D(120))


def test_a_wish_that_comes_too_late_takes_no_protection_away() -> None:
    story, _ = a_protected_position()
    story.known.wish_exit("one", Exit("COINUSDT", 2_000, None, "enough"), story.next())

    story.take(story.only(now=3_000))
    plan = story.known.plans["one|COINUSDT"]

    assert (plan.stop_price, plan.take_profit, plan.wish) == (D(90), D(120), None)
    assert story.steps(now=3_000) == []


def test_a_smaller_wish_does_not_narrow_a_position_that_is_being_left() -> None:
    story, _ = a_protected_position()
    story.known.wish_exit("one", Exit("COINUSDT", 2_000, None, "all"), story.next())
    story.take(story.only())

    story.known.wish_exit("one", Exit("COINUSDT", 2_000, D(1), "some"), story.next())

    assert story.known.plans["one|COINUSDT"].exit_left is None
    assert story.known.plans["one|COINUSDT"].wish is None


def test_an_exit_that_is_called_off_is_protected_again() -> None:
    story, stop = a_protected_position()
    story.known.wish_exit("one", Exit("COINUSDT", 2_000, None, "enough"), story.next())
    story.take(story.only())
    story.take(story.only())
    story.known.end(stop, "canceled", story.next(), 1_000)
    exit_id = story.place()

    story.known.stop_leaving("an operator", story.next())
    cancel = story.only()
    story.take(cancel)
    story.known.end(exit_id, "canceled", story.next(), 1_000)
    after = story.only()

    assert isinstance(cancel, Cancel)
    assert isinstance(after, Place)
    assert after.terms.leg == "stop"


def test_exits_that_are_called_off_together_are_protected_by_orders_of_different_ids() -> None:
    story = Story()
    for strategy in ("one", "two"):
        story.bought(strategy=strategy)
        stop = story.place()
        story.take(Leave(strategy, "COINUSDT", "wanted"))
        story.take(story.only())
        story.known.end(stop, "canceled", story.next(), 1_000)
        # The exit is not placed yet: nothing of this plan is at the venue.
        story.known.plans[f"{strategy}|COINUSDT"].not_before = 2_000
    story.known.stop_leaving("an operator", story.next())

    placed = [step for step in story.steps(now=2_000) if isinstance(step, Place)]
    assert [(step.terms.strategy, step.terms.leg) for step in placed] == [("one", "stop"), ("two", "stop")]
    assert len({step.terms.client_id for step in placed}) == 2


def test_an_exit_is_taken_up_before_an_entry_of_the_same_answer() -> None:
    story, _ = a_protected_position()
    story.known.wish_exit("one", Exit("COINUSDT", 2_000, None, "turn"), story.next())
    story.approve()

    (first,) = story.steps()
    story.take(first)
    kinds = {type(step) for step in story.steps()}

    assert isinstance(first, Leave)
    assert kinds == {Cancel, Deny}


def test_the_end_of_an_exit_counts_only_if_nothing_has_changed_since() -> None:
    story, _ = a_protected_position()
    story.approve()
    entry = story.place()
    story.known.wish_exit("one", Exit("COINUSDT", 2_000, None, "enough"), story.next())
    story.take(next(step for step in story.steps() if isinstance(step, Leave)))
    seen = story.seq

    story.fill(entry, "10")
    story.take(EndLeaving("one", "COINUSDT", D(0)), seen=seen)
    plan = story.known.plans["one|COINUSDT"]

    assert (plan.exit_why, plan.stop_price) == ("enough", D(90))


def test_an_entry_whose_stop_was_hit_buys_no_more() -> None:
    story = Story()
    story.approve()
    entry = story.place()
    story.fill(entry, "4")
    stop = story.place()

    story.fill(stop, "4", "89")
    step = story.only()

    assert isinstance(step, Cancel)
    assert step.client_id == entry


def take_over(story: Story, strategy: str = "one", *, quantity: str = "10") -> None:
    held = HeldPosition(strategy, "COINUSDT", D(quantity), D(100), stop_price=D("90.005"), take_profit=D(120))
    story.known.take_over(held, story.next())


def test_what_was_taken_over_is_covered_by_a_stop_once_the_market_has_shown_a_price() -> None:
    story = Story()
    story.known.closes = {}
    take_over(story, quantity="10.05")

    before = story.steps()
    story.known.closes["COINUSDT"] = D(100)
    step = story.only()

    assert before == []
    assert isinstance(step, Place)
    assert (step.terms.leg, step.terms.type, step.terms.quantity, step.terms.stop_price) == (
        "stop",
        "stop",
        D(10),
        D(90),
    )
    assert step.ordered_by == 1
    story.take(step)
    assert story.steps() == []


def test_what_was_taken_over_is_left_at_its_target() -> None:
    story = Story()
    take_over(story)
    story.known.closes["COINUSDT"] = D(120)

    step = story.only()

    assert isinstance(step, Leave)


def test_stops_of_several_positions_that_were_taken_over_have_ids_of_their_own() -> None:
    story = Story()
    for strategy in ("one", "two", "three"):
        take_over(story, strategy)

    steps = story.steps()

    assert len({step.terms.client_id for step in steps if isinstance(step, Place)}) == 3


def test_an_exit_that_crosses_its_calling_off_is_cancelled_before_a_stop_covers_what_is_left() -> None:
    story, stop = a_protected_position()
    story.known.wish_exit("one", Exit("COINUSDT", 5_000, D(4), "half"), story.next())
    story.take(story.only())
    story.take(story.only())
    story.known.end(stop, "canceled", story.next(), 1_000)
    exit_order = story.only()

    story.known.stop_leaving("an operator", story.next())
    client_id = story.take(exit_order, seen=story.seq - 1)
    story.known.accept(client_id, "v2")
    cancel = story.only()
    story.take(cancel)
    meanwhile = story.steps()
    story.known.end(client_id, "canceled", story.next(), 1_000)
    protects = story.only()

    assert isinstance(exit_order, Place) and (exit_order.terms.leg, exit_order.terms.quantity) == ("exit", D(4))
    assert isinstance(cancel, Cancel) and cancel.client_id == client_id
    assert meanwhile == []
    assert isinstance(protects, Place) and (protects.terms.leg, protects.terms.quantity) == ("stop", D(10))


def a_position_left_in_part(quantity: str = "4") -> tuple[Story, str]:
    """Return a story in which an exit of a part rests, and its client id."""
    story, stop = a_protected_position()
    story.known.wish_exit("one", Exit("COINUSDT", 2_000, D(quantity), "some"), story.next())
    story.take(story.only())
    story.take(story.only())
    story.known.end(stop, "canceled", story.next(), 1_000)
    return story, story.place()


def test_what_stays_of_a_position_that_is_left_in_part_is_protected_while_the_rest_is_sold() -> None:
    story, exit_id = a_position_left_in_part()

    stop = story.only()
    story.place()
    story.fill(exit_id, "1")
    between = story.steps()
    story.fill(exit_id, "3")
    end = story.only()
    story.take(end)

    assert isinstance(stop, Place)
    assert (stop.terms.leg, stop.terms.quantity, stop.terms.stop_price) == ("stop", D(6), D(90))
    assert between == []
    assert isinstance(end, EndLeaving)
    assert story.steps() == []


def test_what_an_exit_still_sells_is_covered_by_no_stop_when_less_is_to_be_left_than_that() -> None:
    story, _ = a_position_left_in_part("4")

    story.known.wish_exit("one", Exit("COINUSDT", 2_000, D(1), "less"), story.next())
    story.take(story.only())
    stop = story.only()

    assert isinstance(stop, Place)
    assert (stop.terms.leg, stop.terms.quantity) == ("stop", D(6))


def test_a_stop_that_is_refused_while_a_part_is_sold_is_not_tried_again_at_once() -> None:
    story, _ = a_position_left_in_part()
    stop = story.take(story.only())

    story.known.refuse(stop, story.next(), 1_000)

    assert story.steps() == []
    assert isinstance(story.only(now=1_000 + RETRY_AFTER_MS), Place)


def test_who_wants_all_left_while_a_part_is_sold_has_the_rest_sold_at_once_too() -> None:
    story, _ = a_position_left_in_part()
    story.place()

    story.known.wish_exit("one", Exit("COINUSDT", 2_000, None, "all"), story.next())
    story.take(story.only())
    cancel = story.only()
    story.take(cancel)
    assert isinstance(cancel, Cancel)
    story.known.end(cancel.client_id, "canceled", story.next(), 1_000)
    rest = story.only()

    assert isinstance(rest, Place)
    assert (rest.terms.leg, rest.terms.quantity) == ("exit", D(6))


def test_a_part_that_a_strategy_wants_left_does_not_narrow_the_whole_that_an_operator_wants_left() -> None:
    story, _ = a_protected_position()
    story.known.wish_flat("COINUSDT", "an operator", 2_000, story.next())
    story.known.wish_exit("one", Exit("COINUSDT", 2_000, D(1), "some"), story.next())
    leave = story.only()

    assert isinstance(leave, Leave)
    assert (leave.why, leave.quantity) == ("an operator", None)


def test_a_part_that_was_wished_before_all_was_seen_to_be_left_is_forgotten() -> None:
    story, _ = a_protected_position()
    story.known.closes["COINUSDT"] = D(120)
    leave, seen = story.only(), story.seq
    story.known.wish_exit("one", Exit("COINUSDT", 2_000, D(1), "some"), story.next())

    story.take(leave, seen=seen)

    assert isinstance(story.only(), Cancel)
    assert story.known.plans["one|COINUSDT"].exit_left is None
