"""The runtime of live and paper nodes: threads, some of them shared by several actors, and real clocks."""

import heapq
import itertools
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pykka

from supervision.clock import Clock, MarketClock
from supervision.dispatcher import Dispatcher
from supervision.errors import SupervisionError
from supervision.frames import frame_of
from supervision.interrupt import Interrupter

if TYPE_CHECKING:
    from supervision.actor import Actor


MOMENT_S = 0.05


class WallClock:
    """The machine's clocks; market time is the wall's."""

    monotonic = staticmethod(time.monotonic)

    def wall_ms(self) -> int:
        """Return the machine's wall clock."""
        return time.time_ns() // 1_000_000

    def market_ms(self) -> int:
        """Return the machine's wall clock."""
        return self.wall_ms()

    def advance_market(self, at: int) -> None:
        """Ignore it: the wall goes on by itself."""


class RecordedClock(WallClock):
    """The machine's clocks, with market time that follows recorded data."""

    def __init__(self, at: int = 0) -> None:
        self._market = MarketClock(at)
        self.market_ms = self._market.market_ms  # type: ignore[method-assign]
        self.advance_market = self._market.advance_market  # type: ignore[method-assign]


class FollowingClock(WallClock):
    """The machine's clocks, with market time that somebody else tells, and that never goes back."""

    def __init__(self, now_ms: Callable[[], int], at: int = 0) -> None:
        """`at` is how far it had come in an earlier life."""
        self._now_ms = now_ms
        self._newest = at

    def market_ms(self) -> int:
        """Return the time that is told, or the latest that was."""
        self._newest = max(self._newest, self._now_ms())
        return self._newest

    def advance_market(self, at: int) -> None:
        """Take no notice: the market's time comes from its clock."""


class Threads:
    """Runs actors on daemon threads, so that no hung one can keep the process alive.

    Each begins on a thread of its own, where reading its past holds up nobody; one that names a dispatcher then moves
    there.
    """

    def __init__(self, clock: Clock, *, spares: Sequence[str] = ()) -> None:
        """`spares` are packages in which no thread that is left behind is interrupted: they may hold locks."""
        self._clock = clock
        self._interrupter = Interrupter(self, self._abandoned_thread_of, spares)
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()
        self._changed = threading.Condition()
        self._is_closed = False
        self._dispatchers: dict[str, Dispatcher] = {}
        self._alone: dict[Actor, int] = {}
        """The threads of those who have one of their own, or begin on it."""
        self._local = threading.local()
        self._thread = threading.Thread(target=self._run_timers, name="timers", daemon=True)
        self._thread.start()

    @property
    def clock(self) -> Clock:
        """Return the clock given."""
        return self._clock

    def run(self, actor: "Actor", *, dispatcher: str = "", urgency: int = 0) -> None:
        """Start the actor's thread; once it has begun it takes turns with others where it names a dispatcher."""
        shared = self._dispatcher(dispatcher) if dispatcher else None
        if shared is not None:
            shared.start()
        self._start_thread(str(actor), lambda: self._live(actor, shared, urgency))

    def errand(self, do: Callable[[], object], *, dispatcher: str, urgency: int) -> Callable[[], bool]:
        """Return what asks for a turn among the actors of a dispatcher; on any other thread it says False."""
        return self._dispatcher(dispatcher).errand(do, urgency)

    def leave_behind(self, actor: "Actor") -> None:
        """Let those that take turns with an actor that was fenced go on without it."""
        for dispatcher in tuple(self._dispatchers.values()):
            dispatcher.leave_behind(actor)
        self._interrupter.begin(actor)

    def demand_edge(self) -> None:
        """Refuse to let an actor wait.

        Raises:
            SupervisionError: an actor asked.
        """
        if getattr(self._local, "is_actor", False):
            raise SupervisionError("an actor must not wait for an answer: tell, and take the answer as a message")

    def wait(self, future: pykka.Future[Any], timeout_s: float) -> Any:
        """Return an answer to the edge of the house.

        Raises:
            SupervisionError: an actor asked.
        """
        self.demand_edge()
        return future.get(timeout=timeout_s)

    def after(self, delay_s: float, call: Callable[[], object]) -> None:
        """Call later from the timers' thread; the call must be quick."""
        due = self._clock.monotonic() + delay_s
        with self._changed:
            heapq.heappush(self._timers, (due, next(self._count), call))
            if self._timers[0][0] == due:
                self._changed.notify()

    def stack_of(self, actor: "Actor") -> str:
        """Return what an actor's thread is doing; empty where it has none at this moment."""
        shared = (dispatcher.thread_of(actor) for dispatcher in tuple(self._dispatchers.values()))
        thread_id = self._alone.get(actor) or next((each for each in shared if each is not None), None)
        frame = frame_of(thread_id) if thread_id is not None else None
        return "".join(traceback.format_stack(frame)) if frame is not None else ""

    def wake_up(self) -> None:
        """Have the interpreter for oneself from now on, for a switch interval."""
        time.sleep(0.000_001)

    def used_by(self, thread_id: int) -> tuple[float, float]:
        """Return the monotonic instant, and the seconds of a core that a living thread has used; none if unknown."""
        if not hasattr(time, "pthread_getcpuclockid"):
            return time.monotonic(), 0.0
        return time.monotonic(), time.clock_gettime(time.pthread_getcpuclockid(thread_id))

    @property
    def interrupted(self) -> int:
        """Return how often a thread that was left behind was made to let go."""
        return self._interrupter.count

    def hang_for_ever(self) -> None:
        """Hold up the thread of the actor that calls until the process ends; it keeps no process from ending."""
        threading.Event().wait()

    def a_moment_later(self, call: Callable[[], object]) -> None:
        """Call in 50 milliseconds from the timers' thread."""
        self.after(MOMENT_S, call)

    def close(self) -> None:
        """Forget all timers."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(timeout=5)

    def _live(self, actor: "Actor", dispatcher: Dispatcher | None, urgency: int) -> None:
        self._alone[actor] = threading.get_ident()
        try:
            actor._actor_loop_setup()
            if dispatcher is not None and not actor.actor_stopped.is_set():
                dispatcher.join(actor, urgency)
                return
            actor._actor_loop_running()
            actor._actor_loop_teardown()
        finally:
            del self._alone[actor]

    def _abandoned_thread_of(self, actor: "Actor") -> int | None:
        left = (dispatcher.abandoned_thread_of(actor) for dispatcher in tuple(self._dispatchers.values()))
        return self._alone.get(actor) or next((each for each in left if each is not None), None)

    def _dispatcher(self, name: str) -> Dispatcher:
        return self._dispatchers.setdefault(name, Dispatcher(lambda run: self._start_thread(name, run)))

    def _start_thread(self, name: str, run: Callable[[], None]) -> None:
        def live() -> None:
            self._local.is_actor = True
            run()

        threading.Thread(target=live, name=name, daemon=True).start()

    def _run_timers(self) -> None:
        while (call := self._next_due()) is not None:
            try:
                call()
            except Exception:  # noqa: BLE001  all other timers, the watchdog's too, go by this thread
                threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))

    def _next_due(self) -> Callable[[], object] | None:
        with self._changed:
            while not self._is_closed:
                now = self._clock.monotonic()
                if self._timers and self._timers[0][0] <= now:
                    return heapq.heappop(self._timers)[2]
                self._changed.wait(self._timers[0][0] - now if self._timers else None)
            return None
