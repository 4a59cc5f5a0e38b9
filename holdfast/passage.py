"""The passage: bars go straight through all who take them, as long as nobody has anything to say.

For runs on one thread.  What a node does at each bar by messages (the bar, its frames, the account's worth, an offer to
each strategy and its empty answer) is done here by calls, in the same order and to the same end, and one `BarsPassed`
stands for the record of it.  Where somebody has something to say the bars stop there, and messages go on.

`Passage` is for actors that live, `Retelling` for memories that are rebuilt from a journal.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from actors.breaker import BreakerMemory
from actors.executor_memory import ExecutorMemory
from actors.feed_memory import Audience, FeedMemory
from actors.positions import PositionsMemory
from actors.sentiment import SentimentMemory
from actors.strategy import StrategyMemory
from actors.venue import VenueMemory
from domain.bars import judge_step
from domain.market import Bar, Instant
from domain.money import ZERO
from domain.sources import MarketSource, Step
from messages.market import BarsPassed
from supervision import Memory, System

STEPS_MAX = 10_000
"""Instants that one record stands for at most."""
GUARD = ("venue", "executor", "breaker", "positions")
"""Who takes bars as they close, in this order."""


class Circle:
    """Who is asked when, in order."""

    def __init__(self, audiences: Sequence[Audience]) -> None:
        self._audiences = audiences
        self._found: dict[tuple[tuple[str, str], ...], tuple[str, ...]] = {}

    def of(self, told: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        """Return the strategies that decide when these frames (symbol, time frame) have closed."""
        key = tuple(told)
        found = self._found.get(key)
        if found is None:
            deciding = (audience for audience in self._audiences if audience.decides_at(key))
            found = self._found[key] = tuple(audience.strategy for audience in deciding)
        return found


class Passage:
    """Lets bars through the living actors of a system, in the feed's own turn."""

    def __init__(
        self,
        audiences: Sequence[Audience],
        *,
        mark: Callable[[Instant, Decimal], None],
        look: Callable[[Instant], None],
    ) -> None:
        """`mark` hears what the account is worth when strategies are about to decide; `look`, how far the market is."""
        self._circle = Circle(audiences)
        self._strategies = tuple(audience.strategy for audience in audiences)
        self._mark = mark
        self._look = look
        self._worth = ZERO, ZERO

    def run(
        self, system: System, feed: FeedMemory, next_step: Callable[[], Step | None], put_back: Callable[[Step], None]
    ) -> BarsPassed | None:
        """Let bars through until somebody has something to say; return what to record, None where nothing passed.

        A step that holds anything odd does not pass: it is put back.
        """
        doors = _Doors(system, self._strategies)
        if not doors.are_open:
            return None
        state, steps, asked, has_begun = feed.state, 0, 0, False
        while True:
            if state.closed_frames:
                has_begun, (asked, has_stirred) = True, self._tell(feed, doors)
                if has_stirred:
                    break
            try:
                step = next_step() if steps < STEPS_MAX else None
            except Exception as error:
                if not has_begun:
                    raise
                doors.break_feed(error)
                step = None
            if step is None:
                break
            judged = judge_step(step, state.newest, state.at)
            if judged.findings or not judged.bars:
                put_back(step)
                break
            feed.take_bars(step.at, judged.bars)
            self._look(step.at)
            steps, asked, has_begun = steps + 1, 0, True
            if doors.close(step.at, judged.bars):
                break
        if not has_begun:
            return None
        return BarsPassed(at=state.at, steps=steps, is_told=not state.closed_frames, asked=asked)

    def _tell(self, feed: FeedMemory, doors: "_Doors") -> tuple[int, bool]:
        """Tell of frames and ask; return how many were asked, and whether somebody has something to say."""
        state = feed.state
        at, frames = state.at, tuple(state.closed_frames)
        feed.take_frames(frames)
        self._worth = doors.mark(at) or self._worth
        self._mark(at, self._worth[0])
        if doors.tell(at, frames, *self._worth):
            return 0, True
        for asked, strategy in enumerate(self._circle.of(state.told_frames)):
            if doors.offer(strategy, at):
                return asked, True
            feed.take_offer(strategy)
        return len(state.offers), False


