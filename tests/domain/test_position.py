"""Laws of the book: double entry, realised and unrealised profit, fees in any asset, and a state that can be saved."""

from decimal import Context, Decimal, localcontext
from typing import Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.imported import HeldPosition, LastEntry
from domain.market import Instrument
from domain.money import ZERO, Money
from domain.order import Fill
from domain.position import Book, Position, movements

D = Decimal
BTC = Instrument("BTC/USDT", base="BTC", quote="USDT", tick=D("0.01"), lot=D("0.001"))
ETH = Instrument("ETH/USDT", base="ETH", quote="USDT", tick=D("0.01"), lot=D("0.01"))
INSTRUMENTS = {each.symbol: each for each in (BTC, ETH)}
START = D("100000")


def a_book() -> Book:
    return Book(quote="USDT", cash={"USDT": START})


def a_fill(
    side: Literal["buy", "sell"] = "buy",
    quantity: str = "1",
    price: str = "100",
    *,
    fee: str = "0",
    fee_asset: str = "USDT",
    symbol: str = "BTC/USDT",
    at: int = 1_000,
) -> Fill:
    return Fill(
        trade_id="t",
        client_id="c",
        symbol=symbol,
        side=side,
        quantity=D(quantity),
        price=D(price),
        fee=Money(D(fee), fee_asset),
        liquidity="taker",
        at=at,
    )


def fills_paid_in(*fee_assets: str) -> st.SearchStrategy[list[tuple[Fill, str]]]:
    """Fills of two strategies on two symbols, sells of more than is held included, with odd numbers everywhere."""
    one = st.builds(
        lambda symbol, side, quantity, price, fee, asset, at, strategy: (
            Fill("t", "c", symbol, side, quantity, price, Money(fee, asset or symbol.split("/")[0]), "taker", at),
            strategy,
        ),
        st.sampled_from(sorted(INSTRUMENTS)),
        st.sampled_from(["buy", "buy", "sell"]),
        st.decimals("0.00000001", "50", places=8),
        st.decimals("0.00000001", "70000", places=8),
        st.decimals("0", "0.00000999", places=8),
        st.sampled_from(fee_assets),
        st.integers(0, 10**13),
        st.sampled_from(["trend", "cross"]),
    )
    return st.lists(one, max_size=25)


def fold(fills: list[tuple[Fill, str]], book: Book) -> Book:
    for fill, strategy in fills:
        book.apply(fill, strategy, INSTRUMENTS[fill.symbol])
    return book


@settings(max_examples=60, deadline=None)
@given(fills_paid_in("", "USDT", "BNB"))
def test_cash_is_the_start_and_the_sum_of_every_movement(fills: list[tuple[Fill, str]]) -> None:
    book = fold(fills, a_book())

    with localcontext(Context(prec=200)):
        expected = {"USDT": START}
        for fill, _ in fills:
            sign = 1 if fill.side == "buy" else -1
            base, quote = fill.symbol.split("/")
            expected[base] = expected.get(base, ZERO) + sign * fill.quantity
            expected[quote] = expected.get(quote, ZERO) - sign * fill.quantity * fill.price
            expected[fill.fee.asset] = expected.get(fill.fee.asset, ZERO) - fill.fee.amount
        assert book.cash == expected


@settings(max_examples=60, deadline=None)
@given(fills_paid_in("", "USDT"), st.decimals("0.01", "90000", places=8), st.decimals("0.01", "9000", places=8))
def test_start_and_profit_are_equity_to_the_last_digit(fills: list[tuple[Fill, str]], btc: D, eth: D) -> None:
    book = fold(fills, a_book())
    marks = {"BTC/USDT": btc, "ETH/USDT": eth}

    with localcontext(Context(prec=200)):
        assert START + book.realised() + book.unrealised(marks) == book.equity(marks)


