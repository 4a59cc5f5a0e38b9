"""The paper venue as the engine uses it: orders by the exchange's own numbers, one price at a time."""

from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_UP, Decimal, localcontext
from itertools import pairwise

from domain.market import Bar, Instant
from domain.money import ZERO, Money
from domain.order import Terms
from domain.venue import Answer, OrderSeen
from domain.venue import Refused as NotTaken
from gateways.exchange.orders import Order
from gateways.paper import PaperVenue


class Desk:
    """Every order is a limit order here, under a client id of the exchange's own that is never used again."""

    def __init__(self, paper: PaperVenue, participation: Decimal, next_instant: Callable[[], Instant]) -> None:
        self._paper, self._participation, self._next_instant = paper, participation, next_instant

    def watch(self, hear: Callable[[int, OrderSeen], None]) -> None:
        """Give the callable that hears of what the market did to an order, by its number."""
        self._paper.watch(lambda seen: hear(_number_of(seen.client_id), seen))

    def open(self) -> None:
        """Let the paper venue know that there is a market, which it wants before the first order."""
        self._paper.show(self._next_instant(), [])

    def submit(self, order: Order, limit: Decimal, *, at: Instant) -> str | None:
        """Bring an order into the book; return why not, where it is not taken."""
        # Each arrives at an instant of its own: that is its place among those of its price.
        self._paper.show(at, [])
        answers: list[Answer] = []
        request = order.request
        terms = Terms(
            client_id=_id_of(order),
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

    def cancel(self, order: Order) -> None:
        """Take an order out of the book."""
        self._paper.cancel(_id_of(order), order.request.symbol, lambda _: None)

    def look_up(self, order: Order) -> OrderSeen | None:
        """Return what the book has of an order; None where it never got there."""
        answers: list[Answer] = []
        self._paper.look_up(_id_of(order), order.request.symbol, answers.append)
        seen = answers[0]
        return seen if isinstance(seen, OrderSeen) and seen.state != "rejected" else None

    def go_through(self, symbol: str, price: Decimal, share: Decimal, resting: Sequence[Order]) -> None:
        """Let the market go through the orders that rest beyond a price: the best price first, each at its own.

        `share` is what all of them get together.
        """
        for side, sign in (("buy", 1), ("sell", -1)):
            mine = [order for order in resting if order.request.side == side]
            limits = {order.request.price for order in mine if (order.request.price - price) * sign > 0}
            # The paper venue serves all that a bar reaches by arrival.  So a bar reaches one price, and no other.
            steps = [*sorted(limits, reverse=side == "buy"), price]
            for limit, end in pairwise(steps):
                before = sum((order.executed for order in mine), ZERO)
                at = self._next_instant()
                self._show(symbol, at, at, limit, max(limit, end), min(limit, end), share)
                share -= sum((order.executed for order in mine), ZERO) - before

    def offer(
        self, taker: Order, price: Decimal, quantity: Decimal, resting: Iterable[Order], *, arrived_at: Instant
    ) -> Instant:
        """Offer a quantity to the order that has just arrived, which takes all that it can; return when."""
        side, at = taker.request.side, self._next_instant()
        others = [each.request.price for each in resting if each is not taker and each.request.side == side]
        # What rests may be left behind by the market, at prices that the bar must not reach: it is not for them.
        high = price if side == "buy" else min([price, *others])
        low = price if side == "sell" else max([price, *others])
        self._show(taker.request.symbol, arrived_at, at, price, high, low, quantity)
        return at

    def _show(
        self,
        symbol: str,
        opened_at: Instant,
        at: Instant,
        price: Decimal,
        high: Decimal,
        low: Decimal,
        share: Decimal,
    ) -> None:
        with localcontext(rounding=ROUND_UP):
            # Rounded down, the share of it could be less than the last lot that it is for.
            volume = share / self._participation
        self._paper.show(at, [Bar(symbol, "tick", opened_at, at, price, high, low, price, volume)])

    def total(self, asset: str) -> Decimal:
        """Return what the account has of an asset."""
        return self._paper.balances().get(asset, ZERO)

    def assets(self) -> list[str]:
        """Return the assets that the account has something of."""
        return sorted(self._paper.balances())

    def free(self, asset: str) -> Decimal:
        """Return what the orders in the book leave free of an asset."""
        return self._paper.free(asset)

    def move(self, asset: str, amount: Decimal) -> None:
        """Deposit an amount, or withdraw it where it is below 0."""
        # The book writes it down at the newest instant that it was shown, which may be long ago.
        self._paper.show(self._next_instant(), [])
        self._paper.move(Money(amount, asset))


def _id_of(order: Order) -> str:
    return f"e{order.order_id}"


def _number_of(book_id: str) -> int:
    return int(book_id[1:])
