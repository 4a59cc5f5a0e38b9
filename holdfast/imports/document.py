"""What the files of a foreign state say, in their own words: read whole, with every mistake that shows by itself."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from domain.imported import PastTrade
from domain.market import Instant
from domain.money import ZERO
from gateways.state_files import PERFORMANCE, POSITIONS, TRADES, StateFile, Table
from holdfast.config.kinds import Kind
from holdfast.config.settings import ASSET
from holdfast.imports.fields import COUNTERS, FEES, POSITION, SECTION_OF, TRADE, VERSION, plain_symbol, same
from holdfast.imports.kinds import MOMENT, MONEY, QUANTITY, shown
from holdfast.imports.walker import WRONG, Row, Walker, below
from holdfast.secrets import is_secret_name

POSITIONS_MAX = 200
TRADES_MAX = 200_000
ASSETS_MAX = 1_000
ENTRIES_MAX = 1_000
KEPT_OF_TRADE_MAX = 32_768
"""Letters that are kept with a trade; what is longer is kept apart."""
OWN_SECTION = {POSITIONS: "positions", TRADES: "trades", PERFORMANCE: "performance"}
"""What a file of such a name is about, where it does not say so itself."""
QUOTE = ""
"""Stands for the quote asset where an amount has none."""


class Said(NamedTuple):
    """Something a file says, and who reads it."""

    walker: Walker
    path: str
    value: Any


class Document:
    """What all files together say."""

    def __init__(self) -> None:
        self.walkers: list[Walker] = []
        self.sections: dict[str, Said] = {}
        self.quote: Said | None = None
        self.cash: dict[str, Decimal] = {}
        self.positions: list[tuple[Walker, Row]] = []
        self.trades: list[PastTrade] = []
        self.counters: tuple[Walker, Row] | None = None
        self.fees: dict[str, Decimal] = {}
        self.entries: list[tuple[Said, Instant]] = []
        """The symbol, as the file writes it, and when it was bought last."""
        self._left: dict[str, tuple[Walker, str, Table]] = {}
        self._unknown: Counter[str] = Counter()
        self._secrets: Counter[str] = Counter()

    def notices(self) -> Iterator[str]:
        """Say what means nothing here."""
        for counts, becomes in (
            (self._unknown, "; it is kept as it was"),
            (self._secrets, " and is not kept, as a secret"),
        ):
            for path, times in counts.items():
                often = f" ({times} times)" if times > 1 else ""
                yield f"{path} means nothing here{becomes}{often}"

    def sift(self, walker: Walker, path: str, rest: dict[str, Any]) -> Table:
        """Count what is not known, and return what of it is no secret."""
        known = Table()
        for key, entry in rest.items():
            everywhere = walker.named(re.sub(r"\[\d+\]", "[]", below(path, key)))
            if is_secret_name(key):
                self._secrets[everywhere] += 1
            else:
                self._unknown[everywhere] += 1
                known[key] = entry
        return known

    def leave(self, walker: Walker, path: str, rest: dict[str, Any]) -> None:
        """Keep what is left of an object."""
        if rest:
            self._left.setdefault(walker.named(path), (walker, path, Table()))[-1].update(rest)

    def kept(self) -> dict[str, str]:
        """Return what is left of each object as JSON, by the path of the object."""
        return {name: walker.kept(rest, path) for name, (walker, path, rest) in self._left.items()}


def read_document(files: Sequence[StateFile]) -> Document:
    """Read the files; what is wrong with them is in the walkers' `problems`."""
    document = Document()
    for file in files:
        walker = Walker(str(file.path), label=file.path.name if len(files) > 1 else "")
        document.walkers.append(walker)
        _Reader(walker, document).read(file)
    if not document.sections and not any(walker.count for walker in document.walkers):
        expected = "any of cash, positions, trades, performance and last_entries"
        document.walkers[0].report("", expected=expected, found="none of them")
    return document


