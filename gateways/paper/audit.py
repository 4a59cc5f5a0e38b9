"""The venue's book as an auditor reads it: beside the venue, changing nothing."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import apsw

from domain.market import Instant
from domain.money import Money
from domain.order import Fill
from domain.venue import OrderNotFound, OrderSeen
from gateways.errors import SourceBroken
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


class AuditedOrder(NamedTuple):
    """An order as the book has it."""

    client_id: str
    strategy: str
    symbol: str
    side: str
    type: str
    leg: str
    quantity: Decimal
    submitted_at: Instant
    filled: Decimal
    """What had become visible of its trades at the time that was asked for."""
    state: str


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

    def orders(self, *, now: Instant) -> list[AuditedOrder]:
        """Return every order that ever came in, as it is visible at `now`; refused ones too."""
        filled: dict[int, Decimal] = {}
        for number, quantity in self._connection.execute(
            "SELECT order_number, quantity FROM trades WHERE shown_at <= ?", (now,)
        ):
            filled[number] = filled.get(number, Decimal(0)) + Decimal(quantity)
        found = self._connection.execute(
            "SELECT number, client_id, strategy, symbol, side, type, leg, quantity, submitted_at,"
            " iif(final_at <= ? OR final_state = 'rejected', final_state, 'accepted') FROM orders ORDER BY number",
            (now,),
        )
        return [
            AuditedOrder(
                client_id, strategy, symbol, side, kind, leg, Decimal(amount), at, filled.get(number, Decimal(0)), state
            )
            for number, client_id, strategy, symbol, side, kind, leg, amount, at, state in found
        ]

    def deposits(self) -> list[tuple[str, str]]:
        """Return what was put into the account, by asset, in the order it came."""
        found = self._connection.execute("SELECT asset, amount FROM ledger WHERE trade_id IS NULL ORDER BY number")
        return [(str(asset), str(amount)) for asset, amount in found]

    def problems(self) -> list[str]:
        """Return what is wrong with the book: its file, or an account that is not the sum of its ledger."""
        found = [str(finding) for (finding,) in self._connection.execute("PRAGMA quick_check(10)") if finding != "ok"]
        if found:
            return found
        sums: dict[str, Decimal] = {}
        for asset, amount in self._connection.execute("SELECT asset, amount FROM ledger"):
            sums[asset] = sums.get(asset, Decimal(0)) + Decimal(amount)
        totals = {
            asset: Decimal(total) for asset, total in self._connection.execute("SELECT asset, total FROM accounts")
        }
        return [
            f"expected {sums.get(asset)} {asset} in the account, as its ledger adds up to, found {totals.get(asset)}"
            for asset in sorted(sums.keys() | totals.keys())
            if sums.get(asset) != totals.get(asset)
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


def seen_in(audit: Audit, client_id: str, now: Instant) -> OrderSeen | OrderNotFound:
    """Return what the venue tells of an order to who asks at `now`."""
    order = next((each for each in audit.orders(now=now) if each.client_id == client_id), None)
    if order is None:
        return OrderNotFound(client_id)
    fills = tuple(
        Fill(
            trade.trade_id,
            client_id,
            trade.symbol,
            trade.side,  # type: ignore[arg-type]
            trade.quantity,
            trade.price,
            Money(trade.fee, trade.fee_asset),
            "taker",  # An audit does not tell, and nothing is reckoned from it.
            trade.at,
        )
        for trade in audit.trades(after=-1, until=now)
        if trade.client_id == client_id
    )
    return OrderSeen(client_id, "", order.state, fills)  # type: ignore[arg-type]


@contextmanager
def audited(path: Path) -> Iterator[Audit]:
    """Give the audit of a book.

    Raises:
        SourceBroken: it cannot be read as one.
    """
    try:
        with closing(Audit(path)) as audit:
            yield audit
    except (apsw.Error, UnicodeDecodeError, ArithmeticError) as error:
        raise SourceBroken(path, "the book of a paper venue", f"{type(error).__name__}: {error}") from error
