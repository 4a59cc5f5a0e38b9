"""What the news said, as a number."""

from domain.sources import Headline
from domain.strategies.base import Score
from messages.base import Event, Message


class HeadlineScored(Event, frozen=True):
    """A headline arrived and was scored; the text itself stays outside, its hash says which it was."""

    score: Score


class HeadlinesUnavailable(Event, frozen=True):
    """The source of headlines cannot be read; until it can, nothing new is scored."""

    source: str
    detail: str


class HeadlinesAvailable(Event, frozen=True):
    """The source of headlines, which could not be read, can be read again."""

    source: str


class HeadlinesRead(Message, frozen=True):
    """All headlines of the source, or why there are none."""

    headlines: tuple[Headline, ...]
    problem: str = ""


class ReadAgain(Message, frozen=True):
    """The source has had its time to answer, or was left alone for long enough."""
