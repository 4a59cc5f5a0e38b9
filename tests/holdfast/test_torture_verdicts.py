"""The judge of verdicts: each names what nobody here did and the books do not have, and nothing else."""

from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from domain.order import Order, OrderState, Terms
from domain.reconciliation import Finding, Kind, Policy
from holdfast.torture.deaths import Lived
from holdfast.torture.judge import SAME, TOLD_AS, _orders
from holdfast.torture.verdicts import misjudged, unadopted
from messages.base import Event
from messages.codec import encode
from messages.positions import AccountOpened
from messages.reconciliation import AccountAdopted, Reconciled
from persistence.journal import Journal
from persistence.records import Draft

D = Decimal
OPENED = AccountOpened(cash={"USDT": D(1000)}, quote="USDT")
SILENT = Reconciled("start")
FIRST, SECOND = Lived(1, 0, 1_000), Lived(2, 2_000, 2_000)
"""Two lives, of which the first begins at 1 s and the second at 2 s; each has two records but for the opening."""


def deposited(amount: int, *, policy: Policy = "adopt", ours: int = 1000) -> Finding:
    kind: Kind = "deposit" if amount > 0 else "withdrawal"
    return Finding(kind, "", "USDT", D(ours), D(ours + amount), policy)


def adopted(amount: int) -> AccountAdopted:
    return AccountAdopted("USDT", D(amount), "", "", "adopt")


def a_ledger(*deposits: tuple[int, int], manual: bool = False) -> dict[str, Any]:
    movements = [(0, 1000), *deposits]
    trade = {"client_id": "web_1", "symbol": "BTCUSDT", "side": "buy", "quantity": "0.01", "price": "40000"}
    return {
        "orders": [{"client_id": "web_1", "origin": "manual", "status": "filled", "updated_at": 900}] if manual else [],
        "trades": [trade | {"fee": "0.00001", "fee_asset": "BTC", "at": 900}] if manual else [],
        "movements": [{"at": at, "asset": "USDT", "amount": str(each), "book_trade": ""} for at, each in movements],
        "balances": {"USDT": "0", "BTC": "0"},
    }


def a_journal(home: Path, *events: Event) -> Path:
    with closing(Journal.open(home)) as journal:
        for seq, event in enumerate((OPENED, *events), 1):
            kind, version, payload = encode(event)
            journal.append([Draft(seq, seq, seq, kind, version, "reconciler", 1, seq - 1, 0, 0, payload)])
    return home


def judged(home: Path, ledger: dict[str, Any], *events: Event, lives: Sequence[Lived] = (FIRST,)) -> list[str]:
    return list(misjudged(a_journal(home, *events), ledger, lives))


def test_a_verdict_that_names_what_was_deposited_is_right(tmp_path: Path) -> None:
    ledger = a_ledger((500, 250))

    assert judged(tmp_path, ledger, adopted(250), Reconciled("start", (deposited(250),))) == []
    assert unadopted(tmp_path, ledger) == {"USDT": D(0)}


def test_what_is_only_reported_is_to_be_named_again_and_is_what_the_account_has_more(tmp_path: Path) -> None:
    told = Reconciled("start", (deposited(250, policy="report"),))
    ledger = a_ledger((500, 250))

    assert judged(tmp_path, ledger, told, told, lives=(FIRST, SECOND)) == []
    assert unadopted(tmp_path, ledger) == {"USDT": D(250)}


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([SILENT], "names 0 USDT by nobody here, and the ledger has 250"),
        ([adopted(250), SILENT], "was to take 0 USDT into the books, and 250 were taken"),
        ([adopted(200), Reconciled("start", (deposited(200),))], "names 200 USDT by nobody here"),
        ([adopted(-250), Reconciled("start", (deposited(-250),))], "names -250 USDT by nobody here"),
        ([adopted(200), Reconciled("start", (deposited(250),))], "was to take 250 USDT into the books, and 200"),
        ([Reconciled("start", (deposited(250),))], "was to take 250 USDT into the books, and 0"),
    ],
    ids=["silent", "adopts in silence", "too little", "the other way", "takes less", "takes nothing"],
)
def test_a_verdict_that_is_wrong_about_a_deposit_is_found(tmp_path: Path, events: list[Event], says: str) -> None:
    assert any(says in each for each in judged(tmp_path, a_ledger((500, 250)), *events))


