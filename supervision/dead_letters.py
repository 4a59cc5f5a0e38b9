"""What could not be delivered: counted by address, type and reason, so that nothing vanishes silently."""

import threading
from collections import Counter
from typing import Any, NamedTuple

from supervision.requests import REQUESTS, NoProc

SORTS_MAX = 1_000
"""Kinds of dead letters that are told apart; of more than these only the type and the reason are known."""


class Letter(NamedTuple):
    """What dead letters are counted by."""

    to: str
    """Empty where there were too many addresses to tell them apart."""
    type: str
    why: str


class DeadLetters:
    """The dead-letter office.  A request's sender is told, everything else is counted."""

    def __init__(self) -> None:
        self._counts: Counter[Letter] = Counter()
        self._lock = threading.Lock()

    def bury(self, to: str, message: Any, why: str = "down") -> None:
        """Take what nobody will read."""
        letter = Letter(to, type(message).__name__, why)
        with self._lock:
            if letter not in self._counts and len(self._counts) >= SORTS_MAX:
                letter = letter._replace(to="")
            self._counts[letter] += 1
        if isinstance(message, REQUESTS):
            message.reply(NoProc(to))  # type: ignore[attr-defined]

    @property
    def counts(self) -> Counter[Letter]:
        """Return how many there are of each sort, as of now."""
        with self._lock:
            return self._counts.copy()

    @property
    def total(self) -> int:
        """Return how many there are."""
        return self.counts.total()
