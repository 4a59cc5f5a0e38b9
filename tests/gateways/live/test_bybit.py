"""The laws of a real venue's answers again, at Bybit: acknowledged is not done, and what is not said is not done."""

import hashlib
import hmac
import queue
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.market import Instrument
from domain.money import Money
from domain.order import Terms
from domain.venue import Answer, OrderNotFound, OrderSeen, Refused, Unproven
from gateways.live.bybit import Bybit
from gateways.live.connection import Connection
from gateways.live.dialect import Shown, Unreadable
from gateways.live.venue import LiveVenue
from gateways.live.wire import Received
from tests.gateways.live.liar import Behave, Liar, Request, answer, pointed_at
from tests.gateways.live.spoiled import ANYWHERE

D = Decimal
CREATE, CANCEL = "/v5/order/create", "/v5/order/cancel"
REALTIME, HISTORY, TRADES = "/v5/order/realtime", "/v5/order/history", "/v5/execution/list"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def says(result: Any, code: int = 0, message: str = "OK", *headers: str, status: int = 200) -> bytes:
    return answer({"retCode": code, "retMsg": message, "result": result, "time": now_ms()}, status, *headers)


def listed(*rows: Any, cursor: str = "") -> bytes:
    return says({"category": "spot", "list": list(rows), "nextPageCursor": cursor})


def order(client_id: str, status: str = "New", filled: str = "0", **more: Any) -> dict[str, Any]:
    row = {"symbol": "BTCUSDT", "orderId": "19", "orderLinkId": client_id, "orderStatus": status}
    return {**row, "cumExecQty": filled, "updatedTime": "1700000000000", **more}


def a_trade(number: int, quantity: str, **more: Any) -> dict[str, Any]:
    row = {"execId": f"22{number}", "orderId": "19", "symbol": "BTCUSDT", "side": "Buy", "execType": "Trade"}
    paid = {"execFee": "0.0005", "feeCurrency": "BTC", "isMaker": False, "execPrice": "100.1"}
    return {**row, **paid, "execQty": quantity, "execTime": str(1_700_000_000_000 + number), **more}


class Desk:
    """A venue, the server behind it, and a way to wait for answers."""

    def __init__(self) -> None:
        self.liar = Liar()
        connection = Connection(Bybit(), pointed_at(self.liar.url, "bybit"), answer_within_s=0.5)
        # Nobody asks for all orders meanwhile: what a test counts is what it has led to.
        self.venue = LiveVenue(connection, ask_all_every_s=3_600.0)
        self._numbers = 0

    def behaves(self, behave: Behave) -> None:
        def with_time(request: Request) -> bytes:
            return behave(request) if request.path in (CREATE, CANCEL, REALTIME, HISTORY, TRADES) else says({})

        self.liar.requests.clear()
        self.liar.raw.clear()
        self.liar.behave = with_time

    def asked(self) -> list[str]:
        return [each.path for each in self.liar.requests if each.path.startswith(("/v5/order", "/v5/execution"))]

    def terms(self, **changes: Any) -> Terms:
        self._numbers += 1
        terms = Terms(
            client_id=f"h0100000{self._numbers:04}e00",
            strategy="one",
            symbol="BTCUSDT",
            side="buy",
            type="limit",
            quantity=D("0.50"),
            leg="entry",
            limit_price=D("100.10"),
            valid_until=now_ms() + 20_000,
            base="BTC",
        )
        return msgspec.structs.replace(terms, **changes)

    def ask(self, ask: Callable[[Callable[[Answer], None]], None]) -> Answer:
        answers: queue.Queue[Answer] = queue.Queue()
        ask(answers.put)
        return answers.get(timeout=20)

    def submit(self, terms: Terms) -> Answer:
        return self.ask(lambda reply: self.venue.submit(terms, reply))

    def look_up(self, client_id: str, since: int = 0) -> Answer:
        return self.ask(lambda reply: self.venue.look_up(client_id, "BTCUSDT", reply, since=since))


@pytest.fixture(scope="module")
def opened() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.venue.close()
    desk.liar.close()


