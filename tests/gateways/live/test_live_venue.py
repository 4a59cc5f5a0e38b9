"""The laws of a real venue's answers: sent once, and nothing taken for proven that the venue did not prove."""

import queue
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.market import MINUTE_MS
from domain.order import Terms
from domain.venue import Answer, OrderNotFound, OrderSeen, Refused, Unproven
from gateways.live import orders
from gateways.live import venue as venues
from gateways.live.binance import Binance
from gateways.live.bybit import Bybit
from gateways.live.connection import Connection, VenueSilent
from gateways.live.dialect import Dialect
from gateways.live.market import LiveMarket
from gateways.live.venue import LiveVenue
from gateways.live.wire import Received
from tests.gateways.live.liar import HANG, RESET, Behave, Liar, Request, answer, pointed_at
from tests.gateways.live.spoiled import ANYWHERE, HTML

PATH = "/api/v3/order"
ANSWER_WITHIN_S = 0.5


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def some_terms(client_id: str, **changes: Any) -> Terms:
    terms = Terms(
        client_id=client_id,
        strategy="one",
        symbol="BTCUSDT",
        side="buy",
        type="limit",
        quantity=Decimal("0.50"),
        leg="entry",
        limit_price=Decimal("100.10"),
        valid_until=now_ms() + 20_000,
        base="BTC",
    )
    return msgspec.structs.replace(terms, **changes)


def shown(client_id: str, status: str = "NEW", filled: str = "0.00000000", **more: Any) -> dict[str, Any]:
    row = {"symbol": "BTCUSDT", "orderId": 7, "clientOrderId": client_id, "status": status, "side": "BUY"}
    return {**row, "executedQty": filled, "transactTime": 1_700_000_000_000, **more}


def a_trade(number: int, quantity: str) -> dict[str, Any]:
    paid = {"commission": "0.05", "commissionAsset": "USDT", "isBuyer": True, "isMaker": False}
    return {"id": number, "orderId": 7, "qty": quantity, "price": "100.10", "time": 1_700_000_000_001, **paid}


def a_venue(liar: Liar, answer_within_s: float = ANSWER_WITHIN_S, dialect: Dialect | None = None) -> LiveVenue:
    connection = Connection(dialect or Binance(), pointed_at(liar.url), answer_within_s=answer_within_s)
    # Nobody asks for all orders meanwhile: what a test counts is what it has led to.
    return LiveVenue(connection, ask_all_every_s=3_600.0)


def id_of(number: int) -> str:
    return f"h0100000{number:04}e00"


class Desk:
    """A venue, the server behind it, and a way to wait for answers."""

    def __init__(self, dialect: Dialect | None = None) -> None:
        self.liar = Liar()
        self.venue = a_venue(self.liar, dialect=dialect)
        self._numbers = 0

    def behaves(self, behave: Behave) -> None:
        def with_time(request: Request) -> bytes:
            if request.path.endswith("/exchangeInfo"):
                return answer(b"", 503)
            return answer({"serverTime": now_ms()}) if request.path.endswith("/time") else behave(request)

        self.liar.requests.clear()
        self.liar.behave = with_time

    def asked(self) -> list[str]:
        """Return what was asked about the newest order, by its path: earlier ones may still be looked for."""
        earlier = {id_of(number) for number in range(self._numbers)}
        requests = [each for each in self.liar.requests if each.params.get("origClientOrderId") not in earlier]
        paths = [request.path.removeprefix("/api/v3/") for request in requests]
        return [path for path in paths if path not in ("time", "exchangeInfo")]

    def new_id(self) -> str:
        self._numbers += 1
        return id_of(self._numbers)

    def ask(self, ask: Callable[[Callable[[Answer], None]], None]) -> Answer:
        answers: queue.Queue[Answer] = queue.Queue()
        ask(answers.put)
        found = answers.get(timeout=20)
        time.sleep(0.02)
        assert answers.empty(), "an answer came twice"
        return found

    def submit(self, terms: Terms) -> Answer:
        return self.ask(lambda reply: self.venue.submit(terms, reply))

    def look_up(self, client_id: str, since: int = 0) -> Answer:
        return self.ask(lambda reply: self.venue.look_up(client_id, "BTCUSDT", reply, since=since))

    def cancel(self, client_id: str) -> Answer:
        return self.ask(lambda reply: self.venue.cancel(client_id, "BTCUSDT", reply))