def test_what_comes_while_a_life_lives_may_be_named_or_not_and_must_be_by_the_next(tmp_path: Path) -> None:
    ledger = a_ledger((1_500, 250))
    lives = (FIRST, SECOND)

    assert (
        judged(tmp_path / "later", ledger, SILENT, adopted(250), Reconciled("start", (deposited(250),)), lives=lives)
        == []
    )
    assert judged(tmp_path / "never", ledger, SILENT, SILENT, lives=lives)


def test_what_is_bought_by_hand_is_named_with_its_costs(tmp_path: Path) -> None:
    found = (
        Finding("withdrawal", "", "USDT", D(1000), D(600), "report"),
        Finding("position_extra", "BTCUSDT", "BTC", D(0), D("0.00999"), "report"),
    )

    assert judged(tmp_path / "right", a_ledger(manual=True), Reconciled("start", found)) == []
    assert judged(tmp_path / "left out", a_ledger(manual=True), Reconciled("start", found[:1]))


@pytest.mark.parametrize("kind", ["order_missing", "order_unknown", "order_foreign", "order_manual"])
def test_an_order_that_the_ledger_has_otherwise_is_not_to_be_named(tmp_path: Path, kind: Kind) -> None:
    ledger = a_ledger()
    ledger["orders"] = [{"client_id": "h1", "origin": "api", "status": "new", "updated_at": 10}]

    (found,) = judged(
        tmp_path, ledger, Reconciled("start", (Finding(kind, "BTCUSDT", "BTC", D(1), D(0), "halt", "h1"),))
    )

    assert f"calls h1 {kind}" in found


def one_order(state: OrderState) -> Any:
    """Return what a journal comes to that has one order in it."""
    terms = Terms("h1", "some", "BTCUSDT", "buy", "limit", D("0.10"), "entry", limit_price=D(100))
    return SimpleNamespace(history=SimpleNamespace(orders={"h1": Order(terms, state)}))


def an_order(status: str = "new") -> dict[str, str]:
    """Return the same order as the exchange has it."""
    terms = {"symbol": "BTCUSDT", "side": "buy", "quantity": "0.1", "price": "100.00", "stop_price": "0"}
    return {"client_id": "h1", "origin": "api", "status": status} | terms


def test_an_end_that_an_interface_has_no_word_for_is_judged_by_the_word_it_has() -> None:
    ended, ledger = one_order("canceled"), {"orders": [an_order(status="expired")]}

    told = {venue: list(_orders(ended, ledger, TOLD_AS.get(venue, SAME))) for venue in ("binance", "bybit")}

    assert told["bybit"] == []
    assert len(told["binance"]) == 1


@pytest.mark.parametrize("state", ["absent", "rejected"])
def test_an_order_that_the_exchange_died_over_was_never_taken(state: OrderState) -> None:
    ledger = {"orders": [an_order(status="lost")]}

    assert list(_orders(one_order(state), ledger, SAME)) == []
    assert len(list(_orders(one_order("accepted"), ledger, SAME))) == 1


@pytest.mark.parametrize(
    "other", [{"symbol": "ETHUSDT"}, {"side": "sell"}, {"quantity": "0.2"}, {"price": "101"}, {"stop_price": "90"}]
)
def test_an_order_is_judged_by_all_that_was_meant_by_it(other: dict[str, str]) -> None:
    assert list(_orders(one_order("accepted"), {"orders": [an_order()]}, SAME)) == []
    (found,) = _orders(one_order("accepted"), {"orders": [an_order() | other]}, SAME)

    assert next(iter(other.values())) in found
