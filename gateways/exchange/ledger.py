"""What the exchange remembers: every request, order and trade by its own numbers.  The oracle of tests.

What the account has, and what moved it, is in the paper venue's book; both are in `report`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import msgspec

from domain.market import Instant
from gateways.exchange.klines import Kline
from gateways.exchange.orders import Order, OrderRequest, Origin, Trade

KLINES_MAX = 20_000
"""Of a symbol that are read back."""
_VERSION = 1
_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE orders (
    order_id INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX orders_by_client ON orders (client_id);
CREATE INDEX orders_open ON orders (status) WHERE status IN ('pending', 'new', 'partially_filled');
CREATE TABLE trades (
    trade_id INTEGER PRIMARY KEY AUTOINCREMENT,
    book_id TEXT NOT NULL UNIQUE,  -- the trade's id in the paper venue's book
    order_id INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX trades_by_order ON trades (order_id);
CREATE TABLE refusals (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    client_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    body TEXT NOT NULL
) STRICT;
CREATE TABLE requests (
    client_id TEXT NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (client_id, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE faults (kind TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE klines (
    symbol TEXT NOT NULL,
    span INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (symbol, span, opened_at)
) STRICT, WITHOUT ROWID;
"""


FAR: Instant = 2**62
"""Later than anything."""


class Search(NamedTuple):
    """Which orders or trades are wanted; None stands for any."""

    symbol: str | None
    order_id: int | None
    client_id: str | None
    limit: int
    before_id: int | None = None
    """Only those with a smaller number."""
    begin: Instant = 0
    end: Instant = FAR


