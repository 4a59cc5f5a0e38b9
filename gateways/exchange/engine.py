"""Orders over the paper venue: what is taken, what waits for its price, and what trades.

The paper venue matches and keeps the book; here are the exchange's own numbers, the kinds of orders that the paper
venue does not know, and the public book that takers trade with.  An order is in the ledger before it is in the book,
and its outcome is read from the book; so a death in between leaves nothing open.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Literal

from domain.market import Instant
from domain.money import ONE, ZERO, floor_to
from gateways.exchange.account import Account
from gateways.exchange.desk import Desk
from gateways.exchange.errors import Reason, Refused
from gateways.exchange.ledger import Ledger
from gateways.exchange.market import Listing, Market
from gateways.exchange.orders import WAITS, Order, OrderRequest, Origin, Trade
from gateways.exchange.rules import demand_by_rules, is_reached, limit_of
from gateways.exchange.ticks import Tick
from gateways.paper import PaperVenue

ORDERS_MAX = 200
"""Open orders of one symbol."""


class Engine:
    """What is done to the account, for one thread; whoever watches it hears of everything before a call returns."""

    def __init__(
        self,
        paper: PaperVenue,
        ledger: Ledger,
        market: Market,
        *,
        next_instant: Callable[[], Instant],
        participation: Decimal,
    ) -> None:
        self._desk, self._ledger, self._market = Desk(paper, participation, next_instant), ledger, market
        self._next_instant, self._participation = next_instant, participation
        self.account = Account(self._desk, ledger, market, next_instant)
        self._recover()

    # -- requests --------------------------------------------------------------------------------------------------

    def place(
        self, request: OrderRequest, *, origin: Origin = "api", share: Decimal = ONE
    ) -> tuple[Order, list[Trade]]:
        """Take an order and return it with what it traded at once; `share` caps how much of it may trade at once.

        Raises:
            Refused: it is not taken, which is written down too.
        """
        try:
            listing = self._listing(request.symbol)
            quantity = self._judge(request, listing)
            order, trades = self._take(request, quantity, listing, origin, share)
        except Refused as refused:
            with self._ledger.writing():
                self._ledger.add_refusal(
                    request.client_id,
                    origin,
                    reason=refused.reason,
                    detail=refused.detail,
                    at=self._next_instant(),
                    request=request,
                )
            raise
        self.account.tell()
        return order, trades

    def cancel(
        self, symbol: str, *, order_id: int | None, client_id: str | None, by: str = "", share_first: Decimal = ZERO
    ) -> Order:
        """Take an open order out of the book; `share_first` of what remains of it trades just before.

        Raises:
            Refused: there is no open order of this kind.
        """
        order = next(
            (
                each
                for each in self.account.open_orders(symbol)
                if order_id in (None, each.order_id) and client_id in (None, each.request.client_id)
            ),
            None,
        )
        if order is None:
            raise Refused(Reason.UNKNOWN_ORDER, f"expected an open order of {symbol}, found none")
        if share_first and order.working_at:
            self._force(order, share_first)
        if not order.is_open:
            self.account.tell()
            raise Refused(Reason.UNKNOWN_ORDER, f"expected an open order of {symbol}, found that it is {order.status}")
        self.account.end(order, "canceled", by=by)
        self.account.tell()
        return order

    def take_tick(self, tick: Tick) -> None:
        """Let a trade of the market do what it does to open orders."""
        share = tick.quantity * self._participation
        self._desk.go_through(tick.symbol, tick.price, share, self._resting(tick.symbol))
        for order in self.account.open_orders(tick.symbol):
            if not order.working_at and is_reached(order.request, tick.price):
                self._activate(order)
        self.account.tell()

    def expire_all(self, symbol: str) -> None:
        """End every open order of a symbol that is no longer traded."""
        for order in self.account.open_orders(symbol):
            self.account.end(order, "expired")
        self.account.tell()

    # -- taking an order -------------------------------------------------------------------------------------------

    def _listing(self, symbol: str) -> Listing:
        listing = self._market.listings.get(symbol)
        if listing is None or listing.status == "BREAK":
            raise Refused(Reason.UNKNOWN_SYMBOL, f"expected a symbol that is listed, found {symbol}")
        return listing

    def _judge(self, request: OrderRequest, listing: Listing) -> Decimal:
        if listing.status != "TRADING":
            raise Refused(Reason.MARKET_CLOSED, f"expected {request.symbol} to trade, found {listing.status}")
        mine = self.account.open_orders(request.symbol)
        if any(order.request.client_id == request.client_id for order in self.account.orders.values()):
            raise Refused(Reason.DUPLICATE_CLIENT_ID, f"an open order has the client id {request.client_id}")
        if len(mine) >= ORDERS_MAX:
            raise Refused(Reason.TOO_MANY_ORDERS, f"open orders must be at most {ORDERS_MAX}, were {len(mine)}")
        quantity = demand_by_rules(request, listing)
        if request.kind == "limit_maker" and self._met_by(request, request.price):
            raise Refused(Reason.WOULD_TAKE, f"the price {request.price} would trade with an order of the account")
        asset, needed = self.account.needed(request, quantity, listing)
        if needed > self.account.holding(asset).free:
            found = f"expected {needed} {asset} free, found {self.account.holding(asset).free}"
            raise Refused(Reason.INSUFFICIENT_BALANCE, found)
        return quantity

    def _take(
        self, request: OrderRequest, quantity: Decimal, listing: Listing, origin: Origin, share: Decimal
    ) -> tuple[Order, list[Trade]]:
        now = self._next_instant()
        order = Order(
            order_id=0,
            request=request,
            origin=origin,
            quantity=quantity,
            status="pending",
            created_at=now,
            updated_at=now,
        )
        with self._ledger.writing():
            order.order_id = self._ledger.add_order(order)
        self.account.orders[order.order_id] = order
        if request.kind in WAITS:
            order.status = "new"
            self.account.write(order)
            self.account.touch(order)
            self.account.report("new", order, at=now)
        else:
            self._enter(order, listing, now, share)
        return order, self.account.new_trades(order)

    def _enter(self, order: Order, listing: Listing, at: Instant, share: Decimal = ONE) -> None:
        """Bring an order into the book, let it trade with what is there, and end it if it may not rest."""
        request = order.request
        limit = limit_of(request, order.quantity, listing)
        refused = self._desk.submit(order, limit, at=at)
        if refused is not None:
            if order.status == "pending":
                del self.account.orders[order.order_id]
                order.status = "lost"
                self.account.write(order)
                raise Refused(Reason.INSUFFICIENT_BALANCE, refused)
            self.account.end(order, "expired")
            return
        is_new = order.status == "pending"
        order.status, order.working_at, order.updated_at = "new", at, at
        self.account.write(order)
        self.account.touch(order)
        if is_new:
            self.account.report("new", order, at=at)
        side = listing.depth().asks if request.side == "buy" else listing.depth().bids
        reachable = sum((each.quantity for each in side if not _is_worse(each.price, limit, request.side)), ZERO)
        if request.kind != "limit_maker" and (request.time_in_force != "FOK" or reachable >= order.quantity):
            self._sweep(order, listing, limit, floor_to(order.quantity * share, listing.instrument.lot), at)
        if order.takes and order.is_open:
            self.account.end(order, "expired")

    def _sweep(self, order: Order, listing: Listing, limit: Decimal, most: Decimal, arrived_at: Instant) -> None:
        """Let an order that has just come in trade with the levels of the public book that its price reaches."""
        symbol, buys = order.request.symbol, order.request.side == "buy"
        for level in list(listing.depth().asks if buys else listing.depth().bids):
            left = most - order.executed
            if not order.is_open or left <= 0 or _is_worse(level.price, limit, order.request.side):
                break
            self._keep_from(order, level.price)
            before = order.executed
            quantity = min(level.quantity, left)
            at = self._desk.offer(order, level.price, quantity, self._resting(symbol), arrived_at=arrived_at)
            made = order.executed - before
            if made:
                listing.consume(level, made, buys=buys)
                tick = Tick(symbol, at, level.price, made, buyer_is_maker=not buys)
                listing.take(tick, keeps_book=True)
        if order.is_open:
            self._keep_from(order, limit)

    def _keep_from(self, taker: Order, price: Decimal) -> None:
        """End the account's own orders that would trade with this one: nobody trades with oneself."""
        for order in self._met_by(taker.request, price):
            self.account.end(order, "expired")

    def _met_by(self, request: OrderRequest, price: Decimal) -> list[Order]:
        """Return the account's own orders that a request would trade with at a price."""
        others = (order for order in self._resting(request.symbol) if order.request.side != request.side)
        return [order for order in others if not _is_worse(order.request.price, price, request.side)]

    def _resting(self, symbol: str) -> list[Order]:
        return [order for order in self.account.open_orders(symbol) if order.working_at]

    def _activate(self, order: Order) -> None:
        """Bring an order into the book whose stop price was reached."""
        self._enter(order, self._market.listings[order.request.symbol], self._next_instant())

    def _force(self, order: Order, share: Decimal) -> None:
        """Let the market go through an order's price, for a part of what remains of it."""
        listing = self._market.listings[order.request.symbol]
        tick, buys = listing.instrument.tick, order.request.side == "buy"
        price = order.request.price - tick if buys else order.request.price + tick
        quantity = max(listing.instrument.lot, floor_to(order.remaining * share, listing.instrument.lot))
        symbol, at = order.request.symbol, self._next_instant()
        listing.take(Tick(symbol, at, price, quantity, buyer_is_maker=buys))
        self._desk.go_through(symbol, price, quantity, [order])

    # -- after a death ---------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Read from the book what became of the orders that were open, and of those that had not got there."""
        self._desk.open()
        for order in self._ledger.open_orders():
            self.account.orders[order.order_id] = order
            self._look_up(order)
        self.account.forget()

    def _look_up(self, order: Order) -> None:
        seen = self._desk.look_up(order)
        if seen is not None:
            order.working_at = order.working_at or order.created_at
            order.status = "new" if order.status == "pending" else order.status
            self.account.hear(order.order_id, seen)
            if order.is_open and order.takes:
                self.account.end(order, "expired")
            elif order.is_open:
                self.account.write(order)
        elif order.status == "pending" and order.request.kind not in WAITS:
            order.status = "lost"
            del self.account.orders[order.order_id]
            self.account.write(order)
        elif order.status == "pending":
            order.status = "new"
            self.account.write(order)


def _is_worse(price: Decimal, limit: Decimal, side: Literal["buy", "sell"]) -> bool:
    return price > limit if side == "buy" else price < limit
