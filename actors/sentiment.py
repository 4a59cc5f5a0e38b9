"""Sentiment: headlines become scores as market time passes them."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from actors.base import RememberingActor, StructMemory
from domain.market import Closing, Instant
from domain.sources import Headline, SourceUnavailable
from domain.strategies.base import Score
from messages.market import FramesClosed, SourceOpened
from messages.node import SentimentAsked
from messages.sentiment import HeadlinesAvailable, HeadlineScored, HeadlinesRead, HeadlinesUnavailable, ReadAgain
from supervision import Recorded, Seat, System

FetchHeadlines = Callable[[Callable[[Sequence[Headline] | SourceUnavailable], None]], None]
BATCH_MAX = 200
"""Headlines that are scored in one go; the rest follows when these are folded."""


class SentimentState(msgspec.Struct):
    """Up to when headlines were scored."""

    market_at: Instant = 0
    scored_at: Instant = 0
    """Headlines up to here are scored, or were published before the market began."""
    hashes: list[str] = msgspec.field(default_factory=list)
    """Those scored that were published at `scored_at`."""
    problem: str = ""
    """Why the source cannot be read; empty where it can."""


class SentimentMemory(StructMemory[SentimentState]):
    """Folds market time and scores."""

    version = 2
    """Since 2, a source that could be read again is known as that."""

    def __init__(self) -> None:
        super().__init__(SentimentState())

    def fold(self, record: Recorded) -> None:
        """Take market time, or a score, in."""
        state = self.state
        match record.event:
            case FramesClosed(at=at):
                self.take_frames(at)
            case HeadlineScored(score=score):
                if score.published_at > state.scored_at:
                    state.scored_at, state.hashes = score.published_at, []
                state.hashes.append(score.text_hash)
            case SourceOpened(starts_at=starts_at):
                state.market_at = max(state.market_at, starts_at)
            case HeadlinesUnavailable(detail=detail):
                state.problem = detail
            case HeadlinesAvailable():
                state.problem = ""

    def take_frames(self, at: Instant) -> None:
        """Take in that frames closed."""
        self.state.market_at = at


class Sentiment(RememberingActor):
    """Scores each headline once, when market time has reached it; a source that cannot be read is tried again."""

    def __init__(
        self,
        system: System,
        seat: Seat,
        *,
        memory: SentimentMemory,
        source: str,
        fetch: FetchHeadlines,
        score: Callable[[Headline, Instant], Score],
        look_back_ms: int,
        retry_s: float,
    ) -> None:
        super().__init__(system, seat, memory=memory)
        self._known = memory
        self._source = source
        self._fetch = fetch
        self._score = score
        self._look_back_ms = look_back_ms
        self._retry_s = retry_s
        self._headlines: Sequence[Headline] | None = None
        self._place = 0
        self._problem = ""
        self._is_reading = False

    def started(self) -> None:
        """Have the headlines fetched, beside whatever else is being fetched."""
        self._read()

    def has_open_work(self) -> bool:
        """Say whether the first try is under way; the market waits for no other."""
        return self._headlines is None

    def receive(self, message: Any) -> Any:
        """Take the headlines, or notice that it is time to try again."""
        match message:
            case HeadlinesRead(headlines=headlines, problem=problem):
                self._is_reading = False
                self._take_in(headlines, problem)
            case ReadAgain():
                self._read_again()
            case SentimentAsked():
                return self._known.save()
            case _:
                super().receive(message)
        return None

    def count_idle(self, run: Sequence[Closing]) -> int:
        """Return how many of these closings there is no news at."""
        headlines = self._headlines
        if headlines is None:
            return len(run)
        if bool(self._problem) != bool(self._known.state.problem):
            return 0
        if self._place >= len(headlines):
            return len(run)
        due = headlines[self._place].published_at
        return sum(1 for at, _bars in run if at < due)

    def take_frames(self, at: Instant) -> None:
        """Take in that frames closed."""
        self._known.take_frames(at)

    def react(self) -> None:
        """Say when the source failed or came back; score what market time has reached."""
        state = self._known.state
        if self._headlines is None or not state.market_at:
            return
        if bool(self._problem) != bool(state.problem):
            self.record(self._said_of_source())
            return
        self._skip_old(state.scored_at if state.hashes else state.market_at - self._look_back_ms)
        batch = 0
        while self._place < len(self._headlines) and batch < BATCH_MAX:
            headline = self._headlines[self._place]
            if headline.published_at > state.market_at:
                return
            self._place += 1
            score = self._score(headline, state.market_at)
            if headline.published_at != state.scored_at or score.text_hash not in state.hashes:
                self.record(HeadlineScored(score))
                batch += 1

    # -- the source ----------------------------------------------------------------------------------------------

    def _read(self) -> None:
        def reply(found: Sequence[Headline] | SourceUnavailable) -> None:
            problem = str(found) if isinstance(found, SourceUnavailable) else ""
            headlines = () if isinstance(found, SourceUnavailable) else tuple(found)
            self._system.switchboard.tell(self.name, HeadlinesRead(headlines, problem), epoch=self.epoch)

        self._is_reading = True
        self.after(self._retry_s, ReadAgain())
        self._fetch(reply)

    def _read_again(self) -> None:
        if self._is_reading:
            # Not asked a second time while the first answer may still come: one that hangs would pile up.
            self._take_in((), f"no answer within {self._retry_s:g} s")
            self.after(self._retry_s, ReadAgain())
        elif self._problem:
            self._read()

    def _take_in(self, headlines: Sequence[Headline], problem: str) -> None:
        self._problem = problem
        if self._headlines is None or not problem:
            self._headlines, self._place = headlines, 0

    def _said_of_source(self) -> HeadlinesUnavailable | HeadlinesAvailable:
        if self._problem:
            return HeadlinesUnavailable(self._source, self._problem)
        return HeadlinesAvailable(self._source)

    def _skip_old(self, before: Instant) -> None:
        assert self._headlines is not None
        while self._place < len(self._headlines) and self._headlines[self._place].published_at < before:
            self._place += 1
