"""The laws of the reconciler: it asks in time, believes only what it is told twice, and never what is no answer."""

from typing import Any

import pytest

from actors.reconciler import Reconciler
from actors.reconciler_memory import ReconcilerMemory
from domain.reconciliation import Finding, Policies
from domain.venue import AccountAnswer, AccountSeen, OpenOrder, Unproven, VenueProfile
from messages.base import Event
from messages.node import NodeStarted, OperatorCommanded
from messages.orders import (
    CancelOrder,
    LookUpOrder,
    OrderAbsent,
    OrderAccepted,
    OrderFilled,
    OrderIntended,
    OrderUnresolved,
)
from messages.positions import AccountOpened
from messages.reconciliation import (
    AccountAdopted,
    AccountTold,
    CertaintyAsked,
    OrdersCertain,
    Reconciled,
    TellAccount,
)
from tests.actors.alone import Alone
from tests.actors.test_breaker import a_breaker, known
from tests.actors.values import INSTRUMENTS, D, a_fill, some_terms

LAG_S = 12.0
PROFILE = VenueProfile(
    enforces_deadline=True,
    in_flight_outlives_us=True,
    visibility_lag_ms=10_000,
    skew_ms=2_000,
    negatives_needed=2,
    answer_within_s=15.0,
    look_again_s=2.0,
    market_lock=D("0.02"),
    fee_lock=D("0.001"),
)
STARTED = NodeStarted(boot=1, version="1", configuration={}, platform="")
OPENED = AccountOpened(cash={"USDT": D(1000), "COIN": D(3)}, quote="USDT")
AGREES = AccountSeen({"USDT": D(1000), "COIN": D(3)}, ())
RICHER = AccountSeen({"USDT": D(1500), "COIN": D(3)}, ())
DEPOSIT = Finding("deposit", "", "USDT", D(1000), D(1500), "halt")
RESUMED = OperatorCommanded("r1", "resume", "an operator", 1, 0, "looked at it")


class Lines:
    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, level: str, event: str, **values: Any) -> None:
        self.said.append(event)


def a_reconciler(
    *past: Event, policies: Policies | None = None, log: Lines | None = None, resting: tuple[str, ...] = ()
) -> Alone:
    instruments = {"COINUSDT": INSTRUMENTS["COINUSDT"]}
    alone = Alone(
        "reconciler",
        lambda system, seat: Reconciler(
            system,
            seat,
            memory=ReconcilerMemory(instruments, "USDT"),
            instruments=instruments,
            policies=policies or Policies(),
            profile=PROFILE,
            log=log or Lines(),
            resting=resting,
        ),
    )
    alone.happen(*(past or (STARTED, OPENED)))
    return alone.live()


def asked(alone: Alone) -> list[int]:
    return [message.request_id for message in alone.told_of(TellAccount)]


def answer(alone: Alone, said: AccountAnswer) -> None:
    alone.tell(AccountTold(asked(alone)[-1], said))


def the_verdict(alone: Alone) -> Reconciled:
    (verdict,) = alone.said_of(Reconciled)
    assert isinstance(verdict, Reconciled)
    return verdict


def test_it_asks_for_the_account_only_once_the_executor_is_certain() -> None:
    alone = a_reconciler()
    assert (len(alone.told_of(CertaintyAsked)), asked(alone)) == (1, [])

    alone.tell(OrdersCertain())

    assert len(asked(alone)) == 1


def test_an_executor_that_was_started_anew_over_the_question_is_asked_again() -> None:
    alone = a_reconciler()
    assert len(alone.told_of(CertaintyAsked)) == 1

    alone.rest(PROFILE.answer_within_s)

    assert len(alone.told_of(CertaintyAsked)) == 2
    assert asked(alone) == []


def test_agreement_needs_one_look_and_is_recorded_once_in_a_life() -> None:
    alone = a_reconciler()
    alone.tell(OrdersCertain())

    answer(alone, AGREES)
    alone.rest(60)

    assert the_verdict(alone) == Reconciled("start", (), 1)
    assert len(asked(alone)) == 1
    alone.crash()
    alone.rest(60)
    assert len(alone.said_of(Reconciled)) == 1


def test_a_look_while_something_is_on_its_way_is_soon_taken_anew_and_the_lag_begins_with_that() -> None:
    order = some_terms(quantity=2)
    alone = a_reconciler(STARTED, OPENED, OrderIntended(order, 1, 0), OrderUnresolved("h1", "silence"))
    alone.tell(OrdersCertain())
    answer(alone, RICHER)

    alone.rest(PROFILE.look_again_s)

    assert len(asked(alone)) == 2
    alone.happen(OrderAbsent("h1", "not found"))
    answer(alone, RICHER)
    alone.rest()
    answer(alone, RICHER)
    assert alone.said_of(Reconciled) == []
    alone.rest(LAG_S + 1)
    answer(alone, RICHER)
    assert [finding.kind for finding in the_verdict(alone).findings] == ["deposit"]