@settings(max_examples=60, deadline=None)
@given(fills_paid_in("", "USDT", "BNB"))
def test_the_lots_of_a_symbol_add_up_to_what_the_account_holds_of_its_base(fills: list[tuple[Fill, str]]) -> None:
    book = fold(fills, a_book())

    for symbol in book.symbols():
        assert book.net(symbol).quantity == book.cash[INSTRUMENTS[symbol].base]
    assert list(book.quantities().items()) == [(symbol, book.net(symbol).quantity) for symbol in book.symbols()]


@settings(max_examples=40, deadline=None)
@given(fills_paid_in("", "USDT", "BNB"), st.integers(0, 25))
def test_a_book_saved_and_loaded_midway_goes_on_as_if_it_had_not_been(fills: list[tuple[Fill, str]], cut: int) -> None:
    saved = msgspec.json.encode(fold(fills[:cut], a_book()))
    loaded = msgspec.json.decode(saved, type=Book)

    assert msgspec.json.encode(loaded) == saved
    assert msgspec.json.encode(fold(fills[cut:], loaded)) == msgspec.json.encode(fold(fills, a_book()))


def test_the_average_price_weighs_entry_fills_and_leaves_fees_out() -> None:
    book = a_book()

    book.apply(a_fill(quantity="1", price="100", fee="5"), "trend", BTC)
    book.apply(a_fill(quantity="3", price="200", fee="7"), "trend", BTC)

    assert book.position("trend", "BTC/USDT").average_price == 175


def test_a_sell_realises_its_distance_from_the_average_less_the_fee_in_quote() -> None:
    book = a_book()
    book.apply(a_fill(quantity="2", price="100"), "trend", BTC)

    booked = book.apply(a_fill("sell", quantity="1", price="130", fee="0.5"), "trend", BTC)

    assert booked.realised == D("29.5")
    assert booked.is_open
    assert booked.position.average_price == 100
    assert book.cash == {"USDT": START - 200 + 130 - D("0.5"), "BTC": 1}


def test_a_base_fee_on_a_buy_lowers_the_quantity_received_and_is_lost_at_the_price_of_the_fill() -> None:
    book = a_book()

    booked = book.apply(a_fill(quantity="1", price="100", fee="0.01", fee_asset="BTC"), "trend", BTC)

    assert booked.position.quantity == D("0.99")
    assert booked.position.average_price == 100
    assert booked.realised == D("-1")
    assert booked.position.fees == {"BTC": D("0.01")}
    assert book.cash == {"USDT": START - 100, "BTC": D("0.99")}


def test_a_base_fee_on_a_sell_leaves_the_lot_as_well() -> None:
    book = a_book()
    book.apply(a_fill(quantity="2", price="100"), "trend", BTC)

    booked = book.apply(a_fill("sell", quantity="1", price="150", fee="0.1", fee_asset="BTC"), "trend", BTC)

    assert booked.position.quantity == D("0.9")
    assert booked.realised == (150 - 100) * D("1.1") - 150 * D("0.1")


def test_a_fee_in_a_third_asset_lowers_that_asset_only() -> None:
    book = a_book()

    booked = book.apply(a_fill(quantity="1", price="100", fee="0.2", fee_asset="BNB"), "trend", BTC)

    assert booked.realised == 0
    assert booked.position.fees == {"BNB": D("0.2")}
    assert book.cash == {"USDT": START - 100, "BTC": 1, "BNB": D("-0.2")}


def test_selling_more_than_is_held_is_booked_as_the_venue_says() -> None:
    book = a_book()
    book.apply(a_fill(quantity="1", price="100"), "trend", BTC)

    sold = book.apply(a_fill("sell", quantity="3", price="110"), "trend", BTC)

    assert sold.realised == 10
    assert (sold.position.quantity, sold.position.average_price) == (D("-2"), D("110"))


def test_what_was_sold_too_much_is_realised_when_it_is_bought_back() -> None:
    book = a_book()
    book.apply(a_fill("sell", quantity="2", price="110"), "trend", BTC)

    bought = book.apply(a_fill(quantity="3", price="100"), "trend", BTC)

    assert bought.realised == 20
    assert (bought.position.quantity, bought.position.average_price) == (D("1"), D("100"))


