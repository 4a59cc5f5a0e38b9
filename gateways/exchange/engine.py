"""One account's orders over the paper venue: what is taken, what waits for its price, what trades, and who hears of it.

The paper venue matches and keeps the book; here are the exchange's own numbers, the kinds of orders that the paper
venue does not know, and the public book that takers trade with.  An order is in the ledger before it is in the book,
and its outcome is read from the book; so a death in between leaves nothing open.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Literal

import msgspec

from domain.market import Bar, Instant
from domain.money import ONE, ZERO, Money, floor_to
from domain.order import Fill, Terms
from domain.venue import Answer, OrderSeen
from domain.venue import Refused as NotTaken
from gateways.exchange.errors import Reason, Refused
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
    Origin,
    Reported,
    Trade,
)
from gateways.exchange.rules import demand_by_rules, is_reached, limit_of
from gateways.exchange.ticks import Tick
from gateways.paper import PaperVenue

ORDERS_MAX = 200
"""Open orders of one symbol."""
STOP_BUFFER = Decimal("0.02")
"""Share that a stop buy without a limit holds back on top of its stop price."""


class Engine:
    """The account, for one thread.  Whoever watches hears of an event once it is durable, before the call returns."""

    def __init__(
        self,
        paper: PaperVenue,
        ledger: Ledger,
        market: Market,
        *,
        next_instant: Callable[[], Instant],
        participation: Decimal,
    ) -> None:
        self._paper, self._ledger, self._market = paper, ledger, market
        self._next_instant = next_instant
        self._participation = participation
        self._orders: dict[int, Order] = {}
        """The open ones."""
        self._events: list[Event] = []
        self._watchers: list[Callable[[Event], None]] = []
        self._assets: set[str] = set()
        paper.watch(self._hear)
        self._recover()

    def watch(self, watcher: Callable[[Event], None]) -> None:
        """Give a callable that hears of everything that happens to the account."""
        self._watchers.append(watcher)

    # -- questions -------------------------------------------------------------------------------------------------

    def holdings(self) -> dict[str, Holding]:
        """Return what the account has, by asset, with what is 0 left out."""
        return {asset: self._holding(asset) for asset in sorted(self._paper.balances())}

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Return open orders, oldest first."""
        return [order for order in self._orders.values() if symbol in (None, order.request.symbol)]

    def find(self, symbol: str, *, order_id: int | None, client_id: str | None) -> Order | None:
        """Return an order by its number, else by its client id: the open one, or the newest that had it."""
        for order in self._orders.values():
            if order.request.symbol == symbol and (
                order.order_id == order_id if order_id is not None else order.request.client_id == client_id
            ):
                return order
        return self._ledger.find_order(symbol, order_id=order_id, client_id=client_id)

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
                    request, origin, reason=refused.reason, detail=refused.detail, at=self._next_instant()
                )
            raise
        self._tell()
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
                for each in self.open_orders(symbol)
                if order_id in (None, each.order_id) and client_id in (None, each.request.client_id)
            ),
            None,
        )
        if order is None:
            raise Refused(Reason.UNKNOWN_ORDER, f"expected an open order of {symbol}, found none")
        if share_first and order.working_at:
            self._force(order, share_first)
        if not order.is_open:
            self._tell()
            raise Refused(Reason.UNKNOWN_ORDER, f"expected an open order of {symbol}, found that it is {order.status}")
        self._end(order, "canceled", by=by)
        self._tell()
        return order

    def move(self, asset: str, amount: Decimal) -> None:
        """Deposit an amount of an asset, or withdraw it where it is below 0.

        Raises:
            ValueError: less than that is free.
        """
        if self._holding(asset).free + amount < 0:
            raise ValueError(f"expected at least {-amount} {asset} free, found {self._holding(asset).free}")
        self._paper.move(Money(amount, asset))
        self._events.append(Moved(asset, amount, self._next_instant()))
        self._assets.add(asset)
        self._tell()

    def take_tick(self, tick: Tick) -> None:
        """Let a trade of the market do what it does to open orders."""
        self._show(tick.symbol, tick.price, tick.quantity, at=tick.at, opened_at=tick.at)
        for order in self.open_orders(tick.symbol):
            if not order.working_at and is_reached(order.request, tick.price):
                self._activate(order)
        self._tell()

    def expire_all(self, symbol: str) -> None:
        """End every open order of a symbol that is no longer traded."""
        for order in self.open_orders(symbol):
            self._end(order, "expired")
        self._tell()

    # -- taking an order -------------------------------------------------------------------------------------------

    def _listing(self, symbol: str) -> Listing:
        listing = self._market.listings.get(symbol)
        if listing is None or listing.status == "BREAK":
            raise Refused(Reason.UNKNOWN_SYMBOL, f"expected a symbol that is listed, found {symbol}")
        return listing

    def _judge(self, request: OrderRequest, listing: Listing) -> Decimal:
        if listing.status != "TRADING":
            raise Refused(Reason.MARKET_CLOSED, f"expected {request.symbol} to trade, found {listing.status}")
        mine = self.open_orders(request.symbol)
        if any(order.request.client_id == request.client_id for order in self._orders.values()):
            raise Refused(Reason.DUPLICATE_CLIENT_ID, f"an open order has the client id {request.client_id}")
        if len(mine) >= ORDERS_MAX:
            raise Refused(Reason.TOO_MANY_ORDERS, f"open orders must be at most {ORDERS_MAX}, were {len(mine)}")
        quantity = demand_by_rules(request, listing)
        asset, needed = self._needed(request, quantity, listing)
        if needed > self._holding(asset).free:
            found = f"expected {needed} {asset} free, found {self._holding(asset).free}"
            raise Refused(Reason.INSUFFICIENT_BALANCE, found)
        return quantity

    def _needed(self, request: OrderRequest, quantity: Decimal, listing: Listing) -> tuple[str, Decimal]:
        instrument = listing.instrument
        if request.side == "sell":
            return instrument.base, quantity
        if request.kind in WAITS:
            price = request.price or request.stop_price * (ONE + STOP_BUFFER)
        else:
            price = limit_of(request, quantity, listing)
        return instrument.quote, quantity * price

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
        self._orders[order.order_id] = order
        if request.kind in WAITS:
            order.status = "new"
            self._report("new", order, at=now)
            self._touch(order)
        else:
            self._enter(order, listing, now, share)
        trades = [event.trade for event in self._events if isinstance(event, Reported) and event.trade is not None]
        return order, [trade for trade in trades if trade.order_id == order.order_id]

    def _enter(self, order: Order, listing: Listing, at: Instant, share: Decimal = ONE) -> None:
        """Bring an order into the book, let it trade with what is there, and end it if it may not rest."""
        request = order.request
        limit = limit_of(request, order.quantity, listing)
        refused = self._submit(order, limit)
        if refused is not None:
            if order.status == "pending":
                del self._orders[order.order_id]
                order.status = "lost"
                self._write(order)
                raise Refused(Reason.INSUFFICIENT_BALANCE, refused)
            self._end(order, "expired")
            return
        is_new = order.status == "pending"
        order.status, order.working_at, order.updated_at = "new", at, at
        self._write(order)
        self._touch(order)
        if is_new:
            self._report("new", order, at=at)
        side = listing.depth().asks if request.side == "buy" else listing.depth().bids
        reachable = sum((each.quantity for each in side if not _is_worse(each.price, limit, request.side)), ZERO)
        if request.kind != "limit_maker" and (request.time_in_force != "FOK" or reachable >= order.quantity):
            self._sweep(order, listing, limit, floor_to(order.quantity * share, listing.instrument.lot))
        if order.takes and order.is_open:
            self._end(order, "expired")

    def _submit(self, order: Order, limit: Decimal) -> str | None:
        answers: list[Answer] = []
        request = order.request
        terms = Terms(
            client_id=_book_id(order.order_id),
            strategy=order.origin,
            symbol=request.symbol,
            side=request.side,
            type="limit",
            quantity=order.quantity,
            leg="entry",
            limit_price=limit,
        )
        self._paper.submit(terms, answers.append)
        return answers[0].message if isinstance(answers[0], NotTaken) else None

    def _sweep(self, order: Order, listing: Listing, limit: Decimal, most: Decimal) -> None:
        """Let an order that has just come in trade with the levels of the public book that its price reaches."""
        buys = order.request.side == "buy"
        arrived_at = self._paper_at
        for level in list(listing.depth().asks if buys else listing.depth().bids):
            left = most - order.executed
            if not order.is_open or left <= 0 or _is_worse(level.price, limit, order.request.side):
                return
            before = order.executed
            quantity = min(level.quantity, left)
            at = self._next_instant()
            self._show(order.request.symbol, level.price, quantity / self._participation, at=at, opened_at=arrived_at)
            made = order.executed - before
            if made:
                listing.consume(level, made, buys=buys)
                listing.take(Tick(order.request.symbol, at, level.price, made, buyer_is_maker=not buys))

    def _activate(self, order: Order) -> None:
        """Bring an order into the book whose stop price was reached."""
        self._enter(order, self._market.listings[order.request.symbol], self._next_instant())

    def _force(self, order: Order, share: Decimal) -> None:
        """Let the market go through an order's price, for a part of what remains of it."""
        listing = self._market.listings[order.request.symbol]
        tick, buys = listing.instrument.tick, order.request.side == "buy"
        price = order.request.price - tick if buys else order.request.price + tick
        quantity = max(listing.instrument.lot, floor_to(order.remaining * share, listing.instrument.lot))
        at = self._next_instant()
        listing.take(Tick(order.request.symbol, at, price, quantity, buyer_is_maker=buys))
        self._show(order.request.symbol, price, quantity / self._participation, at=at, opened_at=at)

    # -- the book --------------------------------------------------------------------------------------------------

    def _show(self, symbol: str, price: Decimal, volume: Decimal, *, at: Instant, opened_at: Instant) -> None:
        self._paper_at = at
        self._paper.show(at, [Bar(symbol, "tick", opened_at, at, price, price, price, price, volume)])

    def _hear(self, seen: OrderSeen) -> None:
        """Take in what the book says of an order, as far as it is new."""
        order = self._orders.get(_order_id(seen.client_id))
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
            del self._orders[order.order_id]
        self._write(order)
        self._touch(order)
        self._assets.add(trade.fee_asset)
        self._report("trade", order, trade=trade, at=now)

    def _end(self, order: Order, status: Literal["canceled", "expired"], by: str = "") -> None:
        if order.working_at:
            self._paper.cancel(_book_id(order.order_id), order.request.symbol, lambda _: None)
        with self._ledger.writing():
            self._finish(order, status, by=by)

    def _finish(self, order: Order, status: Literal["canceled", "expired"], by: str = "") -> None:
        order.status, order.updated_at = status, self._next_instant()
        self._orders.pop(order.order_id, None)
        self._write(order)
        self._touch(order)
        self._report(status, order, by=by, at=order.updated_at)

    # -- the account -----------------------------------------------------------------------------------------------

    def _holding(self, asset: str) -> Holding:
        total = self._paper.balances().get(asset, ZERO)
        free = self._paper.free(asset) - sum(self._waiting_locks(asset), ZERO)
        return Holding(free, total - free)

    def _waiting_locks(self, asset: str) -> Iterator[Decimal]:
        for order in self._orders.values():
            if not order.working_at and order.request.kind in WAITS:
                locks, amount = self._needed(order.request, order.quantity, self._market.listings[order.request.symbol])
                if locks == asset:
                    yield amount

    # -- what is said ----------------------------------------------------------------------------------------------

    def _touch(self, order: Order) -> None:
        instrument = self._market.listings[order.request.symbol].instrument
        self._assets |= {instrument.base, instrument.quote}

    def _write(self, order: Order) -> None:
        with self._ledger.writing():
            self._ledger.change_order(order)

    def _report(
        self,
        what: Literal["new", "trade", "canceled", "expired"],
        order: Order,
        *,
        at: Instant,
        trade: Trade | None = None,
        by: str = "",
    ) -> None:
        if what == "new":
            self._write(order)
        self._events.append(Reported(what=what, order=copy_of(order), trade=trade, canceled_by=by, at=at))

    def _tell(self) -> None:
        if not self._events:
            return
        events, self._events = self._events, []
        assets, self._assets = sorted(self._assets), set()
        events.append(HoldingsChanged({asset: self._holding(asset) for asset in assets}, self._next_instant()))
        for event in events:
            for watcher in self._watchers:
                watcher(event)

    # -- after a death ---------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Read from the book what became of the orders that were open, and of those that had not got there."""
        self._paper_at = self._next_instant()
        for symbol, listing in self._market.listings.items():
            self._paper_at = self._next_instant()
            self._show(symbol, listing.last, ZERO, at=self._paper_at, opened_at=self._paper_at)
        for order in self._ledger.open_orders():
            self._orders[order.order_id] = order
            self._look_up(order)
        self._events, self._assets = [], set()

    def _look_up(self, order: Order) -> None:
        answers: list[Answer] = []
        self._paper.look_up(_book_id(order.order_id), order.request.symbol, answers.append)
        seen = answers[0]
        if isinstance(seen, OrderSeen) and seen.state != "rejected":
            order.working_at = order.working_at or order.created_at
            order.status = "new" if order.status == "pending" else order.status
            self._hear(seen)
            if order.is_open and order.takes:
                self._end(order, "expired")
            elif order.is_open:
                self._write(order)
        elif order.status == "pending" and order.request.kind not in WAITS:
            order.status = "lost"
            del self._orders[order.order_id]
            self._write(order)
        elif order.status == "pending":
            order.status = "new"
            self._write(order)


def copy_of(order: Order) -> Order:
    """Return an order that no longer changes."""
    return msgspec.structs.replace(order)


def _book_id(order_id: int) -> str:
    return f"e{order_id}"


def _order_id(book_id: str) -> int:
    return int(book_id[1:])


def _is_worse(price: Decimal, limit: Decimal, side: Literal["buy", "sell"]) -> bool:
    return price > limit if side == "buy" else price < limit
