"""The bars of an audited day as their source has them now."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from domain.market import Bar, Instant
from domain.sources import MarketSource, Step
from holdfast.audit.days import Day
from holdfast.config.problems import ConfigurationError, Problem
from holdfast.config.settings import Settings
from holdfast.parts import open_market
from holdfast.rebuild import Era
from holdfast.rerun.inputs import load_journaled
from holdfast.rerun.sources import JournalMarket

TERMS = ("venue.fee_", "venue.slippage_bps", "venue.latency_ms", "venue.participation")
"""Settings that a backtest may be given others of: on what terms orders fill."""


class MarketOfDay:
    """A source cut to one day; what was before trading began comes from the journal, as part of how the node began."""

    def __init__(self, source: MarketSource, begun: JournalMarket, *, first: Instant, last: Instant) -> None:
        """`first` and `last` are the instants at which its first and last bars may close."""
        self._source = source
        self._begun = begun
        self._first = first
        self._last = last

    def describe(self) -> str:
        """Name the source."""
        return self._source.describe()

    def symbols(self) -> Sequence[str]:
        """Return the symbols that the journal's market was opened with."""
        return self._begun.symbols()

    def base_timeframe(self, symbol: str) -> str:
        """Return the time frame of the source's rows."""
        return self._source.base_timeframe(symbol)

    def starts_at(self) -> Instant:
        """Return the instant at which the journal's market began."""
        return self._begun.starts_at()

    def history(self, symbol: str, timeframe: str) -> Sequence[Bar]:
        """Return the history that the journal's node began with."""
        return self._begun.history(symbol, timeframe)

    def steps(self, after: Instant) -> Iterator[Step]:
        """Read what closes on the day, of the symbols that were traded."""
        symbols = frozenset(self.symbols())
        for step in self._source.steps(max(after, self._first - 1)):
            if step.at > self._last:
                return
            rows = tuple(row for row in step.rows if row.symbol in symbols)
            if rows:
                yield Step(step.at, rows)

    def steps_total(self) -> int | None:
        """Return None: nobody is shown how far it goes."""
        return None


def settings_of_day(era: Era, *, data: Path | None, overrides: Sequence[str]) -> Settings:
    """Return the settings a backtest of a day runs with: those in force when it began, and what was asked for on top.

    Raises:
        ConfigurationError: something else than how orders fill was asked for, or the bars are not where they were.
    """
    if problems := [_no_term(text) for text in overrides if not text.strip().lower().startswith(TERMS)]:
        raise ConfigurationError(problems)
    feed = era.configuration["feed"]
    if data is None and feed["source"] == "files" and not Path(feed["path"]).exists():
        expected = "the bars that the journal's node has read"
        hint = "name the file or folder they are in now with --data"
        raise ConfigurationError([Problem("feed.path", expected, f"nothing at {feed['path']}", "the journal", hint)])
    configuration = {**era.configuration, "sentiment": {"source": "none"}}  # Scores come from the journal.
    if data is not None:
        path = str(data.expanduser().absolute())
        configuration["feed"] = {**feed, "source": "files", "path": path}
        if not Path(path).exists():
            raise ConfigurationError([Problem("", "a file or folder of bars", f"nothing at {path}", "--data")])
    return load_journaled(configuration, overrides=overrides, option="--set")


def _no_term(text: str) -> Problem:
    expected = "a setting of how orders fill: venue.slippage_bps, venue.latency_ms, venue.participation, venue.fee_..."
    hint = "`holdfast replay --what-if` shows what other settings would have changed"
    return Problem("", expected, text, "--set", hint)


def open_day(settings: Settings, era: Era, begun: JournalMarket, day: Day) -> MarketOfDay:
    """Open the source of a day as it is now.

    Raises:
        ConfigurationError: it cannot be read, or lacks a symbol that was traded.
    """
    symbols = tuple(begun.symbols())
    feed = msgspec.structs.replace(settings.feed, symbols=symbols, start=begun.starts_at(), end=None)
    if feed.source == "sample":
        feed = msgspec.structs.replace(feed, end=settings.feed.end)
    source = open_market(msgspec.structs.replace(settings, feed=feed), Path(era.folder))
    last = day.ends_at if day.is_whole else day.last_at
    if settings.feed.end is not None:
        last = min(last, settings.feed.end)
    return MarketOfDay(source, begun, first=day.begins_at, last=last)
