"""What could not be delivered: counted by address and type, so that nothing vanishes silently."""

from collections import Counter
from typing import Any

from supervision.requests import REQUESTS, NoProc


class DeadLetters:
    """The dead-letter office.  A request's sender is told, everything else is counted."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        """By address and type of message."""
        self.reasons: Counter[str] = Counter()

    def bury(self, to: str, message: Any, why: str = "down") -> None:
        """Take what nobody will read."""
        self.counts[to, type(message).__name__] += 1
        self.reasons[why] += 1
        if isinstance(message, REQUESTS):
            message.reply(NoProc(to))  # type: ignore[attr-defined]
