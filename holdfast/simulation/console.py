"""Somebody at the console: gives a node commands over all of its lives, and mends what gave up."""

from collections import Counter
from functools import partial

import msgspec

from holdfast.part_acts import PartActs
from holdfast.simulation.obedience import Commands, Stops
from holdfast.staging import StagedNode
from messages.node import Command, CommandReceived, OperatorCommanded
from supervision import SupervisorReport

USER = "ann"
AGAIN_AFTER_S = 5.0
AGAIN_AFTER_TURNS = 400
"""Whoever waits for an answer, or for a part, looks again after one of these: no time passes while a market hurries."""


class _Due(msgspec.Struct, frozen=True):
    """When something is to be done, in this life."""

    now_s: float = 0.0
    turns: int = 0


class _Asked(msgspec.Struct):
    command: OperatorCommanded
    due: _Due


class Console:
    """Repeats a command with its request id until it is answered, and starts a part anew until it is up."""

    def __init__(self, commands: Commands, stops: Stops) -> None:
        """`commands` and `stops` are told what was ordered and answered."""
        self.done: Counter[str] = Counter()
        """Commands that were answered, by name."""
        self._commands = commands
        self._stops = stops
        self._node: StagedNode | None = None
        self._asked: dict[str, _Asked] = {}
        self._broken: dict[str, _Due] = {}
        """Parts that gave up."""
        self._count = 0
        self._read = 0
        """How many of this life's reports were looked at."""

    @property
    def waits_for(self) -> list[str]:
        """Return what is not answered, and who is not up again."""
        asked = (f"{each.command.command} {request_id}" for request_id, each in self._asked.items())
        return [*asked, *self._broken]

    def begin(self, node: StagedNode) -> None:
        """Go on with another life of the node."""
        self._node, self._read = node, 0
        for asked in self._asked.values():
            asked.due = _Due()
        self._broken = dict.fromkeys(self._broken, _Due())

    def act(self, command: OperatorCommanded) -> tuple[bool, str]:
        """Do what a command orders, under the eyes of its law."""
        assert self._node is not None
        self._commands.perform(command.request_id)
        return PartActs(self._node.system)(command)

    def order(self, command: Command, target: str = "", *, copies: int = 1) -> None:
        """Give a command; it may arrive more than once."""
        assert self._node is not None
        self._count += 1
        request_id = f"ann-{self._count}"
        asked = _Asked(
            OperatorCommanded(
                request_id=request_id,
                command=command,
                user=USER,
                process=1,
                wall_ms=self._node.stage.clock.wall_ms(),
                reason=request_id,
                target=target,
            ),
            _Due(),
        )
        self._asked[request_id] = asked
        for _ in range(copies):
            self._send(asked)

    def look(self) -> None:
        """Look between two turns whether something is due."""
        assert self._node is not None
        reports = self._node.reports
        if not self._asked and not self._broken and len(reports) == self._read:
            return
        for report in reports[self._read :]:
            if isinstance(report, SupervisorReport) and report.context == "shutdown":
                self._broken[report.supervisor] = self._later()
        self._read = len(reports)
        for asked in [each for each in self._asked.values() if self._is_due(each.due)]:
            self._send(asked)
        for part in [part for part, due in self._broken.items() if self._is_due(due)]:
            self._mend(part)

    def open_up(self) -> None:
        """Have entries made again, whatever has stopped them."""
        if self._stops.mode != "active":
            self.order("resume")

    def _mend(self, part: str) -> None:
        assert self._node is not None
        if self._node.switchboard.is_up(part):
            del self._broken[part]
            self.order("resume")
        else:
            self._broken[part] = self._later()
            self.order("restart", part)

    def _send(self, asked: _Asked) -> None:
        assert self._node is not None
        asked.due = self._later()
        respond = partial(self._hear_answer, asked.command)
        self._node.system.tell("operator", CommandReceived(asked.command, respond))

    def _hear_answer(self, command: OperatorCommanded, ok: bool, detail: str) -> None:
        self._commands.answer(command.request_id, ok=ok, detail=detail)
        if self._asked.pop(command.request_id, None) is None:
            return
        self.done[command.command] += 1
        if command.command in ("pause", "halt") and self._stops.mode != "active":
            self._stops.close()

    def _later(self) -> _Due:
        assert self._node is not None
        stage = self._node.stage
        return _Due(stage.clock.now_s + AGAIN_AFTER_S, stage.steps + AGAIN_AFTER_TURNS)

    def _is_due(self, due: _Due) -> bool:
        assert self._node is not None
        stage = self._node.stage
        return stage.clock.now_s >= due.now_s or stage.steps >= due.turns
