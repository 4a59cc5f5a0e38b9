"""What every actor stands on: one runtime, one switchboard, the journal's two ports, and the root of the tree."""

import random
import traceback
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import pykka

from supervision.answer import Answer
from supervision.clock import Clock
from supervision.errors import Ignore, SupervisionError, said_of
from supervision.recorder import Encoder
from supervision.signals import (
    STACK_CHARS_MAX,
    CrashReport,
    Exit,
    Exited,
    Lane,
    Progress,
    Raise,
    RecycleChild,
    Started,
    Stop,
    SupervisorReport,
)
from supervision.spec import ChildSpec, check_specs
from supervision.supervisor_ref import SupervisorRef
from supervision.switchboard import FENCED, Switchboard
from supervision.tree import Tree
from supervision.watchdog import Watchdog

if TYPE_CHECKING:
    from supervision.actor import Actor
    from supervision.journaled import Recovered, Recovery

Report = CrashReport | Progress | SupervisorReport


class Runtime(Protocol):
    """How actors come to run, and how time passes."""

    @property
    def clock(self) -> Clock:
        """Return the clock that goes with this runtime."""

    def run(self, actor: "Actor", *, dispatcher: str = "", urgency: int = 0) -> None:
        """Let an actor's loop run from now on, alone or in turns with others of a dispatcher."""

    def leave_behind(self, actor: "Actor") -> None:
        """Let nobody wait any more for an actor that was fenced."""

    def stack_of(self, actor: "Actor") -> str:
        """Return what an actor is doing, as a stack; empty where that cannot be told."""

    def after(self, delay_s: float, call: Callable[[], object]) -> None:
        """Call later, in monotonic time."""

    def a_moment_later(self, call: Callable[[], object]) -> None:
        """Call soon, when it does not hold up what is more urgent."""

    def hang_for_ever(self) -> None:
        """Hold up the thread of the actor that calls until the process ends, where one thread may be held up."""

    def demand_edge(self) -> None:
        """Raise SupervisionError where an actor calls: only the edge of the house may wait."""

    def wait(self, future: pykka.Future[Any], timeout_s: float) -> Any:
        """Return an answer to the edge of the house; raise where an actor asks."""


