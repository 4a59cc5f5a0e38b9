"""The venue's book as an auditor reads it: beside the venue, changing nothing."""

from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import apsw

from domain.market import Instant
from gateways.paper.rows import trade_id


class AuditedTrade(NamedTuple):
    """A trade as the book has it."""

    trade_id: str
    client_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    at: Instant


class Audit:
    """Reads a book that the venue of the same process may be writing."""

    def __init__(self, path: Path) -> None:
        """Raise apsw.Error where there is no book."""
        self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        self._connection.set_busy_timeout(5_000)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def trades(self, *, after: Instant, until: Instant) -> list[AuditedTrade]:
        """Return the trades that became visible after one instant of market time and up to another."""
        found = self._connection.execute(
            "SELECT order_number, nth, client_id, symbol, side, trades.quantity, price, fee, fee_asset, traded_at"
            " FROM trades JOIN orders ON number = order_number WHERE shown_at > ? AND shown_at <= ?"
            " ORDER BY shown_at, order_number, nth",
            (after, until),
        )
        return [
            AuditedTrade(
                trade_id(number, nth),
                client_id,
                symbol,
                side,
                Decimal(quantity),
                Decimal(price),
                Decimal(fee),
                fee_asset,
                at,
            )
            for number, nth, client_id, symbol, side, quantity, price, fee, fee_asset, at in found
        ]

    def movements(self) -> list[tuple[Instant, str, Decimal, str]]:
        """Return when, of which asset, how much came or went, and for which trade; none for a deposit or withdrawal."""
        found = self._connection.execute("SELECT at, asset, amount, ifnull(trade_id, '') FROM ledger ORDER BY number")
        return [(at, asset, Decimal(amount), trade) for at, asset, amount, trade in found]

    def states(self) -> dict[str, str]:
        """Return the state of every order that ever came in, by client id."""
        found = self._connection.execute("SELECT client_id, ifnull(final_state, 'accepted') FROM orders")
        return {str(client_id): str(state) for client_id, state in found}

    def has_order(self, client_id: str) -> bool:
        """Say whether an order with this client id ever came in, and was taken."""
        found = self._connection.execute(
            "SELECT 1 FROM orders WHERE client_id = ? AND ifnull(final_state, '') != 'rejected'", (client_id,)
        )
        return found.get is not None

    def balances(self) -> dict[str, Decimal]:
        """Return the account's totals by asset."""
        found = self._connection.execute("SELECT asset, total FROM accounts")
        return {asset: Decimal(total) for asset, total in found if Decimal(total)}
