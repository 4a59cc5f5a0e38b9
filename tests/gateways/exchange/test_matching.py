"""Laws of who trades with whom: by price and then by time, and never with oneself."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from gateways.exchange.errors import Reason, Refused
from tests.gateways.exchange.test_recovery import NAME, Life, ask


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    """Give one life of an exchange without its sockets."""
    life = Life(tmp_path / "venue")
    yield life
    life.close()


def executed(life: Life, name: str) -> Decimal:
    """Return how much of an order has traded."""
    order = life.engine.account.find(NAME, order_id=None, client_id=name)
    assert order is not None
    return order.executed


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_the_better_price_trades_first_and_at_one_price_the_older_order(life: Life, side: str) -> None:
    step = Decimal(100 if side == "sell" else -100)
    worse, better, beyond = (life.price + step * place for place in (2, 1, 3))
    for name, price in (("worse", worse), ("better", better), ("later", better)):
        life.engine.place(ask("limit", side, "1", price, name=name))
    life.tick(beyond, quantity="3")

    assert [executed(life, name) for name in ("worse", "better", "later")] == [0, 1, Decimal("0.5")]
    life.tick(beyond, quantity="2")
    assert [executed(life, name) for name in ("worse", "better", "later")] == [Decimal("0.5"), 1, 1]
    prices = {trade["client_id"]: Decimal(trade["price"]) for trade in life.ledger.report()["trades"]}
    assert prices == {"worse": worse, "better": better, "later": better}


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_an_order_that_takes_is_not_robbed_by_one_that_the_market_has_left_behind(life: Life, side: str) -> None:
    step = Decimal(100 if side == "sell" else -100)
    life.engine.place(ask("limit", side, "5", life.price + step, name="left"))
    life.tick(life.price + 2 * step, quantity="0.002")
    before = executed(life, "left")
    taker, trades = life.engine.place(ask("market", side, "0.01"))

    assert before == Decimal("0.001")
    assert (taker.status, sum(trade.quantity for trade in trades)) == ("filled", Decimal("0.01"))
    assert executed(life, "left") == before


def test_nobody_trades_with_oneself_within_the_spread_of_the_public_book(life: Life) -> None:
    listing = life.market.listings[NAME]
    bid, ask_price, tick = listing.depth().bids[0].price, listing.depth().asks[0].price, listing.instrument.tick
    assert ask_price - bid > 3 * tick
    life.engine.place(ask("limit", "sell", "1", bid + tick, name="mine"))
    with pytest.raises(Refused) as refused:
        life.engine.place(ask("limit_maker", "buy", "1", bid + 2 * tick))
    life.engine.place(ask("limit", "buy", "1", bid + 2 * tick, name="theirs"))

    assert refused.value.reason == Reason.WOULD_TAKE
    mine = life.engine.account.find(NAME, order_id=None, client_id="mine")
    assert mine is not None and mine.status == "expired"
    life.tick(bid + tick + tick)
    assert not life.ledger.report()["trades"]
