"""Whether the verdict of each start says what the exchange's ledger says.

What nobody here did is a deposit, a withdrawal, or a trade of an order that was given by hand.  A verdict must name all
of it that was done before its life began and that the books do not have yet, and nothing else; and nothing may be
taken into the books that a verdict has not named.  What was done while a life lived, its verdict may have seen or not.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from domain.reconciliation import Finding
from holdfast.torture.deaths import Lived
from messages.codec import decode
from messages.node import NodeStarted
from messages.positions import AccountOpened
from messages.reconciliation import AccountAdopted, Reconciled
from persistence.reader import JournalReader

TAKEN = ("adopt", "protect", "flatten")
OPEN = ("new", "partially_filled")
SLACK_MS = 100
"""How far the clock of whoever starts lives may be from the moment at which the exchange did something."""

Amounts = dict[str, Decimal]


class Foreign:
    """What the account has had that no order of ours did, by the ledger."""

    def __init__(self, ledger: Mapping[str, Any]) -> None:
        self.manual = {order["client_id"] for order in ledger["orders"] if order["origin"] == "manual"}
        self._steps: list[tuple[int, str, Decimal]] = [
            (row["at"], row["asset"], Decimal(row["amount"])) for row in ledger["movements"] if not row["book_trade"]
        ]
        bases = {trade["fee_asset"] for trade in ledger["trades"]} | {step[1] for step in self._steps}
        for trade in ledger["trades"]:
            if trade["client_id"] in self.manual:
                self._steps += _steps_of(trade, bases | set(ledger["balances"]))
        self._steps.sort()

    def assets(self) -> set[str]:
        """Return whatever there ever was of it."""
        return {asset for _at, asset, _amount in self._steps}

    def upto(self, asset: str, at_ms: int) -> Decimal:
        """Return how much of an asset it came to."""
        return sum((amount for at, name, amount in self._steps if name == asset and at <= at_ms), Decimal(0))

    def between(self, asset: str, first_ms: int, last_ms: int) -> set[Decimal]:
        """Return all that it came to, of an asset, from one moment to another."""
        steps = [at for at, name, _amount in self._steps if name == asset and first_ms < at <= last_ms]
        return {self.upto(asset, at) for at in (first_ms, *steps)}


def _steps_of(trade: Mapping[str, Any], assets: Collection[str]) -> Iterator[tuple[int, str, Decimal]]:
    # A symbol is its two assets in one word, and the account has, or had, both.
    base, quote = next(
        (name, trade["symbol"].removeprefix(name)) for name in assets if trade["symbol"].removeprefix(name) in assets
    )
    bought = Decimal(trade["quantity"]) * (1 if trade["side"] == "buy" else -1)
    yield trade["at"], base, bought
    yield trade["at"], quote, -bought * Decimal(trade["price"])
    yield trade["at"], trade["fee_asset"], -Decimal(trade["fee"])


class Said(msgspec.Struct):
    """One verdict, and what was taken into the books after it."""

    seq: int
    findings: tuple[Finding, ...]
    adopted_before: Amounts
    adopted: Amounts

    def named(self, asset: str, policies: Collection[str] = ()) -> Decimal:
        """Return how much more of an asset it says that the account has; of some policies only where asked."""
        found = (each for each in self.findings if each.asset == asset and each.is_about_money)
        return sum((each.change for each in found if not policies or each.policy in policies), Decimal(0))


class Books:
    """What a journal says of an account, but for trades."""

    def __init__(self, home: Path) -> None:
        """Read it."""
        self.opened: Amounts = {}
        self.adopted: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.verdicts: list[Said] = []
        before: Amounts = {}
        with JournalReader(home) as reader:
            for record in reader.read(kinds=["AccountOpened", "NodeStarted", "Reconciled", "AccountAdopted"]):
                match decode(record.kind, record.version, record.payload):
                    case AccountOpened(cash=cash):
                        self.opened = dict(cash)
                    case NodeStarted():
                        # What a death has cut off from its verdict is in the books all the same.
                        before = dict(self.adopted)
                    case AccountAdopted(asset=asset, amount=amount):
                        self.adopted[asset] += amount
                    case Reconciled(findings=findings):
                        taken = {asset: each - before.get(asset, Decimal(0)) for asset, each in self.adopted.items()}
                        self.verdicts.append(Said(record.seq, findings, before, taken))
                        before = dict(self.adopted)

    def lack(self, asset: str, foreign: Decimal, adopted: Mapping[str, Decimal]) -> Decimal:
        """Return what the books lack of what came to the account, where they have taken in so much."""
        return foreign - self.opened.get(asset, Decimal(0)) - adopted.get(asset, Decimal(0))


def unadopted(home: Path, ledger: Mapping[str, Any]) -> Amounts:
    """Return what the account has more than the books, of each asset, by nobody's doing here."""
    books, foreign = Books(home), Foreign(ledger)
    end = max((row["at"] for row in (*ledger["movements"], *ledger["trades"])), default=0)
    assets = foreign.assets() | set(books.opened) | set(books.adopted)
    return {asset: books.lack(asset, foreign.upto(asset, end), books.adopted) for asset in assets}


def misjudged(home: Path, ledger: Mapping[str, Any], lives: Sequence[Lived]) -> Iterator[str]:
    """Yield what the verdicts of all lives say, or leave out, against the ledger."""
    books, foreign = Books(home), Foreign(ledger)
    for number, (life, following) in enumerate(pairwise([*lives, None]), 1):
        assert life is not None
        last_seq = following.first_seq if following is not None else float("inf")
        ended_ms = following.began_ms if following is not None else 2**62
        for said in books.verdicts:
            if life.first_seq < said.seq <= last_seq:
                where = f"the verdict of life {number}, at sequence {said.seq},"
                yield from _of_money(where, said, books, foreign, life.began_ms, ended_ms)
                yield from _of_adoption(where, said)
                yield from _of_orders(where, said, ledger, foreign, ended_ms)


def _of_money(where: str, said: Said, books: Books, foreign: Foreign, began_ms: int, ended_ms: int) -> Iterator[str]:
    named = {finding.asset for finding in said.findings if finding.is_about_money}
    for asset in sorted(foreign.assets() | named | set(books.opened)):
        came_to = foreign.between(asset, began_ms - SLACK_MS, ended_ms + SLACK_MS)
        right = {books.lack(asset, each, said.adopted_before) for each in came_to}
        if (found := said.named(asset)) not in right:
            expected = " or ".join(f"{each:f}" for each in sorted(right))
            yield f"{where} names {found:f} {asset} by nobody here, and the ledger has {expected}"


def _of_adoption(where: str, said: Said) -> Iterator[str]:
    for asset in sorted({finding.asset for finding in said.findings} | set(said.adopted)):
        told, taken = said.named(asset, TAKEN), said.adopted.get(asset, Decimal(0))
        if taken != told:
            yield f"{where} was to take {told:f} {asset} into the books, and {taken:f} were taken"


def _of_orders(where: str, said: Said, ledger: Mapping[str, Any], foreign: Foreign, ended_ms: int) -> Iterator[str]:
    for finding in said.findings:
        if finding.is_about_money:
            continue
        order = next((each for each in ledger["orders"] if each["client_id"] == finding.client_id), None)
        match finding.kind:
            case "order_manual":
                is_right = finding.client_id in foreign.manual
            case "order_missing":
                # It was open all the while where it ended after this life, or never.
                is_right = order is None or (order["status"] not in OPEN and order["updated_at"] <= ended_ms)
            case _:
                is_right = False
        if not is_right:
            yield f"{where} calls {finding.client_id} {finding.kind}, and the ledger does not"
