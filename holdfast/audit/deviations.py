"""What a day's node was given that a backtest was not: other bars, an operator's hand, parts that were down."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal

import msgspec

from actors.operator import FOLDED
from domain.market import Bar, Instant
from domain.reconciliation import Finding, Strategy, ends_entries, said_of
from holdfast.audit.days import Day
from holdfast.config.view import flat_view
from holdfast.rebuild import eras
from messages.base import Event
from messages.codec import decode
from messages.market import BarsClosed, OfferSkipped, RowRefused
from messages.node import OperatorCommanded, PartGaveUp, Restored, Salvaged
from messages.reconciliation import Reconciled
from messages.watch import InvariantViolated
from persistence.reader import JournalReader

Cause = Literal[
    "missing bar",
    "late bar",
    "revised bar",
    "refused bar",
    "slippage",
    "staleness",
    "operator",
    "restart",
    "unexplained",
]
CAUSES: tuple[Cause, ...] = Cause.__args__  # type: ignore[attr-defined]
OURS = "holdfast"
"""The operator in whose name a node halts itself."""
STOPS = ("PartGaveUp", "Salvaged", "Restored", "InvariantViolated", "Reconciled")
"""What ends entries without an operator; the last two not always."""
SILENT = (
    "node.",
    "log.",
    "admin.",
    "health.",
    "journal.",
    "supervision.",
    "audit.",
    "feed.speed",
    "feed.settle_limit_s",
)
"""Settings on which nothing that is decided depends."""

Bars = dict[tuple[str, str, Instant], tuple[int, Bar]]
"""Sequence and bar, by symbol, time frame and when it opened."""


class Deviation(msgspec.Struct, frozen=True):
    """One such thing, from when on it may show, and on which symbol; on all of them where that is empty."""

    cause: Cause
    seq: int | None
    """In the journal; None where the journal has nothing of it."""
    at: Instant
    detail: str
    symbol: str = ""
    strategy: str = ""
    journal: dict[str, Any] | None = None
    source: dict[str, Any] | None = None
    """A bar as either side has it."""
    lifts: bool = False
    """It only ends what another one began."""

    def touches(self, *, symbol: str, strategy: str) -> bool:
        """Say whether it is about a symbol and a strategy, or about all of them."""
        return self.symbol in ("", symbol) and self.strategy in ("", strategy)


def bar_deviations(journal: JournalReader, backtest: JournalReader, day: Day, *, since: int) -> list[Deviation]:
    """Compare the bars that both have read on a day.  `since` is the backtest's last sequence before it."""
    mine = _bars(journal, day, after=day.since, until=day.until)
    theirs = _bars(backtest, day, after=since, until=None)
    refused = _refused(journal, day)
    found = [
        _bar_deviation(key, mine.get(key), theirs.get(key), refused)
        for key in sorted({*mine, *theirs}, key=lambda key: (key[2], key[0], key[1]))
        if key not in mine or key not in theirs or mine[key][1] != theirs[key][1]
    ]
    return sorted(found, key=lambda deviation: deviation.at)


def _bar_deviation(
    key: tuple[str, str, Instant],
    mine: tuple[int, Bar] | None,
    theirs: tuple[int, Bar] | None,
    refused: dict[tuple[str, Instant], tuple[int, RowRefused]],
) -> Deviation:
    symbol, timeframe, opened_at = key
    bar = (mine or theirs or _nothing())[1]
    cause: Cause
    seq = mine[0] if mine is not None else None
    if mine is not None and theirs is not None:
        cause, detail = "revised bar", "the source has other numbers now"
    elif mine is not None:
        cause, detail = "revised bar", "the source does not have it any more"
    elif (symbol, opened_at) in refused:
        seq, row = refused[symbol, opened_at]
        cause = "late bar" if row.fault == "out_of_order" else "refused bar"
        detail = f"{row.fault}: {row.detail}"
    else:
        cause, detail = "missing bar", "the source has it now"
    return Deviation(
        cause=cause,
        seq=seq,
        at=bar.closed_at,
        detail=f"{timeframe} {detail}",
        symbol=symbol,
        journal=_bar_view(mine),
        source=_bar_view(theirs),
    )


def _nothing() -> tuple[int, Bar]:
    raise AssertionError("a bar must be on one side at least")


