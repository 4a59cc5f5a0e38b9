"""What came of holding a day's decisions against a re-run and a backtest."""

from decimal import Decimal

import msgspec

from messages.base import Event, Message


class DayAudited(Event, frozen=True):
    """A day of the journal was audited on schedule, or could not be.  Texts are cut to a limit, secrets taken out."""

    day: str
    """Such as 2024-01-31, UTC of market time."""
    score: Decimal | None
    """The lowest of `scores`, in percent; None where nothing was decided, or the day could not be audited."""
    scores: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """In percent, of decisions and of fills, for the re-run and for the backtest, those that there are."""
    causes: dict[str, int] = msgspec.field(default_factory=dict)
    """Differences between journal and backtest by what they come from, those that only follow included."""
    is_equal: bool = False
    """Nothing was decided or filled otherwise, and the day began in the same state."""
    text: str = ""
    """The first differences, for people."""
    problem: str = ""
    """Why it could not be audited."""


class AuditEnded(Message, frozen=True):
    """An audit that was begun has come to its end."""

    audited: DayAudited
