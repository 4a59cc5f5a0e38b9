"""The laws of the breaker: it gives each entry one verdict, fails closed, and measures each against those before."""

import random
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from actors.breaker import Breaker
from actors.breaker_memory import BreakerMemory, BreakerState
from domain.limits import Limits
from domain.market import DAY_MS, HOUR_MS, MINUTE_MS
from domain.proposal import Exit, Reason
from messages.base import Event
from messages.market import BarsClosed
from messages.node import BreakerAsked, PartGaveUp
from messages.orders import (
    OrderAbsent,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnresolved,
)
from messages.positions import AccountOpened
from messages.risk import BreakerReset, BreakerTripped, OrderApproved, OrderDenied
from messages.watch import InvariantViolated
from tests.actors.alone import Alone
from tests.actors.values import (
    INSTRUMENTS,
    RESTORED,
    SALVAGED,
    T0,
    D,
    a_bar,
    a_fill,
    an_entry,
    answered,
    approved,
    bars_closed,
    commanded,
    intended,
    some_terms,
)

LIMITS = Limits(
    price_collar=D("0.02"),
    order_notional_max=D(5_000),
    exposure_max=D("0.5"),
    symbol_exposure_max=D("0.4"),
    daily_loss_max=D("0.05"),
    drawdown_max=D("0.2"),
    stale_after_ms=5 * MINUTE_MS,
    symbols_allowed=tuple(INSTRUMENTS),
    market_lock=D(0),
    fee_lock=D(0),
)
OPENED = AccountOpened(cash={"USDT": D(10_000)}, quote="USDT")
BOTH = BarsClosed(at=T0, bars=(a_bar(), a_bar(symbol="GOLDUSDT")))
PROPOSAL = approved().proposal_id
VIOLATED = InvariantViolated("P1", "a law", "one|COINUSDT", "1", "2", (1,), "look")


def a_breaker(*past: Event, at: int = T0, only: Sequence[str] = (), **limits: Any) -> Alone:
    """Return a breaker that has come to life with this past, market time being `at`, for all symbols or for `only`."""
    alone = Alone("breaker", lambda system, seat: new_breaker(system, seat, limits, only))
    alone.happen(*past, at=at)
    return alone.live()


def new_breaker(system: Any, seat: Any, limits: dict[str, Any], only: Sequence[str] = ()) -> Breaker:
    return Breaker(
        system,
        seat,
        memory=BreakerMemory(INSTRUMENTS, "USDT"),
        instruments={symbol: INSTRUMENTS[symbol] for symbol in only} if only else INSTRUMENTS,
        limits=msgspec.structs.replace(LIMITS, **limits),
    )


def known(alone: Alone) -> BreakerState:
    return msgspec.json.decode(alone.ask(BreakerAsked()), type=BreakerState)


def reasons(alone: Alone) -> list[Reason]:
    return [denied.reason for denied in alone.said_of(OrderDenied)]


def quantities(alone: Alone) -> list[Any]:
    return [verdict.quantity for verdict in alone.said_of(OrderApproved)]


def filled(quantity: str, trade: str = "t1", **changes: Any) -> OrderFilled:
    return OrderFilled(a_fill("h1", quantity, trade, **changes), "one", "answer")


# -- verdicts --------------------------------------------------------------------------------------------------------


def test_an_entry_within_all_limits_is_approved_once_and_its_cost_set_aside() -> None:
    alone = a_breaker(OPENED, BOTH)

    alone.happen(answered(an_entry(3)))

    (verdict,) = alone.said
    assert verdict == msgspec.structs.replace(approved(an_entry(3)), quantity=D(3), reserved=D(300))
    assert known(alone).reservations.total == 300


def test_an_exit_is_not_judged() -> None:
    alone = a_breaker(OPENED, BOTH)

    alone.happen(answered(Exit("COINUSDT", T0 + MINUTE_MS)))

    assert alone.said == []


