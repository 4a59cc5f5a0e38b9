"""The order in which requests go out, and how fast: the most urgent first, at the pace the venue allows.

ccxt's own throttler is first in, first out, so that a cancel waits behind sixty candles.  This one stands in front of
it and lets it never queue.
"""

import asyncio
import heapq
import itertools
from contextlib import suppress

from gateways.live.wire import Lane

WAITING_MAX = 1_000
RESERVE: dict[Lane, float] = {
    Lane.CANCEL: 0.0,
    Lane.STOP: 0.0,
    Lane.ORDER: 0.1,
    Lane.QUERY: 0.2,
    Lane.DATA: 0.5,
}
"""Share of the burst that a lane leaves to those more urgent."""


COUNTED_S_MAX = 60.0
"""No venue counts for longer than a minute: who says that more was used than comes back in that is not believed."""


class TooManyWait(Exception):
    """More requests wait than there may; this one was not sent."""


class Lanes:
    """A leaky bucket of weight with a queue by urgency.  Used on one event loop.

    `burst` is how much weight may go at once, `weight_per_s` how fast it comes back.
    """

    def __init__(self, *, weight_per_s: float, burst: float, waiting_max: int = WAITING_MAX) -> None:
        self._weight_per_s = weight_per_s
        self._burst = self._tokens = burst
        self._waiting_max = waiting_max
        self._queue: list[tuple[Lane, int, float, asyncio.Future[None]]] = []
        self._count = itertools.count()
        self._filled_at: float | None = None
        self._held_until = 0.0
        self._pump: asyncio.Task[None] | None = None
        self._is_changed = asyncio.Event()

    async def turn(self, lane: Lane, weight: float) -> None:
        """Return when a request may go out.  One that is cancelled while it waits has cost nothing.

        Raises:
            TooManyWait: too many wait already; one that is more urgent takes the place of the least urgent.
        """
        if len(self._queue) >= self._waiting_max:
            self._make_room(lane)
        may_go: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (lane, next(self._count), weight, may_go))
        self._is_changed.set()
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._let_go())
        await may_go

    def _make_room(self, lane: Lane) -> None:
        least = max(self._queue, key=lambda waiting: waiting[:2])
        too_many = TooManyWait(f"at most {self._waiting_max} requests may wait, so many do")
        if least[0] <= lane:
            raise too_many
        self._queue.remove(least)
        heapq.heapify(self._queue)
        if not least[3].done():
            least[3].set_exception(too_many)

    def hold(self, seconds: float) -> None:
        """Let nothing go out for so long: the venue asked for it.  A shorter hold does not end a longer one."""
        self._held_until = max(self._held_until, asyncio.get_running_loop().time() + seconds)
        self._is_changed.set()

    def learn(self, used: float, limit: float) -> None:
        """Take in how much weight the venue itself has counted; somebody else may use the same address."""
        self._fill()
        told = self._burst * (1 - used / limit)
        self._tokens = min(self._tokens, max(told, -COUNTED_S_MAX * self._weight_per_s))

    async def _let_go(self) -> None:
        while self._queue:
            lane, _number, weight, may_go = self._queue[0]
            if may_go.done():
                heapq.heappop(self._queue)
                continue
            wait_s = self._wait_s(lane, weight)
            if wait_s > 0:
                self._is_changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._is_changed.wait(), wait_s)
                continue
            heapq.heappop(self._queue)
            self._tokens -= weight
            may_go.set_result(None)

    def _wait_s(self, lane: Lane, weight: float) -> float:
        """Return how long a request must wait yet; one that weighs more than there ever is goes when all is there."""
        now = self._fill()
        needed = min(weight + RESERVE[lane] * self._burst, self._burst)
        return max(self._held_until - now, (needed - self._tokens) / self._weight_per_s)

    def _fill(self) -> float:
        now = asyncio.get_running_loop().time()
        if self._filled_at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._weight_per_s)
        self._filled_at = now
        return now
