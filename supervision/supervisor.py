"""A supervisor: a state machine that never waits.

Each child is wanted or not, and up or not; the supervisor takes one step at a time towards what is wanted, in order
of start, and stops in the reverse order.  A crash only changes what is wanted next, so that a start that fails, a
crash during a restart, a request and a stop in the midst of it all are the same few lines.
"""

from typing import TYPE_CHECKING, Any, Literal

from supervision.actor import Actor
from supervision.cells import Seat
from supervision.child import Child
from supervision.children import Children
from supervision.errors import Crashed
from supervision.intensity import Intensity
from supervision.office import Office
from supervision.requests import REQUESTS, ChildUp, Done, Ignored, NoProc, Reply, StartFailed
from supervision.signals import (
    Break,
    Context,
    Exit,
    Exited,
    Expired,
    Lane,
    Progress,
    RecycleChild,
    Started,
    Stop,
    SupervisorReport,
    Wake,
)
from supervision.spec import SupervisorSpec

if TYPE_CHECKING:
    from supervision.system import System

Timer = Literal["start", "stop", "backoff", "healthy"]


class Supervisor(Actor):
    """Starts children in order, each acknowledged; restarts by its strategy; gives up past its intensity."""

    is_supervisor = True

    def __init__(self, system: "System", seat: Seat, *, spec: SupervisorSpec) -> None:
        super().__init__(system, seat)
        self.flags = spec
        self.children = Children(() if spec.is_simple else [Child(child) for child in spec.children])
        self._intensity = Intensity(spec.intensity, spec.period_s)
        self._office = Office(self, system)
        self._ending: Exit | None = None
        self._is_acknowledged = False

    # -- signals -------------------------------------------------------------------------------------------------

    def _actor_loop_setup(self) -> None:
        """Acknowledge only once all children have: the first step is taken by the first message."""

    def _take(self, message: Any) -> None:
        match message:
            case Wake():
                pass
            case Started(name, epoch):
                self._child_started(name, epoch)
            case Exited(name, epoch, reason):
                self._child_exited(name, epoch, reason)
            case Expired(what, name, epoch):
                self._timer_expired(what, name, epoch)
            case RecycleChild(name):
                self._recycle_by_hand(name)
            case Stop(kind):
                self.end(Exit(kind))
            case Break(reason=reason):
                raise Crashed(f"{self.name} was broken on purpose: {reason}")
            case _ if type(message) in REQUESTS:
                self._request(message)
            case _:
                raise Crashed(f"supervisor {self.name} knows no message such as {message!r:.200}")
        self._advance()

    def _ends_at_once(self, stop: Stop) -> bool:
        # Only one that was fenced: what lives below now belongs to its successor.
        return stop.kind == "killed" and super()._ends_at_once(stop)

    def stopped(self) -> None:
        """Leave nobody waiting."""
        for child in self.children:
            child.answer_starts(NoProc(self.name))
            child.answer_stops(NoProc(self.name))

    def _request(self, message: Any) -> None:
        if self._ending is not None:
            message.reply(NoProc(self.name))
            return
        try:
            self._office.serve(message)
        except BaseException:
            message.reply(NoProc(self.name))
            raise

    def _child_started(self, name: str, epoch: int) -> None:
        child = self._find(name, epoch)
        if child is None or child.status != "starting":
            return
        child.status, child.is_new = "up", False
        if child.spec.restart == "temporary":
            child.arguments = ()  # It will not be started again.
        self._system.report(Progress(self.name, name, epoch))
        child.answer_starts(ChildUp(name, epoch))
        self._expire_after(child.spec.backoff.reset_after_s, "healthy", child)

    def _child_exited(self, name: str, epoch: int, reason: Exit) -> None:
        child = self._find(name, epoch)
        if child is None or child.status not in ("starting", "up", "stopping"):
            return
        # One that was to be stopped next, and ended before it was asked, is one that has been stopped.
        was, is_stop = child.status, child.status == "stopping" or child.need == "stop"
        child.status = "down"
        if is_stop:
            self._child_stopped(child, reason)
        elif reason.kind == "poisoned" and self._ending is None:
            self._report("start_error", reason, child)
            self.set_aside(child, StartFailed(child.name, reason), forget=child.is_new, will_not_return=False)
        elif was == "starting":
            self._start_failed(child, reason)
        elif self._must_restart(child, reason):
            self._restart(child, reason)
        else:
            self._child_ended(child, reason)

    def _child_stopped(self, child: Child, reason: Exit) -> None:
        is_expected = reason.kind == "shutdown" or (child.spec.restart != "permanent" and reason.is_normal)
        if not is_expected:
            self._report("shutdown_error", reason, child)
        if self._ending is None and not child.wanted:
            self.set_aside(child)
        child.answer_stops(Done(child.name))

    def _start_failed(self, child: Child, reason: Exit) -> None:
        if self._ending is not None:
            return
        if reason.kind == "ignore":
            self.set_aside(child, Ignored(child.name), forget=self.flags.is_simple)
        elif child.starts:
            self._report("start_error", reason, child)
            self.set_aside(child, StartFailed(child.name, reason), forget=child.is_new)
        elif not self._is_acknowledged:
            self._report("start_error", reason, child)
            self.end(Exit("shutdown", f"failed to start {child.name}: {reason}"))
        else:
            self._restart(child, reason, context="start_error")

    def _child_ended(self, child: Child, reason: Exit) -> None:
        """A child has ended by itself and is not started again."""
        if not reason.is_normal:
            self._report("child_terminated", reason, child)
        self.set_aside(child)
        if child.spec.significant and self._is_over_without(child):
            self.end(Exit("shutdown", f"the significant child {child.name} has ended with {reason}"))

    def _timer_expired(self, what: Timer, name: str, epoch: int) -> None:
        child = self._find(name, epoch)
        if child is None:
            return
        if what == "healthy" and child.status == "up":
            child.failures = 0
        elif what == "backoff" and child.status == "waiting":
            child.status = "down"
        elif what == "start" and child.status == "starting":
            self._give_up_on(child, Exit("init", f"did not start within {child.spec.start_timeout_s} s"))
        elif what == "stop" and child.status == "stopping":
            self._give_up_on(child, Exit("killed", f"did not stop within {child.spec.shutdown_s} s"))

    def _recycle_by_hand(self, name: str) -> None:
        child = self.children.find(name)
        if child is None or self._ending:
            return
        child.failures, child.wanted = 0, True
        if child.status == "up":
            child.recycle = True
        elif child.status in ("stopped", "waiting"):
            self.revive(child)

    # -- what the office asks for --------------------------------------------------------------------------------

    def terminate(self, child: Child, reply: Reply) -> None:
        """Stop a child and keep it stopped; it is told when that is so."""
        child.wanted = False
        if child.status in ("up", "starting", "stopping"):
            child.stops.append(reply)
            if child.status == "starting":
                self._begin_stop(child)
            return
        if child.status != "stopped":
            self.set_aside(child)
        reply(Done(child.name))

    def change(self, flags: SupervisorSpec) -> None:
        """Treat children by other flags from now on."""
        self.flags = flags
        self._intensity.change(flags.intensity, flags.period_s)

    # -- decisions -----------------------------------------------------------------------------------------------

    def _must_restart(self, child: Child, reason: Exit) -> bool:
        if self._ending is not None:
            return False
        return child.spec.restart == "permanent" or (child.spec.restart == "transient" and not reason.is_normal)

    def _restart(self, child: Child, reason: Exit, *, context: Context = "child_terminated") -> None:
        if child.spec.restart == "temporary":
            self._child_ended(child, reason)
            return
        is_within = self._intensity.count(self.monotonic())
        self._report(context, reason, child)
        if not is_within:
            self._report("shutdown", Exit("shutdown", f"reached_max_restart_intensity: {reason}"), child)
            self.end(Exit("shutdown", f"reached_max_restart_intensity: {child.name} ended with {reason}"))
            return
        delay_s = child.spec.backoff.delay_s(child.failures, self._system.draw())
        child.failures += 1
        if delay_s > 0:
            child.status = "waiting"
            self._expire_after(delay_s, "backoff", child)
        for other in self._affected_by(child):
            if other.spec.restart == "temporary":
                self.terminate(other, lambda _done: None)
            elif other.status == "stopped":
                self.revive(other)
            else:
                other.recycle = True

    def _affected_by(self, child: Child) -> list[Child]:
        if self.flags.strategy == "one_for_all":
            return [other for other in self.children if other is not child]
        if self.flags.strategy == "rest_for_one":
            return self.children.after(child)
        return []

    def _is_over_without(self, child: Child) -> bool:
        if self.flags.auto_shutdown == "any_significant":
            return True
        others = (other for other in self.children if other is not child and other.spec.significant)
        return self.flags.auto_shutdown == "all_significant" and not any(other.status != "stopped" for other in others)

    def end(self, reason: Exit) -> None:
        """Want nothing any more but the end."""
        if self._ending is None:
            self._ending = reason
        for child in tuple(self.children):
            child.wanted = False
            if child.status == "waiting":
                child.status = "down"
            elif child.status == "starting":
                self._begin_stop(child)

    def revive(self, child: Child) -> None:
        """Want a child that was stopped to run again."""
        child.status, child.wanted = "down", True
        self._system.expect(child.name)

    def set_aside(
        self, child: Child, answer: Any = None, *, forget: bool = False, will_not_return: bool = True
    ) -> None:
        """Want a child that does not run no more, and keep it or forget it."""
        child.status, child.wanted = "stopped", False
        stopped = Exit("shutdown", "it was stopped before it had started")
        child.answer_starts(answer or StartFailed(child.name, stopped))
        if forget or self.flags.is_simple or child.spec.restart == "temporary":
            self.forget(child)
        elif will_not_return:
            self._system.retire(child.name)

    def forget(self, child: Child) -> None:
        """Have no such child any more."""
        self.children.remove(child)
        self._system.tree.disown(child.name)

    # -- steps ---------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        children = self.children
        while not children.needing("patience"):
            if children.needing("stop"):
                self._stop_some()
                continue
            children.end_recycling()
            if self._ending:
                self._exit = self._ending
                self.actor_stopped.set()
                return
            candidate = self._next_to_start()
            if candidate is None:
                self._acknowledge()
                return
            self._begin_start(candidate)

    def _stop_some(self) -> None:
        """Stop the last one; those of a template all at once, with one deadline."""
        victims = self.children.needing("stop")
        for child in tuple(victims if self.flags.is_simple else victims[-1:]):
            self._begin_stop(child)

    def _next_to_start(self) -> Child | None:
        """Return the first one, unless in a group one that waits comes before it."""
        down, waiting = self.children.needing("start"), self.children.needing("time")
        is_group = self.flags.strategy in ("one_for_all", "rest_for_one")
        if not down or (is_group and waiting and waiting[0].rank < down[0].rank):
            return None
        return down[0]

    def _begin_start(self, child: Child) -> None:
        child.status = "starting"
        child.epoch = self._system.spawn(child.spec, child.arguments, by=self._epoch)
        self._expire_after(child.spec.start_timeout_s, "start", child)

    def _begin_stop(self, child: Child) -> None:
        child.status = "stopping"
        shutdown_s = child.spec.shutdown_s
        if shutdown_s == 0:
            self._system.abandon(child.name, child.epoch)
            self._child_exited(child.name, child.epoch, Exit("shutdown", "it is given no time to stop"))
            return
        self._system.tell(child.name, Stop(), Lane.SYSTEM, epoch=child.epoch)
        if shutdown_s is not None:
            self._expire_after(shutdown_s, "stop", child)

    def _give_up_on(self, child: Child, reason: Exit) -> None:
        """Fence a child that does not do what it must, its stack in a report, and take it as ended."""
        self._system.give_up_on(child.name, child.epoch, reason, is_told=False)
        self._child_exited(child.name, child.epoch, reason)

    def _acknowledge(self) -> None:
        if not self._is_acknowledged and self.children.are_at_rest:
            self._is_acknowledged = True
            self._system.started(self.name, self._epoch)

    # -- helpers -------------------------------------------------------------------------------------------------

    def _find(self, name: str, epoch: int) -> Child | None:
        child = self.children.find(name)
        return child if child is not None and child.epoch == epoch else None

    def _expire_after(self, delay_s: float, what: Timer, child: Child) -> None:
        self._system.after(delay_s, self.name, Expired(what, child.name, child.epoch), self._epoch)

    def _report(self, context: Context, reason: Exit, child: Child) -> None:
        offender = child.offender(restarts_in_window=len(self._intensity))
        self._system.report(SupervisorReport(self.name, context, reason, offender))
