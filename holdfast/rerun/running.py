"""Runs a journal's inputs through a node on the stage, in a home of its own."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from domain.market import Instant
from holdfast.parts import Parts, gather
from holdfast.rebuild import market_at
from holdfast.rerun.excused import PassingOver
from holdfast.rerun.inputs import Cue, Inputs, Life, settings_from
from holdfast.rerun.script import Script
from holdfast.rerun.sources import JournalMarket, JournalScores, finest, scores_of
from holdfast.staging import StagedNode
from messages.node import OperatorCommanded
from persistence.reader import JournalReader
from supervision import Recorded, SupervisionError

SEED = 1
"""Of the order of delivery, on which nothing that is decided depends."""
WAIT_S = 1.0
"""Virtual time the market waits where something comes from outside; it passes only when nothing else can happen."""
QUIET_S = 0.5
"""Virtual time within that, after which all is done that a command has caused."""
TURNS_MAX = 10**12
FEED = "feed"


class Rerun:
    """One re-run: life after life on the stage, each command where it was given."""

    def __init__(
        self,
        inputs: Inputs,
        home: Path,
        rerun_home: Path,
        *,
        what_if: Sequence[str] = (),
        look: Callable[[Instant], None] = lambda at: None,
    ) -> None:
        """`home` is only read; `rerun_home` is a folder without a journal.  `look` is told how far the market is."""
        self._inputs = inputs
        self._home = home
        self._rerun_home = rerun_home
        self._what_if = tuple(what_if)
        self._look = look
        self._scores = scores_of(home, inputs.until)
        self._node: StagedNode | None = None
        self._cues = list(inputs.cues)
        self._script = Script(inputs.scripts)
        self._passing_over = PassingOver(inputs.excused)
        self._is_waiting = False
        self._is_told = False

    def run(self) -> None:
        """Run to where the journal ends.

        Raises:
            ConfigurationError: something that the journal's configuration names is not here.
            SupervisionError: the node gave itself up.
        """
        life: Life | None = self._inputs.first
        # All of them before the first is run: what is missing should not be found out late.
        lives = [self._inputs.first, *(cue.life for cue in self._inputs.cues if cue.life is not None)]
        parts = iter([self._parts(each) for each in lives])
        while life is not None:
            life = self._live(next(parts), life)

    def _parts(self, life: Life) -> Parts:
        settings = settings_from(life.era, self._what_if)
        folder = Path(life.era.folder)
        if self._inputs.is_backtest:
            with JournalReader(self._home) as reader:
                return gather(settings, folder=folder, source=market_at(reader, self._inputs.until))
        base = settings.feed.timeframe or finest(settings.feed.frames)
        source = JournalMarket(self._home, life.opened, until=self._inputs.until, base=base)
        return gather(settings, folder=folder, source=source)

    def _live(self, parts: Parts, life: Life) -> Life | None:
        """Live until the next life begins, and return that; None at the journal's end."""
        scores = JournalScores(self._scores[self._count_scored() :])
        parts = msgspec.structs.replace(parts, headlines=scores, score=scores.score)
        self._node = StagedNode(
            parts,
            self._rerun_home,
            seed=SEED,
            folder=life.era.folder,
            pause_s=self._pause_s,
            hear=self._hear,
            opening=self._inputs.opening,
        )
        # What came in an earlier life may be excused in a later one only.
        self._node.system.excused |= self._passing_over.found
        with self._node as node:
            node.stage.prefer = self._script.prefer
            while self._cues:
                cue = self._cues[0]
                node.run(lambda cue=cue: self._has_come_to(cue) or bool(node.poisoned), steps_max=TURNS_MAX)  # type: ignore[misc]
                _demand_alive(node)
                self._give(node, cue)
                if cue.command is None:
                    node.commit()
                    return cue.life
                if node.ended or (self._is_waiting and not self._is_told):
                    self._settle(node)
            node.run(lambda: bool(node.poisoned), steps_max=TURNS_MAX)
            _demand_alive(node)
            # What was commanded just before may have been overtaken by the market's end.
            self._settle(node)
            _demand_alive(node)
            node.commit()
        return None

    def _count_scored(self) -> int:
        return len(scores_of(self._rerun_home)) if (self._rerun_home / "journal.db").exists() else 0

    def _has_come_to(self, cue: Cue) -> bool:
        """Say whether all has been recorded that was recorded before; where it never is, the market waits."""
        if cue.overtaken is not None and not self._is_market_told():
            return False
        if self._is_waiting and not (self._is_told and cue.overtaken is None) and cue.at <= self._script.at:
            return True
        return self._script.at == cue.at and self._script.next == str(cue.seq)

    def _is_market_told(self) -> bool:
        """Say whether the feed has been told that all is settled, and has not gone on yet."""
        assert self._node is not None
        if not self._is_told:
            switchboard = self._node.switchboard
            unsettled = switchboard.unsettled()
            has_only_messages = not any(each.name == FEED for each in switchboard.vitals(at_work=True))
            is_alone = bool(unsettled) and all(each.startswith(f"{FEED}: ") for each in unsettled)
            self._is_told = is_alone and has_only_messages
        return self._is_told

    def _give(self, node: StagedNode, cue: Cue) -> None:
        del self._cues[0]
        self._script.take(str(cue.seq))
        command = cue.command
        if isinstance(command, OperatorCommanded):
            command = self._passing_over.said_here(command)
        if command is not None:
            node.switchboard.record("node", [command])

    def _pause_s(self, at: Instant, following: Instant) -> float:
        """Say how long the market waits before its next bars: not at all, unless something is still to come."""
        self._look(at)
        self._is_told = False
        self._is_waiting = bool(self._cues) and self._cues[0].at <= at
        return WAIT_S if self._is_waiting else 0.0

    def _settle(self, node: StagedNode) -> None:
        """Let everything happen that a command has caused, while the market waits."""
        is_quiet = False

        def notice() -> None:
            nonlocal is_quiet
            is_quiet = True

        node.stage.after(QUIET_S / (1 + len(self._cues)), notice)
        node.stage.run_until(lambda: is_quiet or node.root_exit is not None, steps_max=TURNS_MAX)

    def _hear(self, records: Sequence[Recorded]) -> None:
        assert self._node is not None
        self._passing_over.hear(records)
        self._node.system.excused |= self._passing_over.found
        for record in records:
            if record.at != self._script.at:
                self._is_waiting = False
            if record.actor == FEED:
                self._is_told = False
            self._script.hear(record.at, record.actor)


def _demand_alive(node: StagedNode) -> None:
    if node.root_exit is not None or node.gave_up or node.poisoned:
        why = node.gave_up or node.poisoned or node.root_exit
        raise SupervisionError(f"the re-run's node must live to the journal's end, ended: {why}")