@pytest.fixture
def desk(opened: Desk) -> Iterator[Desk]:
    yield opened
    opened.behaves(lambda request: listed())


SPOILED = {
    # After a 403 the venue is left alone for ten minutes, which no test waits for.
    **{name: said for name, said in ANYWHERE.items() if name != "403 of a firewall"},
    "200 and no code": answer({"result": {"orderId": "19"}}),
    "200 and no id": says({"orderLinkId": "h"}),
    "200 and another's id": says({"orderId": "19", "orderLinkId": "somebody-elses"}),
    "its internal error": says({}, 10016, "System error."),
    "its time-out": says({}, 10000, "Server Timeout"),
    "its engine's time-out": says({}, 170007, "Timeout waiting for response from backend server."),
    "a code that nobody knows": says({}, 999999, "?"),
    "a refusal under a status of 500": says({}, 170131, "Insufficient balance.", status=500),
}


@pytest.mark.parametrize("name", SPOILED)
def test_an_answer_that_proves_nothing_is_unproven_and_the_order_was_sent_once(desk: Desk, name: str) -> None:
    desk.behaves(lambda request: SPOILED[name])

    found = desk.submit(desk.terms())

    assert isinstance(found, Unproven), found
    assert "a-secret" not in found.detail
    assert desk.asked() == [CREATE]


REFUSALS = {10001: False, 10002: True, 10003: False, 10004: False, 10006: True, 170131: False, 170137: False}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_code_that_is_on_the_list_is_a_refusal(desk: Desk, code: int) -> None:
    desk.behaves(lambda request: says({}, code, "no", f"X-Bapi-Limit-Reset-Timestamp: {now_ms() + 50}"))

    found = desk.submit(desk.terms())

    assert isinstance(found, Refused) and found.code == str(code)
    assert found.passes == REFUSALS[code]
    assert desk.asked() == [CREATE]


def test_an_order_that_was_acknowledged_is_asked_for_and_only_that_says_what_it_is(desk: Desk) -> None:
    terms = desk.terms()
    taken = says({"orderId": "19", "orderLinkId": terms.client_id})
    desk.behaves(lambda request: taken if request.path == CREATE else listed(order(terms.client_id)))

    assert desk.submit(terms) == OrderSeen(terms.client_id, "19", "accepted")
    assert desk.asked() == [CREATE, REALTIME]


@pytest.mark.parametrize("said", ["taken", "a duplicate"])
def test_an_order_that_the_venue_has_and_does_not_show_yet_is_not_denied(desk: Desk, said: str) -> None:
    terms = desk.terms()
    taken = says({"orderId": "19", "orderLinkId": terms.client_id})
    answers = {"taken": taken, "a duplicate": says({}, 170141, "Duplicate clientOrderId.")}
    desk.behaves(lambda request: answers[said] if request.path == CREATE else listed())

    assert isinstance(desk.submit(terms), Unproven)
    assert desk.asked() == [CREATE, REALTIME, HISTORY]


def test_an_order_bears_our_id_and_a_window_that_ends_with_its_time_all_of_it_signed(desk: Desk) -> None:
    terms = desk.terms()
    desk.behaves(lambda request: says({}, 170131, "Insufficient balance."))

    desk.submit(terms)

    ((head, body),) = [each for each in desk.liar.raw if CREATE in each[0]]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n"))}
    begins, window = headers["x-bapi-timestamp"], headers["x-bapi-recv-window"]
    assert abs(int(begins) + int(window) - terms.valid_until) <= 2
    signed = f"{begins}a-key{window}{body}"
    assert headers["x-bapi-sign"] == hmac.new(b"a-secret", signed.encode(), hashlib.sha256).hexdigest()
    assert f'"orderLinkId":"{terms.client_id}"' in body.replace(" ", "")


def test_a_stop_names_the_side_from_which_its_price_is_to_come(desk: Desk) -> None:
    terms = desk.terms(type="stop", limit_price=None, stop_price=D(90), side="sell", leg="stop")
    desk.behaves(lambda request: says({}, 110093, "expect Falling, but trigger_price >= current"))

    found = desk.submit(terms)

    assert isinstance(found, Refused) and found.is_reached
    (sent,) = [request.params for request in desk.liar.requests if request.path == CREATE]
    assert (sent["orderFilter"], sent["triggerPrice"], sent["triggerDirection"]) == ("tpslOrder", "90", 2)
    assert (sent["orderType"], sent["marketUnit"], "price" in sent) == ("Market", "baseCoin", False)


