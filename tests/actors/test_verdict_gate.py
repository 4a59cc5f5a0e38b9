"""The laws of the gate: nothing adds to what is held before the verdict of a start, and nothing that reduces waits."""

import pytest

from domain.execution import STALE_MS_MAX
from domain.market import HOUR_MS
from domain.proposal import Exit
from domain.reconciliation import Finding
from messages.base import Event
from messages.node import NodeStarted
from messages.orders import OrderFilled, OrderIntended, SubmitOrder
from messages.reconciliation import AccountAdopted, Reconciled
from messages.risk import OrderApproved, OrderDenied
from tests.actors.alone import Alone
from tests.actors.test_breaker import BOTH, OPENED, a_breaker, known
from tests.actors.test_executor import an_executor
from tests.actors.values import (
    RESTORED,
    SALVAGED,
    T0,
    D,
    a_fill,
    an_entry,
    answered,
    approved,
    bars_closed,
    commanded,
    intended,
    some_terms,
)

STARTED = NodeStarted(boot=2, version="1", configuration={}, platform="")
AGREED = Reconciled("start")
LESS = Reconciled("start", (Finding("position_missing", "COINUSDT", "COIN", D(2), D(1), "halt"),))
POORER = Reconciled("start", (Finding("withdrawal", "", "USDT", D(10_000), D(9_000), "halt"),))


def test_an_entry_waits_for_the_verdict_and_is_judged_then_as_it_would_have_been() -> None:
    waited, at_once = a_breaker(OPENED, BOTH, STARTED), a_breaker(OPENED, BOTH)

    waited.happen(answered(an_entry(3)))
    at_once.happen(answered(an_entry(3)))
    assert waited.said == []
    waited.happen(AGREED)

    assert waited.said == at_once.said
    assert [type(event) for event in waited.said] == [OrderApproved]


def test_an_entry_whose_time_runs_out_before_the_verdict_is_denied_for_that() -> None:
    alone = a_breaker(OPENED, BOTH, STARTED)
    alone.happen(answered(an_entry(3)))

    alone.happen(bars_closed(T0 + 2 * HOUR_MS), at=T0 + 2 * HOUR_MS)

    (denied,) = alone.said_of(OrderDenied)
    assert denied.reason == "NOT_RECONCILED"


def test_a_symbol_that_differs_takes_no_entry_until_an_operator_resumes_and_the_next_verdict_is_there() -> None:
    alone = a_breaker(OPENED, BOTH, STARTED, LESS)

    alone.happen(answered(an_entry(3), an_entry(1, symbol="GOLDUSDT")))
    assert [denied.reason for denied in alone.said_of(OrderDenied)] == ["NOT_RECONCILED"]
    assert [verdict.entry.symbol for verdict in alone.said_of(OrderApproved)] == ["GOLDUSDT"]
    alone.forget()
    alone.happen(STARTED, AGREED, answered(an_entry(3), attempt=1))
    assert [denied.reason for denied in alone.said_of(OrderDenied)] == ["NOT_RECONCILED"], "a restart lifts nothing"
    alone.forget()
    alone.happen(commanded("resume"), answered(an_entry(3), attempt=2))
    assert alone.said == []
    alone.happen(AGREED)

    assert len(alone.said_of(OrderApproved)) == 1


def test_money_that_differs_halts_the_node() -> None:
    assert known(a_breaker(OPENED, BOTH, STARTED, POORER)).mode == "halted"


def test_a_withdrawal_is_no_loss_and_a_deposit_makes_up_for_none() -> None:
    alone = a_breaker(OPENED, BOTH)

    alone.happen(AccountAdopted("USDT", D(-9_000), "", "", "adopt"))
    alone.happen(bars_closed(T0 + 60_000), at=T0 + 60_000)
    assert (alone.said, known(alone).watch.peak_equity) == ([], D(1_000))
    alone.happen(AccountAdopted("USDT", D(9_000), "", "", "adopt"))

    assert known(alone).watch.peak_equity == D(10_000)


@pytest.mark.parametrize("sold", [False, True], ids=["kept", "sold before its first bar"])
def test_what_is_found_of_a_symbol_that_has_no_price_yet_makes_up_for_no_loss(sold: bool) -> None:
    alone = a_breaker(OPENED, bars_closed())
    alone.happen(AccountAdopted("USDT", D(-100), "", "", "adopt"))
    before = known(alone).watch
    assert (before.day_start_equity, before.peak_equity) == (D(9_900), D(9_900))

    alone.happen(AccountAdopted("GOLD", D(99), "GOLDUSDT", "external", "adopt"))
    if sold:
        alone.happen(OrderFilled(a_fill("h1", 99, side="sell", symbol="GOLDUSDT"), "external", "answer"))
    alone.happen(bars_closed(T0 + 60_000, symbol="GOLDUSDT"), at=T0 + 60_000)

    after = known(alone).watch
    assert after.equity == D(19_800)
    assert (after.day_start_equity, after.peak_equity) == (D(19_800), D(19_800))
    assert known(alone).unvalued == {}


