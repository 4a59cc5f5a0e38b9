"""A live venue and market against a real exchange on a real socket, through an unmodified ccxt."""

import queue
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.market import MINUTE_MS, SECOND_MS
from domain.order import Terms
from domain.sources import NOT_YET, Step
from domain.venue import Answer, OrderNotFound, OrderSeen, Refused
from gateways.live.connection import Connection
from gateways.live.market import LiveMarket
from gateways.live.venue import LiveVenue
from tests.gateways.live.served import DIALECTS, Served

pytestmark = pytest.mark.slow

D = Decimal
SYMBOL = "BTCUSDT"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("exchange"), speed=60.0, balances={"USDT": D(100_000)})
    yield served
    served.close()


@pytest.fixture(scope="module", params=sorted(DIALECTS))
def connection(request: pytest.FixtureRequest, served: Served) -> Iterator[Connection]:
    connection = served.connect(request.param)
    connection.know_the_time()
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def venue(connection: Connection) -> LiveVenue:
    return LiveVenue(connection, ask_all_every_s=0.5)


class Numbers:
    last = 0


def some_terms(connection: Connection, **changes: Any) -> Terms:
    Numbers.last += 1
    terms = Terms(
        client_id=f"h0100000{Numbers.last:04}e00",
        strategy="one",
        symbol=SYMBOL,
        side="buy",
        type="market",
        quantity=D("0.01"),
        leg="entry",
        valid_until=connection.clock.now_ms() + 30_000,
        base="BTC",
    )
    return msgspec.structs.replace(terms, **changes)


def ask(work: Callable[[Callable[[Answer], None]], None]) -> Answer:
    answers: queue.Queue[Answer] = queue.Queue()
    work(answers.put)
    return answers.get(timeout=20)


def price_now(connection: Connection) -> Decimal:
    dialect = connection.dialect
    rows = dialect.read_bars(connection.ask(dialect.newest_bars(SYMBOL, "1s", limit=1)), SYMBOL, "1s")
    return D(rows[-1].close)


def test_rules_and_balances_are_read(connection: Connection) -> None:
    dialect = connection.dialect

    rules = dialect.read_rules(connection.ask(dialect.rules()), (SYMBOL, "NOPEUSDT"))

    assert list(rules) == [SYMBOL]
    assert (rules[SYMBOL].base, rules[SYMBOL].quote) == ("BTC", "USDT")
    assert 0 < rules[SYMBOL].lot < 1 < (rules[SYMBOL].quantity_max or 0)
    assert dialect.read_balances(connection.ask(dialect.balances())).get("USDT", D(0)) > 0


def test_a_market_order_is_filled_and_its_trades_are_those_of_the_exchanges_ledger(
    served: Served, connection: Connection, venue: LiveVenue
) -> None:
    terms = some_terms(connection)

    found = ask(lambda reply: venue.submit(terms, reply))
    for _ in range(100):
        if isinstance(found, OrderSeen) and found.state == "filled":
            break
        time.sleep(0.1)
        found = ask(lambda reply: venue.look_up(terms.client_id, SYMBOL, reply))

    assert isinstance(found, OrderSeen) and found.state == "filled", found
    trades = [trade for trade in served.ledger()["trades"] if trade["client_id"] == terms.client_id]
    assert sorted((fill.quantity, fill.price) for fill in found.fills) == sorted(
        (D(trade["quantity"]), D(trade["price"])) for trade in trades
    )
    assert all(fill.fee.amount > 0 for fill in found.fills)


def test_a_resting_order_is_cancelled_and_another_symbols_question_does_not_find_it(
    connection: Connection, venue: LiveVenue
) -> None:
    low = (price_now(connection) * D("0.9")).quantize(D("0.01"))
    terms = some_terms(connection, type="limit", limit_price=low)

    placed = ask(lambda reply: venue.submit(terms, reply))
    elsewhere = ask(lambda reply: venue.look_up(terms.client_id, "ETHUSDT", reply))
    cancelled = ask(lambda reply: venue.cancel(terms.client_id, SYMBOL, reply))
    again = ask(lambda reply: venue.cancel(terms.client_id, SYMBOL, reply))

    assert isinstance(placed, OrderSeen) and placed.state == "accepted"
    assert isinstance(elsewhere, OrderNotFound)
    assert isinstance(cancelled, OrderSeen) and cancelled.state == "canceled"
    assert again == cancelled