OLD = bars_closed(T0 - 6 * MINUTE_MS)
FAILS_CLOSED: list[tuple[str, Reason, list[Event]]] = [
    ("no price of the symbol", "NO_PRICE", [OPENED, bars_closed(symbol="GOLDUSDT")]),
    (
        "a price that is too old",
        "STALE_MARKET",
        [OPENED, bars_closed(T0 - 6 * MINUTE_MS), bars_closed(symbol="GOLDUSDT")],
    ),
    ("an account that is not known", "NO_PRICE", [BOTH]),
    ("an asset that is held and has no price", "NO_PRICE", [OPENED, bars_closed(), filled("1", symbol="GOLDUSDT")]),
    ("a loss of the day", "DAILY_LOSS", [OPENED, BOTH, BreakerTripped("daily_loss", D("0.06"), D("0.05"))]),
    ("a drawdown", "DRAWDOWN", [OPENED, BOTH, BreakerTripped("drawdown", D("0.3"), D("0.2"))]),
    ("a halt", "BREAKER_NOT_ACTIVE", [OPENED, BOTH, commanded("halt")]),
    ("a pause", "BREAKER_NOT_ACTIVE", [OPENED, BOTH, commanded("pause")]),
    ("a part that gave up", "BREAKER_NOT_ACTIVE", [OPENED, BOTH, PartGaveUp("market", "feed: a test")]),
    ("a law that did not hold", "BREAKER_NOT_ACTIVE", [OPENED, BOTH, VIOLATED]),
    (
        "an order of unknown fate",
        "UNRESOLVED_ORDER",
        [OPENED, BOTH, approved(index=7), intended(), OrderUnresolved("h1", "a reset")],
    ),
    ("an entry of the strategy in flight", "ENTRY_IN_FLIGHT", [OPENED, BOTH, approved(index=7)]),
]


@pytest.mark.parametrize(("why", "reason", "past"), FAILS_CLOSED)
def test_an_entry_is_denied_because_of(why: str, reason: Reason, past: list[Event]) -> None:
    alone = a_breaker(*past)

    alone.happen(answered(an_entry()))

    assert reasons(alone) == [reason], why
    assert alone.said_of(OrderApproved) == [], why


@pytest.mark.parametrize(
    ("reason", "entry", "limits"),
    [
        ("NO_TRADE", {}, {"no_trade": True}),
        ("SYMBOL_NOT_ALLOWED", {"symbol": "SANDUSDT"}, {}),
        ("SYMBOL_NOT_ALLOWED", {}, {"symbols_allowed": ("GOLDUSDT",)}),
        ("EXPIRED", {"good_until": T0 - 1}, {}),
        ("PRICE_COLLAR", {"price": D(103)}, {}),
        ("TOO_SMALL", {"quantity": D("0.001")}, {}),
    ],
)
def test_an_entry_that_cannot_be_is_denied_with_its_code(
    reason: Reason, entry: dict[str, Any], limits: dict[str, Any]
) -> None:
    alone = a_breaker(OPENED, BOTH, **limits)

    alone.happen(answered(an_entry(**entry)))

    assert reasons(alone) == [reason]


def test_an_entry_that_waited_past_its_time_while_the_breaker_was_down_is_denied() -> None:
    alone = a_breaker(OPENED, BOTH, answered(an_entry(good_until=T0 + 1)), at=T0 + MINUTE_MS)

    assert reasons(alone) == ["EXPIRED"]


# -- one after another -----------------------------------------------------------------------------------------------


def test_the_second_of_two_entries_is_measured_against_what_the_first_has_set_aside() -> None:
    alone = a_breaker(OPENED, BOTH)

    alone.happen(answered(an_entry(40), an_entry(40, symbol="GOLDUSDT")))

    assert [(verdict.entry.symbol, verdict.reduced_by) for verdict in alone.said_of(OrderApproved)] == [
        ("COINUSDT", None),
        ("GOLDUSDT", "EXPOSURE_LIMIT"),
    ]
    assert quantities(alone) == [40, 10]


def test_the_second_of_two_entries_finds_only_the_cash_that_the_first_has_left() -> None:
    mostly_coins = AccountOpened(cash={"USDT": D(1_000), "COIN": D(90)}, quote="USDT")
    alone = a_breaker(mostly_coins, BOTH)

    alone.happen(answered(an_entry(8), an_entry(8, symbol="GOLDUSDT")))

    assert [verdict.reduced_by for verdict in alone.said_of(OrderApproved)] == [None, "NOT_ENOUGH_CASH"]
    assert quantities(alone) == [8, 2]


def test_entries_of_two_strategies_in_one_symbol_share_its_limit() -> None:
    alone = a_breaker(OPENED, BOTH)

    alone.happen(answered(an_entry(30)), answered(an_entry(30), strategy="two"))

    assert quantities(alone) == [30, 10]
    assert alone.said_of(OrderApproved)[1].reduced_by == "SYMBOL_EXPOSURE_LIMIT"


def test_a_second_entry_of_a_strategy_in_a_symbol_waits_for_the_end_of_the_first() -> None:
    alone = a_breaker(OPENED, BOTH)

    alone.happen(answered(an_entry(), an_entry()))

    assert quantities(alone) == [1]
    assert reasons(alone) == ["ENTRY_IN_FLIGHT"]


