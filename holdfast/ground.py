"""The ground of a node, the same on threads and on the stage: its past, its first events, its switchboard."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from domain.sources import SourceUnavailable
from gateways.paper import PaperVenue
from holdfast import __version__
from holdfast.config.problems import ConfigurationError, Problem
from holdfast.config.settings import InstrumentRules
from holdfast.config.view import public_view
from holdfast.imports.opening import Opening, find_opening, opening_events
from holdfast.mending.books import Stray
from holdfast.mending.lineage import Mended, newest_mend, strays_of
from holdfast.parts import Parts, paper_settings
from holdfast.rebuild import excuses, rules_at, symbols_at, venue_at
from holdfast.recovery import JournalRecovery
from holdfast.reports import events_of, halts_of, journal_text
from holdfast.resting import demand_nothing_held, with_resting
from holdfast.routes import AUDITOR, LEAVES_HOUSE, node_names, routes_for
from messages.base import Event
from messages.codec import decode, encode
from messages.imported import ImportedFile, StateImported
from messages.market import BarsPassed, SourceOpened
from messages.node import NodeStarted, OperatorCommanded, StateMarked
from persistence.home import Home
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.writer import BATCH_MAX
from supervision import Exit, Recorder, Recovery, Switchboard, System, said_whole
from supervision.system import Report, Runtime

if TYPE_CHECKING:
    from holdfast.live import LiveSide

EPOCHS_PER_BOOT = 1_000_000
"""Incarnations of one process: their epochs lie above those of every process before."""
FAILED_BOOTS_MAX = 3
"""After so many processes in a row that gave themselves up, the node comes up halted."""


class Past(msgspec.Struct, frozen=True):
    """What a starting process must know of those before it."""

    last_seq: int
    market_at: int
    """Market time of the newest record."""
    has_account: bool
    imported: tuple[ImportedFile, ...]
    """The files that the account was opened from."""
    failures: int
    """How many of the newest processes ended by a failure of their own."""
    symbols: tuple[str, ...]
    is_backtest: bool
    mended: Mended | None = None
    """How the journal's generation began, where that is not the first one."""
    strays: tuple[Stray, ...] = ()
    """Orders that the paper venue has and the journal does not."""
    market: tuple[str, int] | None = None
    """Description of the newest source that was opened, and the first instant of it that could be traded."""
    excused: tuple[tuple[str, int], ...] = ()
    """Events that operators have had actors pass over, by the actor's name and their sequence."""
    rules: Mapping[str, InstrumentRules] = {}
    """What the newest process has gone by, by symbol."""
    venue: str = ""
    """The kind of venue that the newest process sent orders to."""


def look_back(home: Path, last_seq: int) -> Past:
    """Read the past of a home from its journal."""
    with JournalReader(home) as reader:
        newest = next(iter(reader.read(after=last_seq - 1)), None) if last_seq else None
        opened = next(iter(reader.read(kinds=["AccountOpened"])), None)
        return Past(
            last_seq=last_seq,
            market_at=newest.at if newest is not None else 0,
            has_account=opened is not None,
            imported=_imported_files(reader, opened.seq) if opened is not None else (),
            failures=failures_in_a_row(reader),
            excused=tuple(excuses(reader)),
            symbols=symbols_at(reader, last_seq),
            rules=rules_at(reader),
            venue=venue_at(reader),
            mended=newest_mend(reader),
            strays=strays_of(home, newest.at if newest is not None else 0),
            market=_market_in(reader),
            is_backtest=next(iter(reader.read(kinds=[BarsPassed.__name__])), None) is not None,
        )


def _market_in(reader: JournalReader) -> tuple[str, int] | None:
    newest = next(iter(reader.read_newest(["SourceOpened"], 1)), None)
    if newest is None:
        return None
    opened = decode(newest.kind, newest.version, newest.payload)
    assert isinstance(opened, SourceOpened)
    return opened.description, opened.starts_at