def test_dust_stays_with_its_cost_and_is_not_open() -> None:
    book = a_book()
    book.apply(a_fill(quantity="1.0004", price="100", at=7), "trend", BTC)

    sold = book.apply(a_fill("sell", quantity="1", price="120", at=9), "trend", BTC)

    assert not sold.is_open
    assert (sold.position.quantity, sold.position.average_price) == (D("0.0004"), D("100"))


def test_a_lot_sold_to_the_last_digit_leaves_no_cost_behind() -> None:
    book = a_book()
    for price in ("100.01", "100.02", "100.07"):
        book.apply(a_fill(quantity="0.333", price=price), "trend", BTC)

    for _ in range(3):
        book.apply(a_fill("sell", quantity="0.333", price="100"), "trend", BTC)

    position = book.position("trend", "BTC/USDT")
    assert position.quantity == position.cost == position.average_price == 0
    assert position.realised == D("0.333") * D("-0.10")


def test_a_lot_of_very_small_parts_leaves_no_cost_behind_either() -> None:
    book = a_book()
    book.apply(a_fill(quantity="1.000000000000000001", price="0.12345678"), "trend", BTC)

    sold = book.apply(a_fill("sell", quantity="1.000000000000000001", price="0.12345678"), "trend", BTC)

    assert sold.position.cost == sold.position.realised == 0


def test_entered_at_is_the_last_buy_and_outlives_the_position() -> None:
    book = a_book()
    book.apply(a_fill(at=50), "trend", BTC)
    book.apply(a_fill(at=40), "trend", BTC)

    sold = book.apply(a_fill("sell", quantity="2", at=90), "trend", BTC)

    assert sold.position.entered_at == 50


def test_strategies_do_not_share_a_lot_and_net_adds_them_up() -> None:
    book = a_book()
    book.apply(a_fill(quantity="1", price="100"), "trend", BTC)
    book.apply(a_fill(quantity="3", price="200"), "cross", BTC)
    book.apply(a_fill("sell", quantity="1", price="210"), "cross", BTC)

    net = book.net("BTC/USDT")

    assert book.position("trend", "BTC/USDT").quantity == 1
    assert net.quantity == 3
    assert net.average_price == D(500) / D(3)
    assert net.realised == 10


def test_asking_for_a_position_nobody_has_changes_nothing() -> None:
    book = a_book()

    assert book.position("trend", "BTC/USDT") == Position()
    assert book.net("BTC/USDT").quantity == 0
    assert book == a_book()


@pytest.mark.parametrize("mark", [None, D("NaN"), float("nan"), float("inf"), D("0"), -1.0])
def test_an_asset_without_a_mark_counts_as_nothing_and_is_named(mark: D | float | None) -> None:
    book = a_book()
    book.apply(a_fill(quantity="2", price="100"), "trend", BTC)
    book.apply(a_fill(quantity="1", price="50", symbol="ETH/USDT", fee="1", fee_asset="BNB"), "trend", ETH)
    marks: dict[str, D | float] = {"ETH/USDT": D("60")}
    if mark is not None:
        marks["BTC/USDT"] = mark

    assert book.equity(marks) == START - 250 + 60
    assert book.unrealised(marks) == 10 - 200
    assert book.unpriced(marks) == ("BNB", "BTC")


def test_a_float_mark_is_read_as_its_shortest_text() -> None:
    book = a_book()
    book.apply(a_fill(quantity="1", price="100"), "trend", BTC)

    assert book.equity({"BTC/USDT": 0.1}) == START - 100 + D("0.1")


def test_an_asset_that_was_there_from_the_start_is_worth_its_mark_once_its_market_is_known() -> None:
    book = Book(quote="USDT", cash={"BTC": D("2"), "USDT": D("1")})
    book.know(BTC)

    assert book.equity({"BTC/USDT": D("10")}) == 21
    assert book.unpriced({"BTC/USDT": D("10")}) == ()