def test_verdicts_are_the_same_for_a_breaker_that_dies_after_each() -> None:
    answer = answered(an_entry(40), an_entry(40, symbol="GOLDUSDT"), an_entry())
    spared = a_breaker(OPENED, BOTH)
    spared.happen(answer)

    for events in range(1, 4):
        alone = a_breaker(OPENED, BOTH)
        alone.crash_after(events)
        alone.happen(answer)

        assert alone.said == spared.said
    assert len(spared.said) == 3


def test_a_verdict_that_was_not_released_is_given_by_the_next_life() -> None:
    alone = a_breaker(OPENED, BOTH)

    alone.happen_amid_a_crash(answered(an_entry()))

    assert quantities(alone) == [1]
    assert known(alone).reservations.total == 100


@pytest.mark.parametrize(
    "end",
    [
        OrderCanceled("h1", "answer"),
        OrderExpired("h1", "report"),
        OrderRejected("h1", "NO", "no", "answer"),
        filled("3"),
    ],
    ids=lambda end: type(end).__name__,
)
def test_the_end_of_an_order_lets_go_of_what_was_set_aside(end: Event) -> None:
    alone = a_breaker(OPENED, BOTH)
    alone.happen(answered(an_entry(3)))
    alone.happen(intended(some_terms(quantity=3), PROPOSAL))

    alone.happen(end)

    assert known(alone).reservations.total == 0
    assert known(alone).in_flight == {}
    assert known(alone).orders == {}


def never_come_to_be(alone: Alone) -> None:
    """Have an entry approved that takes all the room of its symbol, and whose order proves absent."""
    alone.happen(answered(an_entry(40)))
    alone.happen(intended(some_terms(quantity=40), PROPOSAL))
    alone.happen(OrderAbsent("h1", "a test", PROPOSAL))


def test_an_entry_that_never_came_to_be_keeps_its_room_until_it_is_offered_again() -> None:
    alone = a_breaker(OPENED, BOTH)
    never_come_to_be(alone)

    alone.happen(answered(an_entry(100), strategy="two"))
    alone.happen(answered(an_entry(40), attempt=1))

    assert [(event.strategy, event.quantity) for event in alone.said_of(OrderApproved)] == [("one", 40), ("one", 40)]
    assert known(alone).void == {}


@pytest.mark.parametrize("together", [False, True])
def test_the_room_of_what_nobody_is_asked_for_again_ends_with_the_next_bars(together: bool) -> None:
    alone = a_breaker(OPENED, BOTH)
    never_come_to_be(alone)

    later = T0 + MINUTE_MS
    if together:
        breaker = alone.system.actor("breaker")
        assert isinstance(breaker, Breaker)
        breaker.take_run([(later, (a_bar(later),)), (later + MINUTE_MS, (a_bar(later + MINUTE_MS),))])
    else:
        alone.happen(bars_closed(later))

    assert known(alone).void == {}
    assert known(alone).reservations.total == 0


def test_an_approval_that_the_executor_denied_lets_go_of_what_was_set_aside() -> None:
    alone = a_breaker(OPENED, BOTH)
    alone.happen(answered(an_entry(3)))

    alone.happen(OrderDenied(PROPOSAL, "one", "COINUSDT", "EXPIRED", "a test"))

    assert known(alone).reservations.total == 0
    assert known(alone).in_flight == {}


def test_a_part_that_has_filled_counts_as_held_and_the_rest_as_set_aside() -> None:
    alone = a_breaker(OPENED, BOTH)
    alone.happen(answered(an_entry(30)))
    alone.happen(intended(some_terms(quantity=30), PROPOSAL), filled("10"))

    alone.happen(answered(an_entry(100), strategy="two"))

    assert known(alone).reservations.by_proposal[PROPOSAL].amount == 2_000
    assert quantities(alone) == [30, 10]


def test_a_trade_that_comes_after_its_order_was_cancelled_counts_as_held() -> None:
    alone = a_breaker(OPENED, BOTH)
    alone.happen(answered(an_entry(30)))
    alone.happen(intended(some_terms(quantity=30), PROPOSAL), OrderCanceled("h1", "answer"))

    alone.happen(filled("30"))
    alone.happen(answered(an_entry(100), at=T0 + 1))

    assert quantities(alone) == [30, 10]