@pytest.fixture(scope="module")
def opened() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.venue.close()
    desk.liar.close()


@pytest.fixture
def desk(opened: Desk) -> Desk:
    return opened


# What is no proof, although the order was taken: how the answer is lost or spoiled, with the status it bears.
SPOILED: dict[str, bytes] = {
    **ANYWHERE,
    "200 and an order without an id": answer({"clientOrderId": "h", "status": "NEW", "executedQty": "0"}),
    "200 and an id that is null": answer(shown("h") | {"orderId": None}),
    "200 and another's order": answer(shown("somebody-elses")),
    "200 and a status that nobody knows": answer(shown("h") | {"status": "TELEPORTED"}),
    "200 and NaN filled": answer(shown("h", filled="NaN")),
    "an unknown code of the venue": answer({"code": -1006, "msg": "An unexpected response was received."}, 400),
    "its time-out": answer({"code": -1007, "msg": "Timeout waiting for response from backend server."}, 503),
    "a refusal under a status of 500": answer({"code": -2010, "msg": "insufficient balance"}, 500),
    "a redirect": answer(b"", 307, f"Location: {PATH}"),
    "another redirect": answer(b"", 302, f"Location: {PATH}"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_an_answer_that_proves_nothing_is_unproven_and_the_order_was_sent_once(desk: Desk, name: str) -> None:
    terms = some_terms(desk.new_id())
    desk.behaves(lambda request: SPOILED[name])

    found = desk.submit(terms)

    assert isinstance(found, Unproven), found
    assert "a-secret" not in found.detail and "signature" not in found.detail
    assert desk.liar.count("POST", PATH) == 1
    assert desk.asked() == ["order"]


REFUSALS: dict[str, bytes] = {
    "insufficient balance": answer({"code": -2010, "msg": "Account has insufficient balance."}, 400),
    "a filter": answer({"code": -1013, "msg": "Filter failure: LOT_SIZE"}, 400),
    "a filter of the engine": answer({"code": -2010, "msg": "Filter failure: MAX_NUM_ALGO_ORDERS"}, 400),
    "its time": answer({"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}, 400),
    "too many requests": answer({"code": -1003, "msg": "Too much request weight used."}, 429, "Retry-After: 0"),
    "too many orders": answer({"code": -1015, "msg": "Too many new orders."}, 429, "Retry-After: 0"),
    "a bad signature": answer({"code": -1022, "msg": "Signature for this request is not valid."}, 400),
    "a symbol that is none": answer({"code": -1121, "msg": "Invalid symbol."}, 400),
    "a key that is none": answer({"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}, 401),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_code_that_is_on_the_list_is_a_refusal(desk: Desk, name: str) -> None:
    terms = some_terms(desk.new_id())
    desk.behaves(lambda request: REFUSALS[name])

    found = desk.submit(terms)

    assert isinstance(found, Refused), found
    assert found.code in REFUSALS[name].decode()
    assert found.passes == (name in ("its time", "too many requests", "too many orders"))
    assert desk.liar.count("POST", PATH) == 1


def test_a_stop_that_is_refused_because_its_price_is_reached_says_so(desk: Desk) -> None:
    reached = answer({"code": -2010, "msg": "Stop price would trigger immediately."}, 400)
    desk.behaves(lambda request: reached)
    terms = some_terms(desk.new_id(), type="stop", limit_price=None, stop_price=Decimal(90), side="sell", leg="stop")

    found = desk.submit(terms)

    assert isinstance(found, Refused)
    assert found.is_reached


def test_an_order_that_was_taken_is_seen_with_what_it_was_asked_with(desk: Desk) -> None:
    terms = some_terms(desk.new_id())
    desk.behaves(lambda request: answer(shown(request.params["newClientOrderId"])))

    found = desk.submit(terms)

    assert found == OrderSeen(terms.client_id, "7", "accepted")
    sent = next(request.params for request in desk.liar.requests if request.method == "POST")
    assert (sent["symbol"], sent["side"]) == ("BTCUSDT", "BUY")
    assert (sent["type"], sent["quantity"], sent["price"], sent["timeInForce"]) == ("LIMIT", "0.50", "100.10", "GTC")
    assert 15_000 < int(sent["recvWindow"]) <= 25_000
    assert int(sent["timestamp"]) + int(sent["recvWindow"]) == terms.valid_until


def test_an_orders_window_ends_with_its_time_however_long_it_takes_to_sign_it(desk: Desk) -> None:
    terms = some_terms(desk.new_id())

    put = Binance().place(terms, good_for_ms=5_000)

    assert int(put.params["timestamp"]) + int(put.params["recvWindow"]) == terms.valid_until


def test_a_stop_and_a_market_order_name_no_price_that_would_change_their_meaning(desk: Desk) -> None:
    stop = some_terms(desk.new_id(), type="stop", limit_price=None, stop_price=Decimal(90), side="sell", leg="stop")
    market = some_terms(desk.new_id(), type="market", limit_price=None)
    desk.behaves(lambda request: answer(shown(request.params["newClientOrderId"])))

    desk.submit(stop)
    desk.submit(market)

    first, second = (request.params for request in desk.liar.requests if request.method == "POST")
    assert (first["type"], first["stopPrice"], "price" in first) == ("STOP_LOSS", "90", False)
    assert (second["type"], "price" in second, "quoteOrderQty" in second) == ("MARKET", False, False)


def test_fills_that_come_with_the_answer_are_its_trades(desk: Desk) -> None:
    terms = some_terms(desk.new_id())
    part = {"price": "100.00", "qty": "0.25", "commission": "0.1", "commissionAsset": "BNB"}
    fills = [{**part, "tradeId": 4}, {**part, "tradeId": 5}]
    desk.behaves(lambda request: answer(shown(terms.client_id, "FILLED", "0.50000000", fills=fills)))

    found = desk.submit(terms)

    assert isinstance(found, OrderSeen)
    assert found.state == "filled"
    assert [(fill.trade_id, fill.quantity, fill.fee.asset) for fill in found.fills] == [
        ("BTCUSDT-4", Decimal("0.25"), "BNB"),
        ("BTCUSDT-5", Decimal("0.25"), "BNB"),
    ]


def test_trades_that_do_not_add_up_prove_nothing(desk: Desk) -> None:
    terms = some_terms(desk.new_id())
    part = {"price": "100.00", "qty": "0.25", "commission": "0.1", "commissionAsset": "BNB", "tradeId": 4}
    desk.behaves(lambda request: answer(shown(terms.client_id, "FILLED", "0.50000000", fills=[part])))

    assert isinstance(desk.submit(terms), Unproven)


def test_a_duplicate_is_looked_up_and_is_the_proof_that_the_first_arrived(desk: Desk) -> None:
    terms = some_terms(desk.new_id())

    def behave(request: Request) -> bytes:
        if request.method == "POST":
            return answer({"code": -2010, "msg": "Duplicate order sent."}, 400)
        return answer(shown(request.params["origClientOrderId"]))

    desk.behaves(behave)

    assert desk.submit(terms) == OrderSeen(terms.client_id, "7", "accepted")


def test_a_client_id_is_never_sent_twice_in_one_life(desk: Desk) -> None:
    terms = some_terms(desk.new_id())
    desk.behaves(lambda request: RESET if request.method == "POST" else answer(shown(terms.client_id)))

    first, second = desk.submit(terms), desk.submit(terms)

    assert isinstance(first, Unproven)
    assert isinstance(second, OrderSeen)
    assert desk.liar.count("POST", PATH) == 1


def test_an_order_whose_time_ran_out_is_not_sent(desk: Desk) -> None:
    desk.behaves(lambda request: answer(shown("h")))

    found = desk.submit(some_terms(desk.new_id(), valid_until=now_ms() - 1))

    assert isinstance(found, Refused)
    assert (found.code, found.passes) == ("NOT_SENT", True)
    assert desk.liar.count("POST", PATH) == 0


def test_an_order_does_not_wait_past_its_time_for_a_venue_that_wants_to_be_left_alone() -> None:
    desk = Desk()
    desk.behaves(lambda request: answer({}, 429, "Retry-After: 20"))
    desk.look_up("h1")

    begun = time.monotonic()
    found = desk.submit(some_terms(desk.new_id(), valid_until=now_ms() + 1_000))
    waited_s = time.monotonic() - begun
    desk.venue.close()
    desk.liar.close()

    assert isinstance(found, Refused)
    assert (found.code, found.passes) == ("NOT_SENT", True)
    assert waited_s < 10


def test_what_nobody_listens_to_was_not_sent() -> None:
    liar = Liar()
    liar.close()
    venue = a_venue(liar)
    answers: queue.Queue[Answer] = queue.Queue()

    venue.submit(some_terms("h1"), answers.put)
    found = answers.get(timeout=20)
    venue.close()

    assert isinstance(found, Refused), found
    assert (found.code, found.passes) == ("NOT_SENT", True)


def test_an_order_that_is_looked_up_comes_with_all_of_its_trades(desk: Desk) -> None:
    client_id = desk.new_id()

    def behave(request: Request) -> bytes:
        if request.path.endswith("myTrades"):
            assert request.params["orderId"] == "7"
            return answer([a_trade(2, "0.20"), a_trade(1, "0.30")])
        return answer(shown(client_id, "CANCELED", "0.50000000"))

    desk.behaves(behave)
    found = desk.look_up(client_id)

    assert isinstance(found, OrderSeen)
    assert found.state == "canceled"
    assert [fill.trade_id for fill in found.fills] == ["BTCUSDT-1", "BTCUSDT-2"]


def test_an_order_of_very_many_trades_comes_with_all_of_them(desk: Desk) -> None:
    client_id = desk.new_id()
    trades = [a_trade(number, "0.01") for number in range(5, 2_505)]

    def behave(request: Request) -> bytes:
        if not request.path.endswith("myTrades"):
            return answer(shown(client_id, "FILLED", "25.00000000"))
        limit, first = int(request.params["limit"]), request.params.get("fromId")
        # As the venue documents it: from that number on, and without one the newest.
        told = trades[-limit:] if first is None else [trade for trade in trades if trade["id"] >= int(first)][:limit]
        return answer(told)

    desk.behaves(behave)
    found = desk.look_up(client_id)

    assert isinstance(found, OrderSeen), found
    assert [fill.trade_id for fill in found.fills] == [f"BTCUSDT-{number}" for number in range(5, 2_505)]


def test_a_venue_that_tells_the_same_trades_again_and_again_is_asked_no_more_once_they_are_too_many(desk: Desk) -> None:
    client_id = desk.new_id()
    trades = [a_trade(number, "0.01") for number in range(1_000)]
    order = answer(shown(client_id, "FILLED", "15.00000000"))
    desk.behaves(lambda request: answer(trades) if request.path.endswith("myTrades") else order)

    assert isinstance(desk.look_up(client_id), Unproven)
    assert desk.asked() == ["order", "myTrades", "myTrades", "myTrades"]


def test_a_trade_that_is_told_twice_counts_once_and_in_two_ways_proves_nothing(desk: Desk) -> None:
    found = []
    for again in (a_trade(1, "0.25"), a_trade(1, "0.15")):
        client_id = desk.new_id()
        order = answer(shown(client_id, "NEW", "0.40000000" if again["qty"] == "0.15" else "0.25000000"))
        trades = answer([a_trade(1, "0.25"), again])
        desk.behaves(lambda request, said=(order, trades): said["Trades" in request.path])  # type: ignore[misc]
        found.append(desk.look_up(client_id))

    once, twice = found
    assert isinstance(once, OrderSeen)
    assert [fill.quantity for fill in once.fills] == [Decimal("0.25")]
    assert isinstance(twice, Unproven)


@pytest.mark.parametrize("odd", [a_trade(1, "-0.25"), a_trade(1, "-0.25") | {"qty": "0.25", "price": "0.00"}])
def test_a_trade_of_nothing_or_at_no_price_proves_nothing(desk: Desk, odd: dict[str, Any]) -> None:
    client_id = desk.new_id()
    trades = [odd, a_trade(2, "0.75" if odd["qty"] == "-0.25" else "0.25")]
    order = answer(shown(client_id, "FILLED", "0.50000000"))
    desk.behaves(lambda request: answer(trades) if request.path.endswith("myTrades") else order)

    assert isinstance(desk.look_up(client_id), Unproven)


def test_an_order_that_ended_so_long_ago_that_the_venue_has_put_it_away_has_ended(desk: Desk) -> None:
    client_id = desk.new_id()
    body = {"code": -2026, "msg": "Order was canceled or expired with no executed qty over 90 days ago."}
    desk.behaves(lambda request: answer(body, 400))

    assert desk.look_up(client_id) == OrderSeen(client_id, "archived", "canceled")


def test_an_order_that_is_not_found_is_asked_for_in_another_way_the_next_time(desk: Desk) -> None:
    client_id = desk.new_id()
    missing = answer({"code": -2013, "msg": "Order does not exist."}, 400)
    desk.behaves(lambda request: missing if request.path == PATH else answer([shown("another")]))

    first, second = desk.look_up(client_id), desk.look_up(client_id)

    assert first == second == OrderNotFound(client_id)
    assert desk.asked() == ["order", "allOrders"]


def test_a_list_that_may_have_left_it_out_denies_nothing(desk: Desk) -> None:
    client_id = desk.new_id()
    missing = answer({"code": -2013, "msg": "Order does not exist."}, 400)
    many = [shown(f"another{number}") for number in range(1_000)]
    desk.behaves(lambda request: missing if request.path == PATH else answer(many))

    desk.look_up(client_id)

    assert isinstance(desk.look_up(client_id), Unproven)


def test_an_order_is_seen_as_soon_as_one_question_shows_it_however_long_the_other_fails(desk: Desk) -> None:
    client_id = desk.new_id()
    missing = answer({"code": -2013, "msg": "Order does not exist."}, 400)
    desk.behaves(lambda request: missing if request.path == PATH else answer(b"", 503))
    denied, failed, again, failed_again = (desk.look_up(client_id) for _ in range(4))

    desk.behaves(lambda request: answer(shown(client_id)) if request.path == PATH else answer(b"", 503))

    assert denied == OrderNotFound(client_id)
    assert isinstance(failed, Unproven) and isinstance(failed_again, Unproven)
    assert isinstance(again, Unproven), "it is the same answer to the same question"
    assert isinstance(desk.look_up(client_id), OrderSeen)


def test_where_the_newest_are_too_many_an_order_is_looked_for_among_those_of_its_time(desk: Desk) -> None:
    client_id, sent_at = desk.new_id(), now_ms()
    missing = answer({"code": -2013, "msg": "Order does not exist."}, 400)
    many = [shown(f"another{number}") for number in range(1_000)]

    def behave(request: Request) -> bytes:
        return missing if request.path == PATH else answer(many[:3] if "startTime" in request.params else many)

    desk.behaves(behave)
    desk.look_up(client_id, sent_at)

    assert desk.look_up(client_id, sent_at) == OrderNotFound(client_id)
    starts = [request.params["startTime"] for request in desk.liar.requests if "startTime" in request.params]
    assert int(starts[-1]) < sent_at - MINUTE_MS


def test_a_list_that_shows_an_order_filled_by_no_amount_proves_nothing(desk: Desk) -> None:
    client_id = desk.new_id()
    missing = answer({"code": -2013, "msg": "Order does not exist."}, 400)
    desk.behaves(lambda request: missing if request.path == PATH else answer([shown(client_id, filled="many")]))

    desk.look_up(client_id)
    found = desk.look_up(client_id)

    assert isinstance(found, Unproven)
    assert found.detail.startswith("status 200")


@pytest.mark.parametrize("name", SPOILED)
def test_a_question_that_failed_is_no_negative_answer(desk: Desk, name: str) -> None:
    client_id = desk.new_id()
    desk.behaves(lambda request: SPOILED[name])

    assert isinstance(desk.look_up(client_id), Unproven)


def test_a_cancel_that_came_after_the_fill_ends_with_the_fill(desk: Desk) -> None:
    client_id = desk.new_id()

    def behave(request: Request) -> bytes:
        if request.method == "DELETE":
            return answer({"code": -2011, "msg": "Unknown order sent."}, 400)
        if request.path.endswith("myTrades"):
            return answer([a_trade(9, "0.50")])
        return answer(shown(client_id, "FILLED", "0.50000000"))

    desk.behaves(behave)
    found = desk.cancel(client_id)

    assert isinstance(found, OrderSeen)
    assert (found.state, [fill.trade_id for fill in found.fills]) == ("filled", ["BTCUSDT-9"])


def test_a_cancelled_order_is_named_by_its_own_client_id_and_not_by_the_cancels(desk: Desk) -> None:
    client_id = desk.new_id()
    desk.behaves(lambda request: answer(shown("of-the-cancel", "CANCELED", origClientOrderId=client_id)))

    assert desk.cancel(client_id) == OrderSeen(client_id, "7", "canceled")


def test_a_clock_that_was_refused_is_measured_anew(desk: Desk) -> None:
    asked = 0

    def behave(request: Request) -> bytes:
        return answer({"code": -1021, "msg": "Timestamp for this request was 1000ms ahead of the server's time."}, 400)

    desk.behaves(behave)
    desk.submit(some_terms(desk.new_id()))
    for _ in range(100):
        asked = desk.liar.count("GET", "/api/v3/time")
        if asked:
            break
        time.sleep(0.02)

    assert asked


def test_a_venue_that_is_closed_answers_all_the_same() -> None:
    liar = Liar()
    liar.behave = lambda request: answer({"serverTime": now_ms()}) if request.path.endswith("/time") else HANG
    venue = a_venue(liar, answer_within_s=30)
    answers: queue.Queue[Answer] = queue.Queue()
    venue.submit(some_terms("h1"), answers.put)
    while not liar.count("POST", PATH):
        time.sleep(0.01)

    venue.close()
    under_way = answers.get(timeout=10)
    venue.submit(some_terms("h2"), answers.put)
    afterwards = answers.get(timeout=10)
    liar.close()

    assert isinstance(under_way, Unproven) and "not sent" not in under_way.detail
    assert isinstance(afterwards, Unproven) and "not sent" in afterwards.detail


class Unforeseen(Binance):
    """Breaks down at the first time it reads."""

    times = 0

    def read_time(self, received: Received) -> int:
        self.times += 1
        if self.times == 1:
            raise RuntimeError("nobody foresaw it")
        return super().read_time(received)


@pytest.mark.parametrize("dialect", [Binance(), Unforeseen()])
def test_a_time_that_is_none_does_not_end_the_measuring(dialect: Binance) -> None:
    liar = Liar()
    times = iter([10**400, 0])
    liar.behave = lambda request: answer({"serverTime": next(times, now_ms())})
    connection = Connection(dialect, pointed_at(liar.url))
    deadline = time.monotonic() + 10

    while not connection.clock.is_known and time.monotonic() < deadline:
        time.sleep(0.02)
    is_known, told = connection.clock.is_known, connection.clock.now_ms()
    connection.close()
    liar.close()

    assert is_known
    assert abs(told - now_ms()) < 20_000


def test_a_symbol_that_rests_has_rules_all_the_same() -> None:
    steps = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "stepSize": "0.00001000", "minQty": "0.00001000"},
    ]
    row = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT", "status": "BREAK", "filters": steps}

    rules = Binance().read_rules(Received(200, {}, {"symbols": [row]}), ("BTCUSDT",))

    assert rules["BTCUSDT"].tick == Decimal("0.01")
    assert rules["BTCUSDT"].quantity_max is None


def test_the_most_of_one_order_is_the_lowest_limit_there_is() -> None:
    steps = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "stepSize": "0.00001000", "minQty": "0.00001000", "maxQty": "9000.00000000"},
        {"filterType": "MARKET_LOT_SIZE", "stepSize": "0.00000000", "minQty": "0.00000000", "maxQty": "71.50000000"},
    ]
    binances = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT", "status": "TRADING", "filters": steps}
    lots = {"basePrecision": "0.000001", "minOrderQty": "0.00001", "minOrderAmt": "5", "maxOrderQty": "83"}
    bybits = {
        "symbol": "BTCUSDT",
        "baseCoin": "BTC",
        "quoteCoin": "USDT",
        "lotSizeFilter": lots | {"maxLimitOrderQty": "83", "maxMarketOrderQty": "41.5"},
        "priceFilter": {"tickSize": "0.1"},
    }

    binance = Binance().read_rules(Received(200, {}, {"symbols": [binances]}), ("BTCUSDT",))
    bybit = Bybit().read_rules(Received(200, {}, {"retCode": 0, "result": {"list": [bybits]}}), ("BTCUSDT",))

    assert (binance["BTCUSDT"].quantity_max, bybit["BTCUSDT"].quantity_max) == (Decimal("71.5"), Decimal("41.5"))


def test_history_is_asked_for_until_the_venue_answers() -> None:
    liar = Liar()
    silences = iter([HANG, answer(HTML, 503), answer([{}])])
    rows = [[start, "1", "1", "1", "1", "1"] for start in (0, MINUTE_MS)]
    liar.behave = lambda request: (
        next(silences, answer(rows)) if request.path.endswith("/klines") else answer({"serverTime": now_ms()})
    )
    connection = Connection(Binance(), pointed_at(liar.url), answer_within_s=ANSWER_WITHIN_S)
    given: dict[str, Any] = {"symbols": ("BTCUSDT",), "timeframe": "1m", "frames": ("1m",), "warmup_bars": 2}
    market = LiveMarket(connection, **given, starts_at=2 * MINUTE_MS)

    bars = market.history("BTCUSDT", "1m")
    connection.close()
    with pytest.raises(VenueSilent):
        market.history("BTCUSDT", "1m")
    liar.close()

    assert [bar.closed_at for bar in bars] == [MINUTE_MS, 2 * MINUTE_MS]


def test_a_long_history_is_asked_for_page_by_page() -> None:
    liar = Liar()

    def behave(request: Request) -> bytes:
        if not request.path.endswith("/klines"):
            return answer({"serverTime": now_ms()})
        since, limit = int(request.params["startTime"]), int(request.params["limit"])
        return answer([[since + index * MINUTE_MS, "1", "1", "1", "1", "1"] for index in range(limit)])

    liar.behave = behave
    connection = Connection(Binance(), pointed_at(liar.url))
    given: dict[str, Any] = {"symbols": ("BTCUSDT",), "timeframe": "1m", "frames": ("1m",), "warmup_bars": 2_300}
    market = LiveMarket(connection, **given, starts_at=3_000 * MINUTE_MS)

    bars = market.history("BTCUSDT", "1m")
    connection.close()
    liar.close()

    assert [bar.closed_at // MINUTE_MS for bar in bars] == list(range(701, 3_001))


def test_ids_that_were_sent_are_forgotten_only_long_after_their_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venues, "REMEMBERED_MS", 400)
    desk.behaves(lambda request: answer(shown(request.params.get("newClientOrderId", ""))))
    first, second = some_terms(desk.new_id(), valid_until=now_ms() + 300), some_terms(desk.new_id())
    desk.submit(first)
    time.sleep(0.4)
    desk.submit(second)
    remembered = set(desk.venue._sent)
    time.sleep(0.6)
    desk.submit(some_terms(desk.new_id()))

    assert {first.client_id, second.client_id} <= remembered
    assert first.client_id not in desk.venue._sent
    assert second.client_id in desk.venue._sent


def test_of_orders_that_were_never_found_only_the_newest_are_remembered(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "ASKED_MAX", 3)
    desk.behaves(lambda request: answer({"code": -2013, "msg": "Order does not exist."}, 400))
    for _ in range(5):
        newest = desk.new_id()
        assert isinstance(desk.look_up(newest), OrderNotFound)

    assert len(desk.venue._orders._asked) == 3
    assert newest in desk.venue._orders._asked