def look_at_home(home: Path) -> Past:
    """Read the past of a home that nobody has opened; it may have none.

    Raises:
        JournalError: its journal cannot be read.
    """
    if not Home(home).database.exists():
        return Past(0, 0, has_account=False, imported=(), failures=0, symbols=(), is_backtest=False)
    with JournalReader(home) as reader:
        last_seq, _ = reader.last()
    return look_back(home, last_seq)


def _imported_files(reader: JournalReader, opened_seq: int) -> tuple[ImportedFile, ...]:
    following = next(iter(reader.read(after=opened_seq, until=opened_seq + 1, kinds=["StateImported"])), None)
    if following is None:
        return ()
    event = decode(following.kind, following.version, following.payload)
    assert isinstance(event, StateImported)
    return event.files


def failures_in_a_row(reader: JournalReader) -> int:
    """Return how many of the newest processes ended by a failure of their own, since one that did not or a resume.

    Being killed is no failure of ours and is passed over.
    """
    failures = 0
    for record in reader.read(kinds=["NodeStopped", "NodeFailed", "OperatorCommanded"]):
        if record.kind == "NodeFailed":
            failures += 1
        elif record.kind == "NodeStopped" or msgspec.json.decode(record.payload)["command"] == "resume":
            failures = 0
    return failures


def demand_bars(past: Past, home: Path) -> None:
    """Refuse the journal of a backtest: it leaves its bars to their files, and a node reads none again.

    Raises:
        ConfigurationError: it is one.
    """
    if past.is_backtest:
        expected = "a journal that a node has written, or none"
        raise ConfigurationError([Problem("", expected, "one of a backtest", str(home), "run in another home")])


def demand_same_market(past: Past, parts: Parts, home: Path) -> None:
    """Refuse a market of another kind: a generated price is none of a recorded market.

    Raises:
        ConfigurationError: it names both kinds.
    """
    source = parts.source.describe()
    if past.market is not None and (before := _kind_of_market(past.market[0])) != _kind_of_market(source):
        expected = f"a source like that of this home's journal ({before})"
        hint = "run in another home"
        raise ConfigurationError([Problem("feed.source", expected, _kind_of_market(source), f"for {home}", hint)])


def _kind_of_market(description: str) -> str:
    """Return what a source says of itself before it comes to its symbols: recorded, generated, or the venue's name."""
    return re.split("[:,]", description, maxsplit=1)[0]


def demand_fitting(
    past: Past, parts: Parts, home: Path, live: "LiveSide | None" = None
) -> tuple[Parts, Opening | None]:
    """Refuse a home that does not go with its configuration; return the parts of a node in it, and its opening.

    That is what its account is opened with, if it is not open.  `live` is the real venue, if it is one.

    Raises:
        ConfigurationError: it says what does not fit, or what is wrong with a state that is to be taken over.
    """
    demand_bars(past, home)
    demand_same_market(past, parts, home)
    parts = remembering(past, parts)
    demand_nothing_held(parts, past.symbols, home)
    return parts, opening_of(past, parts, home, live)


def remembering(past: Past, parts: Parts) -> Parts:
    """Return parts that know what the journal speaks of, where the market has not got it any more.

    Raises:
        ConfigurationError: it cannot go together with what the market has.
    """
    return with_resting(parts, past.symbols, past.rules)


def opening_of(past: Past, parts: Parts, home: Path, live: "LiveSide | None" = None) -> Opening | None:
    """Return what the account is opened with; None where it is open.

    Raises:
        ConfigurationError: there is a state to be taken over, and something is wrong with it.
    """
    if past.has_account:
        return None
    return find_opening(parts, home) if live is None else live.opening(parts, home)


def open_venue(home: Path, parts: Parts, opening: Opening | None, *, cue: Callable[[str], None] | None) -> PaperVenue:
    """Open the venue's book; where there is none, make it with what the account is opened with.

    Raises:
        ConfigurationError: the account is to be opened with something else than the book holds.
    """
    venue = PaperVenue.open(
        home / "venue.db",
        instruments=parts.shape.instruments,
        deposit=parts.settings.venue.balances if opening is None else opening.cash,
        settings=paper_settings(parts.settings),
        cue=cue or (lambda point: None),
    )
    try:
        if opening is not None:
            _demand_same_account(opening, venue, home)
    except ConfigurationError:
        venue.close()
        raise
    return venue


