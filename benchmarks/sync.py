"""The books held against a venue's account with many open orders, beside a plain decode of the venue's answers.

    python -m benchmarks.sync [--orders N] [--rounds N] [--json]

Ours is all that a comparison costs the node itself once the answers are there: read as JSON with exact numbers, taken
apart with suspicion, and held against the books.  The journal has every order; none differs, as it should be.
"""

import json
import time
from collections.abc import Callable
from decimal import Decimal
from statistics import median
from typing import Any

from benchmarks.common import arguments, below, compared, say
from domain.market import Instrument
from domain.order import Order, Terms, client_order_id
from domain.position import Book
from domain.reconciliation import Policies, compare
from domain.venue import AccountSeen
from gateways.live.binance import Binance
from gateways.live.wire import Received, read_json

LIMIT_MS = 5.0
FLOOR_IS = "json.loads of the same answers, numbers exact"
COIN = Instrument("BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.00001"), Decimal("0.00001"), Decimal(5))


def main() -> None:
    """Measure, and print."""
    parser = arguments("The books held against a venue's account.")
    parser.add_argument("--orders", type=int, default=1_000, help="open orders of the account")
    parser.add_argument("--rounds", type=int, default=50, help="comparisons to take the median of")
    wanted = parser.parse_args()
    say(measure(wanted.orders, wanted.rounds), as_json=wanted.json)


def measure(count: int, rounds: int) -> list[dict[str, Any]]:
    """Let ours and the floor take turns; CPU time, in milliseconds."""
    orders = {order.terms.client_id: order for order in map(_an_order, range(count))}
    listed = json.dumps([_row(order) for order in orders.values()])
    held = json.dumps({"balances": [{"asset": "USDT", "free": "1000.00000000", "locked": "500.00000000"}]})
    book = Book("USDT")
    book.know(COIN)
    book.cash = {"USDT": Decimal(1_500)}
    dialect = Binance()

    def ours() -> None:
        open_orders, _ = dialect.read_open_orders(Received(200, {}, read_json(listed)))
        balances = dialect.read_balances(Received(200, {}, read_json(held)))
        account = AccountSeen(dict(balances), tuple(open_orders))
        found = compare(book, orders, account, namespace="ours", instruments={"BTCUSDT": COIN}, policies=Policies())
        assert not found.findings, found.findings[:1]

    def floor() -> None:
        json.loads(listed, parse_float=Decimal)
        json.loads(held, parse_float=Decimal)

    times: dict[str, list[float]] = {"ours": [], "floor": []}
    for _ in range(rounds):
        times["ours"].append(_cpu_ms(ours))
        times["floor"].append(_cpu_ms(floor))
    found = compared(
        f"sync of {count} open orders",
        ours=median(times["ours"]),
        floor=median(times["floor"]),
        unit="ms",
        floor_is=FLOOR_IS,
    )
    return [below(found, LIMIT_MS)]


def _cpu_ms(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1_000


def _an_order(number: int) -> Order:
    client_id = client_order_id(generation=1, namespace="ours", sequence=number, leg="stop", index=0, attempt=0)
    terms = Terms(
        client_id=client_id,
        strategy="one",
        symbol="BTCUSDT",
        side="sell",
        type="stop",
        quantity=Decimal("0.01000"),
        leg="stop",
        stop_price=Decimal(20_000),
    )
    order = Order(terms, venue_id=str(number))
    order.move_to("accepted")
    return order


def _row(order: Order) -> dict[str, Any]:
    """Return an order as the venue lists it."""
    return {
        "symbol": "BTCUSDT",
        "orderId": int(order.venue_id),
        "orderListId": -1,
        "clientOrderId": order.terms.client_id,
        "price": "0.00000000",
        "origQty": "0.01000000",
        "executedQty": "0.00000000",
        "cummulativeQuoteQty": "0.00000000",
        "status": "NEW",
        "timeInForce": "GTC",
        "type": "STOP_LOSS",
        "side": "SELL",
        "stopPrice": "20000.00000000",
        "icebergQty": "0.00000000",
        "time": 1_700_000_000_000,
        "updateTime": 1_700_000_000_000,
        "isWorking": True,
        "origQuoteOrderQty": "0.00000000",
    }


if __name__ == "__main__":
    main()
