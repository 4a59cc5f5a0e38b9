"""Lives a day twice more: as the journal says it was, and as a backtest over the bars as they are now would."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from actors.breaker_memory import BreakerMemory
from domain.market import Instant
from holdfast.audit.days import Day, one_of_a_backtest
from holdfast.audit.market import open_day, settings_of_day
from holdfast.parts import gather
from holdfast.rebuild import Rebuilt, excuses, shape_at
from holdfast.rerun.excused import PassingOver
from holdfast.rerun.inputs import Life, read_inputs, split
from holdfast.rerun.running import SEED, TURNS_MAX, Rerun
from holdfast.rerun.sources import JournalMarket, JournalScores, finest, scores_of
from holdfast.staging import StagedNode
from holdfast.summary import showing
from messages.node import OperatorCommanded
from persistence.reader import JournalReader
from supervision import Recorded, SupervisionError


class Lived(msgspec.Struct, frozen=True):
    """A day that was lived twice more, in homes of their own."""

    rerun: Path
    backtest: Path
    since: int
    """Their last sequence before the day."""
    standing: str
    """Why the node took no entries when the day began, if it was not a loss; the backtest takes them."""
    source: str
    """What the backtest has read."""


class DayAgain:
    """Lives a day of a home's journal again.  The home is only read."""

    def __init__(self, home: Path, day: Day, *, data: Path | None, overrides: tuple[str, ...]) -> None:
        """Read the inputs, and open what the backtest reads.

        Raises:
            JournalError: there is no journal, or it is damaged where it is read.
            ConfigurationError: it is that of a backtest, or something that the day is lived with is not here.
        """
        self._home = home
        self._day = day
        self._inputs = read_inputs(home, until=day.until)
        if self._inputs.is_backtest:
            raise one_of_a_backtest(str(home))
        before, self._today = split(self._inputs, day.since)
        self._before = before if day.since else None
        self._life = self._today.first
        self._settings = settings_of_day(self._life.era, data=data, overrides=overrides)
        self._source = open_day(self._settings, self._life.era, self._begun(self._life), day)

    def live(self, folder: Path, *, progress: bool = False) -> Lived:
        """Live it, in a folder that is empty; `progress` shows how far each of its lives has come.

        Raises:
            ConfigurationError: something that the journal's configuration names is not here.
            SupervisionError: a node gave itself up.
        """
        rerun, backtest = folder / "rerun", folder / "backtest"
        since = 0
        if self._before is not None:
            with showing(self._before.first.opened.starts_at, self._day.begins_at, wanted=progress) as look:
                Rerun(self._before, self._home, rerun, look=look).run()
            with JournalReader(rerun) as reader:
                since = reader.last()[0]
            shutil.copytree(rerun, backtest)
        with showing(self._day.begins_at, self._day.last_at, wanted=progress) as look:
            standing = self._backtest(backtest, look)
        with showing(self._day.begins_at, self._day.last_at, wanted=progress) as look:
            Rerun(self._today, self._home, rerun, look=look).run()
        return Lived(rerun, backtest, since, standing, self._source.describe())

    def _begun(self, life: Life) -> JournalMarket:
        era_feed = self._settings.feed
        base = era_feed.timeframe or finest(era_feed.frames)
        return JournalMarket(self._home, life.opened, until=self._day.until, base=base)

    def _backtest(self, home: Path, look: Callable[[Instant], None]) -> str:
        """Run the day's bars through a node that nobody operates."""
        known = len(scores_of(home)) if (home / "journal.db").exists() else 0
        scores = JournalScores(scores_of(self._home, self._day.until)[known:])
        folder = Path(self._life.era.folder)
        parts = gather(self._settings, folder=folder, source=self._source)
        parts = msgspec.structs.replace(parts, headlines=scores, score=scores.score)
        standing = _standing(home) if self._before is not None else ""
        passing_over = PassingOver(self._inputs.excused)

        def hear(records: Sequence[Recorded]) -> None:
            passing_over.hear(records)
            node.system.excused |= passing_over.found

        def pause_s(at: Instant, _following: Instant) -> float:
            look(at)
            return 0.0

        node = StagedNode(
            parts, home, seed=SEED, folder=str(folder), pause_s=pause_s, hear=hear, opening=self._inputs.opening
        )
        with node:
            if standing:
                node.switchboard.record("node", [_resume(node.stage.clock.wall_ms())])
            node.run(lambda: bool(node.poisoned), steps_max=TURNS_MAX)
            if not node.ended:
                why = node.gave_up or node.poisoned or node.root_exit
                raise SupervisionError(f"the backtest's node must live to the day's end, ended: {why}")
            node.commit()
        return standing


def _standing(home: Path) -> str:
    """Return why a home's node takes no entries, if an operator or a part that failed has stopped that.

    Nothing after a drawdown: to resume would forgive it, which is no matter of who steers.
    """
    with JournalReader(home) as reader:
        shape, _ = shape_at(reader, reader.last()[0])
        rebuilt = Rebuilt(shape, only=("breaker",), excused=excuses(reader))
        rebuilt.fold_all(reader.read())
    memory = rebuilt.memories["breaker"]
    assert isinstance(memory, BreakerMemory)
    state = memory.state
    if "drawdown" in state.watch.tripped:
        return ""
    return state.halted or state.reduced or state.paused or next(iter(state.unreconciled.values()), "")


def _resume(wall_ms: int) -> OperatorCommanded:
    return OperatorCommanded(
        request_id="audit",
        command="resume",
        user="holdfast",
        process=0,
        wall_ms=wall_ms,
        reason="a backtest has no operator",
    )