def test_a_difference_counts_when_a_second_look_after_the_lag_finds_the_same() -> None:
    alone = a_reconciler()
    alone.tell(OrdersCertain())

    answer(alone, RICHER)
    alone.rest(LAG_S - 1)
    assert (alone.said_of(Reconciled), len(asked(alone))) == ([], 1)
    alone.rest(2)
    answer(alone, RICHER)

    verdict = the_verdict(alone)
    assert ([finding.kind for finding in verdict.findings], verdict.looks) == (["deposit"], 2)
    assert alone.said_of(AccountAdopted) == []


def test_a_difference_that_a_second_look_does_not_find_is_none() -> None:
    alone = a_reconciler()
    alone.tell(OrdersCertain())
    answer(alone, RICHER)
    alone.rest(LAG_S + 1)
    answer(alone, AGREES)

    assert the_verdict(alone).findings == ()


def test_an_answer_that_proves_nothing_is_asked_for_again_and_silence_too() -> None:
    lines = Lines()
    alone = a_reconciler(log=lines)
    alone.tell(OrdersCertain())

    answer(alone, Unproven("", "half a page"))
    alone.rest(3)
    assert len(asked(alone)) == 2
    alone.rest(16)

    assert len(asked(alone)) == 3
    assert alone.said_of(Reconciled) == []
    assert lines.said == ["reconcile.unanswered"] * 2
    alone.tell(AccountTold(asked(alone)[0], AGREES))
    assert alone.said_of(Reconciled) == [], "an answer that nobody waits for any more"
    answer(alone, AGREES)
    assert the_verdict(alone).findings == ()


def test_a_look_does_not_count_during_which_an_order_was_on_its_way() -> None:
    terms = some_terms()
    alone = a_reconciler()
    alone.tell(OrdersCertain())
    alone.happen(OrderIntended(terms, 1, 0))

    answer(alone, AGREES)
    alone.rest(60)
    assert (alone.said_of(Reconciled), len(asked(alone))) == ([], 1)
    alone.happen(OrderAccepted(terms.client_id, "v1", "answer"))
    listed = OpenOrder(terms.client_id, "v1", terms.symbol, terms.side, terms.type, terms.quantity, D(0))
    answer(alone, AccountSeen(AGREES.balances, (listed,)))

    assert the_verdict(alone).findings == ()


def test_books_that_agree_do_so_whatever_becomes_of_an_order_that_nobody_has_answered_for() -> None:
    terms = some_terms()
    alone = a_reconciler()
    alone.happen(OrderIntended(terms, 1, 0), OrderUnresolved(terms.client_id, "silence"))
    alone.tell(OrdersCertain())

    answer(alone, AGREES)

    assert the_verdict(alone) == Reconciled("start", (), 1)


def test_an_order_that_the_account_shows_no_more_is_looked_up_before_a_second_look_may_count() -> None:
    terms = some_terms()
    alone = a_reconciler()
    alone.happen(OrderIntended(terms, 1, 0), OrderAccepted(terms.client_id, "v1", "answer"))
    alone.tell(OrdersCertain())
    filled = AccountSeen({"USDT": D(900), "COIN": D(4)}, ())

    answer(alone, filled)
    looked_up = [(message.client_id, message.since) for message in alone.told_of(LookUpOrder)]
    alone.happen(OrderFilled(fill=a_fill(terms.client_id), strategy="one", evidence="report"))
    alone.rest(LAG_S + 1)
    answer(alone, filled)

    assert looked_up == [(terms.client_id, terms.sent_from)]
    assert the_verdict(alone).findings == ()


def test_an_order_that_has_traded_more_than_the_books_know_is_looked_up() -> None:
    terms = some_terms()
    alone = a_reconciler()
    alone.happen(OrderIntended(terms, 1, 0), OrderAccepted(terms.client_id, "v1", "answer"))
    alone.tell(OrdersCertain())
    listed = OpenOrder(terms.client_id, "v1", terms.symbol, terms.side, terms.type, terms.quantity, D("0.5"))

    answer(alone, AccountSeen({"USDT": D(950), "COIN": D("3.5")}, (listed,)))

    assert [message.client_id for message in alone.told_of(LookUpOrder)] == [terms.client_id]


