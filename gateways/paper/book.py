"""The venue's durable book: orders, trades and the account's ledger, readable as of any market time.

An order's end, its trades and its ledger entries carry the market time from which they are visible.  So the book can
be read as it was, even when it is further than its reader, whose process died and came back at an older bar.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import apsw

from domain.market import Instant
from domain.money import ZERO, Money
from domain.order import Terms
from domain.venue import OrderSeen
from gateways.paper import rows, schema
from gateways.paper.matching import Match, Working
from gateways.paper.rules import Refusal
from gateways.paper.texts import text

NEVER: Instant = -(2**63)
"""A market time before every other."""
OUT_OF_FUNDS = Refusal("FUNDS", "the price ran beyond what the order had locked")

_OPEN = "submitted_at <= :now AND (final_at IS NULL OR final_at > :now)"


class Book:
    """One account's book in one SQLite file.  Every method may raise apsw.Error."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.head: Instant = self._one("SELECT ifnull(head, ?) FROM book", (NEVER,))
        """No request and no result of matching in the book is later than this market time."""

    @classmethod
    def open(cls, path: Path, deposit: Mapping[str, Decimal]) -> "Book":
        """Open the book at `path`, or create it with this deposit in its account.

        Raises:
            ValueError: the deposit is below 0, or the file is of a later version or cannot be kept in WAL mode.
        """
        connection = schema.connect(path)
        try:
            if schema.version_of(connection, path) == 0:
                _create(connection, deposit)
                schema.sync_folder(path)
            return cls(connection)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Let go of the file; what was written stays."""
        self._connection.close()

    @contextmanager
    def writing(self, at: Instant) -> Iterator[None]:
        """Make what is written inside durable together, as of market time `at`, or not at all."""
        head = max(self.head, at)
        with _transaction(self._connection):
            yield
            if head > self.head:
                self._connection.execute("UPDATE book SET head = ?", (head,))
        self.head = head

    def seen(self, client_id: str, now: Instant) -> OrderSeen | None:
        """Return an order as it is visible at `now`, or None if there is none of this client id.

        An order of a later market time is shown as accepted, and a refusal is shown at any time.
        """
        row = self._connection.execute(
            "SELECT number, symbol, side, code, message, final_state, final_at <= ? OR final_state = 'rejected'"
            " FROM orders WHERE client_id = ?",
            (now, client_id),
        ).fetchone()
        if row is None:
            return None
        number, symbol, side, code, message, final_state, is_final = row
        trades = self._rows(
            f"SELECT {rows.FILL} FROM trades WHERE order_number = ? AND shown_at <= ? ORDER BY nth", (number, now)
        )
        return OrderSeen(
            client_id=client_id,
            venue_id=f"p{number}",
            state=final_state if is_final else "accepted",
            fills=tuple(rows.fill(trade, client_id=client_id, symbol=symbol, side=side) for trade in trades),
            code=code if is_final else "",
            message=message if is_final else "",
        )

    def working(self, now: Instant) -> list[Working]:
        """Return the orders that are open at `now`, in the order of the queue."""
        orders = {
            row[0]: rows.working(row)
            for row in self._connection.execute(
                f"SELECT {rows.WORKING} FROM orders WHERE {_OPEN} ORDER BY {rows.PLACE}",
                {"now": now},
            )
        }
        trades = self._connection.execute(
            "SELECT order_number, trades.quantity, taken_from_lock FROM trades JOIN orders ON number = order_number"
            f" WHERE {_OPEN} AND shown_at <= :now",
            {"now": now},
        )
        for number, quantity, taken in trades:
            order = orders[number]
            order.trades += 1
            order.filled += Decimal(quantity)
            order.locked -= Decimal(taken)
        return list(orders.values())

    def totals(self, now: Instant) -> dict[str, Decimal]:
        """Return the account's totals by asset at `now`."""
        totals = {asset: Decimal(total) for asset, total in self._rows("SELECT asset, total FROM accounts")}
        for asset, amount in self._rows("SELECT asset, amount FROM ledger WHERE at > ?", (now,)):
            totals[asset] -= Decimal(amount)
        return totals

    def symbols_traded(self, at: Instant) -> set[str]:
        """Return the symbols in which the bar that closed at `at` made trades."""
        found = self._rows(
            "SELECT DISTINCT symbol FROM trades JOIN orders ON number = order_number WHERE shown_at = ?", (at,)
        )
        return {symbol for (symbol,) in found}

    def changed_by_bars(self, since: Instant, until: Instant) -> list[str]:
        """Return the client ids of orders that bars closing after `since` and up to `until` changed for the eye."""
        found = self._rows(
            "SELECT client_id FROM orders WHERE number IN"
            " (SELECT order_number FROM trades WHERE shown_at > :since AND shown_at <= :until)"
            f" OR (final_at > :since AND final_at <= :until AND code = :code) ORDER BY {rows.PLACE}",
            {"since": since, "until": until, "code": OUT_OF_FUNDS.code},
        )
        return [client_id for (client_id,) in found]

    def add_order(self, terms: Terms, *, at: Instant, arrives_at: Instant, lock: Money) -> int:
        """Write down an order that was taken; return its number."""
        self._insert_order(terms, (at, arrives_at, lock.asset, text(lock.amount), None, None, "", ""))
        return self._connection.last_insert_rowid()

    def add_refused(self, terms: Terms, refusal: Refusal, *, at: Instant) -> None:
        """Write down an order that was refused, so that it is never taken later."""
        self._insert_order(terms, (at, at, "", "0", at, "rejected", refusal.code, refusal.message))

    def add_trade(self, made: Match, *, fee: Money, taken: Decimal, legs: Iterable[Money], at: Instant) -> None:
        """Write down an order's next trade, visible from `at`, with what it moves in the account."""
        number, nth, chance = made.order.number, made.order.trades + 1, made.chance
        values = (
            number,
            nth,
            at,
            chance.at,
            made.quantity,
            chance.price,
            fee.amount,
            fee.asset,
            chance.liquidity,
            taken,
        )
        self._connection.execute(
            "INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [text(value) if isinstance(value, Decimal) else value for value in values],
        )
        _post(self._connection, at, legs, rows.trade_id(number, nth))

    def move(self, amount: Money, *, at: Instant) -> None:
        """Write down a deposit, or a withdrawal where the amount is below 0."""
        _post(self._connection, at, [amount], None)

    def trigger(self, number: int, *, at: Instant) -> None:
        """Write down that a stop was set off."""
        self._connection.execute("UPDATE orders SET triggered_at = ? WHERE number = ?", (at, number))

    def end(
        self, number: int, state: Literal["filled", "canceled"], *, at: Instant, why: Refusal | None = None
    ) -> None:
        """Write down that an order is finished."""
        self._connection.execute(
            "UPDATE orders SET final_at = ?, final_state = ?, code = ?, message = ? WHERE number = ?",
            (at, state, why.code if why else "", why.message if why else "", number),
        )

    def cancel(self, client_id: str, *, at: Instant) -> None:
        """Write down that an order was cancelled on request."""
        self._connection.execute(
            "UPDATE orders SET final_at = ?, final_state = 'canceled', code = '', message = '' WHERE client_id = ?",
            (at, client_id),
        )

    def forget_after(self, now: Instant) -> None:
        """Take back what bars later than `now` did.  Requests stay, whenever they were made."""
        totals = self.totals(now)
        for asset, total in totals.items():
            self._connection.execute("UPDATE accounts SET total = ? WHERE asset = ?", (text(total), asset))
        self._connection.execute("DELETE FROM ledger WHERE at > ?", (now,))
        self._connection.execute("DELETE FROM trades WHERE shown_at > ?", (now,))
        self._connection.execute("UPDATE orders SET triggered_at = NULL WHERE triggered_at > ?", (now,))
        self._connection.execute(
            "UPDATE orders SET final_at = NULL, final_state = NULL, code = '', message = ''"
            " WHERE final_at > ? AND (final_state = 'filled' OR code = ?)",
            (now, OUT_OF_FUNDS.code),
        )

    def _insert_order(self, terms: Terms, rest: tuple[Any, ...]) -> None:
        columns = "submitted_at, arrives_at, lock_asset, lock_amount, final_at, final_state, code, message"
        values = (*rows.terms_row(terms), *rest)
        marks = ", ".join("?" * len(values))
        self._connection.execute(f"INSERT INTO orders ({rows.TERMS}, {columns}) VALUES ({marks})", values)

    def _rows(self, statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()

    def _one(self, statement: str, values: Any = ()) -> Any:
        return self._connection.execute(statement, values).get


@contextmanager
def _transaction(connection: apsw.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def demand_deposit(deposit: Mapping[str, Decimal]) -> None:
    """Refuse a deposit below 0.

    Raises:
        ValueError: it names the asset.
    """
    for asset, amount in deposit.items():
        if not (amount.is_finite() and amount >= 0):
            raise ValueError(f"the deposit of {asset} must be at least 0, was {amount}")


def _create(connection: apsw.Connection, deposit: Mapping[str, Decimal]) -> None:
    demand_deposit(deposit)
    with _transaction(connection):
        schema.create_tables(connection)
        _post(connection, NEVER, (Money(amount, asset) for asset, amount in deposit.items()), None)


def _post(connection: apsw.Connection, at: Instant, legs: Iterable[Money], trade: str | None) -> None:
    for leg in legs:
        before = connection.execute("SELECT total FROM accounts WHERE asset = ?", (leg.asset,)).get
        total = leg.amount + (ZERO if before is None else Decimal(before))
        connection.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?)", (leg.asset, text(total)))
        connection.execute(
            "INSERT INTO ledger (at, asset, amount, trade_id) VALUES (?, ?, ?, ?)",
            (at, leg.asset, text(leg.amount), trade),
        )