def _bar_view(found: tuple[int, Bar] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    bar = found[1]
    return {field: msgspec.to_builtins(getattr(bar, field)) for field in bar.__struct_fields__ if field != "symbol"}


def _bars(reader: JournalReader, day: Day, *, after: int, until: int | None) -> Bars:
    found: Bars = {}
    for record in reader.read(after=after, until=until, kinds=["BarsClosed"]):
        event = decode(record.kind, record.version, record.payload)
        assert isinstance(event, BarsClosed)
        if day.begins_at <= event.at <= day.ends_at:
            found |= {(bar.symbol, bar.timeframe, bar.opened_at): (record.seq, bar) for bar in event.bars}
    return found


def _refused(reader: JournalReader, day: Day) -> dict[tuple[str, Instant], tuple[int, RowRefused]]:
    """Return the rows that were not believed; a bar whose first row was odd came late if another came in its place."""
    found: dict[tuple[str, Instant], tuple[int, RowRefused]] = {}
    for seq, _at, event in _events(reader, day, "RowRefused"):
        assert isinstance(event, RowRefused)
        if event.fault not in ("gap", "duplicate"):
            found[event.symbol, event.opened_at] = (seq, event)
    return found


def hand_deviations(journal: JournalReader, day: Day) -> list[Deviation]:
    """Return what operators ordered and set on a day, and what was down."""
    found = [*_commands(journal, day), *_settings(journal, day), *_parts(journal, day)]
    return sorted(found, key=lambda deviation: deviation.seq or 0)


def standing(journal: JournalReader, day: Day, why: str) -> Deviation:
    """Return why entries were not taken when the day began, which a backtest does not go by."""
    newest: tuple[int, str] = 0, OURS
    for record in journal.read(until=day.since, kinds=["OperatorCommanded", *STOPS]):
        event = decode(record.kind, record.version, record.payload)
        if isinstance(event, OperatorCommanded):
            newest = (record.seq, event.user) if event.command in ("pause", "halt") else newest
        elif _ends_entries(event):
            newest = record.seq, OURS
    cause: Cause = "restart" if newest[1] == OURS else "operator"
    return Deviation(cause, newest[0] or None, day.begins_at, f"no entries since before the day: {why}")


def _commands(journal: JournalReader, day: Day) -> Iterator[Deviation]:
    for seq, at, event in _events(journal, day, "OperatorCommanded"):
        assert isinstance(event, OperatorCommanded)
        if event.command in FOLDED:
            words = " ".join(word for word in (event.command, event.target) if word)
            detail = f"{words} by {event.user}" + (f": {event.reason}" if event.reason else "")
            symbol = event.target if event.command == "flatten" else ""
            cause: Cause = "restart" if event.user == OURS else "operator"
            yield Deviation(cause, seq, at, detail, symbol=symbol, lifts=event.command == "resume")


def _settings(journal: JournalReader, day: Day) -> Iterator[Deviation]:
    """Return the changes of settings; those of the day's first configuration are the backtest's too."""
    configured = eras(journal, day.until)
    for before, era in pairwise(configured):
        if era.since <= day.since:
            continue
        old, new = flat_view(before.configuration), flat_view(era.configuration)
        keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key) and not key.startswith(SILENT)]
        record = next(iter(journal.read(after=era.since - 1, until=era.since)))
        if keys:
            changed = ", ".join(f"{key} from {old.get(key)} to {new.get(key)}" for key in keys)
            yield Deviation("operator", era.since, record.at, f"other settings: {changed}")


def _parts(journal: JournalReader, day: Day) -> Iterator[Deviation]:
    for seq, at, event in _events(journal, day, *STOPS, "OfferSkipped"):
        match event:
            case Salvaged(kept=kept):
                yield Deviation("restart", seq, at, f"salvaged up to sequence {kept}: no entries")
            case Restored(last_sequence=last):
                yield Deviation("restart", seq, at, f"restored up to sequence {last}: no entries")
            case Reconciled(findings=findings, why=why, by=by) if ends_entries(findings, by):
                yield from _verdict(seq, at, why, findings, by)
            case InvariantViolated(reduces=True, code=code, subject=subject):
                yield Deviation("restart", seq, at, f"{code} violated by {subject}: no entries")
            case PartGaveUp(part=part, reason=reason):
                yield Deviation("restart", seq, at, f"{part} gave up: {reason}")
            case OfferSkipped(strategy=strategy, reason=reason):
                yield Deviation("restart", seq, at, f"offer skipped: {reason}", strategy=strategy)


def _verdict(seq: int, at: Instant, why: str, findings: Sequence[Finding], by: Strategy) -> Iterator[Deviation]:
    of_whom = "the verdict of a start" if why == "start" else f"a verdict ({why})"
    if by == "emergency_reset":
        yield Deviation("restart", seq, at, f"{of_whom}, emergency reset: no entries")
        return
    for finding in findings:
        if finding.policy == "halt":
            yield Deviation("restart", seq, at, f"{of_whom}, {said_of(finding)}: no entries", symbol=finding.symbol)


def _ends_entries(event: Event) -> bool:
    match event:
        case InvariantViolated(reduces=reduces):
            return reduces
        case Reconciled(findings=findings, by=by):
            return ends_entries(findings, by)
        case _:
            return True


def _events(reader: JournalReader, day: Day, *kinds: str) -> Iterator[tuple[int, Instant, Event]]:
    for record in reader.read(after=day.since, until=day.until, kinds=kinds):
        yield record.seq, record.at, decode(record.kind, record.version, record.payload)
