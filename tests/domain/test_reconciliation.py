"""The laws of the comparison: what differs is found with both values, and what is on its way is no difference."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.imported import HeldPosition
from domain.market import Instrument
from domain.order import Order, OrderState, Terms
from domain.position import Book
from domain.reconciliation import EXTERNAL, Comparison, Finding, Kind, Policies, compare, shares_of
from domain.venue import AccountSeen, OpenOrder

D = Decimal
COIN = Instrument("COINUSDT", "COIN", "USDT", D("0.1"), D("0.01"))
OURS, FOREIGN, MANUAL = "h01abcd00000001e00", "h01wxyz00000001e00", "web_1"


def a_book(coin: str = "1", cash: str = "1000", lots: dict[str, str] | None = None) -> Book:
    book = Book("USDT", cash={"USDT": D(cash), "COIN": D(coin)})
    for name, quantity in (lots or {}).items():
        book.take_over(HeldPosition(name, "COINUSDT", D(quantity), D(100)))
    return book


def an_order(client_id: str = OURS, state: OrderState = "accepted", quantity: str = "2") -> Order:
    return Order(Terms(client_id, "one", "COINUSDT", "sell", "limit", D(quantity), "exit"), state)


def listed(client_id: str = OURS, filled: str = "0", symbol: str = "COINUSDT") -> OpenOrder:
    return OpenOrder(client_id, "7", symbol, "sell", "limit", D(2), D(filled))


def held(*orders: OpenOrder, coin: str = "1", cash: str = "1000") -> AccountSeen:
    return AccountSeen({"USDT": D(cash), "COIN": D(coin)}, orders)


def compared(book: Book, account: AccountSeen, *orders: Order, policies: Policies | None = None) -> Comparison:
    return compare(
        book,
        {order.terms.client_id: order for order in orders},
        account,
        namespace="abcd",
        instruments={"COINUSDT": COIN},
        policies=policies or Policies(),
    )


def the_finding(found: Comparison) -> Finding:
    (finding,) = found.findings
    return finding


def test_books_that_agree_have_no_finding() -> None:
    assert compared(a_book(), held(listed()), an_order()) == Comparison(())


@pytest.mark.parametrize(
    ("client_id", "kind", "policy"),
    [(OURS, "order_unknown", "flatten"), (FOREIGN, "order_foreign", "halt"), (MANUAL, "order_manual", "report")],
)
def test_an_order_that_the_books_do_not_know_is_told_by_its_name(client_id: str, kind: Kind, policy: str) -> None:
    found = the_finding(compared(a_book(), held(listed(client_id, filled="0.5"))))

    assert (found.kind, found.policy, found.client_id) == (kind, policy, client_id)
    assert (found.symbol, found.ours, found.theirs) == ("COINUSDT", D(0), D("1.5"))


def test_a_manual_order_in_a_symbol_that_nobody_trades_here_is_found_too() -> None:
    assert the_finding(compared(a_book(), held(listed(MANUAL, symbol="ELSEUSDT")))).symbol == "ELSEUSDT"


def test_an_order_that_the_venue_does_not_have_is_missing_with_what_is_left_of_it() -> None:
    found = the_finding(compared(a_book(), held(), an_order()))

    assert (found.kind, found.ours, found.theirs) == ("order_missing", D(2), D(0))


@pytest.mark.parametrize("state", ["intended", "unresolved"])
def test_an_order_of_unknown_fate_is_on_its_way_and_not_missing(state: OrderState) -> None:
    found = compared(a_book(), held(), an_order(state=state))

    assert (found.findings, found.moving) == ((), (OURS,))


@pytest.mark.parametrize("state", ["intended", "unresolved"])
def test_books_agree_over_an_order_of_unknown_fate_unless_the_venue_shows_a_trade_of_it(state: OrderState) -> None:
    order = an_order(state=state)

    assert compared(a_book(), held(), order).agrees
    assert compared(a_book(), held(listed()), order).agrees
    assert not compared(a_book(), held(listed(filled="0.5")), order).agrees
    assert not compared(a_book(), held(coin="0.5"), order).agrees


def test_an_order_whose_newest_trade_is_not_booked_yet_is_on_its_way() -> None:
    found = compared(a_book(), held(listed(filled="0.5"), coin="0.5"), an_order())

    assert (found.moving, found.agrees) == ((OURS,), False)


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ("1", "1.5", "position_extra"),
        ("0", "1.5", "position_extra"),
        ("1", "0.5", "position_missing"),
        ("1", "0", "position_missing"),
        ("-0.5", "1", "position_flipped"),
        ("1", "1.009", None),
        ("1", "1.01", "position_extra"),
        ("1", "0.991", None),
    ],
)
def test_a_position_differs_by_a_lot_or_more(ours: str, theirs: str, kind: Kind | None) -> None:
    found = compared(a_book(ours), held(coin=theirs))

    assert [each.kind for each in found.findings] == ([] if kind is None else [kind])
    assert all(each.change == D(theirs) - D(ours) for each in found.findings)


@pytest.mark.parametrize(("cash", "kind"), [("1000.1", "deposit"), ("990", "withdrawal"), ("1000.001", None)])
def test_quote_currency_differs_by_more_than_a_tick_of_a_lot(cash: str, kind: Kind | None) -> None:
    found = compared(a_book(), held(cash=cash))

    assert [each.kind for each in found.findings] == ([] if kind is None else [kind])


def test_what_would_halt_is_taken_as_it_is_once_an_operator_has_resumed() -> None:
    account = held(listed(FOREIGN), coin="2", cash="900")
    found = compared(a_book(), account, policies=Policies().yielding())

    assert {each.kind: each.policy for each in found.findings} == {
        "order_foreign": "report",
        "position_extra": "adopt",
        "withdrawal": "adopt",
    }


def test_what_the_account_has_more_is_no_strategys() -> None:
    book = a_book("1", lots={"one": "1"})

    assert shares_of(the_finding(compared(book, held(coin="3"))), book) == [(EXTERNAL, D(2))]


def test_what_the_account_has_less_is_taken_from_nobody_first_and_from_strategies_last() -> None:
    book = a_book("10", lots={"two": "3", EXTERNAL: "1", "one": "4"})
    finding = the_finding(compared(book, held(coin="2")))

    assert shares_of(finding, book) == [("", D(-2)), (EXTERNAL, D(-1)), ("one", D(-4)), ("two", D(-1))]


quantities = st.decimals(0, 100, places=2)


@given(unheld=quantities, lots=st.dictionaries(st.sampled_from(["a", "b", EXTERNAL]), quantities), theirs=quantities)
def test_shares_add_up_to_the_difference_and_leave_books_that_agree(
    unheld: Decimal, lots: dict[str, Decimal], theirs: Decimal
) -> None:
    total = unheld + sum(lots.values(), D(0))
    book = a_book(str(total), lots={name: str(quantity) for name, quantity in lots.items()})
    account = held(coin=str(theirs))

    for finding in compared(book, account).findings:
        shares = shares_of(finding, book)
        assert sum(amount for _, amount in shares) == theirs - total
        for holder, amount in shares:
            book.adopt(finding.asset, amount, symbol=finding.symbol, holder=holder, price=D(100))

    assert compared(book, account).findings == ()
    assert all(book.position(name, "COINUSDT").quantity >= 0 for name in lots)
    assert sum(book.quantities().values()) <= theirs
