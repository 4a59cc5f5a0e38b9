"""Laws of the comparison while running: when it is made, what is on record of it, and which book is believed."""

from decimal import Decimal
from typing import Any

import pytest

from actors.breaker_memory import BreakerMemory
from actors.reconciler import Reconciler
from actors.reconciler_memory import ReconcilerMemory
from domain.conflicts import resolved
from domain.reconciliation import Finding, Policies, Strategy
from domain.venue import AccountSeen, OpenOrder, Unproven
from gateways.live.binance import Binance
from messages.node import NodeStarted
from messages.orders import CancelOrder, OrderFilled, SubmitOrder
from messages.positions import AccountOpened
from messages.reconciliation import AccountAdopted, AccountTold, OrdersCertain, Reconciled, TellAccount
from tests.actors.alone import Alone
from tests.actors.test_executor import an_executor, answer, sent
from tests.actors.test_positions import recorded
from tests.actors.values import INSTRUMENTS, T0, a_fill, commanded, intended, seen, some_terms

D = Decimal
EVERY_S = 300.0
LATE_S = (Binance.profile.visibility_lag_ms + Binance.profile.skew_ms) / 1_000
OPENED = {"USDT": D(1_000), "COIN": D(2)}
MORE = {"USDT": D(1_000), "COIN": D(3)}
LESS = {"USDT": D(900), "COIN": D(2)}


def a_finding(kind: str, ours: int, theirs: int, symbol: str = "COINUSDT", client_id: str = "") -> Finding:
    asset = symbol.removesuffix("USDT") or "USDT"
    return Finding(kind, symbol, asset, D(ours), D(theirs), "halt", client_id)  # type: ignore[arg-type]


EXTRA, MISSING = a_finding("position_extra", 2, 3), a_finding("position_missing", 2, 1)
DEPOSIT, WITHDRAWAL = a_finding("deposit", 5, 6, ""), a_finding("withdrawal", 5, 4, "")
ORDER = a_finding("order_manual", 0, 1, client_id="web")


@pytest.mark.parametrize(
    ("strategy", "traded", "policies"),
    [
        ("by_kind", (), ("halt", "halt", "halt", "halt")),
        ("journal_wins", (), ("report", "report", "report", "report")),
        ("venue_wins", (), ("adopt", "adopt", "adopt", "adopt")),
        ("merge", (), ("adopt", "halt", "adopt", "halt")),
        ("most_recent", (), ("adopt", "adopt", "adopt", "adopt")),
        ("most_recent", ("COINUSDT",), ("report", "report", "report", "report")),
        ("most_recent", ("GOLDUSDT",), ("adopt", "adopt", "report", "report")),
        ("emergency_reset", (), ("adopt", "adopt", "adopt", "adopt")),
    ],
)
def test_a_strategy_says_which_book_is_believed_and_leaves_orders_to_their_kind(
    strategy: Strategy, traded: tuple[str, ...], policies: tuple[str, ...]
) -> None:
    found = resolved((EXTRA, MISSING, DEPOSIT, WITHDRAWAL, ORDER), strategy, traded=traded)

    assert tuple(finding.policy for finding in found) == (*policies, "halt")


def a_reconciler(strategy: Strategy = "by_kind", every_s: float = EVERY_S) -> Alone:
    """Return one whose start has found that books and account agree."""
    alone = Alone(
        "reconciler",
        lambda system, seat: Reconciler(
            system,
            seat,
            memory=ReconcilerMemory(INSTRUMENTS, "USDT"),
            instruments=INSTRUMENTS,
            policies=Policies(every_s=every_s, conflicts=strategy),
            profile=Binance.profile,
            log=lambda level, event, **values: None,
        ),
    )
    alone.happen(AccountOpened(dict(OPENED), "USDT", "ours"), NodeStarted(1, "1", {}, "a test"), at=T0)
    alone.live()
    alone.tell(OrdersCertain())
    tell(alone, OPENED)
    assert alone.said_of(Reconciled) == [Reconciled("start")]
    return alone


def tell(alone: Alone, balances: dict[str, Decimal]) -> None:
    """Answer the newest question for the account."""
    alone.tell(AccountTold(asked(alone)[-1], AccountSeen(dict(balances), ())))


def asked(alone: Alone) -> list[int]:
    return [message.request_id for message in alone.told_of(TellAccount)]


def find(alone: Alone, balances: dict[str, Decimal]) -> None:
    """Have two looks see the same."""
    tell(alone, balances)
    alone.rest(LATE_S)
    tell(alone, balances)


def verdicts(alone: Alone) -> list[Any]:
    return alone.said_of(Reconciled)[1:]


def test_the_account_is_asked_for_again_and_again_and_that_the_two_agree_is_no_news() -> None:
    alone = a_reconciler()

    for round_ in range(2, 5):
        alone.rest(EVERY_S)
        assert len(asked(alone)) == round_
        tell(alone, OPENED)

    assert verdicts(alone) == []


def test_with_no_interval_nobody_asks() -> None:
    alone = a_reconciler(every_s=0.0)
    alone.rest(100 * EVERY_S)

    assert len(asked(alone)) == 1


