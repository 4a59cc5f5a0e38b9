"""The laws of an account that is asked for as a whole: all of it is told, or nothing is proven."""

import queue
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.venue import AccountAnswer, AccountSeen, OpenOrder, Unproven
from gateways.live.binance import Binance
from gateways.live.venue import LiveVenue
from tests.gateways.live.liar import Request, answer
from tests.gateways.live.served import DIALECTS, Served
from tests.gateways.live.test_live_venue import SPOILED, Desk

D = Decimal
ROW: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "orderId": 7,
    "clientOrderId": "web_1",
    "side": "SELL",
    "type": "STOP_LOSS",
    "status": "NEW",
    "origQty": "0.50",
    "executedQty": "0.10",
    "price": "0.00",
    "stopPrice": "90.10",
}
HELD = {"balances": [{"asset": "BTC", "free": "0.1", "locked": "0.4"}, {"asset": "ETH", "free": "0", "locked": "0"}]}


class Patient(Binance):
    """It may be asked as often as one likes: at its own pace two questions about an account take a second."""

    weight_per_s = burst = 1_000_000.0


@pytest.fixture(scope="module")
def opened() -> Iterator[Desk]:
    desk = Desk(Patient())
    yield desk
    desk.venue.close()
    desk.liar.close()


def told(venue: LiveVenue) -> AccountAnswer:
    answers: queue.Queue[AccountAnswer] = queue.Queue()
    venue.tell_account(answers.put)
    return answers.get(timeout=20)


def test_an_account_is_told_with_its_totals_and_with_everybodys_orders(opened: Desk) -> None:
    opened.behaves(lambda request: answer([ROW]) if request.path.endswith("openOrders") else answer(HELD))

    order = OpenOrder("web_1", "7", "BTCUSDT", "sell", "stop", D("0.50"), D("0.10"), None, D("90.10"))
    assert told(opened.venue) == AccountSeen({"BTC": D("0.5")}, (order,))


@pytest.mark.parametrize("name", sorted(SPOILED.keys() - {"200 and a list"}))
@pytest.mark.parametrize("place", ["openOrders", "account"])
def test_half_an_account_is_no_account(opened: Desk, place: str, name: str) -> None:
    def behave(request: Request) -> bytes:
        if request.path.endswith(place):
            return SPOILED[name]
        return answer([ROW]) if request.path.endswith("openOrders") else answer(HELD)

    opened.behaves(behave)

    found = told(opened.venue)

    assert isinstance(found, Unproven), found
    assert "a-secret" not in found.detail and "signature" not in found.detail


@pytest.mark.parametrize(
    "spoiled", [{"side": "BOTH"}, {"origQty": "NaN"}, {"executedQty": None}, {"clientOrderId": ""}]
)
def test_an_open_order_that_cannot_be_read_spoils_the_whole_answer(opened: Desk, spoiled: dict[str, Any]) -> None:
    rows = [ROW, ROW | spoiled]
    opened.behaves(lambda request: answer(rows) if request.path.endswith("openOrders") else answer(HELD))

    assert isinstance(told(opened.venue), Unproven)


@pytest.mark.slow
@pytest.mark.parametrize("api", sorted(DIALECTS))
def test_a_real_exchange_tells_an_order_that_somebody_else_has_placed(api: str, tmp_path: Path) -> None:
    served = Served(tmp_path, speed=60.0, balances={"USDT": D(100_000)})
    connection = served.connect(api)
    try:
        connection.know_the_time()
        venue = LiveVenue(connection)
        before = told(venue)
        served.do(
            lambda exchange: exchange.faults.add(
                kind="manual_order", symbol="BTCUSDT", side="buy", quantity="0.20", price="100.00"
            )
        )
        for _ in range(100):
            after = told(venue)
            if isinstance(after, AccountSeen) and after.orders:
                break
            time.sleep(0.1)
    finally:
        connection.close()
        served.close()

    assert before == AccountSeen({"USDT": D(100_000)}, ())
    assert isinstance(after, AccountSeen)
    (order,) = after.orders
    assert (order.symbol, order.side, order.type, order.quantity) == ("BTCUSDT", "buy", "limit", D("0.20"))
    assert after.balances == {"USDT": D(100_000)}
