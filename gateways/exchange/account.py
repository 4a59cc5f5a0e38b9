"""The account: its open orders and what it holds, as the book says; everything that happens to it is told."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Literal

import msgspec

from domain.market import Instant
from domain.money import ONE, ZERO
from domain.order import Fill
from domain.venue import OrderSeen
from gateways.exchange.desk import Desk
from gateways.exchange.ledger import Ledger
from gateways.exchange.market import Listing, Market
from gateways.exchange.orders import (
    WAITS,
    Event,
    Holding,
    HoldingsChanged,
    Moved,
    Order,
    OrderRequest,
    Reported,
    Trade,
)
from gateways.exchange.rules import limit_of

STOP_BUFFER = Decimal("0.02")
"""Share that a stop buy without a limit holds back on top of its stop price."""


class Account:
    """One account, for one thread.  Whoever watches hears of an event once it is durable, at the next `tell`."""

    def __init__(self, desk: Desk, ledger: Ledger, market: Market, next_instant: Callable[[], Instant]) -> None:
        self._desk, self._ledger, self._market, self._next_instant = desk, ledger, market, next_instant
        self.orders: dict[int, Order] = {}
        """The open ones."""
        self._events: list[Event] = []
        self._watchers: list[Callable[[Event], None]] = []
        self._assets: set[str] = set()
        desk.watch(self.hear)

    def watch(self, watcher: Callable[[Event], None]) -> None:
        """Give a callable that hears of everything that happens to the account."""
        self._watchers.append(watcher)

    def holdings(self) -> dict[str, Holding]:
        """Return what the account has, by asset, with what is 0 left out."""
        return {asset: self.holding(asset) for asset in self._desk.assets()}

    def all_holdings(self) -> dict[str, Holding]:
        """Return what the account has of every asset that is traded, also of what it has nothing of."""
        instruments = [listing.instrument for listing in self._market.listings.values()]
        traded = {asset for each in instruments for asset in (each.base, each.quote)}
        return {asset: self.holding(asset) for asset in sorted(traded.union(self._desk.assets()))}

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Return open orders, oldest first."""
        return [order for order in self.orders.values() if symbol in (None, order.request.symbol)]

    def find(self, symbol: str, *, order_id: int | None, client_id: str | None) -> Order | None:
        """Return an order by its number, else by its client id: the open one, or the newest that had it."""
        for order in self.orders.values():
            if order.request.symbol == symbol and (
                order.order_id == order_id if order_id is not None else order.request.client_id == client_id
            ):
                return order
        return self._ledger.find_order(symbol, order_id=order_id, client_id=client_id)

    def holding(self, asset: str) -> Holding:
        """Return what the account has of one asset."""
        free = self._desk.free(asset) - sum(self._waiting_locks(asset), ZERO)
        return Holding(free, self._desk.total(asset) - free)

    def _waiting_locks(self, asset: str) -> Iterator[Decimal]:
        for order in self.orders.values():
            if not order.working_at and order.request.kind in WAITS:
                locks, amount = self.needed(order.request, order.quantity, self._market.listings[order.request.symbol])
                if locks == asset:
                    yield amount

    def touch(self, order: Order) -> None:
        """Have the next `tell` say what the account has of an order's assets."""
        instrument = self._market.listings[order.request.symbol].instrument
        self._assets |= {instrument.base, instrument.quote}

    def write(self, order: Order) -> None:
        """Write down what has become of an order."""
        with self._ledger.writing():
            self._ledger.change_order(order)

    def report(
        self,
        what: Literal["new", "trade", "canceled", "expired"],
        order: Order,
        *,
        at: Instant,
        trade: Trade | None = None,
        by: str = "",
    ) -> None:
        """Have the next `tell` say what happened to an order."""
        self._events.append(Reported(what=what, order=copy_of(order), trade=trade, canceled_by=by, at=at))

    def new_trades(self, order: Order) -> list[Trade]:
        """Return what an order traded that was not told yet."""
        trades = [event.trade for event in self._events if isinstance(event, Reported) and event.trade is not None]
        return [trade for trade in trades if trade.order_id == order.order_id]

    def move(self, asset: str, amount: Decimal) -> None:
        """Deposit an amount of an asset, or withdraw it where it is below 0.

        Raises:
            ValueError: less than that is free.
        """
        if self.holding(asset).free + amount < 0:
            raise ValueError(f"expected at least {-amount} {asset} free, found {self.holding(asset).free}")
        self._desk.move(asset, amount)
        self._events.append(Moved(asset, amount, self._next_instant()))
        self._assets.add(asset)
        self.tell()

    def forget(self) -> None:
        """Tell nothing of what happened up to now."""
        self._events, self._assets = [], set()

    def tell(self) -> None:
        """Tell all that happened since the last time."""
        if not self._events:
            return
        events, self._events = self._events, []
        assets, self._assets = sorted(self._assets), set()
        events.append(HoldingsChanged({asset: self.holding(asset) for asset in assets}, self._next_instant()))
        for event in events:
            for watcher in self._watchers:
                watcher(event)

    def hear(self, order_id: int, seen: OrderSeen) -> None:
        """Take in what the book says of an order, as far as it is new."""
        order = self.orders.get(order_id)
        if order is None:
            return
        with self._ledger.writing():
            for fill in seen.fills[order.trades :]:
                self._count(order, fill, is_last=fill is seen.fills[-1] and seen.state == "filled")
            if seen.state == "canceled":
                # By a request whose answer nobody heard, or because the book gave it up.
                self._finish(order, "expired" if order.takes else "canceled")

    def _count(self, order: Order, fill: Fill, *, is_last: bool) -> None:
        now = self._next_instant()
        trade = self._ledger.add_trade(
            Trade(
                trade_id=0,
                order_id=order.order_id,
                client_id=order.request.client_id,
                symbol=fill.symbol,
                side=fill.side,
                price=fill.price,
                quantity=fill.quantity,
                fee=fill.fee.amount,
                fee_asset=fill.fee.asset,
                is_maker=fill.liquidity == "maker",
                at=now,
            ),
            fill.trade_id,
        )
        order.trades += 1
        order.executed += fill.quantity
        order.executed_worth += fill.quantity * fill.price
        order.updated_at = now
        order.status = "filled" if is_last else "partially_filled"
        if is_last:
            del self.orders[order.order_id]
        self.write(order)
        self.touch(order)
        self._assets.add(trade.fee_asset)
        self.report("trade", order, trade=trade, at=now)

    def end(self, order: Order, status: Literal["canceled", "expired"], by: str = "") -> None:
        """Take an order out of the book, and out of the account's open ones."""
        if order.working_at:
            self._desk.cancel(order)
        with self._ledger.writing():
            self._finish(order, status, by=by)

    def _finish(self, order: Order, status: Literal["canceled", "expired"], by: str = "") -> None:
        order.status, order.updated_at = status, self._next_instant()
        self.orders.pop(order.order_id, None)
        self.write(order)
        self.touch(order)
        self.report(status, order, by=by, at=order.updated_at)

    def needed(self, request: OrderRequest, quantity: Decimal, listing: Listing) -> tuple[str, Decimal]:
        """Return how much of which asset an order holds back."""
        instrument = listing.instrument
        if request.side == "sell":
            return instrument.base, quantity
        if request.kind in WAITS:
            price = request.price or request.stop_price * (ONE + STOP_BUFFER)
        else:
            price = limit_of(request, quantity, listing)
        return instrument.quote, quantity * price


def copy_of(order: Order) -> Order:
    """Return an order that no longer changes."""
    return msgspec.structs.replace(order)
