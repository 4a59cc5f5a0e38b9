"""The operator's clerk: writes commands down before they act, acts once, and tells what came of them."""

from collections.abc import Callable
from typing import Any

import msgspec

from actors.base import ARCHIVIST, RememberingActor, StructMemory
from messages.node import (
    AnswerOperator,
    Command,
    CommandDone,
    CommandReceived,
    Mark,
    Marked,
    OperatorCommanded,
    Perform,
    SnapshotOverdue,
)
from supervision import Recorded, Seat, System

COMMANDS_KEPT = 1_000
"""Answers that stay known, so that a command repeated with its request id is not done twice."""
SNAPSHOT_WITHIN_S = 30.0
"""A snapshot that is not told of for so long is given up."""
FOLDED: frozenset[Command] = frozenset({"pause", "resume", "halt", "flatten", "cancel-all"})
"""Commands that act by being remembered; the others act on the process."""

Act = Callable[[OperatorCommanded], tuple[bool, str]]
Respond = Callable[[bool, str], None]


class OperatorState(msgspec.Struct):
    """Commands, and what came of them."""

    open: dict[str, OperatorCommanded] = msgspec.field(default_factory=dict)
    done: dict[str, tuple[bool, str]] = msgspec.field(default_factory=dict)


class OperatorMemory(StructMemory[OperatorState]):
    """Folds commands and their ends."""

    def __init__(self) -> None:
        super().__init__(OperatorState())

    def fold(self, record: Recorded) -> None:
        """Take an event in."""
        state = self.state
        match record.event:
            case OperatorCommanded() as command:
                state.open[command.request_id] = command
            case CommandDone(request_id=request_id, ok=ok, detail=detail):
                state.open.pop(request_id, None)
                state.done[request_id] = (ok, detail)
                if len(state.done) > COMMANDS_KEPT:
                    del state.done[next(iter(state.done))]


class Operator(RememberingActor):
    """Acts on a command when it is durable, and answers when that is."""

    def __init__(self, system: System, seat: Seat, *, memory: OperatorMemory, act: Act) -> None:
        super().__init__(system, seat, memory=memory)
        self._known = memory
        self._act = act
        self._responds: dict[str, list[Respond]] = {}
        self._begun: set[str] = set()
        self._inherited: set[str] = set()

    def started(self) -> None:
        """Take over commands that an earlier life wrote down and did not finish."""
        self._inherited = set(self._known.state.open)

    def receive(self, message: Any) -> None:
        """Take a command, or what came of one."""
        match message:
            case CommandReceived(command=command, respond=respond):
                self._receive(command, respond)
            case Perform(request_id=request_id):
                self._perform(request_id)
            case Marked(request_id=request_id, sequence=sequence, state_hash=state_hash):
                self._end(request_id, ok=True, detail=f"{sequence} {state_hash}")
            case SnapshotOverdue(request_id=request_id):
                late = f"the archivist has told of no snapshot within {SNAPSHOT_WITHIN_S:g} s"
                self._end(request_id, ok=False, detail=late)
            case AnswerOperator(request_id=request_id, ok=ok, detail=detail):
                for respond in self._responds.pop(request_id, ()):
                    respond(ok, detail)
            case _:
                super().receive(message)

    def react(self) -> None:
        """Begin what is not begun; answer what is done."""
        state = self._known.state
        for request_id, command in state.open.items():
            if request_id in self._begun:
                continue
            self._begun.add(request_id)
            if command.command in FOLDED:
                self._end(request_id, ok=True)
            elif request_id in self._inherited:
                # Whoever began it died over it: to do it again might be to do it twice.
                self._end(request_id, ok=False, detail="cut short: whether it was done is not known")
            else:
                self.tell(self.name, Perform(request_id))
        for request_id in [each for each in self._responds if each in state.done]:
            ok, detail = state.done[request_id]
            self._begun.discard(request_id)
            self.tell(self.name, AnswerOperator(request_id, ok, detail))

    def _receive(self, command: OperatorCommanded, respond: Respond) -> None:
        request_id = command.request_id
        known = self._known.state
        is_new = request_id not in self._responds and request_id not in known.open and request_id not in known.done
        self._responds.setdefault(request_id, []).append(respond)
        if is_new:
            self.record(command)

    def _perform(self, request_id: str) -> None:
        command = self._known.state.open.get(request_id)
        if command is None:
            return
        if command.command == "snapshot":
            self.tell(ARCHIVIST, Mark(f"asked for by {command.user}", self.name, request_id))
            self.after(SNAPSHOT_WITHIN_S, SnapshotOverdue(request_id))
            return
        ok, detail = self._act(command)
        self._end(request_id, ok=ok, detail=detail)

    def _end(self, request_id: str, *, ok: bool, detail: str = "") -> None:
        """Record what came of a command, unless that is known already."""
        if request_id in self._known.state.open:
            self.record(CommandDone(request_id, ok=ok, detail=detail))
