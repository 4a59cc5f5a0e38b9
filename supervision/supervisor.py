"""A supervisor: a state machine that never waits.

Each child is wanted or not, and up or not; the supervisor takes one step at a time towards what is wanted, in order
of start, and stops in the reverse order.  A crash only changes what is wanted next, so that a start that fails, a
crash during a restart and a stop in the midst of it all are the same few lines.
"""

from collections import deque
from typing import TYPE_CHECKING, Any, Literal

from supervision.actor import Actor
from supervision.cells import Seat
from supervision.errors import Crashed
from supervision.signals import (
    Break,
    Exit,
    Exited,
    Expired,
    GaveUp,
    Lane,
    Progress,
    RestartChild,
    Started,
    Stop,
    Terminated,
    Wake,
)
from supervision.spec import ChildSpec, SupervisorSpec

if TYPE_CHECKING:
    from supervision.system import System

Timer = Literal["start", "stop", "backoff", "healthy"]
Status = Literal["down", "waiting", "starting", "up", "stopping", "stopped"]


class _Child:
    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.status: Status = "down"
        self.epoch = 0
        self.wanted = True
        self.recycle = False
        self.failures = 0


class Supervisor(Actor):
    """Starts children in order, each acknowledged; restarts by its strategy; gives up past its intensity."""

    def __init__(self, system: "System", seat: Seat, *, spec: SupervisorSpec) -> None:
        super().__init__(system, seat)
        self._spec = spec
        self._children = [_Child(child) for child in spec.children]
        self._restarts: deque[float] = deque()
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
            case RestartChild(name, reason):
                self._restart_by_hand(name)
            case Stop(kind):
                self._end(Exit(kind))
            case Break(reason=reason):
                raise Crashed(f"{self.name} was broken on purpose: {reason}")
            case _:
                raise Crashed(f"supervisor {self.name} knows no message such as {message!r:.200}")
        self._advance()

    def _ends_at_once(self, stop: Stop) -> bool:
        # Only one that was fenced: what lives below now belongs to its successor.
        return stop.kind == "killed" and super()._ends_at_once(stop)

    def _child_started(self, name: str, epoch: int) -> None:
        child = self._find(name, epoch)
        if child is None or child.status != "starting":
            return
        child.status = "up"
        self._system.report(Progress(self.name, name, epoch))
        self._expire_after(child.spec.backoff.reset_after_s, "healthy", child)

    def _child_exited(self, name: str, epoch: int, reason: Exit) -> None:
        child = self._find(name, epoch)
        if child is None or child.status not in ("starting", "up", "stopping"):
            return
        was, child.status = child.status, "down"
        if self._ending:
            return
        if was == "stopping":
            if not child.wanted:
                self._set_aside(child)
        elif was == "starting" and not self._is_acknowledged:
            self._report_terminated(child, reason)
            self._end(Exit("shutdown", f"failed to start {name}: {reason}"))
        elif self._must_restart(child, reason):
            self._restart(child, reason)
        else:
            if not reason.is_normal:
                self._report_terminated(child, reason)
            self._set_aside(child)

    def _timer_expired(self, what: str, name: str, epoch: int) -> None:
        child = self._find(name, epoch)
        if child is None:
            return
        if what == "healthy" and child.status == "up":
            child.failures = 0
        elif what == "backoff" and child.status == "waiting":
            child.status = "down"
        elif what == "start" and child.status == "starting":
            self._abandon(child)
            self._child_exited(name, epoch, Exit("init", f"did not start within {child.spec.start_timeout_s} s"))
        elif what == "stop" and child.status == "stopping":
            reason = Exit("killed", f"did not stop within {child.spec.shutdown_s} s")
            self._abandon(child)
            self._report_terminated(child, reason)
            self._child_exited(name, epoch, reason)

    def _restart_by_hand(self, name: str) -> None:
        child = next((child for child in self._children if child.spec.name == name), None)
        if child is None or self._ending:
            return
        child.failures, child.wanted = 0, True
        if child.status == "up":
            child.recycle = True
        elif child.status in ("stopped", "waiting"):
            self._revive(child)

    # -- decisions -----------------------------------------------------------------------------------------------

    def _must_restart(self, child: _Child, reason: Exit) -> bool:
        return child.spec.restart == "permanent" or (child.spec.restart == "transient" and not reason.is_normal)

    def _restart(self, child: _Child, reason: Exit) -> None:
        now = self._system.clock.monotonic()
        while self._restarts and self._restarts[0] < now - self._spec.period_s:
            self._restarts.popleft()
        self._restarts.append(now)
        self._report_terminated(child, reason)
        if len(self._restarts) > self._spec.intensity:
            self._system.report(GaveUp(self.name, child.spec.name, reason))
            self._end(Exit("shutdown", f"reached_max_restart_intensity: {child.spec.name} ended with {reason}"))
            return
        delay_s = child.spec.backoff.delay_s(child.failures, self._system.draw())
        child.failures += 1
        if delay_s > 0:
            child.status = "waiting"
            self._expire_after(delay_s, "backoff", child)
        for other in self._affected_by(child):
            if other.spec.restart == "temporary":
                other.wanted = False
            elif other.status == "stopped":
                self._revive(other)
            else:
                other.recycle = True

    def _affected_by(self, child: _Child) -> list[_Child]:
        if self._spec.strategy == "one_for_one":
            return []
        others = self._children
        if self._spec.strategy == "rest_for_one":
            others = others[others.index(child) + 1 :]
        return [other for other in others if other is not child]

    def _end(self, reason: Exit) -> None:
        if self._ending is None:
            self._ending = reason
        for child in self._children:
            child.wanted = False
            if child.status == "waiting":
                child.status = "down"
            elif child.status == "starting":
                self._begin_stop(child)

    def _revive(self, child: _Child) -> None:
        child.status, child.wanted = "down", True
        self._system.expect(child.spec.name)

    def _set_aside(self, child: _Child) -> None:
        child.status, child.wanted = "stopped", False
        self._system.retire(child.spec.name)

    # -- steps ---------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        while not any(child.status in ("starting", "stopping") for child in self._children):
            victims = [child for child in self._children if child.status == "up" and self._must_stop(child)]
            if victims:
                self._begin_stop(victims[-1])
                continue
            for child in self._children:
                child.recycle = False
            if self._ending:
                self._exit = self._ending
                self.actor_stopped.set()
                return
            candidate = self._next_to_start()
            if candidate is None:
                self._acknowledge()
                return
            self._begin_start(candidate)

    def _must_stop(self, child: _Child) -> bool:
        return child.recycle or not child.wanted

    def _next_to_start(self) -> _Child | None:
        for child in self._children:
            if child.status == "waiting" and self._spec.strategy != "one_for_one":
                return None
            if child.status == "down" and child.wanted:
                return child
        return None

    def _begin_start(self, child: _Child) -> None:
        child.status = "starting"
        child.epoch = self._system.spawn(child.spec, by=self._epoch)
        self._expire_after(child.spec.start_timeout_s, "start", child)

    def _begin_stop(self, child: _Child) -> None:
        child.status = "stopping"
        shutdown_s = child.spec.shutdown_s
        if shutdown_s == 0:
            self._abandon(child)
            self._child_exited(child.spec.name, child.epoch, Exit("killed", "it is given no time to stop"))
            return
        self._system.tell(child.spec.name, Stop(), Lane.SYSTEM, epoch=child.epoch)
        if shutdown_s is not None:
            self._expire_after(shutdown_s, "stop", child)

    def _abandon(self, child: _Child) -> None:
        self._system.abandon(child.spec.name, child.epoch)

    def _acknowledge(self) -> None:
        if not self._is_acknowledged and all(child.status in ("up", "stopped") for child in self._children):
            self._is_acknowledged = True
            self._system.started(self.name, self._epoch)

    # -- helpers -------------------------------------------------------------------------------------------------

    def _find(self, name: str, epoch: int) -> _Child | None:
        return next((c for c in self._children if c.spec.name == name and c.epoch == epoch), None)

    def _expire_after(
        self, delay_s: float, what: Literal["start", "stop", "backoff", "healthy"], child: _Child
    ) -> None:
        self._system.after(delay_s, self.name, Expired(what, child.spec.name, child.epoch), self._epoch)

    def _report_terminated(self, child: _Child, reason: Exit) -> None:
        name, epoch = child.spec.name, child.epoch
        self._system.report(Terminated(self.name, name, epoch, reason, len(self._restarts)))