class System:
    """The ground under a tree of actors."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        switchboard: Switchboard,
        recover: "Recovery | None" = None,
        marker: type | None = None,
        on_report: Callable[[Report], None] = lambda report: None,
        on_root_end: Callable[[Exit], None] = lambda reason: None,
        on_stuck: Callable[[str], None] = lambda why: None,
        abandoned_max: int = 5,
        seed: int = 0,
        cue: Callable[[str], None] | None = None,
        excused: Iterable[tuple[str, int]] = (),
    ) -> None:
        """Stand on a runtime and a switchboard.

        `marker` is the type of the events at which states are told.
        `cue` is called at named points of every actor's turn (`NAME.before_release`, `NAME.after_release`); what it
        raises befalls the actor there.
        `excused` are events that an actor passes over, by its name and their sequence.
        """
        self.runtime = runtime
        self.cue = cue
        self.clock = runtime.clock
        self.switchboard = switchboard
        self.encode: Encoder = switchboard.encode
        self.run = runtime.run
        self.tell = switchboard.tell
        """Says something to a name at once."""
        self.marker = marker
        self.excused = set(excused)
        self.reports_lost = 0
        self._recover = recover
        self._on_report = on_report
        self._on_root_end = on_root_end
        self._watchdog = Watchdog(self, abandoned_max=abandoned_max, on_stuck=on_stuck)
        self._random = random.Random(seed)
        self.tree = Tree(switchboard)
        self._actors: dict[str, Actor] = {}
        """Who lives, by name: nothing is kept of an incarnation that has ended."""
        self._left_behind: set[Actor] = set()
        """Who was fenced and has not ended since."""
        self._root = ""

    # -- the tree ------------------------------------------------------------------------------------------------

    def start(self, root: ChildSpec) -> None:
        """Check a whole tree and start its root; returns before the tree is up.

        Raises:
            SpecError: the tree cannot be; nothing was started.
        """
        check_specs(root)
        self._root = root.name
        self.tree.adopt(root, "")
        self.spawn(root)
        self._watchdog.watch()

    def stop(self) -> None:
        """Ask the root to end: children in reverse order, each with its deadline."""
        self.tell(self._root, Stop(), Lane.SYSTEM)

    def names(self) -> tuple[str, ...]:
        """Return the names of all parts, in the order of the tree."""
        return self.tree.names()

    def supervisor(self, name: str) -> SupervisorRef:
        """Return a supervisor to call from the edge of the house."""
        return SupervisorRef(self, name)

    def restart(self, name: str, reason: str) -> None:
        """Have a part started anew, or the lowest living supervisor's child above it.

        Raises:
            SupervisionError: there is no such part, or nothing above it lives.
        """
        if name not in self.names():
            raise SupervisionError(f"a part must be one of {', '.join(self.names())}, was {name!r}")
        while parent := self.tree.parent_of(name):
            if self.tell(parent, RecycleChild(name, reason), Lane.SYSTEM):
                return
            name = parent
        raise SupervisionError("the root cannot be restarted from inside; stop the node instead")

    def spawn(self, spec: ChildSpec, arguments: tuple[Any, ...] = (), *, by: int | None = None) -> int:
        """Begin a new incarnation and return its epoch; how it fares is told to its supervisor, whose epoch is `by`.

        Raises:
            Fenced: that supervisor was replaced; nothing was begun.
        """
        seat = self.switchboard.open(spec.name, by=by)
        self.tree.settle_in(spec)
        try:
            self._demand_let_go(spec)
            actor = spec.start(self, seat, *arguments)
            seat.cell.hears_itself = actor.hears_itself
            self._actors[spec.name] = actor
            self.run(actor, dispatcher=spec.dispatcher, urgency=spec.urgency)
        except BaseException as error:  # noqa: BLE001  a constructor that raises is a failed start, and no more
            is_idle = isinstance(error, Ignore)
            reason = Exit("ignore", str(error)) if is_idle else Exit("init", said_of(error))
            self._actors.pop(spec.name, None)
            if not is_idle:
                self.report(self._never_lived(spec.name, seat.epoch, reason, error))
            self.switchboard.close(spec.name, seat.epoch, reason)
            self._tell_end(spec.name, seat.epoch, reason)
        return seat.epoch

    def started(self, name: str, epoch: int) -> None:
        """Acknowledge a start to its supervisor."""
        self._tell_up(name, Started(name, epoch))

    def ended(self, actor: "Actor", reason: Exit) -> None:
        """Hear the last word of an incarnation and tell its supervisor."""
        # One that was fenced has nothing below it any more: what lives there now belongs to its successor.
        self._let_go_of(actor)
        if self.switchboard.close(actor.name, actor.epoch, reason):
            self._shut_out_below(actor.name)
            self._tell_end(actor.name, actor.epoch, reason)
        self._left_behind.discard(actor)

    @property
    def abandoned(self) -> int:
        """Return how many that were fenced have not ended, and hold up a thread."""
        return len(self._left_behind)

    def give_up_on(self, name: str, epoch: int, reason: Exit, *, is_told: bool = True) -> bool:
        """End an incarnation that cannot end itself; say False where it had ended before.

        Its supervisor is told, unless that is who gives it up.
        """
        actor = self._actors.get(name)
        if actor is None or actor.epoch != epoch:
            return False
        report = actor.last_words(reason, self.runtime.stack_of(actor))
        if not self._shut_out(name, epoch, reason):
            return False
        self._shut_out_below(name)
        self.report(report)
        self._watchdog.count()
        if is_told:
            self._tell_end(name, epoch, reason)
        return True

    def abandon(self, name: str, epoch: int) -> None:
        """Fence an incarnation that does not end, and all below it; threads left behind are counted."""
        if self._shut_out(name, epoch):
            self._shut_out_below(name)

    def expect(self, name: str) -> None:
        """Tell that a part and all below it are about to be started again."""
        for below in (name, *self.tree.below(name)):
            self.switchboard.expect(below)

    def retire(self, name: str) -> None:
        """Tell that a part and all below it will not be started again by itself."""
        for below in (name, *self.tree.below(name)):
            self.switchboard.retire(below)

    # -- for actors ----------------------------------------------------------------------------------------------

    def after(self, delay_s: float, to: str, message: Any, epoch: int) -> None:
        """Say something to an incarnation later."""
        lane = Lane.SYSTEM if self._is_supervisor(to) else Lane.ORDINARY
        self.runtime.after(delay_s, lambda: self.switchboard.tell(to, message, lane, epoch=epoch))

    def ask(self, name: str, message: Any, timeout_s: float) -> Any:
        """Ask from the edge of the house.

        Raises:
            ActorDown: nobody of that name lives, or it went down before it answered.
            pykka.Timeout: no answer in time; what was asked is not begun any more, but may be in hand.
            SupervisionError: an actor asked.
        """
        self.runtime.demand_edge()
        answer = self.new_answer(name)
        self.switchboard.ask(name, message, answer)
        return self.wait(answer, timeout_s)

    def new_answer(self, name: str) -> Answer:
        """Return what an answer comes in; one that comes too late is a dead letter of the name that was asked."""
        return Answer(lambda late: self.switchboard.dead_letters.bury(name, late, "late answer"))

    def wait(self, answer: Answer, timeout_s: float) -> Any:
        """Return an answer to the edge of the house; give up after so many seconds.

        Raises:
            pykka.Timeout: there was none.
        """
        try:
            return self.runtime.wait(answer, timeout_s)
        except pykka.Timeout:
            if answer.give_up():
                raise
            return answer.get(timeout=0)

    def report(self, report: Report) -> None:
        """Pass on what supervisors and dying actors report; a listener that fails is counted and stops nobody."""
        try:
            self._on_report(report)
        except Exception:  # noqa: BLE001  an end that cannot be reported must still come to its supervisor
            self.reports_lost += 1

    def recover(self, name: str, *, version: int, upto: int) -> "Recovered":
        """Find the past of a starting actor."""
        if self._recover is None:
            raise SupervisionError("an actor that remembers needs a journal to recover from")
        return self._recover(name, version=version, upto=upto)

    def draw(self) -> float:
        """Return a random number in 0..1 from the system's own seed."""
        return self._random.random()

    def actor(self, name: str) -> "Actor | None":
        """Return the living incarnation of a name, to be called by who shares its thread; None where nobody lives."""
        return self._actors.get(name) if self.switchboard.is_up(name) else None

    def break_by(self, name: str, error: Exception) -> bool:
        """Let an actor that was called outside of its turns crash by what it raised there."""
        return self.tell(name, Raise(error), Lane.SYSTEM)

    # -- helpers -------------------------------------------------------------------------------------------------

    def _demand_let_go(self, spec: ChildSpec) -> None:
        """Refuse a successor of one that was fenced with a message in hand, where nobody can take over what it holds.

        That is a failed start as any: it is tried again, and comes about if the message is done in time.
        """
        if not spec.fenceable and any(each.name == spec.name and each.is_busy for each in tuple(self._left_behind)):
            raise SupervisionError(f"{spec.name} was fenced with a message in hand: nobody can take over what it holds")

    def _never_lived(self, name: str, epoch: int, reason: Exit, error: BaseException) -> CrashReport:
        stack = "".join(traceback.format_exception(error))[-STACK_CHARS_MAX:]
        return CrashReport(name, epoch, str(reason), stack=stack, ancestors=self.tree.ancestors(name))

    def _is_supervisor(self, name: str) -> bool:
        actor = self._actors.get(name)
        return actor is not None and actor.is_supervisor

    def _tell_end(self, name: str, epoch: int, reason: Exit) -> None:
        if name == self._root:
            self._on_root_end(reason)
        else:
            self._tell_up(name, Exited(name, epoch, reason))

    def _tell_up(self, name: str, signal: Started | Exited) -> None:
        if parent := self.tree.parent_of(name):
            self.tell(parent, signal, Lane.SYSTEM)

    def _shut_out_below(self, name: str) -> None:
        # From the top down: a supervisor that is shut out can start nothing more.
        for below in self.tree.below(name):
            self._shut_out(below, self.switchboard.epoch_of(below))

    def _shut_out(self, name: str, epoch: int, reason: Exit = FENCED) -> bool:
        found = self._actors.get(name)
        actor = found if found is not None and found.epoch == epoch else None
        if actor is not None:
            self._left_behind.add(actor)  # Before it is fenced: its end, which may come at once, takes it out again.
        is_fenced = self.switchboard.fence(name, epoch, reason)
        if actor is not None and is_fenced:
            self._let_go_of(actor)
            try:
                self.runtime.leave_behind(actor)
            except RuntimeError as error:  # No thread can be had, and those that shared the one it keeps have none.
                self._watchdog.on_stuck(f"{name} keeps the thread that it shared: {said_of(error)}")
        elif actor is not None:
            self._left_behind.discard(actor)
        return is_fenced

    def _let_go_of(self, actor: "Actor") -> None:
        if self._actors.get(actor.name) is actor:
            del self._actors[actor.name]