def test_another_order_than_the_one_that_was_asked_about_proves_nothing(desk: Desk) -> None:
    desk.behaves(lambda request: listed(order("somebody-elses")))

    assert isinstance(desk.look_up(desk.terms().client_id), Unproven)


def test_an_order_that_the_real_time_list_has_forgotten_is_in_the_history(desk: Desk) -> None:
    client_id = desk.terms().client_id
    desk.behaves(lambda request: listed() if request.path == REALTIME else listed(order(client_id, "Cancelled")))

    assert desk.look_up(client_id) == OrderSeen(client_id, "19", "canceled")
    assert desk.asked() == [REALTIME, HISTORY]


STOP = {"orderId": "18", "createdTime": "1700000000000"}
BECAME = {"orderId": "19", "createdTime": "1700000005000"}
"""The order that a stop goes on as, with our id and a number of its own."""


def received(*rows: Any) -> Received:
    return Received(200, {}, {"retCode": 0, "result": {"list": list(rows)}})


@pytest.mark.parametrize("of_stop", ["Triggered", "Deactivated", "Cancelled"])
@pytest.mark.parametrize(
    ("became", "state"), [("New", "accepted"), ("Filled", "filled"), ("PartiallyFilledCanceled", "canceled")]
)
@pytest.mark.parametrize("turned", [1, -1])
def test_a_stop_that_goes_on_as_another_order_is_what_that_one_is(
    of_stop: str, became: str, state: str, turned: int
) -> None:
    filled = "0" if became == "New" else "0.5"
    rows = [order("h1", of_stop, **STOP), order("h1", became, filled, **BECAME)][::turned]

    shown = Bybit().read_order(received(*rows))

    assert isinstance(shown, Shown)
    assert (shown.venue_id, shown.state, shown.filled) == ("19", state, filled)


def test_no_fill_is_lost_of_a_stop_that_went_on_as_another_order(desk: Desk) -> None:
    client_id = desk.terms().client_id
    rows = order(client_id, "Triggered", **STOP), order(client_id, "Filled", "0.5", **BECAME)
    desk.behaves(lambda request: listed(a_trade(1, "0.5")) if request.path == TRADES else listed(*rows))

    found = desk.look_up(client_id)

    assert isinstance(found, OrderSeen), found
    assert (found.state, [fill.quantity for fill in found.fills]) == ("filled", [D("0.5")])


def test_a_stop_that_only_says_that_its_price_was_reached_has_not_ended() -> None:
    shown = Bybit().read_order(received(order("h1", "Triggered", **STOP)))

    assert isinstance(shown, Shown) and shown.state == "accepted"


def test_of_rows_without_a_time_an_end_is_not_believed_beside_one_that_is_open() -> None:
    shown = Bybit().read_order(received(order("h1", "New"), order("h1", "Deactivated", orderId="18")))

    assert isinstance(shown, Shown) and shown.state == "accepted"


def test_two_orders_of_one_id_that_have_both_traded_are_unreadable() -> None:
    with pytest.raises(Unreadable):
        Bybit().read_order(received(order("h1", "Filled", "0.2", **STOP), order("h1", "Filled", "0.3", **BECAME)))


def test_lists_show_a_stop_and_what_it_became_as_one_order_and_others_as_they_are() -> None:
    bybit, resting = Bybit(), {"side": "Sell", "orderType": "Market", "qty": "0.5"}
    stop = order("h1", "Triggered", **STOP, **resting), order("h1", **BECAME, **resting)
    rows = (*stop, order("", orderId="20", **resting), order("", orderId="21", **resting))

    page = bybit.read_list(received(*rows), bybit.listings("BTCUSDT", 1, 1)[0][0])
    resting_orders, _ = bybit.read_open_orders(received(*rows))

    assert [each.venue_id for each in page.orders] == ["19", "20", "21"]
    assert [each.venue_id for each in resting_orders] == ["19", "20", "21"]


