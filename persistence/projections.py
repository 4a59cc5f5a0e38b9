"""Read models: orders, fills, positions, equity, sentiment and imported trades as plain tables, for people and tools.

They say nothing that the events do not; they can be dropped and are rebuilt.  They may follow a moment behind the
events: `projected_seq` says how far they have come.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import islice, starmap
from operator import itemgetter
from typing import Any

import apsw
from peewee import Model
from playhouse.apsw_ext import APSWDatabase

from domain.order import RANK, OrderState
from messages.base import Event
from messages.codec import decode
from messages.imported import PastImported
from messages.orders import (
    OrderAbsent,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderUnresolved,
)
from messages.positions import EquityMarked, PositionChanged
from messages.sentiment import HeadlineScored
from persistence.errors import JournalDamaged
from persistence.records import COLUMNS, Draft, Record
from persistence.schema import create_tables
from persistence.tables import (
    TABLE_KEYS,
    TABLES,
    EquityRow,
    FillRow,
    ImportedTradeRow,
    OrderRow,
    PositionRow,
    SentimentRow,
)

PROJECTIONS_VERSION = 3
"""Raised whenever a table or its meaning changes: a journal with another version rebuilds them when it is opened."""


Change = tuple[Draft | Record, Event]
"""What is projected: a record, and the event in it."""

CHUNK = 1_000
"""How many changes are gathered before they are written, when the tables are made again."""


def changes_in(drafts: Iterable[Draft | Record]) -> list[Change]:
    """Return what a batch changes in the tables, decoding only the kinds that do and are not at hand.

    Raises:
        CodecError: an event of such a kind cannot be decoded.
    """
    return [(draft, _event_of(draft)) for draft in drafts if draft.kind in KINDS]


def _event_of(draft: Draft | Record) -> Event:
    if isinstance(draft, Draft) and draft.event is not None:
        return draft.event
    return decode(draft.kind, draft.version, draft.payload)


def project(connection: apsw.Connection, changes: Iterable[Change], *, upto: int) -> None:
    """Bring the tables up to date with the events up to a sequence, in the caller's transaction.

    Raises:
        JournalDamaged: a row cannot be read; `rebuild` mends that.
    """
    gathering = _Gathering(connection)
    for record, event in changes:
        KINDS[record.kind](gathering, record, event)
    gathering.write()
    connection.execute(_SET_PROJECTED, (upto,))


def projected_seq(connection: apsw.Connection) -> int:
    """Return up to which sequence the tables tell what the events do.

    Raises:
        JournalDamaged: the row that says so is missing; `rebuild` mends that.
    """
    found: int | None = connection.execute("SELECT seq FROM projected WHERE id = 1").get
    if found is None:
        raise JournalDamaged("expected one row in the projection projected, found none")
    return found


def create_projections(database: APSWDatabase) -> None:
    """Make the tables, in the caller's transaction."""
    create_tables(database, TABLES)
    database.connection().execute(_SET_PROJECTED, (0,))


def rebuild(database: APSWDatabase) -> None:
    """Drop the tables and make them again from the events, in one transaction."""
    connection: apsw.Connection = database.connection()
    with database.atomic():
        for table in TABLE_KEYS:
            connection.execute(f"DROP TABLE IF EXISTS {table}")
        fill(database, connection, upto=_last_seq(connection))


def catch_up(database: APSWDatabase) -> None:
    """Take in what the tables have not followed yet, in one transaction; nothing where there is nothing.

    Raises:
        JournalDamaged: they say that they are ahead of the events, or a row cannot be read; `rebuild` mends that.
    """
    connection: apsw.Connection = database.connection()
    came_to, last = projected_seq(connection), _last_seq(connection)
    if came_to > last:
        raise JournalDamaged(f"expected projections up to sequence {last} at most, found them to reach {came_to}")
    if came_to < last:
        with database.atomic():
            _follow(connection, connection, after=came_to, upto=last)


def fill(database: APSWDatabase, source: apsw.Connection, *, upto: int) -> None:
    """Make the tables in a database that has none of them, from the events in another, or the same."""
    create_projections(database)
    _follow(database.connection(), source, after=0, upto=upto)


