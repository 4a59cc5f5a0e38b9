"""A node for backtests: the trading half of the tree on the express stage, with a paper venue that dies with it.

Nothing of it outlives the process, so what is recorded counts as durable at once and is written down in large groups.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from actors.archivist import hash_parts, hash_states
from actors.feed import MakesShortcut
from actors.health import Machine
from domain.bars import frames_of
from domain.market import Instant
from gateways.paper import PaperVenue
from gateways.recorded import RecordedMarket
from holdfast.backtest.recovery import BacktestRecovery
from holdfast.ground import build_system, look_back, opening_of, run_job
from holdfast.memories import remembering_names
from holdfast.parts import Parts, audiences_of, paper_settings
from holdfast.passage import MarkAll, Passage
from holdfast.recovery import draft_of
from holdfast.stage_life import WALL_MS, StageLife
from holdfast.wiring import Ports, trading_tree
from messages.node import StateHashed
from persistence.journal import Journal
from supervision import (
    AtOnceRecorder,
    Express,
    JournaledActor,
    Recorded,
    SupervisionError,
    SupervisorReport,
)
from supervision.system import Report

TURNS_MAX = 10**12


class BacktestNode(StageLife):
    """One life, from the first bar of its parts' source to the last."""

    platform = "backtest"

    def __init__(
        self,
        parts: Parts,
        home: Path,
        *,
        folder: str = ".",
        hear: Callable[[Sequence[Recorded]], None] = lambda records: None,
        mark_all: MarkAll = lambda marks: None,
        look: Callable[[Instant], None] = lambda at: None,
        by_messages: bool = False,
        by_own_loop: bool = False,
    ) -> None:
        """Set the stage.

        `folder` is where the configuration's relative paths start.  `hear` is told what is recorded, as it is;
        `mark_all`, what the account is worth where that is not recorded; `look`, how far the market has come.
        `by_messages` lets every bar go by messages and into the journal, `by_own_loop` lets pykka handle each: both
        take longer, and the tests compare them.
        """
        super().__init__(parts, folder=folder)
        self.is_over = False
        """The data has ended, or a part had to be given up."""
        self._given_up = ""
        """Which part had to be given up, and why."""
        self._hear = hear
        self._look = look
        with ExitStack() as opened:
            self._journal = journal = opened.enter_context(closing(Journal.open(home)))
            self._past = look_back(home, journal.last_seq)
            self._opening = opening_of(self._past, parts, home)
            self._files = opened.pop_all()
        self._recorder = recorder = AtOnceRecorder(self._append, journal.last_seq)
        self.stage = Express(recorder=recorder, wall_ms=WALL_MS, by_own_loop=by_own_loop)
        self.system = build_system(
            parts=parts,
            past=self._past,
            home=home,
            boot=journal.boot,
            runtime=self.stage,
            recorder=recorder,
            on_report=self._hear_report,
            on_root_end=self._root_ended,
            on_stuck=lambda why: None,
            seed=0,
            cue=None,
            recover=BacktestRecovery(home, recorder.wait, parts),
        )
        venue = PaperVenue.passing(
            instruments=parts.shape.instruments,
            deposit=parts.settings.venue.balances if self._opening is None else self._opening.cash,
            settings=paper_settings(parts.settings),
        )
        self._shortcut = None if by_messages else _shortcut(parts, venue, mark_all=mark_all, look=look)
        self._tree = trading_tree(self.current, self._ports(venue))

    def _data_ended(self) -> None:
        super()._data_ended()
        self.is_over = True

    @property
    def restarts(self) -> int:
        """Return how often actors were started anew."""
        return sum(each.restarts for each in self.switchboard.vitals())

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Let the market go on until it ends, or a condition holds.

        Raises:
            SupervisionError: the node gave itself up.
        """
        self.stage.run_until(lambda: self.is_over or until(), steps_max=TURNS_MAX)
        if self._given_up:
            raise SupervisionError(f"a backtest must come to the end of its data, gave up: {self._given_up}")

    def stop(self, reason: str) -> None:
        """End in order, write down why and what everybody remembered, and have all of it in the journal."""
        if self.ended:
            self.switchboard.record("node", [self._hashed()])
        super().stop(reason)
        self._journal.catch_up()

    # -- helpers -------------------------------------------------------------------------------------------------

    def _hashed(self) -> StateHashed:
        """Return the hash over all states as of the newest record: the market ends when all that came before is folded.

        It takes no marker: there is no archivist here whom states could be told.
        """
        living = ((name, self.system.actor(name)) for name in remembering_names(self.current.parts.shape))
        memories = {name: actor.remembered for name, actor in living if isinstance(actor, JournaledActor)}
        parts = hash_states({name: memory.save() for name, memory in memories.items()})
        versions = {name: memory.version for name, memory in memories.items()}
        return StateHashed(sequence=self.last_seq, state_hash=hash_parts(parts), parts=parts, versions=versions)

    def _append(self, records: Sequence[Recorded]) -> None:
        self._hear(records)
        self._journal.append([draft_of(record) for record in records])

    def _hear_report(self, report: Report) -> None:
        if isinstance(report, SupervisorReport) and report.context == "shutdown" and not self._given_up:
            self.is_over = True
            self._given_up = f"{report.supervisor}, for {report.offender.name} ended with {report.reason}"

    def _pause(self, at: Instant, following: Instant) -> float:
        self._look(at)
        return 0.0

    def _ports(self, venue: PaperVenue) -> Ports:
        return Ports(
            venue=venue,
            generation=self._journal.generation,
            fetch=run_job,
            fetch_headlines=lambda reply: run_job(self.current.parts.headlines.load, reply),
            keep_states=_keep_nothing,
            durable_seq=lambda: self._recorder.durable_seq,
            machine=lambda: Machine(0.0, 0.0, 1e6, 1, 1),
            log=lambda level, event, **values: None,
            act=lambda command: (False, f"{command.command} has no meaning in a backtest"),
            pause_s=self._pause,
            at_end=self._data_ended,
            summary_after=lambda at: at,
            shortcut=self._shortcut,
        )


def _shortcut(parts: Parts, venue: PaperVenue, *, mark_all: MarkAll, look: Callable[[Instant], None]) -> MakesShortcut:
    """Return what makes the shortcut of each incarnation of the feed."""
    source = parts.source
    return partial(
        Passage,
        audiences_of(parts.shape, source),
        read=source.stretches if isinstance(source, RecordedMarket) else source.steps,
        count_unmatched=venue.count_idle,
        mark_all=mark_all,
        look=look,
        are_bars_frames=_are_bars_frames(parts),
    )


def _are_bars_frames(parts: Parts) -> bool:
    """Say whether there is one symbol, of whose bars no others are made."""
    source, symbols = parts.source, parts.source.symbols()
    base = source.base_timeframe(symbols[0])
    return len(symbols) == 1 and frames_of(base, parts.shape.frames) == (base,)


def _keep_nothing(seq: int, states: Mapping[str, tuple[int, bytes]]) -> None:
    """Keep no states: nobody starts from the middle of a backtest."""
