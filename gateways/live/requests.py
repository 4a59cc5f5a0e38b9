"""What is asked of a venue, one request after another: through the lanes, once each, its manners respected."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from gateways.live.client import Client
from gateways.live.clock import VenueClock
from gateways.live.dialect import Dialect, Unreadable
from gateways.live.lanes import Lanes, TooManyWait
from gateways.live.wire import Call, Lane, Lost, Outcome, Received

CLOCK_EVERY_S = 60.0
PAUSE_S_MAX = 3 * 86_400.0
"""The longest ban that a venue we know of imposes; who asks for more is not believed, and asked again then."""
OUT_OF_TIME = "its time ran out before it could be sent"
TURN_WITHIN_S = 60.0
"""Nobody waits for an answer for longer: who does not get one asks again, and what was asked before is not sent too."""
NAP_S = 1.0
"""Pause between two questions for the venue's time, where it does not answer."""


class Requests:
    """Sends what a dialect puts, on one event loop."""

    def __init__(
        self,
        dialect: Dialect,
        client: Client,
        *,
        tell: Callable[..., None],
        on_pause: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """`tell(event, **values)` hears what a person may want to know; `on_pause` of pauses the venue asks for."""
        self._dialect = dialect
        self._client = client
        self._tell = tell
        self._on_pause = on_pause
        self.lanes = Lanes(weight_per_s=dialect.weight_per_s, burst=dialect.burst)
        self.clock = VenueClock()
        client.tell_time_by(self.clock.ahead_of_wall_ms)
        self._wants_time = asyncio.Event()
        self.no_time_because = ""
        """Why the venue's clock could not be measured, the last time that it could not."""

    async def send(self, call: Call) -> Outcome:
        """Send a request when it is its turn, unless that comes too late."""
        return await self.send_by(lambda now: call, call.lane, call.weight, TURN_WITHIN_S)

    async def send_by(self, put: Callable[[int], Call | None], lane: Lane, weight: float, within_s: float) -> Outcome:
        """Send a request that depends on the venue's time when it goes out; `put` returns None where that is too late.

        It waits for its turn for `within_s` at most.  Whatever comes of it, it is sent once.
        """
        try:
            async with asyncio.timeout(max(0.0, within_s)):
                await self.lanes.turn(lane, weight)
        except TooManyWait as error:
            return Lost(str(error), was_sent=False)
        except TimeoutError:
            return Lost(OUT_OF_TIME, was_sent=False)
        call = put(self.clock.now_ms())
        if call is None:
            return Lost(OUT_OF_TIME, was_sent=False)
        return self._respect(await self._client.send(call))

    async def keep_time(self) -> None:
        """Measure the venue's clock for ever: now and then, and whenever it refused a request for its time."""
        while True:
            try:
                is_measured = await self.measure()
            except Exception as error:  # noqa: BLE001  whatever it was, it is measured again
                self._tell("venue.error", why=f"{type(error).__name__} while its time was asked for")
                is_measured = False
            pause_s = CLOCK_EVERY_S if is_measured and not self.clock.is_in_doubt else NAP_S
            self._wants_time.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wants_time.wait(), pause_s)

    def want_time(self) -> None:
        """Have the venue's clock measured soon."""
        self._wants_time.set()

    async def measure(self) -> bool:
        """Measure the venue's clock; say whether it told its time."""
        try:
            await self.lanes.turn(Lane.QUERY, 1.0)
        except TooManyWait as error:
            self.no_time_because = str(error)
            return False
        asked_at_s = time.monotonic()
        outcome = self._respect(await self._client.send(self._dialect.time()))
        answered_at_s = time.monotonic()
        if isinstance(outcome, Lost):
            self.no_time_because = outcome.detail
            return False
        try:
            venue_ms = self._dialect.read_time(outcome)
        except Unreadable as error:
            self.no_time_because = f"status {outcome.status}, {error}"
            return False
        if self.clock.take(asked_at_s=asked_at_s, answered_at_s=answered_at_s, venue_ms=venue_ms):
            self._tell("venue.clock_was_set", ahead_ms=self.clock.ahead_of_wall_ms())
        return True

    def _respect(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Received):
            if (pause_s := min(self._dialect.pause_of(outcome), PAUSE_S_MAX)) > 0:
                self.lanes.hold(pause_s)
                self._on_pause(pause_s)
                self._tell("venue.asks_for_a_pause", status=outcome.status, seconds=pause_s)
            if (counted := self._dialect.used_weight(outcome)) is not None:
                self.lanes.learn(*counted)
            error = self._dialect.error_in(outcome)
            if error is not None and error.meaning == "clock":
                self.want_time()
            if error is not None and error.meaning == "busy":
                self._tell("venue.too_many", code=error.code, status=outcome.status, asks_for_s=pause_s)
        return outcome