def test_a_difference_is_on_record_once_and_that_it_is_gone_too() -> None:
    alone = a_reconciler("journal_wins")

    for _ in range(3):
        alone.rest(EVERY_S)
        find(alone, MORE)
    alone.rest(EVERY_S)
    tell(alone, OPENED)

    first, second = verdicts(alone)
    assert (first.why, first.by, [each.policy for each in first.findings]) == ("interval", "journal_wins", ["report"])
    assert (second.why, second.findings) == ("interval", ())
    assert alone.said_of(AccountAdopted) == []


@pytest.mark.parametrize(
    ("strategy", "balances", "adopted"),
    [
        ("by_kind", MORE, None),
        ("venue_wins", MORE, ("COIN", D(1))),
        ("venue_wins", LESS, ("USDT", D(-100))),
        ("merge", MORE, ("COIN", D(1))),
        ("merge", LESS, None),
        ("most_recent", MORE, ("COIN", D(1))),
        ("emergency_reset", MORE, ("COIN", D(1))),
    ],
)
def test_what_is_believed_is_taken_into_the_books(
    strategy: Strategy, balances: dict[str, Decimal], adopted: tuple[str, Decimal] | None
) -> None:
    alone = a_reconciler(strategy)
    alone.rest(EVERY_S)
    find(alone, balances)
    taken = [(event.asset, event.amount) for event in alone.said_of(AccountAdopted)]
    alone.rest(EVERY_S)
    find(alone, balances)

    assert taken == ([] if adopted is None else [adopted])
    assert [event.by for event in verdicts(alone)] == [strategy]
    assert len(alone.said_of(AccountAdopted)) == len(taken)


def test_where_the_books_have_just_traded_the_venue_may_be_late() -> None:
    alone = a_reconciler("most_recent")
    terms = some_terms()
    alone.happen(intended(terms), OrderFilled(a_fill(terms.client_id), terms.strategy, "answer"), at=T0)
    alone.rest(EVERY_S)
    find(alone, OPENED)

    assert {finding.policy for finding in verdicts(alone)[0].findings} == {"report"}
    assert alone.said_of(AccountAdopted) == []


def test_an_operator_may_ask_and_is_told_on_record_that_the_two_agree() -> None:
    alone = a_reconciler()
    alone.happen(commanded("reconcile"))
    tell(alone, OPENED)

    assert [(event.why, event.findings) for event in verdicts(alone)] == [("op", ())]


def test_an_emergency_reset_leaves_everything_and_halts() -> None:
    alone = an_executor()
    entry = sent(alone, stop_price=D(90))
    answer(alone, entry, seen(entry.terms.client_id, "filled", a_fill(entry.terms.client_id)))
    stop = alone.told_of(SubmitOrder)[-1]
    assert isinstance(stop, SubmitOrder)
    answer(alone, stop, seen(stop.terms.client_id))

    alone.happen(Reconciled("interval", (EXTRA,), by="emergency_reset"))
    cancel = alone.told_of(CancelOrder)[-1]
    assert isinstance(cancel, CancelOrder)
    answer(alone, cancel, seen(stop.terms.client_id, "canceled"))

    left = alone.told_of(SubmitOrder)[-1]
    assert isinstance(left, SubmitOrder)
    assert (left.terms.leg, left.terms.quantity) == ("exit", stop.terms.quantity)
    memory = BreakerMemory(INSTRUMENTS, "USDT")
    memory.fold(recorded(1, Reconciled("interval", (EXTRA,), by="emergency_reset")))
    assert memory.state.mode == "halted"


@pytest.mark.parametrize("client_id", ["web", ""])
def test_an_order_by_hand_is_no_difference_in_money_and_resets_nothing(client_id: str) -> None:
    alone = a_reconciler("emergency_reset")
    by_hand = AccountSeen(dict(OPENED), (OpenOrder(client_id, "v1", "COINUSDT", "buy", "limit", D(1), D(0), D(1)),))

    alone.rest(EVERY_S)
    alone.tell(AccountTold(asked(alone)[-1], by_hand))
    alone.rest(LATE_S)
    alone.tell(AccountTold(asked(alone)[-1], by_hand))

    ((finding,), by) = next((event.findings, event.by) for event in verdicts(alone))
    assert (finding.kind, finding.policy, by) == ("order_manual", "report", "by_kind")


def test_a_question_that_fails_is_no_empty_account() -> None:
    alone = a_reconciler("venue_wins")
    alone.rest(EVERY_S)
    for _ in range(3):
        alone.tell(AccountTold(asked(alone)[-1], Unproven("", "a reset")))
        alone.rest(Binance.profile.look_again_s)
    tell(alone, OPENED)

    assert verdicts(alone) == []


def test_a_death_in_the_midst_of_a_comparison_leaves_the_next_one_to_find_it() -> None:
    alone = a_reconciler("venue_wins")
    alone.rest(EVERY_S)
    tell(alone, MORE)
    alone.crash()
    alone.tell(OrdersCertain())
    alone.rest(EVERY_S)
    find(alone, MORE)

    assert [event.by for event in verdicts(alone)] == ["venue_wins"]