def test_an_order_of_unknown_fate_keeps_its_symbol_closed_until_the_venue_was_heard_of_it() -> None:
    alone = a_breaker(OPENED, BOTH, approved(), intended(some_terms(), PROPOSAL), OrderUnresolved("h1", "a reset"))

    alone.happen(answered(an_entry(), strategy="two"), answered(an_entry(symbol="GOLDUSDT"), strategy="two", attempt=1))
    alone.happen(OrderAccepted("h1", "v1", "lookup"))
    alone.happen(answered(an_entry(), strategy="two", attempt=2))

    assert reasons(alone) == ["UNRESOLVED_ORDER"]
    assert [verdict.entry.symbol for verdict in alone.said_of(OrderApproved)] == ["GOLDUSDT", "COINUSDT"]


# -- losses and orders of operators ----------------------------------------------------------------------------------

HELD: tuple[Event, ...] = (OPENED, BOTH, filled("50"))
"""Half of ten thousand is held at a price of 100: a fall to 90 is a loss of five percent."""


def test_a_loss_at_its_limit_trips_once_and_entries_are_denied_though_it_recovers() -> None:
    alone = a_breaker(*HELD)

    alone.happen(bars_closed(T0 + MINUTE_MS, 90), at=T0 + MINUTE_MS)
    alone.happen(bars_closed(T0 + 2 * MINUTE_MS, 100), at=T0 + 2 * MINUTE_MS)
    alone.happen(answered(an_entry()))

    assert alone.said_of(BreakerTripped) == [BreakerTripped("daily_loss", D("0.05"), D("0.05"))]
    assert reasons(alone) == ["DAILY_LOSS"]
    assert known(alone).mode == "reduce_only"


def test_an_entry_offered_with_the_bar_that_trips_is_denied() -> None:
    alone = a_breaker(*HELD)

    alone.stage.clock.advance_market(T0 + MINUTE_MS)
    alone.happen(bars_closed(T0 + MINUTE_MS, 90), answered(an_entry(price=D(90))))

    assert [type(event) for event in alone.said] == [BreakerTripped, OrderDenied]


def test_a_new_day_ends_the_loss_of_the_day_on_record_and_not_a_drawdown() -> None:
    alone = a_breaker(*HELD)
    alone.happen(bars_closed(T0 + HOUR_MS, 50), at=T0 + HOUR_MS)

    alone.happen(bars_closed(T0 + DAY_MS, 50), at=T0 + DAY_MS)
    alone.happen(answered(an_entry(price=D(50), good_until=T0 + 2 * DAY_MS)))

    assert [trip.limit for trip in alone.said_of(BreakerTripped)] == ["daily_loss", "drawdown"]
    assert alone.said_of(BreakerReset) == [BreakerReset("daily_loss", "a new day began")]
    assert reasons(alone) == ["DRAWDOWN"]


def test_a_resume_ends_trips_pauses_and_halts_and_measures_losses_anew() -> None:
    alone = a_breaker(*HELD, commanded("pause"), commanded("halt"), PartGaveUp("market", "a test"))
    alone.happen(bars_closed(T0 + MINUTE_MS, 50), at=T0 + MINUTE_MS)

    alone.happen(commanded("resume"))
    alone.happen(bars_closed(T0 + 2 * MINUTE_MS, 49), at=T0 + 2 * MINUTE_MS)

    assert known(alone).mode == "active"
    assert len(alone.said_of(BreakerTripped)) == 2


def test_a_trip_is_recorded_once_by_a_breaker_that_dies_after_it() -> None:
    alone = a_breaker(*HELD)
    alone.crash_after(1)

    alone.happen(bars_closed(T0 + MINUTE_MS, 90), at=T0 + MINUTE_MS)

    assert len(alone.said_of(BreakerTripped)) == 1
    assert known(alone).watch.tripped == ["daily_loss"]


def test_a_limit_that_was_lowered_below_the_loss_of_the_day_trips_at_once() -> None:
    limits: dict[str, Any] = {}
    alone = Alone("breaker", lambda system, seat: new_breaker(system, seat, limits))
    alone.happen(*HELD, bars_closed(T0 + MINUTE_MS, 98), at=T0 + MINUTE_MS)
    alone.live()

    limits["daily_loss_max"] = D("0.01")
    alone.crash()

    assert [(trip.limit, trip.allowed) for trip in alone.said_of(BreakerTripped)] == [("daily_loss", D("0.01"))]


