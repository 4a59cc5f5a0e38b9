"""Requests of the admin socket: questions are answered from the actors' states, commands go to the clerk."""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from actors.breaker_memory import BreakerState
from actors.positions import PositionsState
from actors.sentiment import SentimentState
from domain.execution import Execution
from holdfast import __version__, views
from holdfast.admin.protocol import Code, Request
from holdfast.admin.responder import Responder
from holdfast.audit.newest import NewestAudit
from holdfast.conflicts import conflicts
from holdfast.crashes import crashes
from holdfast.helpers import Helpers
from holdfast.mending.books import Stray
from holdfast.outcomes import WITHIN_S, Outcomes
from holdfast.routes import WATCHER
from holdfast.tail import tail
from holdfast.violations import violations
from messages.node import (
    BreakerAsked,
    Command,
    CommandReceived,
    HoldingsAsked,
    OperatorCommanded,
    OrdersAsked,
    PerformanceAsked,
    SentimentAsked,
)
from persistence.errors import JournalError
from supervision import ActorDown, System, Timeout

ASK_S = 3.0
STRAYS_TOLD = 50
STREAMS_MAX = 8
"""Clients that follow the journal at a time; each keeps a thread for as long as it listens."""
STATES: dict[str, type] = {
    "positions": PositionsState,
    "executor": Execution,
    "breaker": BreakerState,
    "sentiment": SentimentState,
}
TOLD_MORE = frozenset({"reconcile", "resume", "settle"})
"""Commands whose answer says what they have led to."""
COMMANDS = frozenset(Command.__args__)  # type: ignore[attr-defined]


