"""The laws of a venue's bars: each of them once and in order, whoever is silent for how long."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from domain.market import MINUTE_MS, SECOND_MS
from domain.sources import NOT_YET
from gateways.live import market as markets
from gateways.live.binance import Binance
from gateways.live.market import LiveMarket
from gateways.live.wire import Call, Lost, Outcome, Received

NOON = 1_700_000_040_000 - 1_700_000_040_000 % (60 * MINUTE_MS)
FIRST, SECOND = "BTCUSDT", "ETHUSDT"


class Venue:
    """Bars of every minute, its clock and its silence in the hands of the test."""

    def __init__(self) -> None:
        self.now = NOON
        self.silent: set[str] = set()
        self.breaks = False

    def surely_ms(self) -> int:
        return self.now

    async def send(self, call: Call) -> Outcome:
        if self.breaks:
            raise RuntimeError("nobody foresaw it")
        symbol, since = call.params["symbol"], int(call.params["startTime"])
        if symbol in self.silent:
            return Lost("no answer", was_sent=True)
        opened = range(since, self.now + 1, MINUTE_MS)
        return Received(200, {}, [[at, "1", "1", "1", "1", "1"] for at in opened][: int(call.params["limit"])])


class Connection:
    """What a market needs of one."""

    def __init__(self) -> None:
        self.dialect = Binance()
        self.clock = self.requests = Venue()
        self.said: list[str] = []
        self.begun: Callable[[], Coroutine[Any, Any, None]] = self._nothing

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        self.begun = work
        return True

    def tell(self, event: str, **values: Any) -> None:
        self.said.append(event)

    async def _nothing(self) -> None:
        raise AssertionError("nobody follows")


class Scene:
    """A market that is followed as fast as the test's venue goes on."""

    def __init__(self) -> None:
        self.connection = cast(Any, Connection())
        self.venue: Venue = self.connection.clock
        self.market = LiveMarket(
            self.connection, symbols=(FIRST, SECOND), timeframe="1m", frames=(), warmup_bars=0, starts_at=NOON
        )
        self.read = self.market.steps(NOON)
        next(self.read)
        self.follower = self.connection.begun.__self__

    def goes_on(self, seconds: int, *, silent: set[str]) -> None:
        """Let so much time pass, asking every ten seconds."""
        self.venue.silent = silent
        for _ in range(0, seconds, 10):
            self.venue.now += 10 * SECOND_MS
            asyncio.run(self.follower._has_gone_on())

    def told(self) -> dict[str, list[int]]:
        """Return the minutes of the bars that were told, by symbol."""
        found: dict[str, list[int]] = {FIRST: [], SECOND: []}
        while (step := next(self.read)) is not NOT_YET:
            for row in step.rows:
                found[row.symbol].append((step.at - NOON) // MINUTE_MS)
        return found


def test_after_a_silence_of_the_venue_no_symbol_is_gone_on_without() -> None:
    scene = Scene()
    scene.goes_on(60, silent=set())

    scene.goes_on(600, silent={FIRST, SECOND})
    scene.goes_on(10, silent={SECOND})
    scene.goes_on(30, silent=set())

    told = scene.told()
    assert told[FIRST] == told[SECOND] == list(range(1, 12))


def test_a_symbol_that_alone_is_silent_for_long_is_gone_on_without() -> None:
    scene = Scene()

    scene.goes_on(600, silent={SECOND})
    scene.goes_on(60, silent=set())

    told = scene.told()
    assert told[FIRST] == list(range(1, 11))
    assert told[SECOND] == [10]


def test_a_silence_of_all_neither_begins_nor_ends_the_silence_of_one() -> None:
    scene = Scene()

    scene.goes_on(60, silent={SECOND})
    scene.goes_on(600, silent={FIRST, SECOND})
    assert scene.told() == {FIRST: [], SECOND: []}

    scene.goes_on(60, silent={SECOND})
    assert scene.told() == {FIRST: [], SECOND: []}

    scene.goes_on(markets.SILENT_MS // SECOND_MS, silent={SECOND})
    assert scene.told()[FIRST]


def test_what_nobody_foresaw_does_not_end_the_market() -> None:
    scene = Scene()

    scene.venue.breaks = True
    scene.goes_on(120, silent=set())
    scene.venue.breaks = False
    scene.goes_on(10, silent=set())

    assert scene.told()[FIRST] == [1, 2]
    assert "venue.error" in scene.connection.said
