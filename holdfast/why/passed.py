"""The candles of a backtest's order: its journal leaves the bars that passed to the files that it has read."""

import msgspec

from actors.feed_memory import FeedMemory
from domain.bars import judge_step
from domain.market import TIMEFRAMES_MS, Bar, Instant
from gateways.errors import SourceBroken
from holdfast.config.problems import ConfigurationError
from holdfast.rebuild import market_at, shape_at
from persistence.reader import JournalReader

FRAMES_BEFORE = 2
"""From so many of the longest frames on bars are read: the one that closes is whole then, and its first bar judged."""


class LeftToFiles(msgspec.Struct, frozen=True):
    """A candle that cannot be shown, and why not."""

    closed_at: Instant
    left_to: str
    problem: str


def passed_candles(
    reader: JournalReader, at: Instant, symbol: str, *, with_frames: bool, until: int
) -> list[Bar] | list[LeftToFiles]:
    """Return a symbol's bars that closed at an instant, and the frames of them, as the backtest has read them."""
    shape, _ = shape_at(reader, until)
    feed = FeedMemory(shape.frames)
    bars: tuple[Bar, ...] = ()
    try:
        source = market_at(reader, until)
        longest_ms = max(TIMEFRAMES_MS[frame] for frame in (*shape.frames, source.base_timeframe(symbol)))
        for step in source.steps(at - FRAMES_BEFORE * longest_ms):
            if step.at > at:
                break
            if believed := judge_step(step, feed.state.newest, feed.state.at).bars:
                bars = believed
                feed.state.closed_frames.clear()
                feed.take_bars(step.at, bars)
    except (ConfigurationError, SourceBroken) as error:
        return [LeftToFiles(at, "the files that the backtest has read", str(error))]
    if feed.state.at != at:
        return []
    closed = dict.fromkeys((*bars, *(feed.state.closed_frames if with_frames else ())))
    return [bar for bar in closed if bar.symbol == symbol]