def test_an_order_is_in_no_list_only_once_every_page_of_each_was_read(desk: Desk) -> None:
    client_id, since = desk.terms().client_id, now_ms()
    pages = {"": listed(order("another"), cursor="2"), "2": listed(order("a third"))}

    def behave(request: Request) -> bytes:
        is_listing = "orderLinkId" not in request.params
        return pages[request.params.get("cursor", "")] if is_listing and request.path == HISTORY else listed()

    desk.behaves(behave)

    assert [desk.look_up(client_id, since) for _ in "ab"] == [OrderNotFound(client_id)] * 2
    assert desk.asked() == [REALTIME, HISTORY, REALTIME, HISTORY, HISTORY]


def test_a_history_of_the_last_days_denies_no_order_of_which_nobody_knows_the_time(desk: Desk) -> None:
    client_id = desk.terms().client_id
    desk.behaves(lambda request: listed())

    assert [type(desk.look_up(client_id)) for _ in "ab"] == [OrderNotFound, Unproven]


def test_trades_come_page_by_page_newest_first_and_are_told_oldest_first(desk: Desk) -> None:
    client_id = desk.terms().client_id
    pages = {"": listed(a_trade(3, "0.2"), a_trade(2, "0.2"), cursor="next"), "next": listed(a_trade(1, "0.1"))}

    def behave(request: Request) -> bytes:
        if request.path == TRADES:
            assert request.params["orderId"] == "19"
            return pages[request.params.get("cursor", "")]
        return listed(order(client_id, "Filled", "0.5"))

    desk.behaves(behave)
    found = desk.look_up(client_id)

    assert isinstance(found, OrderSeen), found
    assert [fill.trade_id for fill in found.fills] == ["BTCUSDT-221", "BTCUSDT-222", "BTCUSDT-223"]
    assert {fill.fee.asset for fill in found.fills} == {"BTC"}


DAY = 86_400_000
SPAN = 7 * DAY


def in_stretch(request: Request, at: int) -> bool:
    """Say whether a list that was asked for tells of an instant: it tells of seven days at most, and so of the last."""
    begin, end = (int(request.params.get(name, 0)) for name in ("startTime", "endTime"))
    assert not (begin and end) or end - begin <= SPAN
    begin = begin or (end or now_ms()) - SPAN
    return begin <= at <= (end or begin + SPAN)


def test_no_fill_is_lost_of_an_order_that_ended_while_nobody_was_there_for_weeks(desk: Desk) -> None:
    terms, now = desk.terms(), now_ms()
    placed, traded, ended = now - 60 * DAY, now - 45 * DAY, now - 20 * DAY
    times = {"createdTime": str(placed), "updatedTime": str(ended)}
    row = order(terms.client_id, "PartiallyFilledCanceled", "0.5", **times)
    trade = a_trade(1, "0.5", execTime=str(traded))

    def behave(request: Request) -> bytes:
        if request.path == TRADES:
            return listed(*[trade] if in_stretch(request, traded) else [])
        # By when it changed last, of which two the venue does not say that it is that one.
        return listed(*[row] if request.path == HISTORY and in_stretch(request, ended) else [])

    desk.behaves(behave)
    by_id, found = desk.look_up(terms.client_id, placed), desk.look_up(terms.client_id, placed)

    assert by_id == OrderNotFound(terms.client_id)
    assert isinstance(found, OrderSeen), found
    assert (found.state, [fill.quantity for fill in found.fills]) == ("canceled", [D("0.5")])


