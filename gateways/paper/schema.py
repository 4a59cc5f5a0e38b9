"""The tables of the venue's book, and how its file is opened."""

import os
from pathlib import Path

import apsw

VERSION = 1
BUSY_TIMEOUT_MS = 5_000

_TABLES = """
CREATE TABLE book (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    head INTEGER  -- market time up to which something is written down; NULL while nothing is
) STRICT;
CREATE TABLE orders (
    number INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL UNIQUE,
    strategy TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL,
    type TEXT NOT NULL,
    quantity TEXT NOT NULL,
    leg TEXT NOT NULL,
    limit_price TEXT,
    stop_price TEXT,
    valid_until INTEGER NOT NULL,
    submitted_at INTEGER NOT NULL,
    arrives_at INTEGER NOT NULL,
    lock_asset TEXT NOT NULL,
    lock_amount TEXT NOT NULL,
    triggered_at INTEGER,
    final_at INTEGER,
    final_state TEXT,
    code TEXT NOT NULL DEFAULT '',
    message TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX orders_by_end ON orders (final_at);
CREATE INDEX orders_by_trigger ON orders (triggered_at) WHERE triggered_at IS NOT NULL;
CREATE TABLE trades (
    order_number INTEGER NOT NULL REFERENCES orders,
    nth INTEGER NOT NULL,
    shown_at INTEGER NOT NULL,  -- close of the bar that made it: from then on it is visible
    traded_at INTEGER NOT NULL,
    quantity TEXT NOT NULL,
    price TEXT NOT NULL,
    fee TEXT NOT NULL,
    fee_asset TEXT NOT NULL,
    liquidity TEXT NOT NULL,
    taken_from_lock TEXT NOT NULL,
    PRIMARY KEY (order_number, nth)
) STRICT, WITHOUT ROWID;
CREATE INDEX trades_by_time ON trades (shown_at);
CREATE TABLE ledger (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    asset TEXT NOT NULL,
    amount TEXT NOT NULL,
    trade_id TEXT  -- NULL for a deposit
) STRICT;
CREATE INDEX ledger_by_time ON ledger (at);
CREATE TABLE accounts (
    asset TEXT PRIMARY KEY,
    total TEXT NOT NULL  -- sum of the asset's whole ledger
) STRICT, WITHOUT ROWID;
"""


def connect(path: Path) -> apsw.Connection:
    """Open the file with full durability.

    Raises:
        ValueError: the file cannot be kept in WAL mode.
        apsw.Error: the file cannot be opened or is no database.
    """
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.pragma("synchronous", "EXTRA")
    mode = connection.pragma("journal_mode", "wal")
    if mode != "wal":
        raise ValueError(f"{path} must be kept in WAL mode, its mode is {mode}")
    for name, value in (("foreign_keys", 1), ("trusted_schema", 0), ("cell_size_check", 1), ("mmap_size", 0)):
        connection.pragma(name, value)
    return connection


def version_of(connection: apsw.Connection, path: Path) -> int:
    """Return the version of the book's tables, 0 for an empty file.

    Raises:
        ValueError: the book was written by a later version of Holdfast.
    """
    version = int(connection.pragma("user_version"))
    if version > VERSION:
        raise ValueError(f"the book {path} must be of version {VERSION} or earlier, was {version}")
    return version


def create_tables(connection: apsw.Connection) -> None:
    """Create the tables; the caller commits."""
    connection.execute(_TABLES)
    connection.execute("INSERT INTO book (only) VALUES (1)")
    connection.pragma("user_version", VERSION)


def sync_folder(path: Path) -> None:
    """Make the name of a file that was just created durable."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
