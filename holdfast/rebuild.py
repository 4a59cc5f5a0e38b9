"""The state that the journal alone gives, at any past moment: every memory folded, every order with its evidence."""

import gc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from actors.archivist import hash_parts, hash_states
from actors.breaker_memory import BreakerMemory
from actors.executor_memory import ExecutorMemory
from actors.positions import PositionsMemory
from domain.market import Closing
from domain.sources import MarketSource
from holdfast.config.problems import ConfigurationError, Problem
from holdfast.config.settings import Feed, InstrumentRules, Invariants, Settings, StrategySettings
from holdfast.history import ORDER_EVENTS, History
from holdfast.memories import new_memory, remembering_names
from holdfast.parts import Shape, audiences_of, open_market, shape_of
from holdfast.recovery import recorded_of
from holdfast.retelling import Retelling, Takers
from holdfast.routes import HEARS, MENDS, role_of
from messages.base import Event
from messages.codec import decode
from messages.imported import StateImported
from messages.market import BarsClosed, BarsPassed, SourceOpened
from messages.node import ConfigurationChanged, NodeStarted, OperatorCommanded, Restored, Salvaged
from persistence.reader import JournalReader
from persistence.records import Record
from supervision import Memory, Recorded
from supervision.errors import said_of

BARS = BarsClosed.__name__
CONFIGURES = frozenset({"NodeStarted", "ConfigurationChanged"})
OPENS = frozenset({"SourceOpened", "StateImported"})


