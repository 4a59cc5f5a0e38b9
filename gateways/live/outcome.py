"""What an outcome proves.  The default is nothing; only what is on a list proves more.

Sources: the table of outcomes in `docs/live.md`, and what ccxt was seen to do with each kind of broken answer.
"""

from decimal import Decimal, InvalidOperation
from typing import Literal

import msgspec

from domain.venue import Answer, OrderNotFound, OrderSeen, Refused, Unproven
from gateways.live.dialect import Dialect, Shown, Taken, Unreadable
from gateways.live.wire import Call, Lost, Outcome, Received

DETAIL_CHARS_MAX = 300
NOT_SENT = "NOT_SENT"
"""The code of an order of which no byte has left; none of the venue's."""
ARCHIVED = "archived"
"""In place of the venue's id of an order of which it tells no more than that it is over."""
Exists = Literal["exists"]
Cut = Literal["cut"]


def of_placing(dialect: Dialect, client_id: str, outcome: Outcome) -> Shown | Refused | Unproven | Exists:
    """Say what the outcome of placing an order proves.  `exists`: the venue has one of this client id already."""
    if isinstance(outcome, Lost):
        if outcome.was_sent:
            return unproven(client_id, outcome)
        return Refused(client_id, NOT_SENT, outcome.detail[:DETAIL_CHARS_MAX], passes=True)
    error = dialect.error_in(outcome)
    if error is None:
        found = _own_order(dialect, client_id, outcome)
        return unproven(client_id, outcome, "no order") if isinstance(found, OrderNotFound) else found
    if error.meaning == "exists":
        return "exists"
    if error.meaning in ("rejected", "clock", "busy", "reached"):
        message, passes = error.message[:DETAIL_CHARS_MAX], error.meaning in ("clock", "busy")
        return Refused(client_id, error.code, message, is_reached=error.meaning == "reached", passes=passes)
    return unproven(client_id, outcome, f"code {error.code}: {error.message}")


def of_asking(dialect: Dialect, client_id: str, outcome: Outcome) -> Shown | OrderNotFound | Unproven | Exists:
    """Say what the outcome of asking for an order, or of cancelling it, proves.  `exists`: not what became of it."""
    if isinstance(outcome, Lost):
        return unproven(client_id, outcome)
    error = dialect.error_in(outcome)
    if error is None:
        return _own_order(dialect, client_id, outcome)
    if error.meaning == "not_found":
        return OrderNotFound(client_id)
    if error.meaning == "archived":
        return Shown(client_id, ARCHIVED, "canceled", "0")
    return unproven(client_id, outcome, f"code {error.code}: {error.message}")


def of_listing(
    dialect: Dialect, client_id: str, outcome: Outcome, call: Call
) -> Shown | OrderNotFound | Unproven | Cut | Call:
    """Say what a list of orders proves about one of them.

    `cut`: it may be among those that were left out.  A call: so it may, and they can be asked for.
    """
    if isinstance(outcome, Lost):
        return unproven(client_id, outcome)
    if (error := dialect.error_in(outcome)) is not None:
        return unproven(client_id, outcome, f"code {error.code}: {error.message}")
    try:
        page = dialect.read_list(outcome, call)
    except Unreadable as problem:
        return unproven(client_id, outcome, str(problem))
    for shown in page.orders:
        if shown.client_id == client_id:
            return _sound(shown, outcome)
    return page.rest or ("cut" if page.is_cut else OrderNotFound(client_id))


def with_trades(shown: Shown, dialect: Dialect, symbol: str, outcome: Outcome) -> Answer | Shown:
    """Say what an order with the trades that were asked for proves; return it as far as it is told if there are more.

    Those that it is shown with were told before.
    """
    if isinstance(outcome, Lost):
        return unproven(shown.client_id, outcome)
    if (error := dialect.error_in(outcome)) is not None:
        return unproven(shown.client_id, outcome, f"code {error.code}: {error.message}")
    try:
        fills, trades_from = dialect.read_trades(outcome, shown, symbol)
    except Unreadable as problem:
        return unproven(shown.client_id, outcome, str(problem))
    # Some venues tell the newest first, and older ones on further pages; pages may overlap.
    in_order = sorted(dict.fromkeys((*(shown.fills or ()), *fills)), key=lambda fill: fill.at)
    told = msgspec.structs.replace(shown, fills=tuple(in_order), trades_from=trades_from)
    is_short = sum((fill.quantity for fill in told.fills or ()), Decimal(0)) < Decimal(shown.filled)
    return told if trades_from and is_short else seen_with(told)


def seen_with(shown: Shown) -> Answer:
    """Return an order with its trades as evidence, if these add up to what the venue says was filled."""
    fills = shown.fills or ()
    if len({fill.trade_id for fill in fills}) < len(fills):
        return Unproven(shown.client_id, "a trade is told twice")
    traded = sum((fill.quantity for fill in fills), Decimal(0))
    if traded != Decimal(shown.filled):
        return Unproven(shown.client_id, f"trades come to {traded}, of which the venue says {shown.filled}")
    return OrderSeen(shown.client_id, shown.venue_id, shown.state, fills)


def needs_trades(shown: Shown) -> bool:
    """Say whether an order's trades have to be asked for."""
    return shown.fills is None and Decimal(shown.filled) > 0


def unproven(client_id: str, outcome: Outcome, detail: str = "") -> Unproven:
    """Return that an outcome proves nothing, and why."""
    if isinstance(outcome, Lost):
        sent = "it may have been sent" if outcome.was_sent else "it was not sent"
        return Unproven(client_id, f"{outcome.detail}; {sent}"[:DETAIL_CHARS_MAX])
    return Unproven(client_id, f"status {outcome.status}, {detail or 'nothing that can be read'}"[:DETAIL_CHARS_MAX])


def _own_order(dialect: Dialect, client_id: str, received: Received) -> Shown | OrderNotFound | Unproven | Exists:
    """Return the order an answer shows, if it is the one that was asked about: some venues show another's."""
    try:
        shown = dialect.read_order(received)
    except Unreadable as problem:
        return unproven(client_id, received, str(problem))
    if shown is None:
        return OrderNotFound(client_id)
    if shown.client_id != client_id or not shown.venue_id:
        return unproven(client_id, received, f"an order with the client id {shown.client_id!r}")
    if isinstance(shown, Taken):
        return "exists"
    return _sound(shown, received)


def _sound(shown: Shown, received: Received) -> Shown | Unproven:
    try:
        filled = Decimal(shown.filled)
    except InvalidOperation as problem:
        return unproven(shown.client_id, received, str(problem))
    if not shown.venue_id or not filled.is_finite() or filled < 0:
        return unproven(shown.client_id, received, "an order without an id, or filled by what is no amount")
    return shown
