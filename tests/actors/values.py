"""Values that many laws of actors speak of: one instrument, and short ways to say bars, entries, orders and fills."""

from decimal import Decimal
from typing import Any

import msgspec

from domain.market import MINUTE_MS, Bar, Instant, Instrument
from domain.money import Money
from domain.order import Fill, Terms
from domain.proposal import Entry, proposal_id
from domain.venue import OrderSeen
from messages.market import BarsClosed, OfferAnswered
from messages.node import Command, OperatorCommanded, Restored, Salvaged
from messages.orders import OrderIntended
from messages.risk import OrderApproved

D = Decimal
T0 = 1_700_006_400_000
"""Market time at which most laws begin: midnight of a day in 2023, UTC."""
COIN = Instrument(
    symbol="COINUSDT",
    base="COIN",
    quote="USDT",
    tick=D("0.01"),
    lot=D("0.01"),
    quantity_min=D("0.01"),
    notional_min=D(5),
)
GOLD = msgspec.structs.replace(COIN, symbol="GOLDUSDT", base="GOLD")
INSTRUMENTS = {"COINUSDT": COIN, "GOLDUSDT": GOLD}

RESTORED = Restored(
    source="/backups/1",
    generation=2,
    last_sequence=77,
    last_hash="00",
    user="tester",
    process=1,
    wall_ms=1,
)
SALVAGED = Salvaged(
    generation=2,
    kept=77,
    lost_from=78,
    lost_to=90,
    readable_beyond=3,
    reason="chain: broken",
    files={},
    quarantine="quarantine/1",
    user="tester",
    process=1,
    wall_ms=1,
)


def a_bar(at: Instant = T0, close: str | int = 100, *, symbol: str = "COINUSDT", timeframe: str = "1m") -> Bar:
    """Return a bar that closed at an instant, its price the same all through."""
    price = D(close)
    return Bar(symbol, timeframe, at - MINUTE_MS, at, price, price, price, price, D(1_000))


def bars_closed(at: Instant = T0, close: str | int = 100, *, symbol: str = "COINUSDT") -> BarsClosed:
    """Return what the feed says of one bar."""
    return BarsClosed(at=at, bars=(a_bar(at, close, symbol=symbol),))


def an_entry(quantity: str | int = 1, **changes: Any) -> Entry:
    """Return a wish to buy, at the price of the bar above."""
    entry = Entry(symbol="COINUSDT", quantity=D(quantity), price=D(100), good_until=T0 + 60 * MINUTE_MS)
    return msgspec.structs.replace(entry, **changes)


def answered(*proposals: Any, strategy: str = "one", at: Instant = T0, attempt: int = 0) -> OfferAnswered:
    """Return a strategy's answer to an offer."""
    return OfferAnswered(strategy=strategy, at=at, attempt=attempt, proposals=proposals)


def approved(entry: Entry | None = None, *, index: int = 0, strategy: str = "one", at: Instant = T0) -> OrderApproved:
    """Return the breaker's approval of the whole of an entry."""
    entry = entry or an_entry()
    return OrderApproved(
        proposal_id=proposal_id(strategy=strategy, at=at, attempt=0, index=index),
        strategy=strategy,
        entry=entry,
        quantity=entry.quantity,
        reserved=entry.quantity * entry.price,
        offer_at=at,
    )


def some_terms(client_id: str = "h1", quantity: str | int = 1, **changes: Any) -> Terms:
    """Return the terms of a market buy."""
    terms = Terms(
        client_id=client_id,
        strategy="one",
        symbol="COINUSDT",
        side="buy",
        type="market",
        quantity=D(quantity),
        leg="entry",
        valid_until=T0 + MINUTE_MS,
        base="COIN",
    )
    return msgspec.structs.replace(terms, **changes)


def intended(terms: Terms | None = None, proposal: str = "") -> OrderIntended:
    """Return the intent of an order."""
    return OrderIntended(terms=terms or some_terms(), ordered_by=1, attempt=0, proposal_id=proposal)


def a_fill(client_id: str = "h1", quantity: str | int = 1, trade: str = "t1", **changes: Any) -> Fill:
    """Return one trade of a buy."""
    fill = Fill(trade, client_id, "COINUSDT", "buy", D(quantity), D(100), Money(D(0), "USDT"), "taker", T0)
    return msgspec.structs.replace(fill, **changes)


def seen(client_id: str = "h1", state: Any = "accepted", *fills: Fill) -> OrderSeen:
    """Return what a venue shows of an order."""
    return OrderSeen(client_id=client_id, venue_id="v1", state=state, fills=fills)


def commanded(
    command: Command, *, request_id: str = "r1", reason: str = "a test", target: str = ""
) -> OperatorCommanded:
    """Return an operator's command."""
    return OperatorCommanded(
        request_id=request_id, command=command, user="op", process=1, wall_ms=0, reason=reason, target=target
    )