def test_no_difference_counts_while_nobody_has_answered_for_an_order() -> None:
    terms = some_terms()
    alone = a_reconciler()
    alone.happen(OrderIntended(terms, 1, 0), OrderUnresolved(terms.client_id, "silence"))
    alone.tell(OrdersCertain())
    for _ in range(3):
        answer(alone, RICHER)
        alone.rest(LAG_S + 1)

    assert alone.said_of(Reconciled) == []
    alone.happen(OrderAbsent(terms.client_id, "nowhere"))
    answer(alone, RICHER)  # To a question from before.
    answer(alone, RICHER)
    alone.rest(LAG_S + 1)
    answer(alone, RICHER)
    assert [finding.kind for finding in the_verdict(alone).findings] == ["deposit"]


def test_an_order_in_a_symbol_that_rests_keeps_no_verdict_waiting_though_nobody_ever_answers_for_it() -> None:
    terms = some_terms(symbol="GONEUSDT", base="GONE")
    alone = a_reconciler(resting=("GONEUSDT",))
    alone.happen(OrderIntended(terms, 1, 0), OrderUnresolved(terms.client_id, "no such symbol"))
    alone.tell(OrdersCertain())
    for _ in range(3):
        answer(alone, RICHER)
        alone.rest(LAG_S + 1)

    assert [finding.kind for finding in the_verdict(alone).findings] == ["deposit"]


def test_a_look_does_not_count_during_which_an_order_came_and_went() -> None:
    alone = a_reconciler()
    alone.tell(OrdersCertain())
    alone.happen(OrderIntended(some_terms(), 1, 0), OrderFilled(a_fill("h1", 1), "one", "answer"))

    answer(alone, AGREES)
    assert len(asked(alone)) == 2
    answer(alone, AccountSeen({"USDT": D(900), "COIN": D(4)}, ()))

    assert the_verdict(alone) == Reconciled("start", (), 2)


def test_what_halted_is_looked_at_again_and_adopted_once_an_operator_resumes() -> None:
    alone = a_reconciler()
    alone.tell(OrdersCertain())
    answer(alone, RICHER)
    alone.rest(LAG_S + 1)
    answer(alone, RICHER)
    alone.forget()

    alone.happen(RESUMED)
    answer(alone, RICHER)
    alone.rest(LAG_S + 1)
    answer(alone, RICHER)

    assert the_verdict(alone).why == "an operator"
    said = [type(event) for event in alone.said_of(Reconciled, AccountAdopted)]
    assert said == [AccountAdopted, Reconciled], (
        "who waits for the verdict acts on what the books have taken in by then"
    )
    (adopted,) = alone.said_of(AccountAdopted)
    assert (adopted.asset, adopted.amount, adopted.holder) == ("USDT", D(500), "")


@pytest.mark.parametrize("between", [STARTED, OperatorCommanded("r0", "reconcile", "an operator", 1, 0, "")])
def test_a_resume_that_entries_wait_for_a_verdict_after_is_followed_by_one_though_the_two_agree_again(
    between: Event,
) -> None:
    past = (OPENED, STARTED, Reconciled("start", (DEPOSIT,), 2), between, Reconciled("an operator"), RESUMED)
    assert known(a_breaker(*past)).awaits_verdict

    alone = a_reconciler(*past)
    alone.tell(OrdersCertain())
    answer(alone, AGREES)

    assert the_verdict(alone) == Reconciled("an operator")


def test_to_resume_what_agrees_asks_for_nothing() -> None:
    alone = a_reconciler()
    alone.tell(OrdersCertain())
    answer(alone, AGREES)
    alone.forget()

    alone.happen(RESUMED)

    assert asked(alone) == []


def test_an_unknown_order_of_ours_is_cancelled_until_the_venue_has_it_no_more() -> None:
    order = OpenOrder("h0100000001e00", "v9", "COINUSDT", "buy", "limit", D(1), D(0), D(1))
    left = AccountSeen(AGREES.balances, (order,))
    alone = a_reconciler()
    alone.tell(OrdersCertain())
    for _ in range(3):
        answer(alone, left)
        alone.rest(LAG_S + 1)

    assert the_verdict(alone).findings[0].policy == "flatten"
    assert [cancel.client_id for cancel in alone.told_of(CancelOrder)] == ["h0100000001e00"] * 2
    answer(alone, AGREES)
    alone.rest(60)
    assert len(alone.told_of(CancelOrder)) == 2
    assert len(alone.said_of(Reconciled)) == 1


def test_an_order_without_a_client_id_is_told_and_nobodys_is_cancelled() -> None:
    orders = tuple(OpenOrder("", f"v{number}", "COINUSDT", "buy", "limit", D(1), D(0), D(1)) for number in (8, 9))
    alone = a_reconciler(policies=Policies(order_manual="flatten"))
    alone.tell(OrdersCertain())
    for _ in range(3):
        answer(alone, AccountSeen(AGREES.balances, orders))
        alone.rest(LAG_S + 1)

    assert [finding.policy for finding in the_verdict(alone).findings] == ["report", "report"]
    assert alone.told_of(CancelOrder) == []