@pytest.mark.parametrize("of_stop", ["Triggered", "Deactivated"])
def test_no_fill_is_lost_of_a_stop_that_went_on_as_another_order_weeks_after_it_was_placed(
    desk: Desk, of_stop: str
) -> None:
    terms, now = desk.terms(), now_ms()
    placed, reached = now - 30 * DAY, now - 10 * DAY
    stop = order(terms.client_id, of_stop, orderId="18", createdTime=str(placed), updatedTime=str(reached))
    became = order(terms.client_id, "Filled", "0.5", createdTime=str(reached), updatedTime=str(reached))
    trade = a_trade(1, "0.5", execTime=str(reached))

    def behave(request: Request) -> bytes:
        if request.path == TRADES:
            return listed(trade)
        rows = ((became, reached), (stop, placed))
        return listed(*[row for row, at in rows if request.path == HISTORY and in_stretch(request, at)])

    desk.behaves(behave)
    desk.look_up(terms.client_id, placed)
    found = desk.look_up(terms.client_id, placed)

    assert isinstance(found, OrderSeen), found
    assert (found.venue_id, found.state, [fill.quantity for fill in found.fills]) == ("19", "filled", [D("0.5")])


def test_a_stop_that_has_given_way_is_not_over_where_the_list_of_what_it_became_was_lost(desk: Desk) -> None:
    client_id, since = desk.terms().client_id, now_ms()

    def behave(request: Request) -> bytes:
        if "orderLinkId" in request.params:
            return listed()
        return SPOILED["its internal error"] if request.path == REALTIME else listed(order(client_id, "Deactivated"))

    desk.behaves(behave)
    desk.look_up(client_id, since)

    assert isinstance(desk.look_up(client_id, since), Unproven)


def test_trades_that_the_venue_keeps_no_more_leave_an_order_unproven_and_are_asked_for_no_longer(desk: Desk) -> None:
    client_id, now = desk.terms().client_id, now_ms()
    row = order(client_id, "Filled", "0.5", createdTime=str(now - 20 * DAY), updatedTime=str(now))
    desk.behaves(lambda request: listed() if request.path == TRADES else listed(row))

    found = desk.look_up(client_id)

    assert isinstance(found, Unproven) and found.detail == "trades come to 0, of which the venue says 0.5"
    assert desk.asked() == [REALTIME, TRADES, TRADES, TRADES]


def test_a_venue_whose_pages_of_trades_never_end_is_asked_no_more_once_one_has_nothing_new(desk: Desk) -> None:
    client_id = desk.terms().client_id
    page = listed(a_trade(1, "0.1"), cursor="again")
    desk.behaves(lambda request: page if request.path == TRADES else listed(order(client_id, "Filled", "0.5")))

    assert isinstance(desk.look_up(client_id), Unproven)
    assert [path for path in desk.asked() if path == TRADES] == [TRADES, TRADES]


@pytest.mark.parametrize("price", ["0", "-100.1"])
def test_a_trade_at_no_price_proves_nothing(desk: Desk, price: str) -> None:
    client_id = desk.terms().client_id
    page = listed(a_trade(1, "0.1", execPrice=price))
    desk.behaves(lambda request: page if request.path == TRADES else listed(order(client_id, "Filled", "0.1")))

    assert isinstance(desk.look_up(client_id), Unproven)


BTC = Instrument(
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    tick=D("0.01"),
    lot=D("0.001"),
    quantity_min=D("0.001"),
    notional_min=D(5),
)


@pytest.mark.parametrize(
    ("side", "fee", "told", "asset"),
    [
        ("Buy", "0.0005", "USDT", "USDT"),
        ("Buy", "0.0005", "", "BTC"),
        ("Buy", "0", None, "BTC"),
        ("Sell", "0.05", "", "USDT"),
        ("Buy", "-0.05", "", "USDT"),
        ("Sell", "-0.0005", None, "BTC"),
    ],
)
def test_where_a_fees_asset_is_not_told_it_follows_from_the_side(
    side: str, fee: str, told: str | None, asset: str
) -> None:
    bybit = Bybit()
    shown = Shown("h1", "19", "filled", "0.1")
    row = a_trade(1, "0.1", side=side, execFee=fee, feeCurrency=told)
    received = Received(200, {}, {"retCode": 0, "result": {"list": [row]}})
    if not told:
        with pytest.raises(Unreadable):
            bybit.read_trades(received, shown, "BTCUSDT")

    bybit.know({"BTCUSDT": BTC})
    ((fill,), _) = bybit.read_trades(received, shown, "BTCUSDT")

    assert fill.fee == Money(D(fee), asset)


