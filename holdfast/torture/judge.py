"""The judge: what the exchange's own ledger and the journal do not agree on."""

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from domain.order import Terms
from holdfast.rebuild import Rebuilt, eras
from holdfast.replay import rebuild, verify_everything
from holdfast.torture.verdicts import unadopted
from persistence.reader import JournalReader

SAME = {"new": "accepted", "partially_filled": "accepted"}
"""What the journal calls an exchange's states, where it has another word."""
NEVER_TAKEN = "lost"
"""The state of an order that the exchange died over before it was in its book."""
TOLD_AS = {"bybit": SAME | {"expired": "canceled"}}
"""The same by the interface that the node speaks, where that has no word for a state."""


def judge(home: Path, ledger: dict[str, Any]) -> list[str]:
    """Return every violation: each says what was found where.

    No order sent twice, none at the exchange that the journal does not know, meant otherwise or knows in another state,
    every trade counted once, both accounts equal to the last digit but for what nobody here did and is not taken into
    the books, and a journal that verifies.
    """
    return [*unproven(home), *disagreements(home, ledger)]


def unproven(home: Path) -> list[str]:
    """Return what does not verify in the journal of a home."""
    return [f"the journal: {problem}" for check in verify_everything(home) for problem in check.problems]


def disagreements(home: Path, ledger: dict[str, Any]) -> list[str]:
    """Return what ledger and journal do not agree on.  While a node lives they may be a moment apart."""
    rebuilt, _ = rebuild(home)
    books = _accounts(rebuilt, ledger, unadopted(home, ledger))
    with JournalReader(home) as reader:
        venue = eras(reader, rebuilt.seq)[-1].configuration.get("venue", {})
    words = TOLD_AS.get(venue.get("kind", ""), SAME)
    return [*doubled(ledger), *_orders(rebuilt, ledger, words), *_fills(rebuilt, ledger), *books]


def doubled(ledger: dict[str, Any]) -> Iterator[str]:
    """Yield every order that was sent or taken more than once."""
    for row in ledger["requests"]:
        if row["kind"] == "order.create" and row["count"] > 1:
            yield f"{row['client_id']} was sent {row['count']} times"
    for client_id, count in Counter(order["client_id"] for order in ledger["orders"]).items():
        if count > 1:
            yield f"{client_id} was taken {count} times"


def _orders(rebuilt: Rebuilt, ledger: dict[str, Any], words: Mapping[str, str]) -> Iterator[str]:
    known = rebuilt.history.orders
    orders = [order for order in ledger["orders"] if order["status"] != NEVER_TAKEN]
    for order in orders:
        if order["origin"] == "manual":
            continue
        ours = known.get(order["client_id"])
        if ours is None:
            yield f"{order['client_id']} is at the exchange, and the journal does not know it"
            continue
        if ours.state != words.get(order["status"], order["status"]):
            yield f"{order['client_id']} is {order['status']} at the exchange, and {ours.state} in the journal"
        yield from _meant_otherwise(ours.terms, order)
    taken = {order["client_id"] for order in orders}
    for client_id, ours in known.items():
        if client_id not in taken and ours.state not in ("absent", "rejected"):
            yield f"{client_id} is {ours.state} in the journal, and the exchange never took it"


def _meant_otherwise(terms: Terms, order: Mapping[str, Any]) -> Iterator[str]:
    amounts = {"quantity": terms.quantity, "price": terms.limit_price, "stop_price": terms.stop_price}
    for name, meant in {"symbol": terms.symbol, "side": terms.side}.items():
        if order[name] != meant:
            yield f"{terms.client_id} has the {name} {order[name]} at the exchange, and {meant} in the journal"
    for name, amount in amounts.items():
        if Decimal(order[name]) != (amount or 0):
            yield f"{terms.client_id} has the {name} {order[name]} at the exchange, and {amount} in the journal"


def _fills(rebuilt: Rebuilt, ledger: dict[str, Any]) -> Iterator[str]:
    ours = Counter(
        (event.fill.client_id, event.fill.quantity, event.fill.price, event.fill.fee.amount, event.fill.fee.asset)
        for event in rebuilt.history.fills
    )
    manual = {order["client_id"] for order in ledger["orders"] if order["origin"] == "manual"}
    theirs = Counter(
        (trade["client_id"], *(Decimal(trade[name]) for name in ("quantity", "price", "fee")), trade["fee_asset"])
        for trade in ledger["trades"]
        if trade["client_id"] not in manual
    )
    for client_id, quantity, price, *_fee in (theirs - ours).elements():
        yield f"the exchange traded {quantity} at {price} for {client_id}, and the journal does not know it"
    for client_id, quantity, price, *_fee in (ours - theirs).elements():
        yield f"the journal has {quantity} at {price} for {client_id}, and the exchange never traded it"


def _accounts(rebuilt: Rebuilt, ledger: dict[str, Any], foreign: Mapping[str, Decimal]) -> Iterator[str]:
    book = rebuilt.positions.state.book.cash
    known = {asset: book.get(asset, Decimal(0)) + foreign.get(asset, Decimal(0)) for asset in book.keys() | foreign}
    ours = {asset: amount for asset, amount in known.items() if amount}
    theirs = {asset: Decimal(amount) for asset, amount in ledger["balances"].items() if Decimal(amount)}
    for asset in sorted(ours.keys() | theirs.keys()):
        if ours.get(asset, 0) != theirs.get(asset, 0):
            yield f"the journal has {ours.get(asset, 0)} {asset}, and the account {theirs.get(asset, 0)}"