class Answers:
    """Handles requests on threads of its own, so that no client waits for another's answer.

    Streams and commands have theirs apart: however many follow or ask, an operator can halt the node.
    """

    def __init__(
        self,
        system: System,
        home: Path,
        *,
        symbols: Collection[str],
        is_paper: bool,
        durable_seq: Callable[[], int],
        strays: Sequence[Stray] = (),
    ) -> None:
        """`strays` are orders that the venue was found to have, and the journal not, when the process started."""
        self._system = system
        self._home = home
        self._symbols = symbols
        self._is_paper = is_paper
        self._durable_seq = durable_seq
        self._strays = [stray._asdict() for stray in strays[:STRAYS_TOLD]]
        self._newest_audit = NewestAudit(home)
        self._outcomes = Outcomes(home, self._ask)
        self._began = time.monotonic()
        self._questions = Helpers("admin", count=12)
        self._commands = Helpers("admin-command", count=4)
        self._streams = Helpers("admin-stream", count=STREAMS_MAX)
        self._streams_free = threading.Semaphore(STREAMS_MAX)

    def handle(self, request: Request, responder: Responder) -> None:
        """Take a request; the answer comes later."""
        if request.method == "tail" and request.params["follow"]:
            self._follow(request, responder)
            return
        helpers = self._commands if request.method in COMMANDS else self._questions
        helpers.submit(lambda: self._handle(request, responder))

    def close(self) -> None:
        """Take no more requests."""
        for helpers in (self._questions, self._commands, self._streams):
            helpers.close()

    def _follow(self, request: Request, responder: Responder) -> None:
        if not self._streams_free.acquire(blocking=False):
            responder.refuse(f"at most {STREAMS_MAX} may follow the journal at a time", code=Code.LIMIT)
            return

        def stream() -> None:
            try:
                self._handle(request, responder)
            finally:
                self._streams_free.release()

        self._streams.submit(stream)

    def _handle(self, request: Request, responder: Responder) -> None:
        try:
            if request.method in COMMANDS:
                self._command(request, responder)
            elif request.method == "tail":
                tail(self._home, responder, **request.params)
            else:
                responder(self.answer(request))
        except (ActorDown, Timeout) as error:
            responder.refuse(f"{request.method}: {error or 'no answer in time'}; try again, or see `holdfast ctl tree`")
        except Exception as error:
            responder.refuse(f"{request.method} failed: {type(error).__name__}: {error}")
            raise

    def answer(self, request: Request) -> Any:
        """Return the answer to a question, in the thread that asks."""
        vitals = self._system.switchboard.vitals()
        match request.method:
            case "status":
                return self._status()
            case "tree":
                return views.tree_view(vitals)
            case "positions":
                state = self._ask("positions", HoldingsAsked())
                held = {"positions": views.holdings_view(state), "cash": views.cash_view(state)}
                return held | {"lots": views.lots_view(state)} | views.worth_view(state)
            case "orders":
                return views.orders_view(
                    self._ask("executor", OrdersAsked()), with_finished=bool(request.params["all"])
                )
            case "performance":
                lived = {"uptime_s": self._uptime_s(), "restarts": sum(each.restarts for each in vitals)}
                told = lived | msgspec.to_builtins(self._ask("positions", PerformanceAsked()))
                return told | {"audit": self._newest_audit()}
            case "conflicts":
                return conflicts(self._home, request.params["n"])
            case "crashes":
                return crashes(self._home, request.params["n"])
            case "violations":
                return violations(self._home, request.params["n"])
            case "quarantine":
                return views.quarantine_view(self._system.switchboard.quarantine.cases())
            case "dead-letters":
                return views.dead_letters_view(self._system.switchboard.dead_letters)
            case _:
                raise ValueError(f"no such question: {request.method}")

    def _status(self) -> dict[str, Any]:
        """Answer even while parts are down: what cannot be told is null, and the state is what still holds."""
        switchboard = self._system.switchboard
        vitals = switchboard.vitals()
        breaker = self._ask_if_up("breaker", BreakerAsked())
        positions = self._ask_if_up("positions", HoldingsAsked())
        sentiment = self._ask_if_up("sentiment", SentimentAsked())
        down = [each.name for each in vitals if not each.up]
        status: dict[str, Any] = {
            "state": breaker.mode if breaker is not None else "reduce_only",
            "seq": switchboard.last_seq,
            "durable_seq": self._durable_seq(),
            "uptime_s": self._uptime_s(),
            "market_time": self._system.clock.market_ms(),
            "equity": views.worth_view(positions)["equity"] if positions is not None else None,
            "headlines": views.headlines_view(sentiment) if sentiment is not None else None,
            "version": __version__,
            "dead_letters": switchboard.dead_letters.total,
            "down": down,
            "actors": views.actors_view(vitals),
        }
        if self._strays:
            status["unknown_orders"] = self._strays
        if poisoned := views.poisoned_view(vitals):
            status["poisoned"] = poisoned
        if poisoned.keys() - {WATCHER}:
            return status | {"state": "halted"}
        return status | ({} if breaker is None else {k: v for k, v in views.breaker_view(breaker).items() if v})

    def _uptime_s(self) -> float:
        return round(time.monotonic() - self._began, 3)

    def _command(self, request: Request, responder: Responder) -> None:
        params, until = dict(request.params), time.monotonic() + WITHIN_S
        command = OperatorCommanded(
            request_id=params["request_id"],
            command=request.method,  # type: ignore[arg-type]
            user=request.peer.user,
            process=request.peer.pid,
            wall_ms=self._system.clock.wall_ms(),
            reason=params["reason"],
            target=_target_of(params),
        )

        def respond(ok: bool, detail: str) -> None:
            answer = {"request_id": command.request_id, "command": command.command, "ok": ok, "detail": detail}
            if not ok:
                responder.refuse(detail or "refused", data=answer)
            elif detail or command.command not in TOLD_MORE:
                responder(answer)
            else:
                # What it leads to may take a moment, and commands do not wait for each other's.
                self._questions.submit(lambda: responder(answer | {"detail": self._told_of(command, until)}))

        # The clerk refuses it: what was asked for before may be done, and its target gone because it is.
        received = CommandReceived(command, respond, self._why_not(command, until))
        if not self._system.tell("operator", received):
            responder.refuse("the operator's clerk is down; try again in a moment")

    def _told_of(self, command: OperatorCommanded, until: float) -> str:
        """Say what a command has led to, as far as that can be told: it is done, whatever is down."""
        try:
            return self._outcomes.told_of(command, until=until)
        except (ActorDown, Timeout, JournalError):
            return ""

    def _watched(self) -> tuple[str, ...]:
        """Return who is replaced when it hangs, or ends the process."""
        tree = self._system.tree
        return tuple(name for name in self._system.names() if tree.spec_of(name).hang_after_s is not None)

    def _why_not(self, command: OperatorCommanded, until: float) -> str:
        match command.command:
            case "crash" | "hang" if not self._is_paper:
                return f"{command.command} is for the paper venue only"
            case "hang" if command.target not in self._watched():
                return f"expected one of {', '.join(self._watched())}, found {command.target!r}"
            case "excuse" if not self._is_poisoned(command.target):
                return f"expected an actor and the sequence that it cannot fold, found {command.target!r}: see status"
            case "quarantine-retry" | "quarantine-drop" if not self._is_quarantined(command.target):
                return f"expected an actor and a fingerprint of `holdfast ctl quarantine`, found {command.target!r}"
            case "crash" | "restart" if command.target not in self._system.names():
                return f"expected one of {', '.join(self._system.names())}, found {command.target!r}"
            case "flatten" if command.target and command.target not in self._symbols:
                return f"expected one of {', '.join(self._symbols)}, found {command.target!r}"
            case "settle":
                return self._outcomes.why_not_settle(command.target, until=until)
            case "resume" if not command.reason:
                return self._why_not_resume()
        return ""

    def _why_not_resume(self) -> str:
        """Say what asks for a reason to resume, if anything does."""
        breaker = self._ask_if_up("breaker", BreakerAsked())
        if breaker is None or breaker.mode in ("halted", "reduce_only"):
            mode = "not known" if breaker is None else breaker.mode
            return f"the node is {mode}; resume it with --reason"
        if breaker.unreconciled:
            # What differs is taken into the books by it.
            return f"entries are halted in {', '.join(breaker.unreconciled)}; resume it with --reason"
        return ""

    def _is_poisoned(self, target: str) -> bool:
        poisoned = views.poisoned_view(self._system.switchboard.vitals())
        return any(what.startswith(f"sequence {target.removeprefix(name)[1:]},") for name, what in poisoned.items())

    def _is_quarantined(self, target: str) -> bool:
        cases = self._system.switchboard.quarantine.cases()
        return any(target == f"{case.actor} {case.fingerprint}" for case in cases)

    def _ask(self, name: str, message: Any) -> Any:
        """Return an actor's state as of its answer, or whatever else it answers."""
        answer = self._system.ask(name, message, ASK_S)
        return msgspec.json.decode(answer, type=STATES[name]) if isinstance(answer, bytes) else answer

    def _ask_if_up(self, name: str, message: Any) -> Any:
        try:
            return self._ask(name, message)
        except (ActorDown, Timeout):
            return None


def _target_of(params: Mapping[str, Any]) -> str:
    """Return what a command is about, in words."""
    words = (params.get(name) for name in ("actor", "sequence", "fingerprint", "symbol", "client_id", "level"))
    return " ".join(str(word) for word in words if word)