class Ledger:
    """One file, written by one exchange.  Every method may raise apsw.Error."""

    def __init__(self, path: Path, *, reads_only: bool = False) -> None:
        """Open the file, or make it.

        Raises:
            ValueError: it was written by a later version.
        """
        flags = apsw.SQLITE_OPEN_READONLY if reads_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        self._connection = apsw.Connection(str(path), flags=flags)
        self._connection.set_busy_timeout(5_000)
        version = int(self._connection.pragma("user_version"))
        if version > _VERSION:
            raise ValueError(f"the ledger {path} must be of version {_VERSION} or earlier, was {version}")
        if not reads_only:
            self._connection.pragma("journal_mode", "wal")
            self._connection.pragma("synchronous", "FULL")
        if not version and not reads_only:
            with self.writing():
                self._connection.execute(_TABLES)
                self._connection.pragma("user_version", _VERSION)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make what is written inside durable together, or not at all; inside another, together with that."""
        with self._connection:
            yield

    # -- what is asked ---------------------------------------------------------------------------------------------

    def count_request(self, client_id: str, kind: str) -> None:
        """Count a request that names an order by client id."""
        self._run(
            "INSERT INTO requests VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1", (client_id, kind)
        )

    def count_faults(self, kind: str, count: int) -> None:
        """Count lies of a kind."""
        self._run("INSERT INTO faults VALUES (?, ?2) ON CONFLICT DO UPDATE SET count = count + ?2", (kind, count))

    def add_refusal(
        self,
        client_id: str,
        origin: Origin,
        *,
        reason: str,
        detail: str,
        at: Instant,
        request: OrderRequest | None = None,
    ) -> None:
        """Write down an order that was refused, with what it asked for where that could be read."""
        self._run(
            "INSERT INTO refusals (at, client_id, origin, reason, detail, body) VALUES (?, ?, ?, ?, ?, ?)",
            (at, client_id, origin, reason, detail, _text(request)),
        )

    # -- orders and trades -----------------------------------------------------------------------------------------

    def add_order(self, order: Order) -> int:
        """Write down an order that may be taken; return its number."""
        request = order.request
        self._run(
            "INSERT INTO orders (client_id, symbol, status, created_at, body) VALUES (?, ?, ?, ?, ?)",
            (request.client_id, request.symbol, order.status, order.created_at, _text(order)),
        )
        return self._connection.last_insert_rowid()

    def change_order(self, order: Order) -> None:
        """Write down what has become of an order."""
        self._run(
            "UPDATE orders SET status = ?, body = ? WHERE order_id = ?", (order.status, _text(order), order.order_id)
        )

    def add_trade(self, trade: Trade, book_id: str) -> Trade:
        """Write down a trade; return it with its number."""
        self._run(
            "INSERT INTO trades (book_id, order_id, symbol, at, body) VALUES (?, ?, ?, ?, ?)",
            (book_id, trade.order_id, trade.symbol, trade.at, _text(trade)),
        )
        return msgspec.structs.replace(trade, trade_id=self._connection.last_insert_rowid())

    def newest_at(self) -> Instant:
        """Return when the last order came in, or the last trade was made, whichever was later."""
        found = self._run(
            "SELECT max(ifnull((SELECT created_at FROM orders ORDER BY order_id DESC LIMIT 1), 0),"
            " ifnull((SELECT at FROM trades ORDER BY trade_id DESC LIMIT 1), 0))"
        )
        return int(found[0][0])

    def open_orders(self) -> list[Order]:
        """Return the orders that may still trade, oldest first."""
        found = "SELECT order_id, body FROM orders WHERE status IN ('pending', 'new', 'partially_filled')"
        return [_order(row) for row in self._run(f"{found} ORDER BY order_id")]

    def find_order(self, symbol: str, *, order_id: int | None, client_id: str | None) -> Order | None:
        """Return an order by its number, else the newest one of a client id."""
        name, value = ("order_id", order_id) if order_id is not None else ("client_id", client_id)
        found = self._run(
            f"SELECT order_id, body FROM orders WHERE {name} = ? AND symbol = ? AND status NOT IN ('pending', 'lost')"
            " ORDER BY order_id DESC LIMIT 1",
            (value, symbol),
        )
        return next(map(_order, found), None)

    def orders(self, symbol: str, *, first_id: int | None, begin: Instant, end: Instant, limit: int) -> list[Order]:
        """Return orders of a symbol, oldest first: from a number on, or the newest of a stretch of time."""
        wanted = {
            "symbol = ?": symbol,
            "order_id >= ?": first_id,
            "created_at >= ?": begin,
            "created_at <= ?": end,
            "status NOT IN ('pending', ?)": "lost",
        }
        found = self._find("orders", "order_id", wanted, limit, newest_first=first_id is None and not begin)
        return sorted(map(_order, found), key=lambda order: order.order_id)

    def trades(
        self, symbol: str, *, order_id: int | None, first_id: int | None, begin: Instant, end: Instant, limit: int
    ) -> list[Trade]:
        """Return trades of a symbol, oldest first: from a number on, or the newest of a stretch of time."""
        wanted = {
            "symbol = ?": symbol,
            "order_id = ?": order_id,
            "trade_id >= ?": first_id,
            "at >= ?": begin,
            "at <= ?": end,
        }
        found = self._find("trades", "trade_id", wanted, limit, newest_first=first_id is None and not begin)
        return sorted(map(_trade, found), key=lambda trade: trade.trade_id)

    def closed_orders(self, search: Search) -> list[Order]:
        """Return orders that have ended, newest first."""
        wanted = {
            "symbol = ?": search.symbol,
            "order_id = ?": search.order_id,
            "client_id = ?": search.client_id,
            "order_id < ?": search.before_id,
            "created_at >= ?": search.begin,
            "created_at <= ?": search.end,
            "status IN ('filled', 'canceled', ?)": "expired",
        }
        return list(map(_order, self._find("orders", "order_id", wanted, search.limit)))

    def newest_trades(self, search: Search) -> list[Trade]:
        """Return trades, newest first."""
        wanted = {
            "symbol = ?": search.symbol,
            "order_id = ?": search.order_id,
            "order_id IN (SELECT order_id FROM orders WHERE client_id = ?)": search.client_id,
            "trade_id < ?": search.before_id,
            "at >= ?": search.begin,
            "at <= ?": search.end,
        }
        return list(map(_trade, self._find("trades", "trade_id", wanted, search.limit)))

    def _find(
        self, table: str, number: str, wanted: Mapping[str, Any], limit: int, *, newest_first: bool = True
    ) -> list[tuple[Any, ...]]:
        # What is not asked for is not in the statement: so SQLite sees which of its indexes is of use.
        given = {condition: value for condition, value in wanted.items() if value is not None}
        order = "DESC" if newest_first else "ASC"
        statement = f"SELECT {number}, body FROM {table} WHERE {' AND '.join(given)} ORDER BY {number} {order} LIMIT ?"
        return self._run(statement, (*given.values(), limit))

    # -- the market's memory ---------------------------------------------------------------------------------------

    def meta(self, name: str) -> str | None:
        """Return a note."""
        value = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).get
        return None if value is None else str(value)

    def note(self, name: str, value: str) -> None:
        """Write down a note in place of the one of this name."""
        self._run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def add_klines(self, symbol: str, klines: list[Kline]) -> None:
        """Write down klines that are closed."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO klines VALUES (?, ?, ?, ?)",
            [(symbol, kline.span, kline.opened_at, _text(kline)) for kline in klines],
        )

    def klines(self, symbol: str) -> list[Kline]:
        """Return a symbol's klines, oldest first."""
        found = self._run(
            "SELECT body FROM klines WHERE symbol = ? ORDER BY opened_at DESC, span LIMIT ?", (symbol, KLINES_MAX)
        )
        return [msgspec.json.decode(body, type=Kline) for (body,) in reversed(found)]

    # -- the whole of it -------------------------------------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        """Return all that was asked, taken, refused and traded, as JSON has it."""
        orders = [_order(row) for row in self._run("SELECT order_id, body FROM orders ORDER BY order_id")]
        trades = [_trade(row) for row in self._run("SELECT trade_id, body FROM trades ORDER BY trade_id")]
        refusals = self._run("SELECT at, client_id, origin, reason, detail, body FROM refusals ORDER BY number")
        requests = self._run("SELECT client_id, kind, count FROM requests ORDER BY client_id, kind")
        names = ("at", "client_id", "origin", "reason", "detail")
        return {
            "orders": [_order_row(order) for order in orders],
            "refused": [
                dict(zip(names, rest, strict=True)) | {"request": msgspec.json.decode(body)} for *rest, body in refusals
            ],
            "requests": [dict(zip(("client_id", "kind", "count"), row, strict=True)) for row in requests],
            "trades": [_plain(trade) for trade in trades],
            "faults": dict(self.faults()),
        }

    def faults(self) -> Mapping[str, int]:
        """Return how often each kind of fault struck."""
        return {str(kind): int(count) for kind, count in self._run("SELECT kind, count FROM faults ORDER BY kind")}

    def _run(self, statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()


def _order_row(order: Order) -> dict[str, Any]:
    row = _plain(order)
    request: dict[str, Any] = row.pop("request")
    return request | row


def _plain(value: Order | Trade) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(value)
    return row


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _order(row: tuple[Any, ...]) -> Order:
    order_id, body = row
    order = msgspec.json.decode(body, type=Order)
    order.order_id = order_id
    return order


def _trade(row: tuple[Any, ...]) -> Trade:
    trade_id, body = row
    return msgspec.structs.replace(msgspec.json.decode(body, type=Trade), trade_id=trade_id)
