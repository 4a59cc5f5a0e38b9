"""The paper venue's book beside a journal: which one is whose, and what it knows that the journal does not."""

from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from domain.market import Instant
from domain.order import generation_of
from gateways.errors import SourceBroken
from gateways.paper.audit import Audit, AuditedOrder, audited
from persistence.errors import JournalDamaged
from persistence.reader import JournalReader

BOOK = "venue.db"
BOOK_FILES = (BOOK, f"{BOOK}-wal", f"{BOOK}-shm")


class Stray(NamedTuple):
    """An order of ours that the venue has and the journal does not: it was sent after where the journal begins anew."""

    client_id: str
    strategy: str
    symbol: str
    side: str
    leg: str
    quantity: str
    filled: str
    state: str
    """As the venue shows it at the journal's market time."""

    @property
    def is_open(self) -> bool:
        """Say whether the venue may still fill it."""
        return self.state == "accepted"


def find_strays(home: Path, *, now: Instant) -> tuple[Stray, ...]:
    """Return the orders of a home's book that its journal does not know and that count: open ones, and filled ones."""
    if not (home / BOOK).exists():
        return ()
    with JournalReader(home) as reader:
        if reader.generation == 1:
            return ()  # Whatever the venue has was ordered on record.
        known = {_client_id_of(record.payload) for record in reader.read(kinds=["OrderIntended"])}
    with audited(home / BOOK) as audit:
        orders = audit.orders(now=now)
    return tuple(
        _stray(order)
        for order in orders
        if order.client_id not in known
        and generation_of(order.client_id) is not None
        and (order.state == "accepted" or order.filled)
    )


def generations_in(book: Path) -> set[int]:
    """Return the generations that sent orders to a book; none where it cannot be read."""
    found: set[int | None] = set()
    if book.exists():
        with suppress(SourceBroken), audited(book) as audit:
            found = {generation_of(client_id) for client_id in audit.states()}
    return {generation for generation in found if generation is not None}


def demand_knows(book: Path, accepted: Collection[str]) -> None:
    """Refuse a book that is not sound, or does not have orders that the venue has accepted.

    Raises:
        JournalDamaged: with what was found.
    """
    try:
        with audited(book) as audit:
            problems, orders = audit.problems(), audit.states()
    except SourceBroken as error:
        raise JournalDamaged(str(error)) from error
    if problems:
        raise JournalDamaged(f"expected the venue's book {book} to be sound, found that {problems[0]}")
    if missing := sorted(set(accepted) - orders.keys()):
        raise JournalDamaged(f"expected the order {missing[0]} in the venue's book {book}, found none")


def goes_on_from(book: Path, earlier: Path) -> bool:
    """Say whether a book is of the same account as an earlier one, and has all of its orders."""
    with audited(earlier) as before:
        deposits, sent = before.deposits(), _as_sent(before)
    with suppress(SourceBroken), audited(book) as audit:
        is_same = audit.deposits()[: len(deposits)] == deposits
        return is_same and not audit.problems() and sent <= _as_sent(audit)
    return False


def accepted_in(reader: JournalReader) -> set[str]:
    """Return the client ids of the orders that the venue has accepted, as the journal says."""
    return {_id(record.payload) for record in reader.read(kinds=["OrderAccepted"])}


def _as_sent(audit: Audit) -> set[tuple[object, ...]]:
    return {(*order[:8],) for order in audit.orders(now=0)}


def _stray(order: AuditedOrder) -> Stray:
    return Stray(
        client_id=order.client_id,
        strategy=order.strategy,
        symbol=order.symbol,
        side=order.side,
        leg=order.leg,
        quantity=f"{order.quantity:f}",
        filled=f"{order.filled:f}",
        state=order.state,
    )


class _Named(msgspec.Struct):
    client_id: str


class _Intended(msgspec.Struct):
    terms: _Named


def _client_id_of(payload: bytes) -> str:
    return msgspec.json.decode(payload, type=_Intended).terms.client_id


def _id(payload: bytes) -> str:
    return msgspec.json.decode(payload, type=_Named).client_id
