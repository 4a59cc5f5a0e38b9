"""The ways into living actors for bars that pass: what they are told by calls, and what they say to it."""

from collections.abc import Sequence
from typing import Any

from domain.market import Closing, Instant
from supervision import Lane, System
from supervision.signals import Wake

GUARD = ("venue", "executor", "breaker")
"""Who takes closings as they pass, together, in this order; the position keeper takes each by itself."""
COUNTED = ("sentiment", "executor", "breaker")
"""Who says how many pass before it has something to say."""


class Doors:
    """The ways into the actors that live now.  One that raises is broken by what it raised, in its own next turn."""

    def __init__(self, system: System, strategies: Sequence[str]) -> None:
        self._system = system
        self._switchboard = system.switchboard
        self._changes = self._switchboard.changes
        self._names = (*GUARD, "positions", "sentiment", *(f"strategy.{name}" for name in strategies))
        self._found: dict[str, Any] = {name: system.actor(name) for name in self._names}
        self.positions: Any = getattr(self._found["positions"], "remembered", None)
        self.sentiment: Any = getattr(self._found["sentiment"], "remembered", None)
        self.strategies: list[tuple[str, Any]] = [(name, self._found[f"strategy.{name}"]) for name in strategies]
        self._all_live = None not in self._found.values()

    @property
    def are_open(self) -> bool:
        """Say whether all of them live, and nobody has come or gone since."""
        return self._all_live and self._changes == self._switchboard.changes

    def count_idle(self, run: list[Closing]) -> int:
        """Return how many closings pass before somebody who decides, or news, has something to say; wake who has."""
        counts = [self._count(name, run) for name in COUNTED]
        idle = min(counts)
        if idle < len(run):
            for name, count in zip(COUNTED[1:], counts[1:], strict=True):
                if count == idle:
                    self.wake(name)
        return idle

    def is_news_due(self, at: Instant) -> bool:
        """Say whether there is news when the frames of an instant are told; it has a turn then."""
        if self._count("sentiment", [(at, ())]):
            return False
        self.wake("sentiment")
        return True

    def take(self, run: list[Closing]) -> bool:
        """Let the guard take closings in; say whether one of it failed."""
        has_failed = False
        for name in GUARD:
            try:
                self._found[name].take_run(run)
            except Exception as error:  # noqa: BLE001  whatever it is, it befalls who raised it
                has_failed = self.fail(name, error)
        return has_failed

    def wake(self, name: str) -> None:
        """Give an actor a turn of its own."""
        self._system.tell(name, Wake(), Lane.SYSTEM)

    def fail(self, name: str, error: Exception) -> bool:
        """Let an actor crash in its next turn."""
        self._system.break_by(name, error)
        return True

    def _count(self, name: str, run: list[Closing]) -> int:
        try:
            count: int = self._found[name].count_idle(run)
        except Exception as error:  # noqa: BLE001  whatever it is, it befalls who raised it
            self.fail(name, error)
            return 0
        return count
