"""The ways into living actors for bars that pass: what they are told by calls, and what they say to it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from domain.market import Bar, Closing, Instant
from domain.money import ZERO
from supervision import Lane, System
from supervision.signals import Wake

GUARD = ("venue", "executor", "breaker")
"""Who takes closings as they pass, together, in this order; the position keeper takes each by itself."""
COUNTED = ("executor", "breaker", "sentiment")
"""Who says how many pass before it has something to say."""


class Doors:
    """The ways into the actors that live now.  One that raises is broken by what it raised, in its own next turn."""

    def __init__(self, system: System, strategies: Sequence[str]) -> None:
        self._system = system
        names = (*GUARD, "positions", "sentiment", *(f"strategy.{name}" for name in strategies))
        found: dict[str, Any] = {name: system.actor(name) for name in names}
        self.are_open = all(actor is not None for actor in found.values())
        self.positions = found["positions"]
        self._sentiment = found["sentiment"]
        self._found = found
        self._hosts = [(name, found[f"strategy.{name}"]) for name in strategies]
        self._host = dict(self._hosts)

    def count_idle(self, run: list[Closing]) -> int:
        """Return how many closings pass before somebody who decides, or news, has something to say; wake who has."""
        counts = {name: self._call(name, "count_idle", run) for name in COUNTED}
        idle = min(0 if count is None else count for count in counts.values())
        if idle < len(run):
            for name, count in counts.items():
                if count == idle and name != "sentiment":
                    self.wake(name)
        return idle

    def count_news(self, run: list[Closing]) -> int:
        """Return how many closings pass before news is due."""
        count: int | None = self._call("sentiment", "count_idle", run)
        return count or 0

    def take(self, run: list[Closing]) -> bool:
        """Let the guard take closings in; say whether one of it failed."""
        has_failed = False
        for name in GUARD:
            try:
                self._found[name].take_run(run)
            except Exception as error:  # noqa: BLE001  whatever it is, it befalls who raised it
                has_failed = self.fail(name, error)
        return has_failed

    def mark(self, at: Instant) -> tuple[Decimal, Decimal, bool]:
        """Have the account marked; return its worth, its cash, and whether that failed."""
        try:
            equity, cash = self.positions.take_frames(at)
        except Exception as error:  # noqa: BLE001  whatever it is, it befalls who raised it
            return ZERO, ZERO, self.fail("positions", error)
        return equity, cash, False

    def tell(self, at: Instant, frames: tuple[Bar, ...], equity: Decimal, cash: Decimal) -> bool:
        """Tell of frames; say whether a strategy failed."""
        has_failed = False
        self._sentiment.take_frames(at)
        for name, host in self._hosts:
            try:
                host.take_frames(frames, equity, cash)
            except Exception as error:  # noqa: BLE001  a strategy may raise anything
                has_failed = self.fail(f"strategy.{name}", error)
        return has_failed

    def offer(self, strategy: str, at: Instant) -> bool:
        """Ask a strategy; say whether it has something to propose, or failed."""
        try:
            has_stirred: bool = self._host[strategy].take_offer(at)
        except Exception as error:  # noqa: BLE001  a strategy may raise anything
            return self.fail(f"strategy.{strategy}", error)
        return has_stirred

    def wake(self, name: str) -> None:
        """Give an actor a turn of its own."""
        self._system.tell(name, Wake(), Lane.SYSTEM)

    def fail(self, name: str, error: Exception) -> bool:
        """Let an actor crash in its next turn."""
        self._system.break_by(name, error)
        return True

    def _call(self, name: str, what: str, run: list[Closing]) -> int | None:
        try:
            found: int = getattr(self._found[name], what)(run)
        except Exception as error:  # noqa: BLE001  whatever it is, it befalls who raised it
            self.fail(name, error)
            return None
        return found
