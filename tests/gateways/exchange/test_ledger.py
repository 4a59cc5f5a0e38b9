"""Laws of what the ledger finds, and of how much it looks at for that."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateways.exchange.ledger import FAR, Ledger, Search
from gateways.exchange.orders import Order, OrderRequest, Trade

NAME = "BTCUSDT"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Give an empty ledger."""
    ledger = Ledger(tmp_path / "ledger.db")
    yield ledger
    ledger.close()


def fill(ledger: Ledger, first: int, last: int) -> None:
    """Write down orders that were filled, each with a trade."""
    with ledger.writing():
        for number in range(first, last):
            request = OrderRequest(client_id=f"c{number}", symbol=NAME, side="buy", kind="market")
            order = Order(
                order_id=0,
                request=request,
                origin="api",
                quantity=Decimal(1),
                status="filled",
                created_at=number,
                updated_at=number,
            )
            order_id = ledger.add_order(order)
            trade = Trade(
                trade_id=0,
                order_id=order_id,
                client_id=f"c{number}",
                symbol=NAME,
                side="buy",
                price=Decimal(1),
                quantity=Decimal(1),
                fee=Decimal(0),
                fee_asset="BTC",
                is_maker=False,
                at=number,
            )
            ledger.add_trade(trade, f"b{number}")


def steps_of(ledger: Ledger, find: Callable[[], Any]) -> int:
    """Return how much work a question is, in hundreds of SQLite's steps."""
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    ledger._connection.set_progress_handler(count, 100)
    find()
    ledger._connection.set_progress_handler(None)
    return steps


QUESTIONS: dict[str, Callable[[Ledger], list[Any]]] = {
    "trades of an order": lambda ledger: ledger.trades(NAME, order_id=3, first_id=None, begin=0, end=FAR, limit=500),
    "newest trades of an order": lambda ledger: ledger.newest_trades(Search(NAME, 3, None, 50)),
    "newest trades of a client id": lambda ledger: ledger.newest_trades(Search(NAME, None, "c2", 50)),
    "a closed order by number": lambda ledger: ledger.closed_orders(Search(NAME, 3, None, 50)),
    "a closed order by client id": lambda ledger: ledger.closed_orders(Search(NAME, None, "c2", 50)),
    "the newest trades": lambda ledger: ledger.newest_trades(Search(NAME, None, None, 1)),
    "trades from a number on": lambda ledger: ledger.trades(NAME, order_id=None, first_id=3, begin=0, end=FAR, limit=1),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_found_of_one_order_takes_no_longer_the_more_there_are(ledger: Ledger, question: str) -> None:
    find = QUESTIONS[question]
    fill(ledger, 0, 100)
    few = steps_of(ledger, lambda: find(ledger))
    assert len(find(ledger)) == 1
    fill(ledger, 100, 3_000)

    assert len(find(ledger)) == 1
    assert steps_of(ledger, lambda: find(ledger)) <= few + 3