def test_an_approval_that_a_death_left_behind_waits_for_the_verdict() -> None:
    alone = an_executor(bars_closed(), approved(), STARTED)
    assert alone.told_of(SubmitOrder) == []

    alone.happen(AGREED)

    assert len(alone.told_of(SubmitOrder)) == 1


def test_an_approval_in_a_symbol_that_differs_is_denied() -> None:
    alone = an_executor(bars_closed(), approved(), STARTED)

    alone.happen(LESS)

    assert alone.told_of(SubmitOrder) == []
    assert len(alone.said_of(OrderDenied)) == 1


def test_an_exit_does_not_wait_for_the_verdict() -> None:
    bought = OrderFilled(a_fill("h1", 1), "one", "answer")
    alone = an_executor(bars_closed(), approved(), intended(some_terms(), approved().proposal_id), bought, STARTED)

    alone.happen(answered(Exit("COINUSDT", T0 + HOUR_MS, None, "enough")))

    assert [order.terms.leg for order in alone.said_of(OrderIntended)] == ["exit"]


def test_what_is_protected_gets_a_stop_and_what_is_only_adopted_gets_none() -> None:
    for policy, legs in (("protect", ["stop"]), ("flatten", ["exit"]), ("adopt", [])):
        alone = an_executor(bars_closed())
        alone.happen(AccountAdopted("COIN", D(2), "COINUSDT", "external", policy, D("0.05")))  # type: ignore[arg-type]
        assert [order.terms.leg for order in alone.said_of(OrderIntended)] == legs, policy


def test_what_is_found_before_there_is_a_price_is_protected_below_the_first_and_an_old_price_is_none() -> None:
    later = T0 + 2 * HOUR_MS
    for price in ((), (bars_closed(symbol="GOLDUSDT", close=500),)):
        alone = an_executor(*price)
        alone.happen(AccountAdopted("GOLD", D(2), "GOLDUSDT", "external", "protect", D("0.05")), at=later)
        assert alone.said_of(OrderIntended) == []

        alone.happen(bars_closed(later + 60_000, 200, symbol="GOLDUSDT"), at=later + 60_000)

        (stop,) = alone.said_of(OrderIntended)
        assert (stop.terms.leg, stop.terms.stop_price) == ("stop", 190)


BOUGHT = (
    bars_closed(),
    approved(an_entry(stop_price=D(90))),
    intended(some_terms(), approved().proposal_id),
    OrderFilled(a_fill("h1", 1), "one", "answer"),
)
LEFT = answered(Exit("COINUSDT", T0 + HOUR_MS, None, "enough"))


def legs_of(alone: Alone) -> list[str]:
    return [order.terms.leg for order in alone.said_of(OrderIntended)]


@pytest.mark.parametrize("put_back", [RESTORED, SALVAGED])
def test_what_is_held_by_a_journal_that_was_put_back_is_left_and_protected_only_after_the_verdict(
    put_back: Event,
) -> None:
    alone = an_executor(*BOUGHT, put_back, STARTED)

    alone.happen(LEFT)
    alone.happen(bars_closed(T0 + 30_000), at=T0 + 30_000)
    assert legs_of(alone) == []
    alone.happen(AGREED, at=T0 + 30_000)

    assert legs_of(alone) == ["exit"]


def test_where_no_verdict_comes_within_a_minute_what_is_known_to_be_held_is_protected() -> None:
    alone = an_executor(*BOUGHT, RESTORED, STARTED)

    alone.happen(bars_closed(T0 + STALE_MS_MAX), at=T0 + STALE_MS_MAX)

    assert legs_of(alone) == ["stop"]


def test_a_flatten_waits_for_no_verdict_though_the_journal_was_put_back() -> None:
    alone = an_executor(*BOUGHT, RESTORED, STARTED)

    alone.happen(commanded("flatten", target="GOLDUSDT"))
    assert legs_of(alone) == []
    alone.happen(commanded("flatten", target="COINUSDT"))

    assert legs_of(alone) == ["exit"]
