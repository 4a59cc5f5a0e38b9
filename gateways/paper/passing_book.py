"""A book that passes with its process: the same as the durable one for a venue that only ever goes forward.

A backtest's venue dies with its market, so that nothing of it needs to be found again.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import Literal

import msgspec

from domain.market import Instant
from domain.money import ZERO, Money
from domain.order import Fill, Terms
from domain.venue import OrderSeen
from gateways.paper.book import NEVER, demand_deposit
from gateways.paper.matching import Match, Working
from gateways.paper.rows import trade_id
from gateways.paper.rules import Refusal

_AT_ONCE: AbstractContextManager[None] = nullcontext()
"""What is written here is written as it is said."""


class _Entry(msgspec.Struct):
    """An order with what became of it."""

    order: Working
    """As it is open, or was last."""
    state: Literal["accepted", "filled", "canceled", "rejected"]
    code: str = ""
    message: str = ""
    fills: tuple[Fill, ...] = ()


class PassingBook:
    """One account's book in memory.  Times must not go back: what was visible once cannot be taken back here."""

    def __init__(self, deposit: Mapping[str, Decimal]) -> None:
        """Begin with a deposit in the account.

        Raises:
            ValueError: the deposit is below 0.
        """
        demand_deposit(deposit)
        self.head: Instant = NEVER
        self._entries: dict[str, _Entry] = {}
        self._open: dict[int, _Entry] = {}
        """By number."""
        self._totals = dict(deposit)
        self._traded: set[str] = set()
        self._changed: list[_Entry] = []
        """Orders that the bars of `_matched_at` changed."""
        self._matched_at: Instant = NEVER

    def close(self) -> None:
        """Do nothing: there is no file."""

    def writing(self, at: Instant) -> AbstractContextManager[None]:
        """Take what is written inside for written."""
        self.head = max(self.head, at)
        return _AT_ONCE

    def seen(self, client_id: str, now: Instant) -> OrderSeen | None:
        """Return an order as it stands, or None if there is none of this client id."""
        entry = self._entries.get(client_id)
        if entry is None:
            return None
        return OrderSeen(client_id, f"p{entry.order.number}", entry.state, entry.fills, entry.code, entry.message)

    def working(self, now: Instant) -> list[Working]:
        """Return the orders that are open, in the order of the queue."""
        orders = [msgspec.structs.replace(entry.order) for entry in self._open.values()]
        return sorted(orders, key=lambda order: order.place)

    def totals(self, now: Instant) -> dict[str, Decimal]:
        """Return the account's totals by asset."""
        return dict(self._totals)

    def symbols_traded(self, at: Instant) -> set[str]:
        """Return the symbols in which the bar that closed at `at` made trades."""
        return self._traded if at == self._matched_at else set()

    def changed_by_bars(self, since: Instant, until: Instant) -> list[str]:
        """Return the client ids of the orders that the newest bars changed, in the order of the queue."""
        if not since < self._matched_at <= until:
            return []
        if len(self._changed) > 1:
            self._changed.sort(key=lambda entry: entry.order.place)
        return [entry.order.terms.client_id for entry in self._changed]

    def add_order(self, terms: Terms, *, at: Instant, arrives_at: Instant, lock: Money) -> int:
        """Write down an order that was taken; return its number."""
        number = len(self._entries) + 1
        order = Working(number, terms, arrives_at, lock.asset, lock.amount)
        self._entries[terms.client_id] = self._open[number] = _Entry(order, "accepted")
        return number

    def add_refused(self, terms: Terms, refusal: Refusal, *, at: Instant) -> None:
        """Write down an order that was refused, so that it is never taken later."""
        order = Working(len(self._entries) + 1, terms, at, lock_asset="", locked=ZERO)
        self._entries[terms.client_id] = _Entry(order, "rejected", refusal.code, refusal.message)

    def add_trade(self, made: Match, *, fee: Money, taken: Decimal, legs: Iterable[Money], at: Instant) -> None:
        """Write down an order's next trade, with what it moves in the account."""
        entry, chance = self._open[made.order.number], made.chance
        order, terms = entry.order, entry.order.terms
        order.trades += 1
        order.filled += made.quantity
        order.locked -= taken
        fill = Fill(
            trade_id=trade_id(order.number, order.trades),
            client_id=terms.client_id,
            symbol=terms.symbol,
            side=terms.side,
            quantity=made.quantity,
            price=chance.price,
            fee=fee,
            liquidity=chance.liquidity,
            at=chance.at,
        )
        entry.fills += (fill,)
        for leg in legs:
            self._totals[leg.asset] = self._totals.get(leg.asset, ZERO) + leg.amount
        self._change(entry, at)
        self._traded.add(terms.symbol)

    def move(self, amount: Money, *, at: Instant) -> None:
        """Write down a deposit, or a withdrawal where the amount is below 0."""
        self._totals[amount.asset] = self._totals.get(amount.asset, ZERO) + amount.amount

    def trigger(self, number: int, *, at: Instant) -> None:
        """Write down that a stop was set off."""
        self._open[number].order.triggered = True

    def end(
        self, number: int, state: Literal["filled", "canceled"], *, at: Instant, why: Refusal | None = None
    ) -> None:
        """Write down that an order is finished."""
        entry = self._open.pop(number)
        entry.state = state
        if why is not None:
            entry.code, entry.message = why.code, why.message
            self._change(entry, at)

    def cancel(self, client_id: str, *, at: Instant) -> None:
        """Write down that an order was cancelled on request."""
        entry = self._entries[client_id]
        entry.state = "canceled"
        del self._open[entry.order.number]

    def forget_after(self, now: Instant) -> None:
        """Refuse: there is no way back."""
        raise ValueError(f"a book in memory must only go forward, was asked to go back to {now}")

    def _change(self, entry: _Entry, at: Instant) -> None:
        if at != self._matched_at:
            self._matched_at = at
            self._traded, self._changed = set(), []
        if entry not in self._changed:
            self._changed.append(entry)
