"""Retelling: bars that passed in a backtest go through the memories that are rebuilt from its journal."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from actors.breaker_memory import BreakerMemory
from actors.executor_memory import ExecutorMemory
from actors.feed_memory import Audience, Circle, FeedMemory
from actors.positions import PositionsMemory
from actors.sentiment import SentimentMemory
from actors.strategy import StrategyMemory
from actors.venue import VenueMemory
from actors.watcher_memory import WatcherMemory
from domain.bars import judge_step
from domain.market import Closing, Instant
from domain.sources import MarketSource, Step
from messages.market import BarsPassed
from supervision import Memory

Take = Callable[[Sequence[Closing]], None]
"""Takes in closings that follow each other."""


class Takers:
    """The memories that take bars in."""

    def __init__(self, memories: Mapping[str, Memory]) -> None:
        """`memories` by name; any of them may be missing."""
        known: Mapping[str, Any] = memories
        self.by_name: dict[str, Take] = {
            name: partial(take, known[name]) for name, take in _TAKES.items() if name in known
        }
        """How each of them does; one that is taken out takes in nothing more."""

    def take(self, run: Sequence[Closing]) -> None:
        """Let closings that follow each other through, with nothing else in between."""
        for take in self.by_name.values():
            take(run)


def _to_positions(positions: PositionsMemory, run: Sequence[Closing]) -> None:
    positions.count_bars(sum([len(bars) for _at, bars in run]))
    for _at, bars in run:
        positions.price(bars)


def _to_venue(venue: VenueMemory, run: Sequence[Closing]) -> None:
    venue.take_bars(*run[-1])  # It remembers the newest only.


def _to_executor(executor: ExecutorMemory, run: Sequence[Closing]) -> None:
    for _at, bars in run:
        executor.take_bars(bars)


def _to_feed(feed: FeedMemory, run: Sequence[Closing]) -> None:
    for _at, bars in run:
        feed.state.closed_frames += feed.build(bars)
    feed.come_to(run[-1][0])


_TAKES: dict[str, Callable[[Any, Sequence[Closing]], None]] = {
    "positions": _to_positions,
    "venue": _to_venue,
    "executor": _to_executor,
    "breaker": BreakerMemory.take_run,
    "watcher": WatcherMemory.take_run,
    "feed": _to_feed,
}


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
        self._takers = Takers(memories)
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
        self._takers.take([(step.at, judge_step(step, state.newest, state.at).bars)])

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
        for strategy in self._circle.of(frames)[:asked]:
            self._feed.take_offer(strategy)
            if strategy in self._strategies:
                self._strategies[strategy].take_offer(at)
