"""A venue's bars as a market: what closed since, page by page, and then each as it closes.

After a pause, a death or a lost connection it is the same few lines: everything that has closed after the last instant
that was handed on, in order.  Only bars that are closed by the venue's own clock are handed on.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence

from domain.bars import judge_row
from domain.market import SECOND_MS, TIMEFRAMES_MS, Bar, Instant
from domain.sources import NOT_YET, Row, Step
from gateways.live.connection import Connection, VenueSilent
from gateways.live.dialect import Unreadable
from gateways.live.wire import Call, Lost

PAGE = 1_000
SETTLE_MS = 250
"""How long after a bar's end the venue may still count trades into it."""
LATE_MS = 10 * SECOND_MS
"""A symbol whose bar does not come for so long holds up the others no longer."""
SILENT_MS = 120 * SECOND_MS
"""A symbol of which the venue tells nothing at all for so long is gone on without."""
RETRY_S = 1.0
AHEAD_MAX = 2_000
"""Steps that may wait to be taken; no more are fetched until they are."""


class LiveMarket:
    """Bars of several symbols of one venue.  A `domain.sources.LiveSource`."""

    def __init__(
        self,
        connection: Connection,
        *,
        symbols: Sequence[str],
        timeframe: str,
        frames: Sequence[str],
        warmup_bars: int,
        starts_at: Instant,
    ) -> None:
        """`starts_at` is the first instant that may be traded; what closes up to it is history."""
        self._connection = connection
        self._symbols = tuple(symbols)
        self._timeframe = timeframe
        self._warmup_bars = warmup_bars
        # A frame that is cut in its midst would be wrong: so the market begins where the coarsest of them begins.
        coarsest = max(TIMEFRAMES_MS[frame] for frame in (*frames, timeframe))
        self._starts_at = starts_at - starts_at % coarsest
        self._tell_arrived: Callable[[], None] = lambda: None

    def describe(self) -> str:
        """Name venue, symbols and time frame: the same as long as it is the same market."""
        return f"{self._connection.dialect.exchange_id}: {', '.join(self._symbols)}, {self._timeframe} bars"

    def symbols(self) -> Sequence[str]:
        """Return its symbols in configured order."""
        return self._symbols

    def base_timeframe(self, symbol: str) -> str:
        """Return the time frame of its bars."""
        return self._timeframe

    def starts_at(self) -> Instant:
        """Return the first instant that may be traded."""
        return self._starts_at

    def steps_total(self) -> int | None:
        """Return None: it has no end."""
        return None

    def watch(self, tell_arrived: Callable[[], None]) -> None:
        """Give the callable that is told, on any thread, that another step may be there."""
        self._tell_arrived = tell_arrived

    def history(self, symbol: str, timeframe: str) -> Sequence[Bar]:
        """Return a symbol's newest closed bars of a time frame up to `starts_at`, oldest first.

        Waits until the venue has answered.

        Raises:
            VenueSilent: the connection was closed before that.
        """
        if not self._warmup_bars:
            return ()
        span, dialect = TIMEFRAMES_MS[timeframe], self._connection.dialect
        first = self._starts_at - self._starts_at % span - self._warmup_bars * span
        bars: list[Bar] = []
        for since in range(first, self._starts_at, PAGE * span):
            limit = min(PAGE, (self._starts_at - since) // span)
            call = dialect.bars(symbol, timeframe, since=since, limit=limit)
            for row in self._ask_until_answered(call, symbol, timeframe) if limit else ():
                bar = judge_row(row, bars[-1] if bars else None)
                if isinstance(bar, Bar) and bar.closed_at <= self._starts_at:
                    bars.append(bar)
        return bars

    def _ask_until_answered(self, call: Call, symbol: str, timeframe: str) -> Sequence[Row]:
        """Ask again and again: a venue that is silent for a while must not end the market."""
        while True:
            try:
                return self._connection.dialect.read_bars(self._connection.ask(call), symbol, timeframe)
            except (VenueSilent, Unreadable) as error:
                if not self._connection.is_open:
                    raise VenueSilent(f"the connection was closed before {symbol} was told: {error}") from error
                self._connection.tell("venue.silent", why=str(error), symbol=symbol, timeframe=timeframe)
            time.sleep(RETRY_S)

    def steps(self, after: Instant) -> Iterator[Step]:
        """Yield the steps that close after an instant, without an end; `NOT_YET` where the next is not there yet."""
        arrived: deque[Step] = deque()
        follower = _Follower(self._connection, self._symbols, self._timeframe, after, arrived, self._arrived)
        self._connection.begin(follower.follow)
        try:
            while True:
                yield arrived.popleft() if arrived else NOT_YET
        finally:
            follower.is_over = True

    def _arrived(self) -> None:
        self._tell_arrived()


class _Follower:
    """Fetches what closes, for one reader, on the connection's own loop."""

    def __init__(
        self,
        connection: Connection,
        symbols: Sequence[str],
        timeframe: str,
        after: Instant,
        arrived: deque[Step],
        tell: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._symbols = symbols
        self._timeframe = timeframe
        self._span = TIMEFRAMES_MS[timeframe]
        self._cursor = after
        """Everything that closed up to here was handed on."""
        self._arrived = arrived
        self._tell = tell
        self._silent_since: dict[str, Instant] = {}
        """Since when the venue has not answered about a symbol, while it was heard at all."""
        self._heard_at: Instant = 0
        """When it was asked last."""
        self.is_over = False

    async def follow(self) -> None:
        """Hand on whatever closes, until nobody reads it."""
        while not self.is_over:
            due = self._cursor - self._cursor % self._span + self._span
            await self._sleep_until(due + SETTLE_MS)
            if not await self._has_gone_on():
                await asyncio.sleep(RETRY_S)

    async def _has_gone_on(self) -> bool:
        """Fetch what may be there and tell that it is; whatever goes wrong, it is fetched again."""
        try:
            if len(self._arrived) >= AHEAD_MAX or not await self._fetch():
                return False
            self._tell()
        except Exception as error:  # noqa: BLE001  a market that ends without a word would be the end of trading
            self._connection.tell("venue.error", why=f"{type(error).__name__} while bars were asked for")
            return False
        return True

    async def _sleep_until(self, venue_ms: Instant) -> None:
        while not self.is_over and (left_ms := venue_ms - self._connection.clock.surely_ms()) > 0:
            # In parts, for the venue's clock may be set meanwhile.
            await asyncio.sleep(min(left_ms / 1000, 1.0))

    async def _fetch(self) -> bool:
        """Fetch a page of each symbol, and hand on what all of them have; say whether there was anything."""
        now = self._connection.clock.surely_ms()
        pages = await asyncio.gather(*(self._page_of(symbol, now) for symbol in self._symbols))
        found = dict(zip(self._symbols, pages, strict=True))
        horizon = self._horizon(found, now)
        steps = _merged(found, self._span, after=self._cursor, upto=horizon)
        self._arrived.extend(steps)
        self._cursor = max(self._cursor, horizon)
        return bool(steps)

    async def _page_of(self, symbol: str, now: Instant) -> list[Row] | None:
        """Return the closed bars of a symbol that come next; None where the question failed."""
        dialect = self._connection.dialect
        first = self._cursor - self._cursor % self._span
        outcome = await self._connection.requests.send(dialect.bars(symbol, self._timeframe, since=first, limit=PAGE))
        if isinstance(outcome, Lost) or dialect.error_in(outcome) is not None:
            return None
        try:
            rows = dialect.read_bars(outcome, symbol, self._timeframe)
        except Unreadable:
            return None
        return [row for row in rows if self._cursor < row.opened_at + self._span <= now - SETTLE_MS]

    def _horizon(self, found: Mapping[str, list[Row] | None], now: Instant) -> Instant:
        """Return up to where everybody has been heard, or has been waited for long enough."""
        newest = {symbol: rows[-1].opened_at + self._span if rows else self._cursor for symbol, rows in found.items()}
        # Who did not answer is no reason to go on without its bars, unless that lasts while others are heard.
        if all(rows is None for rows in found.values()):
            return self._hear_nobody(now)
        self._heard_at = now
        missing = [symbol for symbol in found if self._is_missing(symbol, found[symbol] is None, now)]
        cut_short = [newest[symbol] for symbol, rows in found.items() if rows and len(rows) >= PAGE - 1]
        patience = now - LATE_MS - (now - LATE_MS) % self._span
        waited_for = self._cursor if missing else min(max(newest.values()), patience)
        return min([max(min(newest.values()), waited_for), *cut_short])

    def _hear_nobody(self, now: Instant) -> Instant:
        """Stay: where the venue itself is silent, no symbol's patience runs out."""
        self._silent_since = {name: since + now - self._heard_at for name, since in self._silent_since.items()}
        self._heard_at = now
        return self._cursor

    def _is_missing(self, symbol: str, has_failed: bool, now: Instant) -> bool:
        """Say whether a symbol's answer is still to be waited for."""
        if not has_failed:
            self._silent_since.pop(symbol, None)
            return False
        return now - self._silent_since.setdefault(symbol, now) < SILENT_MS


def _merged(found: Mapping[str, list[Row] | None], span: int, *, after: Instant, upto: Instant) -> list[Step]:
    by_instant: dict[Instant, list[Row]] = {}
    for rows in found.values():
        for row in rows or ():
            if after < row.opened_at + span <= upto:
                by_instant.setdefault(row.opened_at + span, []).append(row)
    return [Step(at, tuple(by_instant[at])) for at in sorted(by_instant)]
