"""The paper venue as an exchange: its rules, its money, its answers."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from domain.market import MINUTE_MS, Bar, Instrument
from domain.money import Money
from domain.order import OrderType, Side, Terms
from domain.venue import (
    AccountAnswer,
    AccountSeen,
    Answer,
    OpenOrder,
    OrderNotFound,
    OrderSeen,
    Refused,
    Unproven,
    Venue,
)
from gateways.paper import PaperSettings, PaperVenue
from gateways.paper import rules as paper_rules
from gateways.paper.audit import Audit

D = Decimal
T0 = 1_000 * MINUTE_MS
INSTRUMENTS = {
    "COIN/USD": Instrument("COIN/USD", "COIN", "USD", D("0.1"), D("0.01"), D("0.02"), D(5), D(1000)),
    "BNB/USD": Instrument("BNB/USD", "BNB", "USD", D("0.1"), D("0.01")),
}
PLAIN = PaperSettings(fee_maker_bps=D(10), fee_taker_bps=D(20), slippage_bps=D(0), latency_ms=250)

MOMENTS = ("venue.before_book", "venue.after_book")

Open = Callable[..., PaperVenue]


@pytest.fixture(params=["durable", "passing"])
def open_venue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    venues: list[PaperVenue] = []

    def open_(settings: PaperSettings = PLAIN, deposit: Mapping[str, Decimal] | None = None, **rest: Any) -> PaperVenue:
        money = {"USD": D(10_000), "COIN": D(10)} if deposit is None else deposit
        if request.param == "passing":
            if venues or rest:
                pytest.skip("what passes with its process is not opened again, and takes no cues")
            venues.append(PaperVenue.passing(instruments=INSTRUMENTS, deposit=money, settings=settings))
            return venues[-1]
        path = tmp_path / "venue.db"
        venues.append(PaperVenue.open(path, instruments=INSTRUMENTS, deposit=money, settings=settings, **rest))
        return venues[-1]

    yield open_
    for venue in venues:
        venue.close()


def a_bar(nth: int, *prices: str | int, symbol: str = "COIN/USD", volume: str = "1000") -> Bar:
    open_, high, low, close = (D(price) for price in (prices or ("100", "101", "99", "100")))
    opened_at = T0 + (nth - 1) * MINUTE_MS
    return Bar(symbol, "1m", opened_at, opened_at + MINUTE_MS, open_, high, low, close, D(volume))


def show(venue: PaperVenue, nth: int, *prices: str | int, volume: str = "1000") -> None:
    venue.show(T0 + nth * MINUTE_MS, [a_bar(nth, *prices, volume=volume)])


def terms(
    client_id: str = "a",
    side: Side = "buy",
    type_: OrderType = "market",
    quantity: str = "1",
    price: str | None = None,
    **rest: Any,
) -> Terms:
    prices = {"limit_price" if type_ == "limit" else "stop_price": D(price)} if price else {}
    values: dict[str, Any] = {"strategy": "s", "symbol": "COIN/USD", "leg": "entry"} | prices | rest
    return Terms(client_id=client_id, side=side, type=type_, quantity=D(quantity), **values)


def submit(venue: PaperVenue, order: Terms) -> Answer:
    answers: list[Answer] = []
    venue.submit(order, answers.append)
    (answer,) = answers
    return answer


def cancel(venue: PaperVenue, client_id: str = "a") -> Answer:
    answers: list[Answer] = []
    venue.cancel(client_id, "COIN/USD", answers.append)
    (answer,) = answers
    return answer


def look_up(venue: Venue, client_id: str = "a") -> Answer:
    answers: list[Answer] = []
    venue.look_up(client_id, "COIN/USD", answers.append)
    (answer,) = answers
    return answer


def seen(answer: Answer) -> OrderSeen:
    assert isinstance(answer, OrderSeen), answer
    return answer


def test_the_paper_venue_is_a_venue(open_venue: Open) -> None:
    venue: Venue = open_venue()

    assert look_up(venue) == OrderNotFound("a")


def test_an_account_begins_with_its_deposit(open_venue: Open) -> None:
    venue = open_venue()

    assert venue.balances() == {"USD": 10_000, "COIN": 10}


def test_an_account_is_told_whole_with_what_is_left_of_each_open_order(open_venue: Open) -> None:
    venue = open_venue()
    show(venue, 0)
    submit(venue, terms("a", "sell", "stop", "5", "50"))
    submit(venue, terms("b", "buy", "limit", "2", "99"))
    show(venue, 1, 100, 101, 98, 100, volume="10")
    told: list[AccountAnswer] = []

    venue.tell_account(told.append)

    stop = OpenOrder("a", "p1", "COIN/USD", "sell", "stop", D(5), D(0), None, D(50))
    bought = venue.balances()["COIN"] - 10
    limit = OpenOrder("b", "p2", "COIN/USD", "buy", "limit", D(2), bought, D(99), None)
    assert told == [AccountSeen(venue.balances(), (stop, limit))]
    assert 0 < bought < 2


def test_a_deposit_is_booked_once_in_the_life_of_a_book(open_venue: Open) -> None:
    open_venue().close()

    again = open_venue(deposit={"USD": D(5)})

    assert again.balances() == {"USD": 10_000, "COIN": 10}


def test_a_taken_order_is_accepted_and_trades_with_the_next_bar(open_venue: Open) -> None:
    venue = open_venue()
    told: list[OrderSeen] = []
    venue.watch(told.append)
    show(venue, 0)

    accepted = seen(submit(venue, terms()))
    show(venue, 1, 100, 112, 100, 105)

    assert (accepted.state, accepted.venue_id, accepted.fills) == ("accepted", "p1", ())
    (report,) = told
    assert report == look_up(venue)
    (fill,) = report.fills
    assert (report.state, fill.trade_id, fill.quantity, fill.at) == ("filled", "p1-1", D(1), T0 + 250)
    assert (fill.price, fill.fee) == (D("100.1"), Money(D("0.2002"), "USD"))
    assert venue.balances() == {"USD": D("9899.6998"), "COIN": 11}


def test_latency_moves_the_arrival_and_with_it_the_bar(open_venue: Open) -> None:
    venue = open_venue(msgspec.structs.replace(PLAIN, latency_ms=MINUTE_MS))
    show(venue, 0)
    submit(venue, terms())

    show(venue, 1, 100, 101, 99, 100)
    early = seen(look_up(venue))
    show(venue, 2, 103, 104, 102, 103)

    assert early.fills == ()
    assert [(fill.price, fill.at) for fill in seen(look_up(venue)).fills] == [(D(103), T0 + MINUTE_MS)]


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (terms(symbol="X/USD"), "UNKNOWN_SYMBOL"),
        (terms(valid_until=T0 - 1), "EXPIRED_REQUEST"),
        (terms(quantity="0.015"), "MIN_QUANTITY"),
        (terms(quantity="-1"), "MIN_QUANTITY"),
        (terms(quantity="0"), "MIN_QUANTITY"),
        (terms(quantity="NaN"), "MAX_QUANTITY"),
        (terms(quantity="Infinity"), "MAX_QUANTITY"),
        (terms(quantity="1e999999"), "MAX_QUANTITY"),
        (terms(quantity="1000.01"), "MAX_QUANTITY"),
        (terms(quantity="1.005"), "LOT_SIZE"),
        (terms(type_="limit", price="100.05"), "PRICE_TICK"),
        (terms(type_="limit"), "BAD_PRICE"),
        (terms(type_="stop", price="NaN"), "BAD_PRICE"),
        (terms(type_="limit", price="0"), "BAD_PRICE"),
        (terms(quantity="0.04"), "MIN_NOTIONAL"),
        (terms(type_="limit", quantity="0.04", price="100"), "MIN_NOTIONAL"),
        (terms(quantity="98.1"), "INSUFFICIENT_BALANCE"),
        (terms(side="sell", quantity="10.01"), "INSUFFICIENT_BALANCE"),
        (terms(type_="limit", quantity="100", price="100"), "INSUFFICIENT_BALANCE"),
        (terms(symbol="BNB/USD"), "NO_MARKET"),
    ],
)
def test_an_order_against_a_rule_is_refused_with_its_code_and_stays_refused(
    open_venue: Open, order: Terms, code: str
) -> None:
    venue = open_venue()
    show(venue, 0)

    answer = submit(venue, order)

    assert isinstance(answer, Refused)
    assert (answer.code, answer.client_id) == (code, "a")
    assert len(answer.message) < 200
    later = seen(look_up(venue))
    assert (later.state, later.code, later.message) == ("rejected", code, answer.message)
    assert submit(venue, msgspec.structs.replace(order, quantity=D(1))) == later


def test_nothing_is_taken_before_a_market_was_shown_and_nothing_in_the_book_is_denied(open_venue: Open) -> None:
    venue = open_venue()
    show(venue, 0)
    submit(venue, terms("old"))
    venue.close()

    again = open_venue()
    answer = submit(again, terms("new"))

    assert isinstance(answer, Refused)
    assert answer.code == "NO_MARKET"
    assert seen(look_up(again, "old")).state == "accepted"
    assert isinstance(cancel(again, "old"), Unproven)
    assert seen(submit(again, terms("old"))).state == "accepted"
    show(again, 1)
    assert seen(look_up(again, "old")).state == "filled"


def test_the_thousand_and_first_open_order_is_refused(open_venue: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper_rules, "OPEN_ORDERS_MAX", 3)
    venue = open_venue()
    show(venue, 0)
    for client_id in "abc":
        submit(venue, terms(client_id, type_="limit", price="50"))

    refused = submit(venue, terms("d", type_="limit", price="50"))
    cancel(venue, "a")
    taken = submit(venue, terms("e", type_="limit", price="50"))

    assert isinstance(refused, Refused)
    assert refused.code == "TOO_MANY_ORDERS"
    assert seen(taken).state == "accepted"


def test_a_client_id_seen_before_is_answered_and_never_placed_again(open_venue: Open) -> None:
    venue = open_venue()
    show(venue, 0)
    submit(venue, terms())
    show(venue, 1)

    again = seen(submit(venue, terms()))
    show(venue, 2)

    assert again.state == "filled"
    assert venue.balances()["COIN"] == 11


def test_a_resting_order_locks_its_funds_until_it_is_gone(open_venue: Open) -> None:
    venue = open_venue()
    show(venue, 0)
    submit(venue, terms("stop", "sell", "stop", "10", "50"))

    refused = submit(venue, terms("exit", "sell"))
    cancel(venue, "stop")
    taken = submit(venue, terms("exit2", "sell", quantity="10"))

    assert isinstance(refused, Refused)
    assert refused.code == "INSUFFICIENT_BALANCE"
    assert seen(taken).state == "accepted"
    assert venue.balances() == {"USD": 10_000, "COIN": 10}


@pytest.mark.parametrize("dies", [False, True])
def test_what_a_part_has_paid_is_no_longer_locked(open_venue: Open, dies: bool) -> None:
    venue = open_venue(msgspec.structs.replace(PLAIN, fee_maker_bps=D(20)))
    show(venue, 0)
    submit(venue, terms("half", type_="limit", quantity="50", price="100"))
    show(venue, 1, 100, 101, 99, 100, volume="0")
    show(venue, 2, 101, 101, 99, 100, volume="250")
    if dies:
        venue.close()
        venue = open_venue(msgspec.structs.replace(PLAIN, fee_maker_bps=D(20)))
        show(venue, 2)

    refused = submit(venue, terms("b", type_="limit", quantity="49.81", price="100"))
    taken = submit(venue, terms("c", type_="limit", quantity="49.80", price="100"))

    assert venue.balances()["USD"] == 10_000 - 25 * 100 * D("1.002")
    assert isinstance(refused, Refused)
    assert refused.code == "INSUFFICIENT_BALANCE"
    assert refused.message.endswith("free are 4990")
    assert seen(taken).state == "accepted"


def test_a_cancel_says_what_became_of_the_order_and_says_it_again(open_venue: Open) -> None:
    venue = open_venue()
    show(venue, 0)
    submit(venue, terms("part", quantity="3"))
    submit(venue, terms("full", quantity="4"))
    show(venue, 1, volume="20")
    show(venue, 2, volume="20")

    part, full = seen(cancel(venue, "part")), seen(cancel(venue, "full"))
    submit(venue, terms("late", type_="limit", price="90"))
    late = seen(cancel(venue, "late"))
    show(venue, 3, 90, 95, 80, 90)

    assert (part.state, [fill.quantity for fill in part.fills]) == ("filled", [D(2), D(1)])
    assert (full.state, [fill.quantity for fill in full.fills]) == ("canceled", [D(1)])
    assert (late.state, late.fills) == ("canceled", ())
    assert (cancel(venue, "full"), cancel(venue, "late")) == (full, late)
    assert cancel(venue, "none") == OrderNotFound("none")


def test_a_market_buy_whose_price_ran_away_trades_what_its_lock_pays_and_ends(open_venue: Open) -> None:
    venue = open_venue()
    told: list[OrderSeen] = []
    venue.watch(told.append)
    show(venue, 0)
    submit(venue, terms(quantity="50"))

    show(venue, 1, 200, 201, 199, 200)

    (report,) = told
    assert (report.state, report.code, [fill.quantity for fill in report.fills]) == ("canceled", "FUNDS", [D("25.48")])
    assert submit(venue, terms("b", quantity="20")) == seen(look_up(venue, "b"))


def test_all_parts_of_a_buy_and_their_fees_together_cost_no_more_than_its_lock(open_venue: Open) -> None:
    venue = open_venue(msgspec.structs.replace(PLAIN, fee_taker_bps=D(500)))
    show(venue, 0)
    submit(venue, terms(quantity="50"))

    for nth in range(1, 7):
        show(venue, nth, 105, 105, 105, 105, volume="100")

    order = seen(look_up(venue))
    spent = sum(fill.quantity * fill.price + fill.fee.amount for fill in order.fills)
    lock = 50 * 100 * D("1.02") * D("1.05")
    assert (order.state, order.code) == ("canceled", "FUNDS")
    assert lock - 105 * D("1.05") * D("0.01") < spent <= lock


def test_a_stop_set_off_without_volume_is_a_market_order_in_every_later_life(open_venue: Open) -> None:
    venue = open_venue()
    show(venue, 0)
    submit(venue, terms(side="sell", type_="stop", price="95"))
    show(venue, 1, 100, 100, 94, 99, volume="0")
    venue.close()

    again = open_venue()
    show(again, 1, 100, 100, 94, 99, volume="0")
    show(again, 2, 120, 121, 119, 120)

    assert [fill.price for fill in seen(look_up(again)).fills] == [120]


@pytest.mark.parametrize(
    ("fee_asset", "bought", "sold"),
    [
        ("quote", Money(D("0.2002"), "USD"), Money(D("0.1998"), "USD")),
        ("USD", Money(D("0.2002"), "USD"), Money(D("0.1998"), "USD")),
        ("received", Money(D("0.002"), "COIN"), Money(D("0.1998"), "USD")),
        ("BNB", Money(D("0.00066733"), "BNB"), Money(D("0.1998"), "USD")),
    ],
)
def test_fees_are_paid_in_the_asset_of_the_settings(
    open_venue: Open, fee_asset: str, bought: Money, sold: Money
) -> None:
    settings = msgspec.structs.replace(PLAIN, fee_asset=fee_asset, slippage_bps=D(10))
    venue = open_venue(settings, {"USD": D(1_000), "COIN": D(1), "BNB": D("0.0007")})
    show(venue, 0)
    submit(venue, terms("buy"))
    submit(venue, terms("sell", "sell"))

    bars = [a_bar(1, 100, 100, 100, 100), a_bar(1, 300, 300, 300, 300, symbol="BNB/USD")]
    venue.show(T0 + MINUTE_MS, bars)

    assert [fill.fee for client_id in ("buy", "sell") for fill in seen(look_up(venue, client_id)).fills] == [
        bought,
        sold,
    ]


def test_a_fee_asset_without_a_price_is_not_charged(open_venue: Open) -> None:
    venue = open_venue(msgspec.structs.replace(PLAIN, fee_asset="BNB"), {"USD": D(1_000), "BNB": D(1)})
    show(venue, 0)
    submit(venue, terms())

    show(venue, 1, 100, 100, 100, 100)

    assert [fill.fee for fill in seen(look_up(venue)).fills] == [Money(D("0.002"), "COIN")]


def test_who_pays_in_the_fee_asset_does_not_hang_on_the_order_of_the_bars(open_venue: Open, tmp_path: Path) -> None:
    fees = []
    coin, bnb = a_bar(1), a_bar(1, symbol="BNB/USD")
    for name, bars in (("one", [coin, bnb]), ("other", [bnb, coin])):
        deposit = {"USD": D(1_000), "BNB": D("0.0025")}
        settings = msgspec.structs.replace(PLAIN, fee_asset="BNB")
        with closing(
            PaperVenue.open(tmp_path / name, instruments=INSTRUMENTS, deposit=deposit, settings=settings)
        ) as venue:
            venue.show(T0, [a_bar(0), a_bar(0, symbol="BNB/USD")])
            submit(venue, terms("a"))
            submit(venue, terms("b", symbol="BNB/USD"))
            venue.show(T0 + MINUTE_MS, bars)
            fees.append([fill.fee for client_id in "ab" for fill in seen(look_up(venue, client_id)).fills])

    assert fees == [[Money(D("0.002002"), "BNB"), Money(D("0.002002"), "BNB")]] * 2


def test_volume_at_one_instant_goes_by_terms_and_not_by_who_was_submitted_first(open_venue: Open) -> None:
    filled = []
    for index, order in enumerate((("small", "big"), ("big", "small"))):
        venue = open_venue()
        show(venue, index * 2)
        for name in order:
            submit(venue, terms(f"{name}{index}", quantity="3" if name == "small" else "4"))
        show(venue, index * 2 + 1, volume="20")
        filled.append([len(seen(look_up(venue, f"{name}{index}")).fills) for name in ("small", "big")])
        cancel(venue, f"small{index}")
        cancel(venue, f"big{index}")
        venue.close()

    assert filled == [[1, 0], [1, 0]]


def test_volume_goes_to_who_arrives_first_and_not_to_who_was_sent_first(open_venue: Open) -> None:
    venue = open_venue(msgspec.structs.replace(PLAIN, latency_ms=1_000))
    show(venue, 0)
    submit(venue, terms("slow"))
    venue.close()
    again = open_venue(msgspec.structs.replace(PLAIN, latency_ms=10))
    show(again, 0)
    submit(again, terms("fast"))

    show(again, 1, volume="10")

    assert (seen(look_up(again, "slow")).fills, len(seen(look_up(again, "fast")).fills)) == ((), 1)


def test_reports_come_in_order_of_submission_after_the_commit(open_venue: Open) -> None:
    heard: list[str] = []
    venue = open_venue(cue=heard.append)
    venue.watch(lambda report: heard.append(report.client_id))
    show(venue, 0)
    for client_id in "ba":
        venue.submit(terms(client_id), lambda answer: heard.append(f"answer {answer.client_id}"))
    show(venue, 1)

    assert heard == [*MOMENTS, "answer b", *MOMENTS, "answer a", *MOMENTS, "b", "a"]


def test_a_bar_shown_again_tells_the_same_and_writes_nothing(open_venue: Open, tmp_path: Path) -> None:
    cues: list[str] = []
    venue = open_venue(cue=cues.append)
    told: list[OrderSeen] = []
    venue.watch(told.append)
    show(venue, 0)
    submit(venue, terms(quantity="3"))
    show(venue, 1, volume="20")
    cues.clear()

    show(venue, 1, volume="20")
    show(venue, 0)
    after_an_old_bar = look_up(venue)
    venue.close()
    again = open_venue(cue=cues.append)
    again.watch(told.append)
    show(again, 1, volume="20")

    assert len(told) == 3
    assert told[0] == told[1] == told[2] == after_an_old_bar
    assert cues == []


def test_a_quiet_bar_writes_nothing(open_venue: Open) -> None:
    cues: list[str] = []
    venue = open_venue(cue=cues.append)
    show(venue, 0)
    submit(venue, terms(type_="limit", price="50"))
    cues.clear()

    for nth in range(1, 50):
        show(venue, nth)

    assert cues == []


def test_bars_between_are_told_when_the_market_comes_back_later(open_venue: Open) -> None:
    venue = open_venue()
    show(venue, 0)
    submit(venue, terms())
    show(venue, 1)
    show(venue, 2)
    submit(venue, terms("b"))
    venue.close()
    again = open_venue()
    told: list[str] = []
    again.watch(lambda report: told.append(report.client_id))

    show(again, 0)
    show(again, 5)

    assert told == ["a", "b"]


def test_bars_of_unknown_symbols_are_ignored(open_venue: Open) -> None:
    venue = open_venue()

    venue.show(T0, [a_bar(0, symbol="X/USD")])

    assert venue.balances() == {"USD": 10_000, "COIN": 10}


def test_a_write_that_fails_has_told_nobody_and_the_venue_goes_on_from_its_book(open_venue: Open) -> None:
    fault = ""

    def cue(name: str) -> None:
        if name == fault:
            raise RuntimeError(name)

    venue = open_venue(cue=cue)
    told: list[OrderSeen] = []
    venue.watch(told.append)
    show(venue, 0)
    for client_id, moment in zip("ab", MOMENTS, strict=True):
        fault = moment
        with pytest.raises(RuntimeError):
            submit(venue, terms(client_id))
    fault = ""
    first, second = look_up(venue, "a"), look_up(venue, "b")
    for moment in MOMENTS:
        fault = moment
        with pytest.raises(RuntimeError):
            show(venue, 1)
    silent = list(told)
    fault = ""
    show(venue, 1)

    assert first == OrderNotFound("a")
    assert seen(second).state == "accepted"
    assert silent == []
    assert [(report.client_id, report.state) for report in told] == [("b", "filled")]
    assert venue.balances()["COIN"] == 11


def test_a_bar_whose_results_cannot_be_written_did_nothing_until_it_is_shown_again(
    open_venue: Open, tmp_path: Path
) -> None:
    venue = open_venue()
    show(venue, 0)
    submit(venue, terms())
    if not (tmp_path / "venue.db").exists():
        pytest.skip("what is in memory can be written")
    with closing(apsw.Connection(str(tmp_path / "venue.db"))) as other:
        other.execute("CREATE TRIGGER broken BEFORE UPDATE ON orders BEGIN SELECT RAISE(ABORT, 'disk'); END")
        with pytest.raises(apsw.ConstraintError, match="disk"):
            show(venue, 1)
        other.execute("DROP TRIGGER broken")
    broken = (seen(look_up(venue)), venue.balances())
    show(venue, 1)

    assert broken == (OrderSeen("a", "p1", "accepted"), {"USD": D(10_000), "COIN": D(10)})
    assert [fill.quantity for fill in seen(look_up(venue)).fills] == [1]
    assert venue.balances()["COIN"] == 11


def test_a_cancel_in_an_older_market_takes_back_what_later_bars_did(open_venue: Open) -> None:
    venue = open_venue()
    show(venue, 0)
    submit(venue, terms())
    submit(venue, terms("b"))
    show(venue, 1)
    venue.close()
    again = open_venue()
    show(again, 0)

    answer = seen(cancel(again))
    show(again, 1)

    assert (answer.state, answer.fills) == ("canceled", ())
    assert look_up(again) == answer
    assert seen(look_up(again, "b")).state == "filled"
    assert again.balances()["COIN"] == 11


def test_in_an_older_market_funds_are_locked_as_they_were(open_venue: Open) -> None:
    venue = open_venue()
    show(venue, 0)
    submit(venue, terms("part", "sell", quantity="10"))
    show(venue, 1, volume="60")
    venue.close()
    again = open_venue()
    show(again, 0)

    refused = submit(again, terms("b", "sell"))

    assert isinstance(refused, Refused)
    assert refused.message == "the order needs 1 COIN, free are 0"


def test_an_order_from_a_later_market_is_accepted_unfilled_and_not_placed_twice(open_venue: Open) -> None:
    venue = open_venue()
    show(venue, 0)
    show(venue, 1)
    submit(venue, terms())
    show(venue, 2)
    venue.close()
    again = open_venue()
    show(again, 0)

    looked, placed = seen(look_up(again)), seen(submit(again, terms()))
    balances = again.balances()
    all_funds = seen(submit(again, terms("b", type_="limit", quantity="99", price="100")))
    cancel(again, "b")
    show(again, 1)
    show(again, 2)

    assert all_funds.state == "accepted"
    assert looked == placed
    assert (looked.state, looked.fills) == ("accepted", ())
    assert balances == {"USD": 10_000, "COIN": 10}
    assert again.balances()["COIN"] == 11


def test_a_book_of_a_later_version_is_not_touched(open_venue: Open, tmp_path: Path) -> None:
    open_venue().close()
    with closing(apsw.Connection(str(tmp_path / "venue.db"))) as connection:
        connection.pragma("user_version", 2)

    with pytest.raises(ValueError, match="version 1 or earlier, was 2"):
        open_venue()


@pytest.mark.parametrize(
    "setting",
    [
        {"fee_maker_bps": D(-1)},
        {"slippage_bps": D(10_000)},
        {"participation": D(0)},
        {"participation": D("1.1")},
        {"latency_ms": -1},
        {"fee_asset": ""},
    ],
)
def test_a_setting_that_cannot_be_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        PaperSettings(**setting)


def test_a_negative_deposit_is_refused(open_venue: Open) -> None:
    with pytest.raises(ValueError, match="deposit of USD"):
        open_venue(deposit={"USD": D(-1)})


def test_what_is_deposited_and_withdrawn_is_there_and_gone_for_good(open_venue: Open, tmp_path: Path) -> None:
    venue = open_venue()
    with pytest.raises(ValueError, match="market must have been shown"):
        venue.move(Money(D(5), "USD"))
    show(venue, 1)
    venue.move(Money(D(500), "USD"))
    venue.move(Money(D(2), "BNB"))
    venue.move(Money(D(-10), "COIN"))

    assert venue.balances() == {"USD": D(10_500), "BNB": D(2)}
    assert (venue.free("USD"), venue.free("COIN"), venue.head) == (D(10_500), D(0), T0 + MINUTE_MS)
    again = open_venue()
    show(again, 2)
    assert again.balances() == {"USD": D(10_500), "BNB": D(2)}
    again.close()
    audit = Audit(tmp_path / "venue.db")
    assert [(asset, amount) for _, asset, amount, _ in audit.movements()][-3:] == [
        ("USD", D(500)),
        ("BNB", D(2)),
        ("COIN", D(-10)),
    ]
    audit.close()


def test_nobody_withdraws_what_an_open_order_holds_back(open_venue: Open) -> None:
    venue = open_venue()
    show(venue, 1)
    submit(venue, terms(type_="limit", price="50", quantity="100"))

    with pytest.raises(ValueError, match="free"):
        venue.move(Money(D(-5_001), "USD"))
    assert venue.free("USD") == D(10_000) - D(5_000) * D("1.002")
    venue.move(Money(-venue.free("USD"), "USD"))
    assert venue.free("USD") == 0
