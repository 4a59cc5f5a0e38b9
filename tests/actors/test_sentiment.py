"""The laws of sentiment: each headline is scored once in its time, and a source that failed is tried again."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from actors.sentiment import BATCH_MAX, Sentiment, SentimentMemory, SentimentState
from domain.market import HOUR_MS, MINUTE_MS, Instant
from domain.sources import Headline, SourceUnavailable
from holdfast.config.settings import Settings
from holdfast.scorer import Scorer
from messages.market import FramesClosed, SourceOpened
from messages.node import SentimentAsked
from messages.sentiment import HeadlinesAvailable, HeadlineScored, HeadlinesUnavailable
from tests.actors.alone import Alone
from tests.actors.values import INSTRUMENTS, T0

RETRY_S = 60.0
LOOK_BACK_MS = 2 * HOUR_MS
SCORER = Scorer(Settings(), INSTRUMENTS)
Found = Sequence[Headline] | SourceUnavailable
Reply = Callable[[Found], None]
GONE = SourceUnavailable("OSError: no such file")


def headline(minute: int, title: str = "COIN surges to a record high") -> Headline:
    return Headline("wire", f"{title} ({minute})", T0 + minute * MINUTE_MS)


NEWS = tuple(map(headline, (-180, -60, 0, 5, 5, 20)))
"""One too old to count, one from before the market began, one as it began, two at once after five minutes."""


def frames(minute: int) -> FramesClosed:
    return FramesClosed(at=T0 + minute * MINUTE_MS, bars=())


OPENED = SourceOpened(description="a market", symbols=("COINUSDT",), starts_at=T0)


class Wire:
    """A source that gives what the test has laid out, one outcome for each time it is read; the last one stays."""

    def __init__(self, *outcomes: Found) -> None:
        self.outcomes = list(outcomes)
        self.reads = 0

    def __call__(self, reply: Reply) -> None:
        self.reads += 1
        reply(self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0])


def a_sentiment(fetch: Callable[[Reply], None], *past: Any) -> Alone:
    alone = Alone(
        "sentiment",
        lambda system, seat: Sentiment(
            system,
            seat,
            memory=SentimentMemory(),
            source="a wire",
            fetch=fetch,
            score=SCORER,
            look_back_ms=LOOK_BACK_MS,
            retry_s=RETRY_S,
        ),
    )
    alone.happen(*past, at=T0)
    return alone.live()


def scored(alone: Alone) -> list[tuple[Instant, Instant]]:
    """Return the minutes of publication and of arrival of what was scored."""
    scores = [event.score for event in alone.said_of(HeadlineScored)]
    return [((each.published_at - T0) // MINUTE_MS, (each.arrived_at - T0) // MINUTE_MS) for each in scores]


def state(alone: Alone) -> SentimentState:
    return msgspec.json.decode(alone.ask(SentimentAsked()), type=SentimentState)


# -- scoring ---------------------------------------------------------------------------------------------------------


def test_headlines_are_scored_once_when_market_time_has_reached_them() -> None:
    alone = a_sentiment(Wire(NEWS), OPENED)

    for minute in (1, 4, 5, 6, 15):
        alone.happen(frames(minute))

    assert scored(alone) == [(-60, 0), (0, 0), (5, 5), (5, 5)]


def test_nothing_is_scored_before_a_market_has_begun() -> None:
    alone = a_sentiment(Wire(NEWS))

    assert alone.said == []


def test_more_headlines_than_are_scored_in_one_go_are_all_scored() -> None:
    news = [headline(0, f"COIN falls {number}") for number in range(2 * BATCH_MAX + 50)]

    alone = a_sentiment(Wire(news), OPENED)

    assert len(scored(alone)) == len(news)


def test_a_life_that_ends_after_any_score_leaves_the_rest_to_the_next() -> None:
    spared = a_sentiment(Wire(NEWS), OPENED)
    spared.happen(frames(5))

    for scores in range(1, 4):
        alone = a_sentiment(Wire(NEWS), OPENED)
        alone.crash_after(scores)
        alone.happen(frames(5))

        assert alone.said == spared.said
        assert alone.crashes() == 1


# -- a source that cannot be read ------------------------------------------------------------------------------------


def test_a_source_that_cannot_be_read_is_told_once_and_the_market_does_not_wait() -> None:
    alone = a_sentiment(Wire(GONE), OPENED)

    alone.happen(frames(5))
    alone.rest(10 * RETRY_S)

    assert alone.said == [HeadlinesUnavailable("a wire", "OSError: no such file")]
    assert alone.switchboard.unsettled() == ()
    assert state(alone).problem == "OSError: no such file"


def test_it_is_tried_again_after_a_while_and_not_before() -> None:
    wire = Wire(GONE)
    alone = a_sentiment(wire, OPENED)

    reads = [wire.reads]
    for seconds in (RETRY_S - 1, 1, RETRY_S, RETRY_S):
        alone.rest(seconds)
        reads.append(wire.reads)

    assert reads == [1, 1, 2, 3, 4]


def test_a_source_that_can_be_read_again_is_told_and_its_headlines_are_scored() -> None:
    alone = a_sentiment(Wire(GONE, GONE, NEWS), OPENED)
    alone.happen(frames(5))

    alone.rest(3 * RETRY_S)

    assert alone.said_of(HeadlinesUnavailable, HeadlinesAvailable) == [
        HeadlinesUnavailable("a wire", "OSError: no such file"),
        HeadlinesAvailable("a wire"),
    ]
    assert scored(alone) == [(-60, 5), (0, 5), (5, 5), (5, 5)]
    assert state(alone).problem == ""


def test_a_source_that_was_read_is_not_read_again() -> None:
    wire = Wire(GONE, NEWS)
    alone = a_sentiment(wire, OPENED)

    alone.rest(10 * RETRY_S)

    assert wire.reads == 2


def test_the_next_life_says_that_a_source_can_be_read_again() -> None:
    alone = a_sentiment(Wire(GONE, NEWS), OPENED)

    alone.crash()

    assert [type(event) for event in alone.said[:2]] == [HeadlinesUnavailable, HeadlinesAvailable]
    assert scored(alone) == [(-60, 0), (0, 0)]


def test_the_next_life_says_nothing_of_a_source_that_still_cannot_be_read() -> None:
    alone = a_sentiment(Wire(GONE), OPENED)

    alone.crash()

    assert alone.said == [HeadlinesUnavailable("a wire", "OSError: no such file")]


def test_a_source_that_fails_again_after_it_came_back_is_told_again() -> None:
    alone = a_sentiment(Wire(GONE, NEWS, GONE), OPENED)
    alone.rest(RETRY_S)

    alone.crash()

    told = [type(event).__name__ for event in alone.said_of(HeadlinesUnavailable, HeadlinesAvailable)]
    assert told == ["HeadlinesUnavailable", "HeadlinesAvailable", "HeadlinesUnavailable"]


# -- a source that does not answer -----------------------------------------------------------------------------------


def test_the_market_waits_for_the_first_answer_and_no_longer_than_a_source_may_take() -> None:
    alone = a_sentiment(lambda reply: None, OPENED)

    waiting = alone.switchboard.unsettled()
    alone.rest(RETRY_S)

    assert waiting == ("sentiment: waits for an answer",)
    assert alone.said == [HeadlinesUnavailable("a wire", "no answer within 60 s")]
    assert alone.switchboard.unsettled() == ()


@pytest.mark.parametrize("found", [NEWS, GONE], ids=["headlines", "an error"])
def test_a_source_that_hangs_is_not_asked_twice_and_its_late_answer_counts(found: Found) -> None:
    replies: list[Reply] = []
    alone = a_sentiment(replies.append, OPENED)
    alone.rest(5 * RETRY_S)
    asked = len(replies)

    replies[0](found)
    alone.rest()
    came_back = alone.said_of(HeadlinesAvailable)
    alone.rest(2 * RETRY_S)

    assert asked == 1
    assert bool(came_back) == (found is NEWS)
    assert len(replies) == (1 if found is NEWS else 2)
