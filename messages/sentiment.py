"""What the news said, as a number."""

from domain.sources import Headline
from domain.strategies.base import Score
from messages.base import Event, Message


class HeadlineScored(Event, frozen=True):
    """A headline arrived and was scored; the text itself stays outside, its hash says which it was."""

    score: Score


class HeadlinesUnavailable(Event, frozen=True):
    """The source of headlines cannot be read; sentiment is neutral from now on."""

    source: str
    detail: str


class HeadlinesRead(Message, frozen=True):
    """All headlines of the source, or why there are none."""

    headlines: tuple[Headline, ...]
    problem: str = ""
