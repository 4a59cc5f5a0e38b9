"""Ports to what is read from outside: recorded or generated markets, and headlines."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from domain.market import TIMEFRAMES_MS, Bar, Instant


class SourceUnavailable(Exception):
    """A source could not be read; its text says why, is bounded, and may be written down."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """A row as the source has it: not judged yet.  Text, so that a bad number is a finding and not a crash."""

    symbol: str
    timeframe: str
    opened_at: Instant
    open: str
    high: str
    low: str
    close: str
    volume: str


class Step(msgspec.Struct, frozen=True):
    """All rows that close at one instant, in the configured order of symbols."""

    at: Instant
    rows: tuple[Row, ...]


class Stretch(msgspec.Struct, frozen=True):
    """Rows of one symbol that follow each other without a gap, by columns: the same as a step for each of them."""

    symbol: str
    timeframe: str
    opened_at: Sequence[Instant]
    open: Sequence[str]
    high: Sequence[str]
    low: Sequence[str]
    close: Sequence[str]
    volume: Sequence[str]

    def steps(self) -> Iterator[Step]:
        """Return it as steps."""
        columns = (self.opened_at, self.open, self.high, self.low, self.close, self.volume)
        span = TIMEFRAMES_MS[self.timeframe]
        for opened_at, *numbers in zip(*columns, strict=True):
            yield Step(opened_at + span, (Row(self.symbol, self.timeframe, opened_at, *numbers),))


NOT_YET = Step(0, ())
"""What a market that goes on yields where its next step is not there yet."""


class MarketSource(Protocol):
    """A market that can be read from any point on, again and again, with the same outcome."""

    def describe(self) -> str:
        """Name the source for the journal: kind, files with their hashes, or the seed of a generated market."""

    def symbols(self) -> Sequence[str]:
        """Return its symbols in configured order."""

    def base_timeframe(self, symbol: str) -> str:
        """Return the time frame of a symbol's rows."""

    def starts_at(self) -> Instant:
        """Return the first instant that may be traded; what closes up to it is history."""

    def history(self, symbol: str, timeframe: str) -> Sequence[Bar]:
        """Return a symbol's closed bars of a time frame up to `starts_at`, oldest first."""

    def steps(self, after: Instant) -> Iterator[Step]:
        """Read the steps that close after an instant, in market time; rows out of order come in a step of their own."""

    def steps_total(self) -> int | None:
        """Return how many steps there are from `starts_at` on, where that is known, for progress."""


@runtime_checkable
class LiveSource(MarketSource, Protocol):
    """A market that goes on while it is read: its steps never end, and are `NOT_YET` where the next is not there."""

    def watch(self, tell_arrived: Callable[[], None]) -> None:
        """Give the callable that is told, on any thread, that another step may be there."""


class Headline(msgspec.Struct, frozen=True):
    """A dated headline."""

    source: str
    title: str
    published_at: Instant
    subject: str = ""


class HeadlineSource(Protocol):
    """Where headlines come from."""

    def describe(self) -> str:
        """Name the source for the journal."""

    def load(self) -> Sequence[Headline]:
        """Return all headlines, oldest first.

        Raises:
            OSError, ValueError: the source cannot be read; the sentence says where.
        """
