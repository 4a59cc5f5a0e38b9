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
FOLDED: frozenset[Command] = frozenset({"pause", "resume", "halt", "flatten", "cancel-all", "reconcile", "settle"})
"""Commands that act by being remembered; the others act on the process."""

Act = Callable[[OperatorCommanded], tuple[bool, str]]
Respond = Callable[[bool, str], None]


class Done(msgspec.Struct, frozen=True):
    """A command, and what came of it."""

    command: Command
    target: str
    ok: bool
    detail: str


class OperatorState(msgspec.Struct):
    """Commands by the ids of their requests: those that are open, and the newest that are done."""

    open: dict[str, OperatorCommanded] = msgspec.field(default_factory=dict)
    done: dict[str, Done] = msgspec.field(default_factory=dict)


class OperatorMemory(StructMemory[OperatorState]):
    """Folds commands and their ends."""

    version = 2
    """Since 2, a command that is done is known with what came of it."""

    def __init__(self) -> None:
        super().__init__(OperatorState())

    def fold(self, record: Recorded) -> None:
        """Take an event in."""
        state = self.state
        match record.event:
            case OperatorCommanded() as command:
                state.open[command.request_id] = command
            case CommandDone(request_id=request_id, ok=ok, detail=detail):
                if (ended := state.open.pop(request_id, None)) is not None:
                    state.done[request_id] = Done(ended.command, ended.target, ok, detail)
                if len(state.done) > COMMANDS_KEPT:
                    del state.done[next(iter(state.done))]


class Operator(RememberingActor):
    """Acts on a command when it is durable, and answers when that is."""

    def __init__(self, system: System, seat: Seat, *, memory: OperatorMemory, act: Act) -> None:
        super().__init__(system, seat, memory=memory)
        self._known = memory
        self._act = act
        self._responds: dict[str, list[Respond]] = {}
        self._received: dict[str, OperatorCommanded] = {}
        """Commands of this life that are not answered yet."""
        self._begun: set[str] = set()
        self._inherited: set[str] = set()

    def started(self) -> None:
        """Take over commands that an earlier life wrote down and did not finish."""
        self._inherited = set(self._known.state.open)

    def receive(self, message: Any) -> None:
        """Take a command, or what came of one."""
        match message:
            case CommandReceived(command=command, respond=respond, problem=problem):
                self._receive(command, respond, problem)
            case Perform(request_id=request_id):
                self._perform(request_id)
            case Marked(request_id=request_id, sequence=sequence, state_hash=state_hash):
                self._end(request_id, ok=True, detail=f"{sequence} {state_hash}")
            case SnapshotOverdue(request_id=request_id):
                late = f"the archivist has told of no snapshot within {SNAPSHOT_WITHIN_S:g} s"
                self._end(request_id, ok=False, detail=late)
            case AnswerOperator(request_id=request_id, ok=ok, detail=detail):
                self._received.pop(request_id, None)
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
            done = state.done[request_id]
            self._begun.discard(request_id)
            self.tell(self.name, AnswerOperator(request_id, done.ok, done.detail))

    def _receive(self, command: OperatorCommanded, respond: Respond, problem: str) -> None:
        request_id, known = command.request_id, self._known.state
        earlier = self._received.get(request_id) or known.open.get(request_id) or known.done.get(request_id)
        if earlier is not None and (earlier.command, earlier.target) != (command.command, command.target):
            named = f"{earlier.command} {earlier.target}".rstrip()
            respond(False, f"request id {request_id} names another command, {named}: a new command needs a new one")
            return
        if earlier is None and problem:
            respond(False, problem)
            return
        self._responds.setdefault(request_id, []).append(respond)
        if earlier is None:
            self._received[request_id] = command
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