def _demand_same_account(opening: Opening, venue: PaperVenue, home: Path) -> None:
    """Refuse a book that holds anything else than the account that is to be opened.

    The book is made before the journal's first commit.  A process that died in between has left it behind, and what it
    was made from may have changed since.
    """
    wanted = {asset: amount for asset, amount in opening.cash.items() if amount}
    found = venue.balances()
    if venue.is_used or found != wanted:
        problem = Problem(
            key="",
            expected=f"a book that holds {_amounts(wanted)}, with which the account is to be opened",
            found="one with orders of another journal" if venue.is_used else f"one that holds {_amounts(found)}",
            origin=str(home / "venue.db"),
            hint="it was made from other settings or another state: put these back, or move venue.db out of the home",
        )
        raise ConfigurationError([problem])


def _amounts(holdings: Mapping[str, Decimal]) -> str:
    return " and ".join(f"{amount:f} {asset}" for asset, amount in sorted(holdings.items())) or "nothing"


def build_system(
    *,
    parts: Parts,
    past: Past,
    home: Path,
    boot: int,
    runtime: Runtime,
    recorder: Recorder,
    on_report: Callable[[Report], None],
    on_root_end: Callable[[Exit], None],
    on_stuck: Callable[[str], None],
    seed: int,
    cue: Callable[[str], None] | None,
    remember: Callable[[Report], list[Event]] = events_of,
    recover: Recovery | None = None,
) -> System:
    """Return the system a node's tree stands on.  The recorder must tell the switchboard what becomes durable.

    `remember` says what goes into the journal of what supervision reports; `recover` finds the past of a starting
    actor, in the journal of the home if not given.
    """
    switchboard = Switchboard(
        clock=runtime.clock,
        recorder=recorder,
        encode=encode,  # type: ignore[arg-type]
        routes=routes_for((*node_names(parts.shape), AUDITOR)),
        leaves_house=LEAVES_HOUSE,
        last_seq=past.last_seq,
        last_epoch=boot * EPOCHS_PER_BOOT,
        a_moment_later=runtime.a_moment_later,
    )

    def hear(report: Report) -> None:
        # Written down here and by no actor: whichever it were, it may be down at this very moment.
        switchboard.record("node", [*remember(report), *halts_of(report, wall_ms=runtime.clock.wall_ms())])
        on_report(report)

    return System(
        runtime=runtime,
        switchboard=switchboard,
        recover=recover or JournalRecovery(home, recorder.wait),
        marker=StateMarked,
        on_report=hear,
        on_root_end=on_root_end,
        on_stuck=on_stuck,
        abandoned_max=parts.settings.supervision.abandoned_max,
        seed=seed,
        cue=cue,
        excused=past.excused,
    )


def first_events(
    parts: Parts, past: Past, journal: Journal, *, opening: Opening | None, folder: str, platform: str, wall_ms: int
) -> list[Event]:
    """Return what a process records before anything of it lives: one commit, of which a death leaves all or nothing."""
    settings = parts.settings
    started = NodeStarted(
        boot=journal.boot,
        version=__version__,
        configuration=public_view(settings),
        folder=folder,
        platform=platform,
    )
    events: list[Event] = [started]
    if opening is not None:
        events += opening_events(opening, parts)
    if past.failures >= FAILED_BOOTS_MAX:
        halt = OperatorCommanded(
            request_id=f"boot-{journal.boot}",
            command="halt",
            user="holdfast",
            process=0,
            wall_ms=wall_ms,
            reason=f"the last {past.failures} processes gave themselves up",
        )
        events.append(halt)
    assert len(events) <= BATCH_MAX
    return events


def run_job(job: Callable[[], Any], reply: Callable[[Any], None]) -> None:
    """Do what a source is to do, and tell who asked what it returned, or why it could not: `SourceUnavailable`."""
    try:
        found = job()
    except Exception as error:  # noqa: BLE001  whatever a source raises is for who asked
        found = SourceUnavailable(journal_text(said_whole(error)))
    reply(found)
