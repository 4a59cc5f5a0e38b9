"""The paper venue as the engine uses it: orders by the exchange's own numbers, one price at a time."""

from collections.abc import Callable
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

    def show(self, symbol: str, price: Decimal, volume: Decimal, *, at: Instant) -> None:
        """Let something trade with the orders that rest, which get their share of the volume."""
        self._show(symbol, price, volume, at=at, opened_at=at)

    def offer(self, symbol: str, price: Decimal, quantity: Decimal, *, at: Instant, arrived_at: Instant) -> None:
        """Offer a quantity to the order that arrived at an instant, which takes all of it that it can."""
        self._show(symbol, price, quantity / self._participation, at=at, opened_at=arrived_at)

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

    def _show(self, symbol: str, price: Decimal, volume: Decimal, *, at: Instant, opened_at: Instant) -> None:
        self._shown_at = at
        self._paper.show(at, [Bar(symbol, "tick", opened_at, at, price, price, price, price, volume)])


def _id_of(order: Order) -> str:
    return f"e{order.order_id}"


def _number_of(book_id: str) -> int:
    return int(book_id[1:])
