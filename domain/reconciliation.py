"""The books against the venue's account: where they differ, and what becomes of each difference.

A pure comparison.  Two moments are no difference and are left to whoever looks again: an order whose fate is unknown,
and one whose newest trades the books do not have yet.

* Money is compared by asset: of a symbol its base, and the quote asset.  What is less than one lot, or in quote
  currency less than one tick of one lot, is no difference.
* An open order that the books do not know is *unknown* where it bears this home's name, *foreign* where it bears
  another home's, and *manual* otherwise.  One that the books have open and the venue does not is *missing*.
* What the account has more than the books belongs to nobody here, and is kept under `EXTERNAL`.  What it has less is
  taken from what no strategy holds, then from `EXTERNAL`, then from the strategies, in the order of their names.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from domain.market import Instrument
from domain.money import ZERO
from domain.order import UNPROVEN, Order, namespace_of
from domain.position import Book
from domain.venue import AccountSeen, OpenOrder

EXTERNAL = "external"
"""Whose what somebody else has bought or brought is: no strategy's."""

Kind = Literal[
    "order_unknown",
    "order_foreign",
    "order_manual",
    "order_missing",
    "position_extra",
    "position_missing",
    "position_flipped",
    "deposit",
    "withdrawal",
]
Policy = Literal["report", "adopt", "protect", "flatten", "halt"]
"""`report`: left alone.  `adopt`: taken into the books.  `protect`: that, and a stop is placed.  `flatten`: an order is
cancelled, a position is taken into the books and sold.  `halt`: no entry until an operator resumes."""


