"""The venue's own ledger as the oracle: what it has, the node must know, and nothing else."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from pathlib import Path

from domain.market import Instant
from gateways.paper.audit import Audit, AuditedTrade
from holdfast.simulation.laws import Known, Say
from messages.orders import OrderFilled

SHOWN_MAX = 5
"""Differences that a finding names."""


class Ledger:
    """Compares what a node has written down with what its venue has."""

    def __init__(self, path: Path, say: Say) -> None:
        self._path = path
        self._say = say
        self._audit: Audit | None = None
        self._until: Instant = -1
        self._trades: set[str] = set()

    def compare_trades(self, known: AbstractSet[str], *, until: Instant) -> None:
        """All trades that were visible at an instant must be known, and no others."""
        fresh = self._book().trades(after=self._until, until=until)
        self._until = max(self._until, until)
        self._trades.update(trade.trade_id for trade in fresh)
        if self._trades != known:
            self._say("fills-are-the-venues", f"at {until}: {_apart(self._trades, known)}")

    def demand_absent(self, client_id: str) -> None:
        """An order that is taken for absent must not be there."""
        if self._path.exists() and self._book().has_order(client_id):
            self._say("absent-is-proven", f"{client_id} is taken for absent, and the venue has it")

    def compare_all(
        self, orders: Mapping[str, Known], fills: Sequence[OrderFilled], cash: Mapping[str, Decimal]
    ) -> None:
        """In the end every order, every trade and every balance must be the venue's."""
        book = self._book()
        theirs = book.trades(after=-1, until=1 << 62)
        ours = [_trade_of(filled) for filled in fills]
        if sorted(theirs) != sorted(ours):
            self._say("fills-are-the-venues", f"in the end: {_apart(set(theirs), set(ours))}")
        states = book.states()
        for client_id, state in states.items():
            known = orders[client_id].state if client_id in orders else "unknown"
            if known != state:
                self._say("states-are-the-venues", f"{client_id} is {state} at the venue, {known} here")
        for client_id, order in orders.items():
            if client_id not in states and order.state != "absent":
                self._say("states-are-the-venues", f"{client_id} never came to the venue, and is {order.state} here")
        balances, held = book.balances(), {asset: amount for asset, amount in cash.items() if amount}
        if balances != held:
            self._say("balances-are-the-venues", f"the venue has {balances}, the node {held}")

    def close(self) -> None:
        """Let go of the book."""
        if self._audit is not None:
            self._audit.close()
            self._audit = None

    def _book(self) -> Audit:
        if self._audit is None:
            self._audit = Audit(self._path)
        return self._audit


def _trade_of(filled: OrderFilled) -> AuditedTrade:
    fill = filled.fill
    return AuditedTrade(
        fill.trade_id,
        fill.client_id,
        fill.symbol,
        fill.side,
        fill.quantity,
        fill.price,
        fill.fee.amount,
        fill.fee.asset,
        fill.at,
    )


def _apart(theirs: AbstractSet[object], ours: AbstractSet[object]) -> str:
    missing, strange = list(theirs - ours)[:SHOWN_MAX], list(ours - theirs)[:SHOWN_MAX]
    return f"only at the venue {missing or 'nothing'}, only here {strange or 'nothing'}"