@pytest.mark.parametrize("status", ["PartiallyFilledCanceled", "Rejected"])
def test_an_order_that_ended_after_it_had_traded_ends_with_its_trades(desk: Desk, status: str) -> None:
    client_id = desk.terms().client_id
    desk.behaves(
        lambda request: listed(a_trade(1, "0.1")) if request.path == TRADES else listed(order(client_id, status, "0.1"))
    )
    found = desk.look_up(client_id)

    assert isinstance(found, OrderSeen), found
    assert (found.state, [fill.quantity for fill in found.fills]) == ("canceled", [D("0.1")])


def test_a_cancel_asks_for_either_kind_of_order_and_then_what_became_of_it(desk: Desk) -> None:
    client_id = desk.terms().client_id

    def behave(request: Request) -> bytes:
        if request.path != CANCEL:
            return listed(order(client_id, "Deactivated"))
        if request.params["orderFilter"] == "Order":
            return says({}, 170213, "Order does not exist.")
        return says({"orderId": "19", "orderLinkId": client_id})

    desk.behaves(behave)
    found = desk.ask(lambda reply: desk.venue.cancel(client_id, "BTCUSDT", reply))

    assert found == OrderSeen(client_id, "19", "canceled")
    assert desk.asked() == [CANCEL, CANCEL, REALTIME]


def test_the_account_is_told_with_all_pages_of_its_open_orders_or_not_at_all(desk: Desk) -> None:
    row = order("", side="Sell", orderType="Market", qty="0.3", price="0", triggerPrice="90", cumExecQty="0.1")
    held = says({"list": [{"coin": [{"coin": "USDT", "walletBalance": "7"}, {"coin": "BTC", "walletBalance": "0"}]}]})
    pages = {"": listed(row, cursor="2"), "2": listed(row | {"orderId": "20"})}

    def told(second: bytes) -> Any:
        found: queue.Queue[Any] = queue.Queue()
        answers = pages | {"2": second}
        desk.behaves(lambda request: says({}))
        desk.liar.behave = lambda request: (
            answers[request.params.get("cursor", "")] if request.path == REALTIME else held
        )
        desk.venue.tell_account(found.put)
        return found.get(timeout=20)

    seen = told(pages["2"])

    assert seen.balances == {"USDT": D(7)}
    assert [(each.venue_id, each.client_id, each.type) for each in seen.orders] == [
        ("19", "", "stop"),
        ("20", "", "stop"),
    ]
    assert (seen.orders[0].quantity, seen.orders[0].filled, seen.orders[0].stop_price) == (D("0.3"), D("0.1"), D(90))
    assert isinstance(told(listed(row | {"side": "Both"})), Unproven)


def test_who_asks_too_often_is_left_alone_until_the_venue_says() -> None:
    dialect, body = Bybit(), {"retCode": 10006, "retMsg": "Too many visits.", "time": 1_700_000_000_000}

    def pause(status: int, body: Any, **headers: str) -> float:
        return dialect.pause_of(
            Received(status, {name.replace("_", "-"): said for name, said in headers.items()}, body)
        )

    assert pause(200, body, x_bapi_limit_reset_timestamp="1700000000700") == 0.7
    assert pause(200, body) == 1.0
    assert pause(200, body, x_bapi_limit_reset_timestamp="1700000000700000") == 600.0
    assert pause(403, None) == pause(403, {"retCode": 10018, "retMsg": "access too frequent"}) == 600.0
    assert pause(403, {"retCode": 10010, "retMsg": "Unmatched IP"}) == pause(200, {"retCode": 0}) == 0.0


def test_permissions_that_are_not_told_are_unreadable_and_not_none() -> None:
    def told(result: Any) -> Received:
        return Received(200, {}, {"retCode": 0, "retMsg": "", "result": result})

    assert Bybit().read_may_withdraw(told({"permissions": {"Wallet": ["AccountTransfer", "Withdraw"]}}))
    assert not Bybit().read_may_withdraw(told({"permissions": {"Wallet": ["AccountTransfer"]}}))
    with pytest.raises(Unreadable):
        Bybit().read_may_withdraw(told({"permissions": {}}))