Strategy = Literal["by_kind", "journal_wins", "venue_wins", "merge", "most_recent", "emergency_reset"]
"""`by_kind`: each kind of difference as at a start.

`journal_wins`: the books stay, and the difference is told.  `venue_wins`: the books become the account's.
`merge`: what the account has more is taken into the books; where it has less, nothing more is entered.
`most_recent`: the books stay where they have counted a trade of that asset since the two last agreed, for the venue may
show it late; else they become the account's.
`emergency_reset`: the books become the account's, everything is left at the market, and the node halts.
"""


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of each kind of difference."""

    order_unknown: Policy = "flatten"
    order_foreign: Policy = "halt"
    order_manual: Policy = "report"
    order_missing: Policy = "halt"
    position_extra: Policy = "halt"
    position_missing: Policy = "halt"
    position_flipped: Policy = "halt"
    deposit: Policy = "halt"
    withdrawal: Policy = "halt"
    stop_below: Decimal = Decimal("0.05")
    """How far below the newest price `protect` places its stop, as a fraction of it."""
    every_s: float = 0.0
    """Between two comparisons while running; 0 for none."""
    conflicts: Strategy = "by_kind"
    """What becomes of differences in money that these find."""

    def of(self, kind: Kind) -> Policy:
        """Return what becomes of a kind."""
        found: Policy = getattr(self, kind)
        return found

    def yielding(self) -> "Policies":
        """Return them as they are once an operator has resumed: what would halt is taken as it is."""
        changes: dict[str, Policy] = {}
        for kind in Kind.__args__:  # type: ignore[attr-defined]
            if self.of(kind) == "halt":
                changes[kind] = "report" if kind.startswith("order") else "adopt"
        return msgspec.structs.replace(self, **changes)


class Finding(msgspec.Struct, frozen=True):
    """One difference.  Of an order, `ours` and `theirs` are what is left of it; of money, amounts of `asset`."""

    kind: Kind
    symbol: str
    """Empty for quote currency."""
    asset: str
    ours: Decimal
    theirs: Decimal
    policy: Policy
    client_id: str = ""

    @property
    def is_about_money(self) -> bool:
        """Say whether it is about an amount; an order that was placed elsewhere may have no client id at all."""
        return not self.kind.startswith("order")

    @property
    def change(self) -> Decimal:
        """Return what the books lack of the account."""
        return self.theirs - self.ours


def ends_entries(findings: Iterable[Finding], by: Strategy) -> bool:
    """Say whether a verdict ends entries, of a symbol or of all, until an operator resumes."""
    return by == "emergency_reset" or any(finding.policy == "halt" for finding in findings)


WHOSE = {
    "order_unknown": "this home that its journal does not know",
    "order_foreign": "another home",
    "order_manual": "somebody else",
}


def said_of(finding: Finding) -> str:
    """Say what differs, as people read it: of an order what is left of it, of money how much there is."""
    if finding.kind == "order_missing":
        left = f"{finding.client_id} for {finding.ours:f} {finding.asset}"
        return f"{finding.kind}: expected the order {left} at the venue, found none"
    if whose := WHOSE.get(finding.kind):
        left = f"{finding.client_id} for {finding.theirs:f} {finding.asset}"
        return f"{finding.kind}: expected no open order of {whose}, found {left} at the venue"
    return f"{finding.kind}: expected {finding.ours:f} {finding.asset}, found {finding.theirs:f} at the venue"


class Comparison(msgspec.Struct, frozen=True):
    """What was found, and what is on its way, so that nothing is certain yet."""

    findings: tuple[Finding, ...]
    moving: tuple[str, ...] = ()
    """Client ids of orders that the venue has traded more of than the books know, or whose fate is unknown."""
    traceless: tuple[str, ...] = ()
    """Those of unknown fate of which the venue shows no trade."""

    @property
    def agrees(self) -> bool:
        """Say whether books and account are the same: then no order of unknown fate has changed anything."""
        return not self.findings and set(self.moving) <= set(self.traceless)


def compare(
    book: Book,
    orders: Mapping[str, Order],
    account: AccountSeen,
    *,
    namespace: str,
    instruments: Mapping[str, Instrument],
    policies: Policies,
    resting: Collection[str] = (),
) -> Comparison:
    """Hold the books, with the orders that they have open, against an account.

    Of symbols that are `resting` the venue may never tell what became of an order: none is waited for.
    """
    listed = {order.client_id: order for order in account.orders}
    moving = [
        client_id
        for client_id, order in orders.items()
        if (order.state in UNPROVEN and order.terms.symbol not in resting)
        or (client_id in listed and listed[client_id].filled != order.filled)
    ]
    traceless = [
        client_id
        for client_id in moving
        if orders[client_id].state in UNPROVEN
        and (client_id not in listed or listed[client_id].filled == orders[client_id].filled)
    ]
    found = [
        *_of_orders(orders, account.orders, namespace, instruments, policies),
        *_of_money(book, account.balances, instruments, policies),
    ]
    found.sort(key=lambda finding: (finding.symbol, finding.kind, finding.client_id))
    return Comparison(tuple(found), tuple(moving), tuple(traceless))


def shares_of(finding: Finding, book: Book) -> list[tuple[str, Decimal]]:
    """Return who holds how much more or less once a difference is taken into the books; nobody is the empty name.

    Quote currency is nobody's.
    """
    change = finding.change
    if not finding.symbol:
        return [("", change)]
    if change > 0:
        return [(EXTERNAL, change)]
    lots = {name: lot.quantity for name in book.positions if (lot := book.position(name, finding.symbol)).quantity > 0}
    spare = finding.ours - sum(lots.values(), ZERO)
    holders = [("", spare), (EXTERNAL, lots.pop(EXTERNAL, ZERO)), *sorted(lots.items())]
    shares, left = [], -change
    for name, held in holders:
        if (share := min(max(held, ZERO), left)) > 0:
            shares.append((name, -share))
            left -= share
    # More than anybody holds: nobody's, and below zero, as the account is.
    return [*shares, ("", -left)] if left else shares


def _of_orders(
    orders: Mapping[str, Order],
    listed: Sequence[OpenOrder],
    namespace: str,
    instruments: Mapping[str, Instrument],
    policies: Policies,
) -> Iterator[Finding]:
    for order in listed:
        if order.client_id not in orders:
            kind = _kind_of(order.client_id, namespace)
            left, base = order.quantity - order.filled, _base_of(order.symbol, instruments)
            policy = policies.of(kind)
            if policy == "flatten" and not order.client_id:
                policy = "report"  # Orders are cancelled by their client ids: that of nobody would be asked for ever.
            yield Finding(kind, order.symbol, base, ZERO, left, policy, order.client_id)
    there = {order.client_id for order in listed}
    for client_id, known in orders.items():
        if client_id not in there and known.state not in UNPROVEN:
            kind, symbol = "order_missing", known.terms.symbol
            base = _base_of(symbol, instruments)
            yield Finding(kind, symbol, base, known.remaining, ZERO, policies.order_missing, client_id)


def _kind_of(client_id: str, namespace: str) -> Kind:
    named = namespace_of(client_id)
    if named is None:
        return "order_manual"
    return "order_unknown" if named == namespace else "order_foreign"


def _of_money(
    book: Book, balances: Mapping[str, Decimal], instruments: Mapping[str, Instrument], policies: Policies
) -> Iterator[Finding]:
    for symbol, instrument in instruments.items():
        asset = instrument.base
        ours, theirs = book.cash.get(asset, ZERO), balances.get(asset, ZERO)
        if abs(theirs - ours) >= instrument.lot:
            kind: Kind = "position_extra" if theirs > ours else "position_missing"
            if ours * theirs < 0:
                kind = "position_flipped"
            yield Finding(kind, symbol, asset, ours, theirs, policies.of(kind))
    least = max((each.tick * each.lot for each in instruments.values()), default=ZERO)
    ours, theirs = book.cash.get(book.quote, ZERO), balances.get(book.quote, ZERO)
    if abs(theirs - ours) > least:
        kind = "deposit" if theirs > ours else "withdrawal"
        yield Finding(kind, "", book.quote, ours, theirs, policies.of(kind))


def _base_of(symbol: str, instruments: Mapping[str, Instrument]) -> str:
    return instruments[symbol].base if symbol in instruments else ""
