"""The inputs of a journal: configurations, markets, an operator's commands, and where in the market each came."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors.operator import FOLDED
from domain.imported import HeldPosition
from domain.market import Instant
from domain.reconciliation import ends_entries
from holdfast.config.loading import load_settings
from holdfast.config.problems import ConfigurationError, Problem
from holdfast.config.settings import Settings
from holdfast.config.view import as_toml
from holdfast.imports.fitting import Taken
from holdfast.imports.opening import Opening
from holdfast.rebuild import Era, eras
from holdfast.rerun.excused import Excused, find_excused
from holdfast.rerun.overtaking import Overtaken, find_overtaken, takes_part
from messages.codec import decode
from messages.imported import PositionImported, StateImported
from messages.market import SourceOpened
from messages.node import OperatorCommanded, Restored, Salvaged
from messages.positions import AccountOpened
from messages.reconciliation import Reconciled
from persistence.reader import JournalReader

INPUTS_OF_THE_JOURNAL = ("feed.", "sentiment.", "import.")
"""Settings of what a re-run has from the journal; the frames that are built of it can be others."""

VENUE_FIRST = "the venue first"
"""In a script: what was asked of the venue until here comes to it before anything else happens."""


class Life(msgspec.Struct, frozen=True):
    """A stretch of a journal with one configuration and one market."""

    since: int
    era: Era
    opened: SourceOpened


class Cue(msgspec.Struct, frozen=True):
    """Something that came from outside: a command, what ended entries, or the next life where there is none."""

    seq: int
    at: Instant
    command: OperatorCommanded | Restored | Salvaged | Reconciled | None
    life: Life | None = None
    overtaken: Overtaken | None = None
    """The market was going on already: a step of it came before all was done that this had begun."""


class Inputs(msgspec.Struct, frozen=True):
    """What a journal's node was given."""

    until: int
    """The newest sequence when it was looked at: a node that lives goes on writing."""
    is_backtest: bool
    first: Life
    cues: tuple[Cue, ...]
    scripts: dict[Instant, tuple[str, ...]]
    """Who recorded one after another at the instants of cues; a number is the sequence of a cue.  At its end, who
    went on."""
    opening: Opening | None
    """What was taken over from another program with the account; None where nothing was."""
    ends_at: Instant
    excused: tuple[Excused, ...] = ()


def read_inputs(home: Path, *, until: int | None = None) -> Inputs:
    """Read the inputs of a home's journal, up to a sequence or its end.

    Raises:
        JournalError: there is no journal, or it is damaged where it is read.
        ConfigurationError: it holds no market that could be run again.
    """
    with JournalReader(home) as reader:
        until = reader.last()[0] if until is None else until
        lives = _lives(reader, until)
        if not lives:
            problem = Problem("", "a journal in which a market was opened", "none yet", str(home), "run the node first")
            raise ConfigurationError([problem])
        _demand_paper(reader, until)
        is_backtest = next(iter(reader.read(until=until, kinds=["BarsPassed"])), None) is not None
        newest = next(iter(reader.read(after=until - 1, until=until)), None)
        cues = _cues(reader, until, lives[1:])
        return Inputs(
            until=until,
            is_backtest=is_backtest,
            first=lives[0],
            cues=cues,
            scripts=_scripts(reader, until, cues),
            opening=_opening(reader, until),
            ends_at=newest.at if newest is not None else 0,
            excused=find_excused(reader, until),
        )


def _demand_paper(reader: JournalReader, until: int) -> None:
    """Refuse the journal of a real venue: what that filled, and when, the paper venue does not fill again."""
    venues = {era.configuration.get("venue", {}).get("kind", "paper") for era in eras(reader, until)}
    if real := sorted(venues - {"paper"}):
        expected = "a journal whose orders went to the paper venue"
        hint = "what a real venue has filled cannot be lived again yet"
        raise ConfigurationError([Problem("venue.kind", expected, ", ".join(real), "the journal", hint)])


def split(inputs: Inputs, seq: int) -> tuple[Inputs, Inputs]:
    """Return the inputs up to a sequence, at which a market was open, and those after it.

    Whoever lives the second must do so in the home in which the first were lived.
    """
    before = tuple(cue for cue in inputs.cues if cue.seq <= seq)
    in_force = [inputs.first, *(cue.life for cue in before if cue.life is not None)][-1]
    after = tuple(cue for cue in inputs.cues if cue.seq > seq)
    replace = msgspec.structs.replace
    return replace(inputs, until=seq, cues=before), replace(inputs, first=in_force, cues=after)


def settings_from(era: Era, what_if: Sequence[str] = ()) -> Settings:
    """Return the settings that a journaled configuration makes, with others laid over it.

    Raises:
        ConfigurationError: with every mistake there is.
    """
    problems = [_not_asked(text) for text in what_if if _is_input(text)]
    if problems:
        raise ConfigurationError(problems)
    return load_journaled(_without_missing_files(era.configuration), overrides=what_if, option="--what-if")


def load_journaled(configuration: dict[str, Any], *, overrides: Sequence[str], option: str) -> Settings:
    """Return the settings that a journaled configuration makes, with what an option says laid over it.

    Raises:
        ConfigurationError: with every mistake there is.
    """
    with tempfile.TemporaryDirectory(prefix="holdfast-rerun-") as folder:
        file = Path(folder) / "journaled.toml"
        file.write_text(as_toml(_without_secrets(configuration)), encoding="utf-8")
        try:
            return load_settings(file, environ={}, overrides=overrides).settings
        except ConfigurationError as error:
            raise ConfigurationError([_as_named_here(problem, option) for problem in error.problems]) from None