def _follow(connection: apsw.Connection, source: apsw.Connection, *, after: int, upto: int) -> None:
    records = starmap(Record, source.execute(_PROJECTED, (after, upto)))
    while chunk := list(islice(records, CHUNK)):
        project(connection, changes_in(chunk), upto=chunk[-1].seq)
    connection.execute(_SET_PROJECTED, (upto,))


def _last_seq(connection: apsw.Connection) -> int:
    return int(connection.execute("SELECT max(seq) FROM events").get or 0)


class _Gathering:
    """What a batch changes, gathered so that each row is written once."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._orders: dict[str, dict[str, Any]] = {}
        self._fills: list[tuple[Any, ...]] = []
        self._positions: dict[tuple[str, str], tuple[Any, ...]] = {}
        """The newest of each strategy and symbol."""
        self._equity: list[tuple[Any, ...]] = []
        self._sentiment: list[tuple[Any, ...]] = []
        self._imported_trades: list[tuple[Any, ...]] = []

    def write(self) -> None:
        for insert, rows in (
            (_INSERT_ORDER, [_order_values(order) for order in self._orders.values()]),
            (_INSERT_FILL, self._fills),
            (_INSERT_POSITION, list(self._positions.values())),
            (_INSERT_EQUITY, self._equity),
            (_INSERT_SENTIMENT, self._sentiment),
            (_INSERT_IMPORTED_TRADE, self._imported_trades),
        ):
            if rows:
                self._connection.executemany(insert, rows)

    def intended(self, record: Draft | Record, event: OrderIntended) -> None:
        terms = event.terms
        self._orders[terms.client_id] = {
            "client_id": terms.client_id,
            "strategy": terms.strategy,
            "symbol": terms.symbol,
            "side": terms.side,
            "type": terms.type,
            "leg": terms.leg,
            "quantity": str(terms.quantity),
            "limit_price": _text(terms.limit_price),
            "stop_price": _text(terms.stop_price),
            "valid_until": terms.valid_until,
            "state": "intended",
            "filled": "0",
            "venue_id": "",
            "evidence": "",
            "detail": "",
            "proposal_id": event.proposal_id,
            "ordered_by": event.ordered_by,
            "attempt": event.attempt,
            "why": event.why,
            "intended_seq": record.seq,
            "intended_at": record.at,
            "changed_seq": record.seq,
            "changed_at": record.at,
        }

    def accepted(self, record: Draft | Record, event: OrderAccepted) -> None:
        self._move(record, event.client_id, "accepted", evidence=event.evidence, venue_id=event.venue_id)

    def rejected(self, record: Draft | Record, event: OrderRejected) -> None:
        detail = f"{event.code}: {event.message}"
        self._move(record, event.client_id, "rejected", evidence=event.evidence, detail=detail)

    def unresolved(self, record: Draft | Record, event: OrderUnresolved) -> None:
        self._move(record, event.client_id, "unresolved", detail=event.detail)

    def canceled(self, record: Draft | Record, event: OrderCanceled) -> None:
        self._move(record, event.client_id, "canceled", evidence=event.evidence)

    def expired(self, record: Draft | Record, event: OrderExpired) -> None:
        self._move(record, event.client_id, "expired", evidence=event.evidence)

    def absent(self, record: Draft | Record, event: OrderAbsent) -> None:
        self._move(record, event.client_id, "absent", detail=event.detail)

    def filled(self, record: Draft | Record, event: OrderFilled) -> None:
        fill = event.fill
        self._fills.append(
            (
                *(record.seq, fill.trade_id, fill.client_id, event.strategy, fill.symbol, fill.side),
                *(str(fill.quantity), str(fill.price), str(fill.fee.amount), fill.fee.asset),
                *(fill.liquidity, event.evidence, fill.at),
            )
        )
        if (order := self._order(fill.client_id)) is not None:
            filled = Decimal(order["filled"]) + fill.quantity
            state: OrderState = "filled" if filled >= Decimal(order["quantity"]) else "accepted"
            self._move(record, fill.client_id, state, evidence=event.evidence, filled=str(filled))

    def changed(self, record: Draft | Record, event: PositionChanged) -> None:
        amounts = (str(event.quantity), str(event.average_price), str(event.realised))
        key = event.strategy, event.symbol
        self._positions[key] = (*key, *amounts, event.entered_at, record.seq, record.at)

    def marked(self, record: Draft | Record, event: EquityMarked) -> None:
        amounts = (event.equity, event.cash, event.unrealised, event.realised, event.drawdown)
        self._equity.append((record.seq, event.at, *map(str, amounts)))

    def scored(self, record: Draft | Record, event: HeadlineScored) -> None:
        score = event.score
        self._sentiment.append(
            (
                *(record.seq, score.source, score.text_hash, score.model, score.value, score.half_life_ms),
                *(score.published_at, score.arrived_at, " ".join(score.symbols)),
            )
        )

    def imported(self, record: Draft | Record, event: PastImported) -> None:
        self._imported_trades += [
            (
                *(trade.number, trade.id, trade.symbol, trade.side, str(trade.quantity), str(trade.price)),
                *(str(trade.fee), trade.fee_asset, trade.at, trade.kept, record.seq),
            )
            for trade in event.trades
        ]

    def _move(self, record: Draft | Record, client_id: str, state: OrderState, **known: str) -> None:
        """Take an order up the lattice of states, never down; keep what else is known now."""
        if (order := self._order(client_id)) is not None:
            if RANK[state] > RANK[order["state"]]:
                order["state"] = state
            order.update(known, changed_seq=record.seq, changed_at=record.at)

    def _order(self, client_id: str) -> dict[str, Any] | None:
        if client_id not in self._orders:
            row = self._connection.execute(_SELECT_ORDER, (client_id,)).fetchone()
            if row is None:
                return None
            self._orders[client_id] = _sound_order(dict(zip(_columns(OrderRow), row, strict=True)))
        return self._orders[client_id]


def _sound_order(order: dict[str, Any]) -> dict[str, Any]:
    try:
        if order["state"] in RANK and (Decimal(order["filled"]) + Decimal(order["quantity"])).is_finite():
            return order
    except (ArithmeticError, TypeError, ValueError):
        pass
    raise JournalDamaged(f"expected a sound row in the projection orders, found {order}")


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _columns(table: type[Model]) -> list[str]:
    return [field.column_name for field in table._meta.sorted_fields]


def _insert(table: type[Model]) -> str:
    columns = _columns(table)
    places = ", ".join("?" for _ in columns)
    return f"INSERT OR REPLACE INTO {table._meta.table_name} ({', '.join(columns)}) VALUES ({places})"


_INSERT_ORDER = _insert(OrderRow)
_INSERT_FILL = _insert(FillRow)
_INSERT_POSITION = _insert(PositionRow)
_INSERT_EQUITY = _insert(EquityRow)
_INSERT_SENTIMENT = _insert(SentimentRow)
_INSERT_IMPORTED_TRADE = _insert(ImportedTradeRow)
_SET_PROJECTED = "INSERT OR REPLACE INTO projected (id, seq) VALUES (1, ?)"
_order_values = itemgetter(*_columns(OrderRow))
_SELECT_ORDER = f"SELECT {', '.join(_columns(OrderRow))} FROM orders WHERE client_id = ?"

KINDS: dict[str, Callable[[_Gathering, Draft | Record, Any], None]] = {
    OrderIntended.__name__: _Gathering.intended,
    OrderAccepted.__name__: _Gathering.accepted,
    OrderRejected.__name__: _Gathering.rejected,
    OrderUnresolved.__name__: _Gathering.unresolved,
    OrderFilled.__name__: _Gathering.filled,
    OrderCanceled.__name__: _Gathering.canceled,
    OrderExpired.__name__: _Gathering.expired,
    OrderAbsent.__name__: _Gathering.absent,
    PositionChanged.__name__: _Gathering.changed,
    EquityMarked.__name__: _Gathering.marked,
    HeadlineScored.__name__: _Gathering.scored,
    PastImported.__name__: _Gathering.imported,
}
"""The kinds that change the tables, and how."""

_PROJECTED = (
    f"SELECT {COLUMNS} FROM events WHERE seq > ? AND seq <= ? "
    f"AND kind IN ({', '.join(repr(kind) for kind in KINDS)}) ORDER BY seq"
)
