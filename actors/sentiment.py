"""Sentiment: headlines become scores as market time passes them."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from actors.base import RememberingActor, StructMemory
from domain.market import Instant
from domain.sources import Headline
from domain.strategies.base import Score
from messages.market import FramesClosed, SourceOpened
from messages.sentiment import HeadlineScored, HeadlinesRead, HeadlinesUnavailable
from supervision import Recorded, Seat, System

FetchHeadlines = Callable[[Callable[[Sequence[Headline] | Exception], None]], None]
BATCH_MAX = 200
"""Headlines that one instant may bring; the rest comes with the next."""


class SentimentState(msgspec.Struct):
    """Up to when headlines were scored."""

    market_at: Instant = 0
    scored_at: Instant = 0
    """Headlines up to here are scored, or were published before the market began."""
    hashes: list[str] = msgspec.field(default_factory=list)
    """Those scored that were published at `scored_at`."""
    is_unavailable: bool = False


class SentimentMemory(StructMemory[SentimentState]):
    """Folds market time and scores."""

    def __init__(self) -> None:
        super().__init__(SentimentState())

    def fold(self, record: Recorded) -> None:
        """Take market time, or a score, in."""
        state = self.state
        match record.event:
            case FramesClosed(at=at):
                state.market_at = at
            case HeadlineScored(score=score):
                if score.published_at > state.scored_at:
                    state.scored_at, state.hashes = score.published_at, []
                state.hashes.append(score.text_hash)
            case SourceOpened(starts_at=starts_at):
                state.market_at = max(state.market_at, starts_at)
            case HeadlinesUnavailable():
                state.is_unavailable = True


class Sentiment(RememberingActor):
    """Scores each headline once, when market time has reached it."""

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
    ) -> None:
        super().__init__(system, seat, memory=memory)
        self._known = memory
        self._source = source
        self._fetch = fetch
        self._score = score
        self._look_back_ms = look_back_ms
        self._headlines: Sequence[Headline] | None = None
        self._place = 0
        self._problem = ""

    def started(self) -> None:
        """Have the headlines fetched, beside whatever else is being fetched."""

        def reply(found: Sequence[Headline] | Exception) -> None:
            problem = f"{type(found).__name__}: {found}" if isinstance(found, Exception) else ""
            headlines = () if isinstance(found, Exception) else tuple(found)
            self._system.switchboard.tell(self.name, HeadlinesRead(headlines, problem), epoch=self.epoch)

        self._fetch(reply)

    def has_open_work(self) -> bool:
        """Say whether headlines are still to come."""
        return self._headlines is None

    def receive(self, message: Any) -> None:
        """Take the headlines."""
        if not isinstance(message, HeadlinesRead):
            super().receive(message)
            return
        self._headlines, self._problem = message.headlines, message.problem

    def react(self) -> None:
        """Score what market time has reached."""
        state = self._known.state
        if self._headlines is None or not state.market_at:
            return
        if self._problem and not state.is_unavailable:
            self.record(HeadlinesUnavailable(self._source, self._problem))
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

    def _skip_old(self, before: Instant) -> None:
        assert self._headlines is not None
        while self._place < len(self._headlines) and self._headlines[self._place].published_at < before:
            self._place += 1