class _Reader:
    """Reads one file into the document."""

    def __init__(self, walker: Walker, document: Document) -> None:
        self._walker = walker
        self._document = document
        self._readers = {
            "quote": self._read_quote,
            "cash": self._read_cash,
            "positions": self._read_positions,
            "trades": self._read_trades,
            "performance": self._read_performance,
            "last_entries": self._read_entries,
        }

    def read(self, file: StateFile) -> None:
        sections, rest = self._split(file)
        if "version" in sections:
            path, version = sections.pop("version")
            if self._walker.leaf(VERSION, version, path) is WRONG:
                return  # Whatever else a newer version says may mean something else.
        self._leave("", rest)
        for section, (path, value) in sections.items():
            if section in self._document.sections:
                self._walker.report(path, expected=f"the {section} once", found="them a second time")
            elif value is not None:
                said = self._document.sections[section] = Said(self._walker, path, value)
                self._readers[section](said)

    def _split(self, file: StateFile) -> tuple[dict[str, tuple[str, Any]], Table]:
        """Return path and value of each section of a file, and what belongs to none."""
        own = OWN_SECTION.get(file.path.name, "")
        if own and isinstance(file.tree, list):
            return {own: (own, file.tree)}, Table()
        table = self._walker.table(file.tree, "") or Table()
        is_bare = bool(own) and all(SECTION_OF.get(same(key)) != own for key in table)
        counters = COUNTERS.by_name if own == "performance" else {}
        sections: dict[str, tuple[str, Any]] = {}
        rest = Table()
        for key, value in table.items():
            section = SECTION_OF.get(same(key))
            if section is None or same(key) in counters:
                rest[key] = value
            elif section in sections:
                self._walker.report(below("", key), expected=f"the {section} once", found="them a second time")
            else:
                sections[section] = (below("", key), value)
        if is_bare and rest:
            # The whole file is what its name says, but for what it says beside.
            return sections | {own: ("", rest)}, Table()
        return sections, rest

    def _leave(self, path: str, rest: dict[str, Any]) -> None:
        self._document.leave(self._walker, path, self._document.sift(self._walker, path, rest))

    def _read_quote(self, said: Said) -> None:
        quote = self._walker.leaf(ASSET, said.value, said.path)
        if quote is not WRONG:
            self._document.quote = Said(self._walker, said.path, quote)

    def _read_cash(self, said: Said) -> None:
        self._document.cash = self._amounts(said.value, said.path, QUANTITY)

    def _amounts(self, value: Any, path: str, kind: Kind) -> dict[str, Decimal]:
        """Read a number for each asset; a single number is of the quote asset."""
        if not isinstance(value, Table | list):
            amount = self._walker.leaf(kind, value, path)
            return {} if amount is WRONG else {QUOTE: amount}
        amounts: dict[str, Decimal] = {}
        for here, key, entry in self._walker.entries(value, path, at_most=ASSETS_MAX):
            asset = self._walker.leaf(ASSET, key, here)
            if asset is WRONG:
                continue
            if asset in amounts:
                self._walker.report(here, expected=f"{asset} once", found="it twice")
            amount = self._walker.leaf(kind, entry, here)
            if amount is not WRONG:
                amounts[asset] = amount
        return amounts

    def _read_positions(self, said: Said) -> None:
        for path, key, value in self._under_symbols(said):
            row = self._walker.row(value, path, POSITION, given={"symbol": key} if key else None)
            if row is not None:
                self._demand_symbol(row, key)
                self._document.positions.append((self._walker, row))
                self._leave(path, row.rest)

    def _under_symbols(self, said: Said) -> Iterator[tuple[str, str, Any]]:
        """Yield path, symbol and value of positions; no symbol where they are a list."""
        if not isinstance(said.value, list):
            yield from self._walker.entries(said.value, said.path, at_most=POSITIONS_MAX)
            return
        for path, value in self._walker.elements(said.value, said.path, at_most=POSITIONS_MAX):
            yield path, "", value

    def _demand_symbol(self, row: Row, key: str) -> None:
        symbol = row.values.get("symbol")
        if key and isinstance(symbol, str) and plain_symbol(symbol) != plain_symbol(key):
            self._walker.report(
                row.path_of("symbol"), expected=f"{shown(key)}, under which it stands", found=shown(symbol)
            )

    def _read_trades(self, said: Said) -> None:
        for path, value in self._walker.elements(said.value, said.path, at_most=TRADES_MAX):
            row = self._walker.row(_with_plain_fee(value), path, TRADE)
            if row is not None and row.is_whole:
                rest = self._document.sift(self._walker, path, row.rest)
                rest.update(_more_of_fee(value))
                kept = self._walker.kept(rest, path) if rest else ""
                if len(kept) > KEPT_OF_TRADE_MAX:
                    self._document.leave(self._walker, path, rest)
                    kept = ""
                said_of_it: dict[str, Any] = {"fee": ZERO, "fee_asset": ""} | row.values
                number = len(self._document.trades) + 1
                self._document.trades.append(PastTrade(**said_of_it, number=number, kept=kept))

    def _read_performance(self, said: Said) -> None:
        row = self._walker.row(said.value, said.path, COUNTERS)
        if row is None:
            return
        for nth, key in enumerate(key for key in list(row.rest) if same(key) in FEES):
            path, fees = below(said.path, key), row.rest.pop(key)
            if nth:
                self._walker.report(path, expected="the fees once", found="them a second time")
            elif fees is not None:
                self._document.fees = self._amounts(fees, path, MONEY)
        self._document.counters = (self._walker, row)
        self._leave(said.path, row.rest)

    def _read_entries(self, said: Said) -> None:
        for path, symbol, value in self._walker.entries(said.value, said.path, at_most=ENTRIES_MAX):
            at = self._walker.leaf(MOMENT, value, path)
            if at is not WRONG:
                self._document.entries.append((Said(self._walker, path, symbol), at))


def _with_plain_fee(trade: Any) -> Any:
    """Return a trade whose fee is a number and an asset; ccxt writes both into one object."""
    fee = _fee_object(trade)
    if fee is None or not {"cost", "currency"} <= set(fee) or fee.repeated:
        return trade
    plain = Table(trade | {"fee": fee["cost"], "fee_asset": fee["currency"]})
    plain.repeated = trade.repeated
    return plain


def _more_of_fee(trade: Any) -> Table:
    """Return what the object of a fee says besides."""
    fee = _fee_object(trade)
    return Table({} if fee is None or set(fee) <= {"cost", "currency"} else {"fee": fee})


def _fee_object(trade: Any) -> Table | None:
    fee = trade.get("fee") if isinstance(trade, Table) else None
    return fee if isinstance(fee, Table) else None