class Rebuilt:
    """All memories of a node, folded from the beginning."""

    def __init__(
        self,
        shape: Shape,
        *,
        market: Callable[[], MarketSource] | None = None,
        only: Collection[str] = (),
        excused: Iterable[tuple[str, int]] = (),
    ) -> None:
        """Begin with empty memories, of `only` these names if any are given.

        `market` opens the source that the journal of a backtest leaves its bars to.  `excused` are events that a memory
        passes over, as its actor does, by its name and their sequence.
        """
        self._excused: dict[int, set[str]] = {}
        for name, seq in excused:
            self._excused.setdefault(seq, set()).add(name)
        self.memories: dict[str, Memory] = {
            name: new_memory(name, shape) for name in remembering_names(shape) if not only or name in only
        }
        self._shape = shape
        self._market = market
        self._retelling: Retelling | None = None
        self.history = History()
        self.imported: tuple[int, StateImported] | None = None
        """What was taken over from another program, and the sequence that says so."""
        self.mends: list[tuple[int, Restored | Salvaged]] = []
        """What began each generation of the journal but the first, with its sequence."""
        self.poisoned: dict[str, str] = {}
        """What a memory could not fold, by its name: it has taken in nothing since."""
        self.seq = 0
        self.at = 0
        self.hash = b""
        self._routes: dict[str, list[Callable[[Recorded], None]]] = {}
        for name, memory in self.memories.items():
            for kind in HEARS[role_of(name)]:
                self._routes.setdefault(kind.__name__, []).append(memory.fold)
        self._takers = Takers(self.memories)
        self._routes[BarsPassed.__name__] = [self._retell]
        for name in ORDER_EVENTS:
            self._routes.setdefault(name, []).append(self.history.take)
        self._routes.setdefault(StateImported.__name__, []).append(self._take_import)
        for kind in MENDS:
            self._routes.setdefault(kind.__name__, []).append(self._take_mend)

    def fold(self, record: Record) -> None:
        """Take in the next record."""
        folds = self._routes.get(record.kind)
        if folds is not None and record.seq in self._excused:
            self._fold_excused(recorded_of(record))
        elif folds is not None:
            recorded = recorded_of(record)
            for fold in folds:
                self._fold_by(fold, recorded)
        self.seq, self.at, self.hash = record.seq, record.at, record.hash

    def _fold_by(self, fold: Callable[[Any], None], taken: Recorded | list[Closing]) -> None:
        """Fold, and set the memory aside that cannot: its actor is down from there on, and the others are not."""
        try:
            fold(taken)
        except Exception as error:
            by = self._takers.by_name
            name = next((each for each, memory in self.memories.items() if fold in (memory.fold, by.get(each))), None)
            if name is None:
                raise
            if isinstance(taken, Recorded):
                what = f"sequence {taken.seq}, {taken.kind}"
            else:
                what = f"one of {len(taken)} up to sequence {self.seq}, {BARS}"
            self.poisoned[name] = f"{name} cannot fold {what}: {said_of(error)}"
            own = self.memories[name].fold
            for kind, folds in self._routes.items():
                self._routes[kind] = [each for each in folds if each != own]
            by.pop(name, None)

    def _take_run(self, run: list[Closing]) -> None:
        for take in tuple(self._takers.by_name.values()):
            self._fold_by(take, run)

    def _retell(self, record: Recorded) -> None:
        assert isinstance(record.event, BarsPassed)
        if self._retelling is None:
            if self._market is None:
                raise ValueError(
                    "a journal that leaves its bars to their files must be read with these, none are given"
                )
            source = self._market()
            self._retelling = Retelling(self.memories, audiences_of(self._shape, source), source)
        self._retelling.take(record.event)

    def _fold_excused(self, record: Recorded) -> None:
        passing_over = [self.memories[name].fold for name in self._excused[record.seq] if name in self.memories]
        for fold in self._routes[record.kind]:
            if fold not in passing_over:
                self._fold_by(fold, record)

    def _take_import(self, record: Recorded) -> None:
        assert isinstance(record.event, StateImported)
        self.imported = (record.seq, record.event)

    def _take_mend(self, record: Recorded) -> None:
        assert isinstance(record.event, Restored | Salvaged)
        self.mends.append((record.seq, record.event))

    def fold_all(self, records: Iterable[Record]) -> None:
        """Take in many records.

        The garbage collector rests meanwhile: what is folded stays, so that looking for garbage in it takes time and
        finds none.
        """
        was_collecting = gc.isenabled()
        gc.disable()
        try:
            self._fold_in_runs(records)
        finally:
            if was_collecting:
                gc.enable()

    def _fold_in_runs(self, records: Iterable[Record]) -> None:
        """Fold, bars that follow each other together: most of a journal is these."""
        run: list[Closing] = []
        for record in records:
            if record.kind == BARS and record.seq not in self._excused:
                event = decode(BARS, record.version, record.payload)
                assert isinstance(event, BarsClosed)
                if event.at == record.at:
                    run.append((event.at, event.bars))
                    self.seq, self.at, self.hash = record.seq, record.at, record.hash
                    continue
            if run:
                self._take_run(run)
                run.clear()
            self.fold(record)
        if run:
            self._take_run(run)

    @property
    def mode(self) -> str:
        """Return the node's state as of here; empty where the breaker was not rebuilt."""
        memory = self.memories.get("breaker")
        return memory.state.mode if isinstance(memory, BreakerMemory) else ""

    def states(self) -> dict[str, bytes]:
        """Return every memory, encoded, by name."""
        return {name: memory.save() for name, memory in self.memories.items()}

    def state_hash(self) -> str:
        """Return one hash over all memories, as the archivist takes it at a marker."""
        return hash_parts(hash_states(self.states()))

    @property
    def positions(self) -> PositionsMemory:
        """Return what the position keeper knows."""
        memory = self.memories["positions"]
        assert isinstance(memory, PositionsMemory)
        return memory

    @property
    def executor(self) -> ExecutorMemory:
        """Return what the executor knows."""
        memory = self.memories["executor"]
        assert isinstance(memory, ExecutorMemory)
        return memory


def excuses(reader: JournalReader, until: int | None = None) -> Iterator[tuple[str, int]]:
    """Yield the events that operators have had actors pass over, by the actor's name and their sequence."""
    for record in reader.read(until=until, kinds=["OperatorCommanded"]):
        command = decode(record.kind, record.version, record.payload)
        if isinstance(command, OperatorCommanded) and command.command == "excuse":
            actor, _, seq = command.target.rpartition(" ")
            yield actor, int(seq)


class Era(msgspec.Struct, frozen=True):
    """A configuration, and from which sequence on it was in force."""

    since: int
    configuration: dict[str, Any]
    folder: str


def eras(reader: JournalReader, until: int) -> list[Era]:
    """Return the configurations that were in force up to a sequence, oldest first; equal neighbours are one."""
    return _eras_in(reader.read(until=until, kinds=CONFIGURES))


