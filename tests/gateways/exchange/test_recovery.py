"""Laws of a death at any write: what the ledger and the book say together is never more nor less than what happened."""

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateways.exchange.binance.shapes import book_ticker
from gateways.exchange.clock import VenueClock
from gateways.exchange.engine import Engine
from gateways.exchange.errors import Refused
from gateways.exchange.ledger import Ledger
from gateways.exchange.market import Market
from gateways.exchange.opening import open_market
from gateways.exchange.orders import Event, Kind, OrderRequest, Reported, TimeInForce
from gateways.exchange.settings import ExchangeSettings
from gateways.exchange.ticks import Tick
from gateways.paper import PaperSettings, PaperVenue
from gateways.paper.audit import Audit
from tests.gateways.exchange.support import MEMORY

NAME, COINS = "BTCUSDT", 50
SETTINGS = PaperSettings(fee_asset="received", slippage_bps=Decimal(0), latency_ms=0, participation=Decimal("0.5"))


class Died(Exception):
    """The process is gone at this write."""


class Mortal:
    """Lets so many writes pass, and dies at the next."""

    def __init__(self, writes: int) -> None:
        self._left = writes

    def __call__(self, *_: Any) -> None:
        """Count a write."""
        self._left -= 1
        if self._left < 0:
            raise Died