def test_two_markets_of_one_base_count_it_once() -> None:
    book = Book(quote="USDT", cash={"BTC": D("1")})
    book.know(BTC)
    book.know(msgspec.structs.replace(BTC, symbol="BTC/USDT:USDT"))

    assert book.equity({"BTC/USDT": D("10"), "BTC/USDT:USDT": D("11")}) == 10


@pytest.mark.parametrize(
    ("fill", "sentence"),
    [
        (a_fill(symbol="ETH/USDT"), "must be of BTC/USDT, was of ETH/USDT"),
        (a_fill(quantity="0"), "quantity of fill t must be above 0, was 0"),
        (a_fill(price="-3"), "price of fill t must be above 0, was -3"),
        (a_fill(price="NaN"), "price of fill t must be above 0, was NaN"),
        (a_fill(fee="Infinity"), "fee of fill t must be finite, was Infinity"),
    ],
)
def test_a_fill_that_cannot_be_is_refused_and_changes_nothing(fill: Fill, sentence: str) -> None:
    book = a_book()

    with pytest.raises(ValueError, match=sentence):
        book.apply(fill, "trend", BTC)

    assert book == a_book()


def test_a_symbol_against_another_quote_is_refused() -> None:
    other = msgspec.structs.replace(BTC, symbol="BTC/EUR", quote="EUR")

    with pytest.raises(ValueError, match="must be traded against USDT, was EUR"):
        a_book().apply(a_fill(symbol="BTC/EUR"), "trend", other)


def test_movements_are_base_quote_and_fee() -> None:
    assert movements(a_fill("sell", "2", "10", fee="1", fee_asset="BNB"), BTC) == (
        ("BTC", D("-2")),
        ("USDT", D("20")),
        ("BNB", D("-1")),
    )


def a_held(quantity: str = "2", average_price: str = "90", *, entered_at: int | None = 500) -> HeldPosition:
    return HeldPosition("trend", BTC.symbol, D(quantity), D(average_price), entered_at)


@settings(max_examples=60, deadline=None)
@given(
    st.decimals("0.00000001", "1000", places=8),
    st.decimals("0.000000000000001", "70000", places=15),
    fills_paid_in("", "USDT"),
)
def test_what_was_taken_over_is_part_of_the_start_to_the_last_digit(
    quantity: Decimal, average_price: Decimal, fills: list[tuple[Fill, str]]
) -> None:
    book = a_book()
    book.cash["BTC"] = quantity
    for instrument in INSTRUMENTS.values():
        book.know(instrument)
    book.take_over(a_held(str(quantity), str(average_price)))
    marks = {symbol: D("123.45678901") for symbol in INSTRUMENTS}

    fold(fills, book)

    with localcontext(Context(prec=200)):
        start = START + quantity * average_price
        assert start + book.realised() + book.unrealised(marks) == book.equity(marks)


def test_a_lot_that_was_taken_over_is_sold_at_the_price_it_cost() -> None:
    book = a_book()
    book.take_over(a_held("2", "90.1234567890123456"))
    held = book.position("trend", BTC.symbol)
    before = (held.quantity, held.average_price, held.entered_at, held.realised)

    booked = book.apply(a_fill("sell", "0.5", "100"), "trend", BTC)

    assert before == (D(2), D("90.1234567890123456"), 500, ZERO)
    assert booked.realised == D("0.5") * (D(100) - D("90.1234567890123456"))


def test_the_later_of_two_entries_counts_whoever_tells_of_it_first() -> None:
    entry = LastEntry("trend", BTC.symbol, 700)
    books = [a_book(), a_book()]
    books[0].enter(entry)
    books[0].take_over(a_held())
    books[1].take_over(a_held())
    books[1].enter(entry)

    assert {book.position("trend", BTC.symbol).entered_at for book in books} == {700}
    books[0].apply(a_fill("buy", at=600), "trend", BTC)
    assert books[0].position("trend", BTC.symbol).entered_at == 700
