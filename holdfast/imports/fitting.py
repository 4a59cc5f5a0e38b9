"""What of a foreign state this node takes over, and what is to be said of it."""

from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext

import msgspec

from domain.imported import Counters, HeldPosition, LastEntry, PastTrade
from domain.money import ONE, ZERO
from domain.position import LEDGER
from holdfast.imports.account import open_account
from holdfast.imports.counters import counters_of
from holdfast.imports.document import Document
from holdfast.imports.here import Here
from holdfast.imports.kinds import shown
from holdfast.imports.positions import hold_positions
from holdfast.parts import Parts
from holdfast.shown import when

NOTICES_MAX = 500
"""Notices that are given; of the others only how many there are."""


class Taken(msgspec.Struct, frozen=True):
    """What is taken over."""

    cash: dict[str, Decimal]
    """What the account holds, positions and all."""
    positions: tuple[HeldPosition, ...]
    entries: tuple[LastEntry, ...]
    trades: tuple[PastTrade, ...]
    counters: Counters | None
    kept: dict[str, str]
    """What is left of each object that has anything unknown in it, as JSON, by the object's path."""
    notices: tuple[str, ...]


def fit(document: Document, parts: Parts) -> Taken:
    """Return what of a document can be taken over; what is wrong with it is added to its walkers' problems."""
    here = Here(parts)
    _check_quote(document, here)
    positions, said_of_positions = hold_positions(document.positions, here)
    cash, said_of_cash = open_account(document, positions, here)
    counters, said_of_counters = counters_of(document, here.quote)
    entries, said_of_entries = _entries(document, positions, here)
    held = tuple(position for position in positions if position.quantity)
    notices = [
        *said_of_positions,
        *said_of_cash,
        *said_of_entries,
        *said_of_counters,
        *_late_entries(held, entries, here),
        *_drawdown(held, cash, counters, here),
        *document.notices(),
    ]
    return Taken(
        cash=cash,
        positions=held,
        entries=tuple(entries),
        trades=tuple(_with_our_symbol(trade, here) for trade in document.trades),
        counters=counters,
        kept=document.kept(),
        notices=_at_most(NOTICES_MAX, notices),
    )


def _at_most(count: int, notices: Sequence[str]) -> tuple[str, ...]:
    left = len(notices) - count
    return (*notices[:count], f"and {left} notices more") if left > 0 else tuple(notices)


def _check_quote(document: Document, here: Here) -> None:
    said = document.quote
    if said is not None and said.value != here.quote:
        expected = f"{here.quote}, in which worth is counted here"
        said.walker.report(said.path, expected=expected, found=shown(said.value))


def _entries(document: Document, positions: Sequence[HeldPosition], here: Here) -> tuple[list[LastEntry], list[str]]:
    """Return who cools down from when: all that trade a symbol, for any of them would follow on whoever bought."""
    entries = [
        LastEntry(position.strategy, position.symbol, position.entered_at)
        for position in positions
        if not position.quantity and position.entered_at is not None
    ]
    notices = []
    for said, at in document.entries:
        instrument = here.instrument(said.value)
        traders = here.traders(instrument.symbol) if instrument is not None else []
        entries += [LastEntry(strategy, instrument.symbol, at) for strategy in traders if instrument is not None]
        if not traders:
            notices.append(f"{said.path} is of no symbol that is traded here; it is not taken")
    return entries, notices


def _with_our_symbol(trade: PastTrade, here: Here) -> PastTrade:
    instrument = here.instrument(trade.symbol)
    return trade if instrument is None else msgspec.structs.replace(trade, symbol=instrument.symbol)


def _late_entries(held: Sequence[HeldPosition], entries: Sequence[LastEntry], here: Here) -> Iterator[str]:
    starts_at = here.parts.source.starts_at()
    instants = {(each.strategy, each.symbol): each.entered_at for each in held}
    for entry in entries:
        key = (entry.strategy, entry.symbol)
        instants[key] = max(instants.get(key) or 0, entry.at)
    for (strategy, symbol), at in instants.items():
        if at is not None and at > starts_at:
            yield f"{strategy} bought {symbol} at {when(at)}, after the market begins: until then it cools down"


def _drawdown(
    held: Sequence[HeldPosition], cash: dict[str, Decimal], counters: Counters | None, here: Here
) -> Iterator[str]:
    if counters is None or counters.peak_equity is None:
        return
    with localcontext(LEDGER):
        worth = cash.get(here.quote, ZERO) + sum((each.quantity * each.average_price for each in held), ZERO)
        allowed = counters.peak_equity * (ONE - here.parts.limits.drawdown_max)
    if worth <= allowed:
        yield (
            f"the account, at what was paid, is worth {worth:f}, and was worth {counters.peak_equity:f}: "
            "risk.drawdown_max is reached, and no entry is made until an operator resumes"
        )