class _Doors:
    """The ways into the actors that live now.  One that raises is broken by what it raised, in its own next turn."""

    def __init__(self, system: System, strategies: Sequence[str]) -> None:
        self._system = system
        names = (*GUARD, "sentiment", *(f"strategy.{name}" for name in strategies))
        found: dict[str, Any] = {name: system.actor(name) for name in names}
        self.are_open = all(actor is not None for actor in found.values())
        if self.are_open:
            self._guard = [(name, found[name].take_bars) for name in GUARD]
            self._mark = found["positions"].take_frames
            self._sentiment = found["sentiment"].take_frames
            hosts = {name: found[f"strategy.{name}"] for name in strategies}
            self._strategies = [(host.name, host.take_frames) for host in hosts.values()]
            self._offers = {name: host.take_offer for name, host in hosts.items()}

    def close(self, at: Instant, bars: tuple[Bar, ...]) -> bool:
        """Let bars close for all of the guard; say whether somebody has something to say."""
        has_stirred = False
        for name, take_bars in self._guard:
            try:
                if take_bars(at, bars):
                    has_stirred = True
            except Exception as error:  # noqa: BLE001  whatever it is, it befalls who raised it
                has_stirred = self._break(name, error)
        return has_stirred

    def mark(self, at: Instant) -> tuple[Decimal, Decimal] | None:
        """Have the account marked; return its worth and its cash, None where that failed."""
        try:
            worth: tuple[Decimal, Decimal] = self._mark(at)
        except Exception as error:  # noqa: BLE001  whatever it is, it befalls who raised it
            self._break("positions", error)
            return None
        return worth

    def tell(self, at: Instant, frames: tuple[Bar, ...], equity: Decimal, cash: Decimal) -> bool:
        """Tell of frames; say whether somebody has something to say before any strategy is asked."""
        has_stirred = False
        try:
            has_stirred = self._sentiment(at)
        except Exception as error:  # noqa: BLE001  whatever it is, it befalls who raised it
            has_stirred = self._break("sentiment", error)
        for name, take_frames in self._strategies:
            try:
                take_frames(frames, equity, cash)
            except Exception as error:  # noqa: BLE001  a strategy may raise anything
                has_stirred = self._break(name, error)
        return has_stirred

    def offer(self, strategy: str, at: Instant) -> bool:
        """Ask a strategy; say whether it has something to propose, or failed."""
        try:
            has_stirred: bool = self._offers[strategy](at)
        except Exception as error:  # noqa: BLE001  a strategy may raise anything
            return self._break(f"strategy.{strategy}", error)
        return has_stirred

    def break_feed(self, error: Exception) -> None:
        """Let the feed crash in its next turn."""
        self._break("feed", error)

    def _break(self, name: str, error: Exception) -> bool:
        self._system.break_by(name, error)
        return True


class Retelling:
    """Lets bars through memories, as far as a record says that they passed."""

    def __init__(self, memories: Mapping[str, Memory], audiences: Sequence[Audience], source: MarketSource) -> None:
        """`memories` by name; those of the feed and the position keeper must be among them."""
        self._circle = Circle(audiences)
        self._source = source
        self._steps: Iterator[Step] | None = None
        known: Mapping[str, Any] = memories
        self._feed: FeedMemory = known["feed"]
        self._positions: PositionsMemory = known["positions"]
        self._venue: VenueMemory | None = known.get("venue")
        self._executor: ExecutorMemory | None = known.get("executor")
        self._breaker: BreakerMemory | None = known.get("breaker")
        self._sentiment: SentimentMemory | None = known.get("sentiment")
        self._strategies: dict[str, StrategyMemory] = {
            audience.strategy: known[f"strategy.{audience.strategy}"]
            for audience in audiences
            if f"strategy.{audience.strategy}" in known
        }

    def take(self, passed: BarsPassed) -> None:
        """Take in that bars passed.

        Raises:
            SourceBroken, ValueError: the source does not hold the bars that passed.
        """
        state = self._feed.state
        while True:
            is_last = state.at >= passed.at
            if state.closed_frames and (passed.is_told or not is_last):
                self._tell(asked=passed.asked if is_last else None)
            if is_last:
                return
            self._close()

    def _close(self) -> None:
        state = self._feed.state
        step = self._next_step(state.at)
        at, bars = step.at, judge_step(step, state.newest, state.at).bars
        self._feed.take_bars(at, bars)
        self._positions.take_bars(bars)
        if self._venue is not None:
            self._venue.take_bars(at, bars)
        if self._executor is not None:
            self._executor.take_bars(bars)
        if self._breaker is not None:
            self._breaker.take_bars(at, bars)

    def _next_step(self, after: Instant) -> Step:
        if self._steps is None:
            self._steps = self._source.steps(after)
        for step in self._steps:
            if step.at > after:
                return step
        raise ValueError(f"the source must go on after {after}, where bars passed; it does not")

    def _tell(self, *, asked: int | None) -> None:
        state = self._feed.state
        at, frames = state.at, tuple(state.closed_frames)
        self._feed.take_frames(frames)
        worth = self._positions.take_frames(at)
        if self._sentiment is not None:
            self._sentiment.take_frames(at)
        for memory in self._strategies.values():
            memory.take_frames(frames, *worth)
        for strategy in self._circle.of(state.told_frames)[:asked]:
            self._feed.take_offer(strategy)
            if strategy in self._strategies:
                self._strategies[strategy].take_offer(at)
