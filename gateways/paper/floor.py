"""The trading floor: open orders and account totals as of one market time, in memory."""

from bisect import insort
from collections.abc import Iterable
from decimal import Decimal

from domain.money import ZERO, Money
from domain.venue import OpenOrder
from gateways.paper.matching import Match, Working


class Floor:
    """What matching and new orders have to know.  Everything on it can be read back from the book."""

    def __init__(self, orders: Iterable[Working], totals: dict[str, Decimal]) -> None:
        self.totals = totals
        """The account, free and locked together, by asset."""
        self._orders: dict[str, Working] = {}
        self._queues: dict[str, list[Working]] = {}
        for order in orders:
            self.add(order)

    def __len__(self) -> int:
        return len(self._orders)

    def listed(self) -> list[OpenOrder]:
        """Return all open orders as an account tells them, in the order in which they were taken."""
        return [_listed(order) for order in sorted(self._orders.values(), key=lambda order: order.number)]

    def queue(self, symbol: str) -> list[Working]:
        """Return the symbol's open orders in the order they are served in."""
        return self._queues.get(symbol, [])

    def free(self, asset: str) -> Decimal:
        """Return what open orders leave free of an asset."""
        held = sum((order.locked for order in self._orders.values() if order.lock_asset == asset), ZERO)
        return self.totals.get(asset, ZERO) - held

    def add(self, order: Working) -> None:
        """Take in an open order."""
        self._orders[order.terms.client_id] = order
        insort(self._queues.setdefault(order.terms.symbol, []), order, key=_place)

    def remove(self, client_id: str) -> None:
        """Take out an order that is finished, or was never here; what it locked is free."""
        order = self._orders.pop(client_id, None)
        if order is not None:
            self._queues[order.terms.symbol].remove(order)

    def trade(self, made: Match, *, taken: Decimal, legs: Iterable[Money]) -> None:
        """Count a trade of an open order, and what it moves in the account."""
        order = made.order
        order.trades += 1
        order.filled += made.quantity
        order.locked -= taken
        for leg in legs:
            self.totals[leg.asset] = self.totals.get(leg.asset, ZERO) + leg.amount


def _place(order: Working) -> tuple[int | str, ...]:
    return order.place


def _listed(order: Working) -> OpenOrder:
    terms = order.terms
    return OpenOrder(
        client_id=terms.client_id,
        venue_id=f"p{order.number}",
        symbol=terms.symbol,
        side=terms.side,
        type=terms.type,
        quantity=terms.quantity,
        filled=order.filled,
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
    )