class MortalLedger(Ledger):
    """A ledger whose process dies before or after one of its transactions."""

    def __init__(self, path: Path, cue: Any = lambda *_: None) -> None:
        self._cue: Any = cue
        self._depth = 0
        super().__init__(path)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Die before the outermost transaction, or after it."""
        if self._depth == 0:
            self._cue()
        self._depth += 1
        try:
            with super().writing():
                yield
        finally:
            self._depth -= 1
        if self._depth == 0:
            self._cue()


class Life:
    """One life of an exchange without its sockets."""

    def __init__(self, folder: Path, cue: Any = lambda *_: None) -> None:
        folder.mkdir(exist_ok=True)
        self.ledger = MortalLedger(folder / "ledger.db")
        self.clock = VenueClock()
        settings = ExchangeSettings(home=folder, history_bars=30, symbols=(NAME,))
        self.market: Market = open_market(settings, self.ledger, self.clock)
        instruments = {NAME: self.market.listings[NAME].instrument}
        deposit = {"USDT": Decimal(1_000_000), "BTC": Decimal(COINS)}
        self._paper = PaperVenue.open(
            folder / "book.db", instruments=instruments, deposit=deposit, settings=SETTINGS, cue=cue
        )
        self.clock.go_beyond(max(self._paper.head, self.ledger.newest_at()))
        self.ledger._cue = cue
        self.engine = Engine(
            self._paper, self.ledger, self.market, next_instant=self.clock.next, participation=Decimal("0.5")
        )
        self.heard: list[Event] = []
        self.engine.account.watch(self.heard.append)

    @property
    def price(self) -> Decimal:
        """Return the last price."""
        return self.market.listings[NAME].last

    def tick(self, price: Decimal, quantity: str = "10") -> None:
        """Let the market trade."""
        tick = Tick(NAME, self.clock.next(), price, Decimal(quantity), False)
        self.market.listings[NAME].take(tick)
        self.engine.take_tick(tick)

    def close(self) -> None:
        """Let go of the files, as a death does."""
        self.ledger.close()
        self._paper.close()


def ask(
    kind: Kind, side: Any, quantity: str, price: Any = 0, stop: Any = 0, force: TimeInForce = "GTC", name: str = ""
) -> OrderRequest:
    """Return a request."""
    return OrderRequest(
        client_id=name or f"{kind}-{side}-{price}-{stop}",
        symbol=NAME,
        side=side,
        kind=kind,
        quantity=Decimal(quantity),
        price=Decimal(price),
        stop_price=Decimal(stop),
        time_in_force=force,
    )


def trade_a_little(life: Life) -> None:
    """Do some of everything."""
    tick = life.market.listings[NAME].instrument.tick
    low, high = life.price - 10_000 * tick, life.price + 10_000 * tick
    life.engine.place(ask("market", "buy", "0.5"))
    life.engine.place(ask("market", "sell", str(life.market.listings[NAME].depth().bids[0].quantity + 1)))
    life.engine.place(ask("limit", "buy", "1", low, name="rests"))
    life.engine.place(ask("limit", "sell", "0.3", life.price - 100 * tick, force="IOC"))
    life.engine.place(ask("stop", "sell", "0.4", stop=low + 5_000 * tick))
    life.engine.place(ask("stop_limit", "buy", "0.2", price=high + 100 * tick, stop=high))
    life.tick(low + 4_000 * tick)
    life.tick(low - tick, quantity="0.5")
    life.tick(high + tick)
    life.engine.cancel(NAME, order_id=None, client_id="rests")
    life.engine.account.move("USDT", Decimal(7))


def test_a_movement_is_written_down_when_it_was_made(tmp_path: Path) -> None:
    life = Life(tmp_path)
    life.clock.go_beyond(life.clock.next() + 60_000)
    before = life.clock.next()

    life.engine.account.move("USDT", Decimal(7))
    life.close()

    with closing(Audit(tmp_path / "book.db")) as audit:
        at, asset, amount, _trade = list(audit.movements())[-1]
    assert (asset, amount) == ("USDT", Decimal(7))
    assert before < at <= life.clock.next()


def test_a_death_at_any_write_leaves_a_ledger_that_agrees_with_the_book() -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        assert _die_at_each_write(Path(folder)) > 25


def _die_at_each_write(home: Path) -> int:
    deaths = 0
    while True:
        folder = home / str(deaths)
        life = Life(folder, Mortal(deaths))
        try:
            trade_a_little(life)
        except Died:
            died = True
        else:
            died = False
        finally:
            life.close()
        _demand_agreement(folder)
        if not died:
            return deaths
        deaths += 1


def _demand_agreement(folder: Path) -> None:
    """Live again, and compare what the ledger says of each order with what its trades moved in the book."""
    life = Life(folder)
    try:
        orders = life.ledger.report()["orders"]
        trades = life.ledger.report()["trades"]
        held = {asset: holding.free + holding.locked for asset, holding in life.engine.account.holdings().items()}
        bought = sum((Decimal(each["quantity"]) for each in trades if each["side"] == "buy"), Decimal(0))
        sold = sum((Decimal(each["quantity"]) for each in trades if each["side"] == "sell"), Decimal(0))
        fees = sum((Decimal(each["fee"]) for each in trades if each["fee_asset"] == "BTC"), Decimal(0))

        assert held["BTC"] == COINS + bought - sold - fees
        for order in orders:
            mine = [each for each in trades if each["order_id"] == order["order_id"]]
            assert Decimal(order["executed"]) == sum((Decimal(each["quantity"]) for each in mine), Decimal(0))
            assert (order["status"] == "filled") == (Decimal(order["executed"]) == Decimal(order["quantity"]))
            assert Decimal(order["executed_worth"]) == sum(
                (Decimal(each["quantity"]) * Decimal(each["price"]) for each in mine), Decimal(0)
            )
            assert order["status"] != "pending"
        audit = Audit(folder / "book.db")
        states = audit.states()
        audit.close()
        for order_id, open_order in life.engine.account.orders.items():
            assert not open_order.takes or not open_order.working_at
            assert states.get(f"e{order_id}", "accepted") == "accepted"
        for order in list(life.engine.account.orders.values()):
            life.engine.cancel(NAME, order_id=order.order_id, client_id=None)
        assert all(not holding.locked for holding in life.engine.account.holdings().values())
    finally:
        life.close()


def test_an_order_that_the_ledger_has_and_the_book_has_not_was_never_taken(tmp_path: Path) -> None:
    life = Life(tmp_path / "venue", Mortal(2))
    with pytest.raises(Died):
        life.engine.place(ask("limit", "buy", "0.1", "30000", name="one"))
    life.close()
    life = Life(tmp_path / "venue")

    assert life.engine.account.find(NAME, order_id=None, client_id="one") is None
    assert [order["status"] for order in life.ledger.report()["orders"]] == ["lost"]
    life.close()


def test_an_order_that_waits_for_its_price_needs_the_ledger_only(tmp_path: Path) -> None:
    life = Life(tmp_path / "venue", Mortal(1))
    with pytest.raises(Died):
        life.engine.place(ask("stop", "sell", "0.1", stop="30000", name="one"))
    life.close()
    life = Life(tmp_path / "venue")

    assert [order.status for order in life.engine.account.open_orders()] == ["new"]
    assert life.engine.account.holding("BTC").locked == Decimal("0.1")
    life.close()


def test_an_order_that_the_book_has_is_open_after_a_death(tmp_path: Path) -> None:
    life = Life(tmp_path / "venue", Mortal(4))
    with pytest.raises(Died):
        life.engine.place(ask("limit", "buy", "0.1", "30000", name="one"))
    life.close()
    life = Life(tmp_path / "venue")
    found = life.engine.account.find(NAME, order_id=None, client_id="one")

    assert found is not None and found.status == "new"
    assert life.engine.account.holding("USDT").locked == 3_000
    life.close()


def test_time_goes_on_after_a_death_whatever_the_clock_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(tmp_path / "venue")
    life.engine.place(ask("market", "buy", "0.1"))
    newest = life.ledger.report()["trades"][-1]["at"]
    life.close()
    monkeypatch.setattr("time.time", lambda: newest / 1_000 - 3_600)
    again = Life(tmp_path / "venue")
    order, _ = again.engine.place(ask("market", "buy", "0.1"))

    assert order.status == "filled" and order.created_at >= newest
    again.close()


def test_no_number_of_a_public_trade_is_used_again_after_a_death(tmp_path: Path) -> None:
    last = 0
    for number in range(3):
        life = Life(tmp_path / "venue")
        for _ in range(3):
            life.engine.place(ask("market", "buy", "0.001", name=f"buy {number}"))
        numbers = [made.number for made in life.market.listings[NAME].prints]
        life.close()

        assert min(numbers) > last
        last = max(numbers)


def test_events_come_in_order_and_end_with_what_the_account_holds(tmp_path: Path) -> None:
    life = Life(tmp_path / "venue")
    order, trades = life.engine.place(ask("market", "buy", "0.1"))
    reported = [event.what for event in life.heard if isinstance(event, Reported)]

    assert reported == ["new", *["trade"] * len(trades)]
    assert order.status == "filled"
    assert not isinstance(life.heard[-1], Reported)
    life.close()


def test_what_one_order_took_out_of_the_book_the_next_one_does_not_find(tmp_path: Path) -> None:
    life = Life(tmp_path / "venue")
    first, second, third = life.market.listings[NAME].depth().asks[:3]
    life.engine.place(ask("market", "buy", str(first.quantity + second.quantity), name="one"))
    _, trades = life.engine.place(ask("market", "buy", "0.001", name="two"))

    assert [trade.price for trade in trades] == [third.price]
    life.tick(life.price)
    assert len(life.market.listings[NAME].depth().asks) == 20
    life.close()


def test_a_book_may_be_bought_empty(tmp_path: Path) -> None:
    life = Life(tmp_path / "venue")
    listing = life.market.listings[NAME]
    for level in list(listing.depth().bids):
        listing.consume(level, level.quantity, buys=False)
    order, trades = life.engine.place(ask("market", "sell", "0.5"))

    assert (order.status, trades) == ("expired", [])
    assert book_ticker(listing)["bidPrice"] == "0.00000000"
    life.close()


def test_an_order_is_refused_with_the_reason_written_down(tmp_path: Path) -> None:
    life = Life(tmp_path / "venue")
    with pytest.raises(Refused):
        life.engine.place(ask("limit", "buy", "100", "30000", name="one"))
    (refused,) = life.ledger.report()["refused"]

    assert (refused["client_id"], refused["reason"]) == ("one", "insufficient_balance")
    assert not life.ledger.report()["orders"]
    life.close()