@pytest.mark.parametrize(
    ("past", "mode"),
    [
        ([], "active"),
        ([commanded("pause")], "paused"),
        ([commanded("pause"), PartGaveUp("market", "a test")], "reduce_only"),
        ([VIOLATED], "reduce_only"),
        ([VIOLATED, commanded("halt")], "halted"),
        ([VIOLATED, commanded("resume")], "active"),
        ([msgspec.structs.replace(VIOLATED, code="O7", reduces=False)], "active"),
        ([commanded("pause"), PartGaveUp("market", "a test"), commanded("halt")], "halted"),
        ([commanded("halt"), BreakerTripped("drawdown", D("0.3"), D("0.2"))], "halted"),
        ([commanded("halt"), commanded("resume")], "active"),
    ],
)
def test_the_gravest_state_is_the_one_that_is_told(past: list[Event], mode: str) -> None:
    alone = a_breaker(OPENED, BOTH, *past)

    alone.crash()

    assert known(alone).mode == mode


@pytest.mark.parametrize("seed", range(40))
def test_closings_that_are_counted_as_idle_trip_nothing(seed: int) -> None:
    draw, close, closes = random.Random(seed), 100.0, list[str]()
    for _ in range(60):
        close *= 1 + draw.gauss(0, 0.02)
        closes.append(f"{close:.2f}")
    run = [(at, (a_bar(at, each),)) for place, each in enumerate(closes) if (at := T0 + (place + 1) * MINUTE_MS)]
    bought = OrderFilled(fill=a_fill(quantity=80), strategy="one", evidence="report")
    alone = a_breaker(OPENED, BOTH, bought, drawdown_max=D("0.08"), daily_loss_max=D("0.07"))
    breaker = alone.system.actor("breaker")
    assert isinstance(breaker, Breaker)

    idle = breaker.count_idle(run)

    memory, trips = breaker.remembered, list[int]()
    assert isinstance(memory, BreakerMemory)
    for place, (at, bars) in enumerate(run):
        memory.take_bars(at, bars)
        trips += [place] if memory.state.watch.crossed(daily_loss_max=D("0.07"), drawdown_max=D("0.08")) else []
    assert idle == min(trips, default=len(run))


@pytest.mark.parametrize("seed", range(5))
def test_closings_that_are_taken_together_leave_what_each_would_leave(seed: int) -> None:
    draw = random.Random(seed)
    run = [(at, (a_bar(at, draw.randrange(95, 105)),)) for at in range(T0 + MINUTE_MS, T0 + 20 * MINUTE_MS, MINUTE_MS)]
    bought = OrderFilled(fill=a_fill(quantity=5), strategy="one", evidence="report")
    together, apart = (a_breaker(OPENED, BOTH, bought, only=("COINUSDT",)).system.actor("breaker") for _ in range(2))
    assert isinstance(together, Breaker)
    assert isinstance(apart, Breaker)

    together.take_run(run)

    for closing in run:
        apart.take_run([closing])
    assert together.remembered.save() == apart.remembered.save()


@pytest.mark.parametrize("seed", range(40))
def test_closings_that_follow_each_other_come_to_the_same_together_and_one_by_one(seed: int) -> None:
    draw = random.Random(seed)
    together, apart = BreakerMemory(INSTRUMENTS, "USDT"), BreakerMemory(INSTRUMENTS, "USDT")
    begin = T0 + DAY_MS - 5 * MINUTE_MS
    run = []
    for minute in range(draw.randint(1, 12)):
        at = begin + minute * MINUTE_MS
        symbols = draw.choice((("COINUSDT",), ("GOLDUSDT",), ("COINUSDT", "GOLDUSDT")))
        run.append((at, tuple(a_bar(at, draw.randint(50, 150), symbol=symbol) for symbol in symbols)))
    for memory in (together, apart):
        state = memory.state
        state.book.cash = {"USDT": D(1_000)} | ({"COIN": D(2)} if seed % 2 else {})
        if seed % 4 >= 2:
            memory.take_bars(begin - MINUTE_MS, (a_bar(begin - MINUTE_MS, 120),))
            state.watch.trip("daily_loss")

    together.take_run(run)
    for at, bars in run:
        apart.take_bars(at, bars)

    assert together.save() == apart.save()


# -- a journal that was mended ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mend", [RESTORED, SALVAGED])
def test_a_journal_that_was_mended_halts_until_an_operator_resumes(mend: Event) -> None:
    alone = a_breaker(OPENED, BOTH, mend)

    assert known(alone).mode == "halted"
    assert "up to sequence 77" in known(alone).halted
    alone.happen(answered(an_entry()))
    assert [type(event) for event in alone.said] == [OrderDenied]
    alone.happen(commanded("resume", reason="looked"), answered(an_entry(), at=T0 + 1))
    assert known(alone).mode == "active"
    assert isinstance(alone.said[-1], OrderApproved)
