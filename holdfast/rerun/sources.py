"""The journal as a market and as a source of headlines: what a node has read once, to be read again."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from domain.market import TIMEFRAMES_MS, Bar, Instant
from domain.sources import Headline, Row, Step
from domain.strategies import Score
from messages.codec import decode
from messages.market import BarsClosed, HistoryLoaded, SourceOpened
from messages.sentiment import HeadlineScored
from persistence.reader import JournalReader


class JournalMarket:
    """The bars and histories of a journal, up to a sequence, as the source that `opened` names."""

    def __init__(self, home: Path, opened: SourceOpened, *, until: int, base: str) -> None:
        """`base` is the time frame of a symbol that no bar was ever read of."""
        self._home = home
        self._opened = opened
        self._until = until
        self._bases = dict.fromkeys(opened.symbols, base)
        self._histories: dict[tuple[str, str], tuple[Bar, ...]] = {}
        with JournalReader(home) as reader:
            for loaded in (event for event in _events(reader, "HistoryLoaded", until)):
                assert isinstance(loaded, HistoryLoaded)
                self._histories[loaded.symbol, loaded.timeframe] = loaded.bars
            self._learn_bases(reader)

    def describe(self) -> str:
        """Return what the journal called its source."""
        return self._opened.description

    def symbols(self) -> Sequence[str]:
        """Return the symbols as the journal has them."""
        return self._opened.symbols

    def base_timeframe(self, symbol: str) -> str:
        """Return the time frame of the bars that were read."""
        return self._bases[symbol]

    def starts_at(self) -> Instant:
        """Return the first instant that was traded."""
        return self._opened.starts_at

    def history(self, symbol: str, timeframe: str) -> Sequence[Bar]:
        """Return the history that was loaded; none of a time frame nobody had asked for."""
        return self._histories.get((symbol, timeframe), ())

    def steps(self, after: Instant) -> Iterator[Step]:
        """Read the bars that closed after an instant, as rows.  What was not believed led to nothing and stays out."""
        with JournalReader(self._home) as reader:
            for closed in _events(reader, "BarsClosed", self._until, after=reader.seq_at(after)):
                assert isinstance(closed, BarsClosed)
                if closed.at > after:
                    yield Step(closed.at, tuple(map(_row, closed.bars)))

    def steps_total(self) -> int | None:
        """Return None: to count them would take as long as reading them."""
        return None

    def _learn_bases(self, reader: JournalReader) -> None:
        unknown = set(self._bases)
        for closed in _events(reader, "BarsClosed", self._until):
            assert isinstance(closed, BarsClosed)
            for bar in closed.bars:
                if bar.symbol in unknown:
                    self._bases[bar.symbol] = bar.timeframe
                    unknown.remove(bar.symbol)
            if not unknown:
                return


class JournalScores:
    """The scores of a journal: each arrives again when market time is where it arrived at first."""

    def __init__(self, scores: Sequence[Score]) -> None:
        self._scores = scores

    def describe(self) -> str:
        """Name the source."""
        return "the journal's scores"

    def load(self) -> Sequence[Headline]:
        """Return a headline for each score: its title is the place of the score, for the text is not kept."""
        return [
            Headline(source=score.source, title=str(place), published_at=score.arrived_at)
            for place, score in enumerate(self._scores)
        ]

    def score(self, headline: Headline, _arrived_at: Instant) -> Score:
        """Return the score that the headline stands for."""
        return self._scores[int(headline.title)]


def scores_of(home: Path, until: int | None = None) -> list[Score]:
    """Return the scores in a journal, in sequence."""
    with JournalReader(home) as reader:
        return [event.score for event in _events(reader, "HeadlineScored", until) if isinstance(event, HeadlineScored)]


def finest(timeframes: Sequence[str]) -> str:
    """Return the finest of some time frames."""
    return min(timeframes, key=TIMEFRAMES_MS.__getitem__)


def _events(reader: JournalReader, kind: str, until: int | None, *, after: int = 0) -> Iterator[object]:
    for record in reader.read(after=after, until=until, kinds=[kind]):
        yield decode(record.kind, record.version, record.payload)


def _row(bar: Bar) -> Row:
    numbers = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    return Row(bar.symbol, bar.timeframe, bar.opened_at, *map(str, numbers))