def test_a_stop_waits_at_the_venue_and_one_whose_price_is_reached_is_refused_as_that(
    connection: Connection, venue: LiveVenue
) -> None:
    ask(lambda reply: venue.submit(some_terms(connection), reply))
    price = price_now(connection)
    stop = some_terms(connection, side="sell", type="stop", leg="stop", quantity=D("0.005"))
    below = msgspec.structs.replace(stop, stop_price=(price * D("0.8")).quantize(D("0.01")))
    reached = msgspec.structs.replace(
        stop, client_id=f"{stop.client_id[:-3]}s00", stop_price=(price * D("1.2")).quantize(D("0.01"))
    )

    waiting = ask(lambda reply: venue.submit(below, reply))
    refused = ask(lambda reply: venue.submit(reached, reply))
    cancelled = ask(lambda reply: venue.cancel(below.client_id, SYMBOL, reply))

    assert isinstance(waiting, OrderSeen) and waiting.state == "accepted", waiting
    assert isinstance(refused, Refused) and refused.is_reached, refused
    assert isinstance(cancelled, OrderSeen) and cancelled.state == "canceled"


def test_an_order_that_is_nowhere_is_not_found_in_either_way_of_asking(
    connection: Connection, venue: LiveVenue
) -> None:
    since = connection.clock.now_ms()

    answers = [
        ask(lambda reply: venue.look_up("h0100000nowhere", SYMBOL, reply, since=since + 2 * MINUTE_MS)) for _ in "ab"
    ]

    assert answers == [OrderNotFound("h0100000nowhere")] * 2


def test_a_fill_that_nobody_asked_about_is_reported(connection: Connection, venue: LiveVenue) -> None:
    reports: queue.Queue[OrderSeen] = queue.Queue()
    venue.watch(reports.put)
    near = (price_now(connection) * D("1.001")).quantize(D("0.01"))
    terms = some_terms(connection, type="limit", limit_price=near, quantity=D("0.5"))

    found = ask(lambda reply: venue.submit(terms, reply))
    while not (isinstance(found, OrderSeen) and found.state == "filled"):
        reported = reports.get(timeout=30)
        if reported.client_id == terms.client_id:
            found = reported

    assert sum(fill.quantity for fill in found.fills) == D("0.5")


def test_more_than_there_is_money_for_is_refused_with_the_venues_code(connection: Connection, venue: LiveVenue) -> None:
    terms = some_terms(connection, quantity=D(1_000))

    found = ask(lambda reply: venue.submit(terms, reply))

    assert isinstance(found, Refused) and found.code in ("-2010", "-1013", "170131", "170137")


def test_an_order_that_arrives_after_its_time_is_refused_by_the_venue(connection: Connection, venue: LiveVenue) -> None:
    dialect = connection.dialect
    call = dialect.place(some_terms(connection), good_for_ms=1)

    async def late() -> Any:
        connection.client.tell_time_by(lambda: connection.clock.ahead_of_wall_ms() - 5_000)
        try:
            return await connection.client.send(call)
        finally:
            connection.client.tell_time_by(connection.clock.ahead_of_wall_ms)

    received = connection.thread.wait(late(), 20)
    error = dialect.error_in(received)

    assert error is not None and error.meaning == "clock"


def a_market(connection: Connection, **changes: Any) -> LiveMarket:
    given = {"symbols": (SYMBOL, "ETHUSDT"), "timeframe": "1s", "frames": ("1s",), "warmup_bars": 20}
    return LiveMarket(connection, starts_at=connection.clock.now_ms(), **{**given, **changes})


def take(steps: Iterator[Step], count: int, within_s: float = 30.0) -> list[Step]:
    taken: list[Step] = []
    deadline = time.monotonic() + within_s
    while len(taken) < count:
        assert time.monotonic() < deadline, taken
        step = next(steps)
        if step is NOT_YET:
            time.sleep(0.02)
            continue
        taken.append(step)
    return taken


def test_bars_come_as_they_close_each_once_and_go_on_after_a_pause_where_they_left_off(connection: Connection) -> None:
    market = a_market(connection)
    told = []
    market.watch(lambda: told.append(1))

    first = take(market.steps(market.starts_at()), 4)
    time.sleep(2.5)  # Nobody reads, as after a death.
    second = take(market.steps(first[-1].at), 4)

    instants = [step.at for step in (*first, *second)]
    assert instants == [market.starts_at() + SECOND_MS * number for number in range(1, 9)]
    assert all([row.symbol for row in step.rows] == [SYMBOL, "ETHUSDT"] for step in first)
    assert all(row.opened_at + SECOND_MS == step.at for step in (*first, *second) for row in step.rows)
    assert told


def test_a_bar_is_handed_on_only_once_it_has_closed_by_the_venues_clock(connection: Connection) -> None:
    market = a_market(connection)
    steps = market.steps(market.starts_at())

    for _ in range(3):
        (step,) = take(steps, 1)
        assert step.at <= connection.clock.now_ms()


def test_history_ends_where_the_market_begins(connection: Connection) -> None:
    market = a_market(connection, timeframe="1s", frames=("1m",), warmup_bars=15)

    bars = market.history(SYMBOL, "1m")

    assert bars[-1].closed_at == market.starts_at()
    assert len(bars) == 15
    assert market.starts_at() % 60_000 == 0