def _as_named_here(problem: Problem, option: str) -> Problem:
    """Say where a value came from as whoever gave it knows the place."""
    origin = problem.origin.replace("--set", option)
    origin = origin if option in origin else "the journal's configuration"
    return msgspec.structs.replace(problem, origin=origin)


def _is_input(text: str) -> bool:
    key = text.partition("=")[0].strip().lower()
    return key.startswith(INPUTS_OF_THE_JOURNAL) and key != "feed.frames"


def _not_asked(text: str) -> Problem:
    key = text.partition("=")[0].strip()
    expected = "a setting of how the node decides: bars, headlines and what was imported come from the journal"
    return Problem(key, expected, text, "--what-if", "`holdfast backtest` runs other bars")


def _without_missing_files(configuration: dict[str, Any]) -> dict[str, Any]:
    """Leave out files that are gone: what was read from them is in the journal."""
    kept = dict(configuration)
    for section, source in (("feed", "sample"), ("sentiment", "none")):
        given = kept.get(section, {})
        if given.get("source") == "files" and not Path(given.get("path", "")).exists():
            kept[section] = {**given, "source": source, "path": ""}
    return kept


def _without_secrets(configuration: dict[str, Any]) -> dict[str, Any]:
    venue = {key: value for key, value in configuration.get("venue", {}).items() if key != "credentials"}
    return {**configuration, "venue": venue}


def _lives(reader: JournalReader, until: int) -> list[Life]:
    """Return a life for each time the configuration or the market became another, with the one that was opened next."""
    opened: list[tuple[int, SourceOpened]] = []
    for record in reader.read(until=until, kinds=["SourceOpened"]):
        event = decode(record.kind, record.version, record.payload)
        assert isinstance(event, SourceOpened)
        opened.append((record.seq, event))
    if not opened:
        return []
    configured = eras(reader, until)
    starts = [record.seq for record in reader.read(until=until, kinds=["NodeStarted"])]
    lives = []
    for since in sorted({*(era.since for era in configured), *(_start_before(seq, starts) for seq, _ in opened)}):
        era = [era for era in configured if era.since <= since][-1]
        end = next((start for start in starts if start > since), until + 1)
        market = [event for seq, event in opened if seq < end]
        if market:
            lives.append(Life(since, era, market[-1]))
    return lives


def _start_before(seq: int, starts: Sequence[int]) -> int:
    """Return the start of the process that recorded a sequence: what it opened was its market from there on."""
    return [start for start in starts if start < seq][-1]


def _cues(reader: JournalReader, until: int, lives: Sequence[Life]) -> tuple[Cue, ...]:
    found: list[Cue] = []
    for record in reader.read(until=until, kinds=["OperatorCommanded", "Restored", "Salvaged", "Reconciled"]):
        event = decode(record.kind, record.version, record.payload)
        assert isinstance(event, OperatorCommanded | Restored | Salvaged | Reconciled)
        if _has_effect(event):
            found.append(Cue(record.seq, record.at, event))
    overtaken = find_overtaken(reader, [cue.seq for cue in found], until)
    found = [msgspec.structs.replace(cue, overtaken=overtaken.get(cue.seq)) for cue in found]
    for life in lives:
        at = next(iter(reader.read(after=life.since - 1, until=life.since))).at
        found.append(Cue(life.since, at, None, life))
    return tuple(sorted(found, key=lambda cue: cue.seq))


def _has_effect(event: OperatorCommanded | Restored | Salvaged | Reconciled) -> bool:
    match event:
        case OperatorCommanded(command=command):
            return command in (*FOLDED, "excuse")
        case Reconciled(findings=findings, by=by):
            # The venue of a re-run agrees with the books: by itself it gives no such verdict.
            return ends_entries(findings, by)
        case _:
            return True


def _scripts(reader: JournalReader, until: int, cues: Sequence[Cue]) -> dict[Instant, tuple[str, ...]]:
    sequences = {cue.seq for cue in cues}
    taken = {cue.overtaken.taken_until for cue in cues if cue.overtaken is not None}
    scripts = {}
    for at in {at for cue in cues for at in (cue.at, _next_instant(reader, cue.at))}:
        names: list[str] = []
        last = reader.seq_at(at)
        for record in reader.read(after=reader.seq_at(at - 1), until=min(until, last)):
            if record.seq in sequences or (takes_part(record.actor) and record.kind != "RowRefused"):
                names.append(str(record.seq) if record.seq in sequences else record.actor)
            if record.seq in taken:
                names.append(VENUE_FIRST)
        scripts[at] = (*names, "feed") if last < until else tuple(names)
    return scripts


def _next_instant(reader: JournalReader, at: Instant) -> Instant:
    """Return the instant after one: what a command has caused may come to its end there."""
    record = next(iter(reader.read(after=reader.seq_at(at))), None)
    return at if record is None else record.at


def _opening(reader: JournalReader, until: int) -> Opening | None:
    cash: AccountOpened | None = None
    imported: StateImported | None = None
    positions: list[HeldPosition] = []
    for record in reader.read(until=until, kinds=["AccountOpened", "StateImported", "PositionImported"]):
        match decode(record.kind, record.version, record.payload):
            case AccountOpened() as opened:
                cash = opened
            case StateImported() as event:
                imported = event
            case PositionImported(position=position):
                positions.append(position)
    if cash is None or imported is None:
        return None
    taken = Taken(
        cash=cash.cash,
        positions=tuple(positions),
        entries=imported.entries,
        trades=(),
        counters=imported.counters,
        kept={},
        notices=imported.notices,
    )
    return Opening(cash=cash.cash, files=imported.files, taken=taken)
