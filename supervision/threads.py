"""The runtime of live and paper nodes: a thread for each actor, one thread for all timers, real clocks."""

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pykka

from supervision.clock import Clock, MarketClock
from supervision.errors import SupervisionError

if TYPE_CHECKING:
    from supervision.actor import Actor


class WallClock:
    """The machine's clocks; market time is the wall's."""

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

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


class Threads:
    """Runs each actor on a daemon thread of its own, so that no hung actor can keep the process alive."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()
        self._changed = threading.Condition()
        self._is_closed = False
        self._local = threading.local()
        self._thread = threading.Thread(target=self._run_timers, name="timers", daemon=True)
        self._thread.start()

    @property
    def clock(self) -> Clock:
        """Return the clock given."""
        return self._clock

    def run(self, actor: "Actor") -> None:
        """Start the actor's thread."""
        threading.Thread(target=self._live, args=(actor,), name=str(actor), daemon=True).start()

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

    def close(self) -> None:
        """Forget all timers."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(timeout=5)

    def _live(self, actor: "Actor") -> None:
        self._local.is_actor = True
        actor._actor_loop()

    def _run_timers(self) -> None:
        while (call := self._next_due()) is not None:
            call()

    def _next_due(self) -> Callable[[], object] | None:
        with self._changed:
            while not self._is_closed:
                now = self._clock.monotonic()
                if self._timers and self._timers[0][0] <= now:
                    return heapq.heappop(self._timers)[2]
                self._changed.wait(self._timers[0][0] - now if self._timers else None)
            return None
