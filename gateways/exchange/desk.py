"""The paper venue as the engine uses it: orders by the exchange's own numbers, one price at a time."""

from collections.abc import Callable, Iterable
from decimal import Decimal

from domain.market import Bar, Instant
from domain.money import ZERO, Money
from domain.order import Terms
from domain.venue import Answer, OrderSeen
from domain.venue import Refused as NotTaken
from gateways.exchange.orders import Order
from gateways.paper import PaperVenue


class Desk:
    """Every order is a limit order here, under a client id of the exchange's own that is never used again."""

    def __init__(self, paper: PaperVenue, participation: Decimal) -> None:
        self._paper, self._participation = paper, participation
        self._shown_at: Instant = 0

    def watch(self, hear: Callable[[int, OrderSeen], None]) -> None:
        """Give the callable that hears of what the market did to an order, by its number."""
        self._paper.watch(lambda seen: hear(_number_of(seen.client_id), seen))

    def submit(self, order: Order, limit: Decimal) -> str | None:
        """Bring an order into the book; return why not, where it is not taken."""
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

    def show(self, symbol: str, price: Decimal, volume: Decimal, resting: Iterable[Order], *, at: Instant) -> None:
        """Let something trade with the orders that rest, which get their share of the volume, each at its own price."""
        self._shown_at = at
        # The paper venue gives no worse price than a bar has.  So the bar reaches to the orders that the price has
        # gone through, and up to those that it has not.
        buys = [order.request.price for order in resting if order.request.side == "buy"]
        sells = [order.request.price for order in resting if order.request.side == "sell"]
        ceiling = min((limit for limit in sells if limit >= price), default=None)
        bottom = max((limit for limit in buys if limit <= price), default=None)
        high, low = max([price, *buys]), min([price, *sells])
        high = high if ceiling is None else min(high, ceiling)
        low = low if bottom is None else max(low, bottom)
        self._paper.show(at, [Bar(symbol, "tick", at, at, price, high, low, price, volume)])

    def offer(self, symbol: str, price: Decimal, quantity: Decimal, *, at: Instant, arrived_at: Instant) -> None:
        """Offer a quantity to the order that arrived at an instant, which takes all of it that it can."""
        self._shown_at = at
        volume = quantity / self._participation
        self._paper.show(at, [Bar(symbol, "tick", arrived_at, at, price, price, price, price, volume)])

    def go_through(self, order: Order, price: Decimal, quantity: Decimal, *, at: Instant) -> None:
        """Let the market go through an order's price, so that a quantity of it trades there."""
        self.show(order.request.symbol, price, quantity / self._participation, [order], at=at)

    @property
    def shown_at(self) -> Instant:
        """Return the newest instant that was shown: orders that are submitted now arrive at it."""
        return self._shown_at

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
        self._paper.move(Money(amount, asset))


def _id_of(order: Order) -> str:
    return f"e{order.order_id}"


def _number_of(book_id: str) -> int:
    return int(book_id[1:])
