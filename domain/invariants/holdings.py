"""The laws of holdings: positions and account are sums of fills, kept here a second time and in another way."""

from collections.abc import Iterator, Mapping
from decimal import Context, Decimal

import msgspec

from domain.invariants.finding import Finding
from domain.money import ZERO
from domain.order import Fill

EXACT = Context(prec=200)
"""No sum or product of a venue's numbers is ever rounded."""


class Holdings(msgspec.Struct):
    """What each strategy holds of each symbol, and what is on the account."""

    lots: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """By strategy and symbol."""
    lot_changed_at: dict[str, int] = msgspec.field(default_factory=dict)
    """Sequence of the newest fill or import of each."""
    untold_since: dict[str, int] = msgspec.field(default_factory=dict)
    """When, in lived time, each changed that was not told since."""
    cash: dict[str, Decimal] = msgspec.field(default_factory=dict)
    cash_changed_at: int = 0

    def open(self, cash: Mapping[str, Decimal], seq: int) -> None:
        """Begin with an account."""
        self.cash, self.cash_changed_at = dict(cash), seq

    def held(self, key: str) -> Decimal:
        """Return what is held of a strategy and symbol."""
        return self.lots.get(key, ZERO)

    def take_over(self, key: str, quantity: Decimal, *, seq: int, lived_ms: int) -> None:
        """Take in what was bought before the journal began; the account had it from the start."""
        self._change(key, quantity, seq, lived_ms)

    def adopt(self, key: str, asset: str, amount: Decimal, *, seq: int, lived_ms: int) -> None:
        """Take in what no fill explains; `key` is empty where it is nobody's."""
        if key:
            self._change(key, amount, seq, lived_ms)
        self._pay(asset, amount)
        self.cash_changed_at = seq

    def fill(self, fill: Fill, key: str, *, base: str, quote: str, seq: int, lived_ms: int) -> None:
        """Take a fill in, with the fee from whatever it was paid in."""
        got = fill.quantity if fill.side == "buy" else EXACT.minus(fill.quantity)
        fee = fill.fee
        self._change(key, EXACT.subtract(got, fee.amount) if fee.asset == base else got, seq, lived_ms)
        self._pay(base, got)
        self._pay(quote, EXACT.minus(EXACT.multiply(got, fill.price)))
        self._pay(fee.asset, EXACT.minus(fee.amount))
        self.cash_changed_at = seq

    def tell(
        self, key: str, quantity: Decimal, cash: Mapping[str, Decimal], *, seen: int, seq: int
    ) -> Iterator[Finding]:
        """Hear what is told of a position and of the account by somebody who had seen so much.

        What is told is taken over, so that one mistake is one finding.
        """
        changed_at = self.lot_changed_at.get(key, 0)
        if changed_at <= seen:
            self.untold_since.pop(key, None)
            if quantity != self.held(key):
                yield Finding("P1", key, f"{self.held(key)}, the sum of its fills", f"{quantity}", (changed_at, seq))
                self.lots[key] = quantity
        if self.cash_changed_at <= seen:
            wrong = [
                asset
                for asset in sorted(self.cash.keys() | cash.keys())
                if self.cash.get(asset, ZERO) != cash.get(asset, ZERO)
            ]
            if wrong:
                ours = ", ".join(f"{self.cash.get(asset, ZERO)} {asset}" for asset in wrong)
                told = ", ".join(f"{cash.get(asset, ZERO)} {asset}" for asset in wrong)
                yield Finding("P2", "account", ours, told, (self.cash_changed_at, seq))
                self.cash = dict(cash)

    def overdue(self, lived_ms: int, *, limit_ms: int, seq: int) -> Iterator[Finding]:
        """Find positions that changed and were not told for too long."""
        for key, since in self.untold_since.items():
            if lived_ms - since > limit_ms:
                changed_at = self.lot_changed_at[key]
                yield Finding("P1", key, "to be told", f"not told since it is {self.held(key)}", (changed_at, seq))

    def _change(self, key: str, amount: Decimal, seq: int, lived_ms: int) -> None:
        self.lots[key] = EXACT.add(self.held(key), amount)
        self.lot_changed_at[key] = seq
        self.untold_since.setdefault(key, lived_ms)

    def _pay(self, asset: str, amount: Decimal) -> None:
        self.cash[asset] = EXACT.add(self.cash.get(asset, ZERO), amount)