def _eras_in(records: Iterable[Record]) -> list[Era]:
    found: list[Era] = []
    for record in records:
        event = decode(record.kind, record.version, record.payload)
        match event:
            case NodeStarted(configuration=configuration, folder=folder):
                era = Era(record.seq, configuration, folder)
            case ConfigurationChanged(applied=True, configuration=configuration):
                era = Era(record.seq, configuration, found[-1].folder)
            case _:
                continue
        if not found or (found[-1].configuration, found[-1].folder) != (era.configuration, era.folder):
            found.append(era)
    return found


def shape_at(reader: JournalReader, until: int) -> tuple[Shape, list[Problem]]:
    """Return what memories depended on at a sequence, and what of it cannot be had here, such as a strategy's file."""
    # Both are few among many: to look for them twice would take twice as long.
    records = list(reader.read(until=until, kinds=CONFIGURES | OPENS))
    in_force = _eras_in(record for record in records if record.kind in CONFIGURES)
    if not in_force:
        return Shape({}, "", (), ()), []
    opened = [record for record in records if record.kind in OPENS]
    # Strategies live on the newest market; what is remembered is of those before it too.
    traded, symbols = _symbols_in(opened[-1:]), _symbols_in(opened)
    problems: list[Problem] = []
    settings = settings_of(in_force[-1].configuration)
    return shape_of(settings, traded, Path(in_force[-1].folder), problems, known=symbols), problems


def settings_of(configuration: dict[str, Any]) -> Settings:
    """Return the settings that memories depend on, from a journaled configuration; the rest is left at its default."""
    given = msgspec.convert(configuration, _Journaled, strict=False)
    return Settings(
        feed=Feed(frames=given.feed.frames),
        instruments=given.instruments,
        strategies=given.strategies,
        invariants=given.invariants,
    )


def market_at(reader: JournalReader, until: int) -> MarketSource:
    """Open the files of recorded bars that a backtest's journal leaves its bars to.

    Raises:
        ConfigurationError: they are not there, or are not those that the backtest has read.
    """
    era = eras(reader, until)[-1]
    feed = msgspec.convert(era.configuration["feed"], _JournaledFeed, strict=False)
    source = open_market(Settings(feed=Feed(source="files", **msgspec.structs.asdict(feed))), Path(era.folder))
    for record in reader.read(until=until, kinds=["SourceOpened"]):
        opened = decode(record.kind, record.version, record.payload)
        assert isinstance(opened, SourceOpened)
        if opened.description != source.describe():
            problem = Problem("feed.path", opened.description, source.describe(), "the journal", "put these files back")
            raise ConfigurationError([problem])
    return source


class _JournaledFeed(msgspec.Struct):
    path: str
    symbols: tuple[str, ...]
    timeframe: str
    frames: tuple[str, ...]
    warmup_bars: int
    start: int | None = None
    end: int | None = None


class _Frames(msgspec.Struct):
    frames: tuple[str, ...]


class _Journaled(msgspec.Struct):
    feed: _Frames
    strategies: dict[str, StrategySettings]
    instruments: dict[str, InstrumentRules] = {}
    invariants: Invariants = Invariants()


def symbols_at(reader: JournalReader, until: int) -> tuple[str, ...]:
    """Return the symbols of the market as of a sequence, those of earlier sources too.

    Positions may have been imported before any source was opened.
    """
    return _symbols_in(reader.read(until=until, kinds=OPENS))


def rules_at(reader: JournalReader) -> Mapping[str, InstrumentRules]:
    """Return the rules of symbols that the newest process was started with, as far as they were given."""
    configuration = _newest_configuration(reader)
    return settings_of(configuration).instruments if configuration else {}


def venue_at(reader: JournalReader) -> str:
    """Return the kind of venue that the newest process sent orders to; nothing where there was none."""
    kind: str = _newest_configuration(reader).get("venue", {}).get("kind", "")
    return kind


def _newest_configuration(reader: JournalReader) -> dict[str, Any]:
    newest = next(iter(reader.read_newest(["NodeStarted"], 1)), None)
    if newest is None:
        return {}
    started = decode(newest.kind, newest.version, newest.payload)
    assert isinstance(started, NodeStarted)
    return started.configuration


def _symbols_in(opened: Iterable[Record]) -> tuple[str, ...]:
    symbols: tuple[str, ...] = ()
    for record in opened:
        event: Event = decode(record.kind, record.version, record.payload)
        assert isinstance(event, SourceOpened | StateImported)
        symbols = tuple(dict.fromkeys((*symbols, *event.symbols)))
    return symbols
