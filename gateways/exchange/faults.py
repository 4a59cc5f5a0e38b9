"""Which lie strikes at which occasion: by count, by a seeded draw, by time, and never more often than it may."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any, NamedTuple

from gateways.exchange.lies import KINDS, Lie, is_at, places_of
from gateways.exchange.scenario import Scenario, lie_of

Clock = Callable[[], float]
"""Seconds that go on evenly."""


class Struck(NamedTuple):
    """A lie that strikes now, with how long it lasts."""

    lie: Lie
    seconds: float


class Armed:
    """One lie, with how often there was an occasion for it and how often it struck."""

    def __init__(self, number: int, lie: Lie, draws: Random, now: float) -> None:
        self.number, self.lie = number, lie
        self.occasions, self.strikes = 0, 0
        self._draws, self._since = draws, now
        self.due_at = now + lie.begin_s

    def meets(self, now: float) -> bool:
        """Count an occasion, and say whether the lie strikes at it."""
        lie, age = self.lie, now - self._since
        if age < lie.begin_s or (lie.end_s is not None and age > lie.end_s) or self.is_used_up:
            return False
        self.occasions += 1
        strikes = (
            self.occasions == lie.nth
            if lie.nth is not None
            else self.occasions % lie.every == 0
            if lie.every is not None
            else self._draws.random() < lie.probability
            if lie.probability is not None
            else True
        )
        self.strikes += strikes
        return strikes

    @property
    def is_used_up(self) -> bool:
        """Say whether it has struck as often as it may."""
        return self.lie.times is not None and self.strikes >= self.lie.times

    def seconds(self) -> float:
        """Return how long it lasts this time."""
        match self.lie.seconds:
            case None:
                return 0.0
            case (least, most):
                return least + (most - least) * self._draws.random()
            case seconds:
                return float(seconds)


def drawn(scenario: Scenario) -> Iterator[tuple[Lie, Random]]:
    """Yield each fault of a scenario with its draws: they depend on the seed and on its place in the list alone."""
    for place, lie in enumerate(scenario.faults, 1):
        yield lie, Random(f"{scenario.seed}/{place}")


class Faults:
    """All the lies of an exchange.  The same scenario lies the same at the same occasions."""

    def __init__(self, clock: Clock, count: Callable[[Lie], None]) -> None:
        self._clock, self._count = clock, count
        self._armed: dict[int, Armed] = {}
        self._number, self._seed = 0, 0
        self.counts: Counter[str] = Counter()
        """How often each kind struck in this life."""

    def load(self, scenario: Scenario) -> None:
        """Take in a scenario."""
        self._seed = scenario.seed
        for lie, draws in drawn(scenario):
            self.arm(lie, draws)

    def add(self, **table: Any) -> int:
        """Take in a fault, as a scenario's table has it; return its number.

        Raises:
            ScenarioBroken: the table has mistakes.
        """
        return self.arm(lie_of(table))

    def arm(self, lie: Lie, draws: Random | None = None) -> int:
        """Take in a fault, of a scenario with its draws; return its number."""
        self._number += 1
        draws = draws or Random(f"{self._seed}/{self._number}")
        self._armed[self._number] = Armed(self._number, lie, draws, self._clock())
        return self._number

    def befall(self, lie: Lie, draws: Random | None = None) -> Struck:
        """Return what befalls the world at once, and count it."""
        draws = draws or Random(f"{self._seed}/at once/{self.counts.total()}")
        self.note(lie)
        return Struck(lie, Armed(0, lie, draws, self._clock()).seconds())

    def remove(self, number: int) -> bool:
        """Take a fault out; say whether there was one of this number."""
        return self._armed.pop(number, None) is not None

    def clear(self) -> None:
        """Be honest from now on."""
        self._armed.clear()

    def strike(self, place: str) -> list[Struck]:
        """Return what strikes at an occasion of this kind, in the order in which it was taken in."""
        if not self._armed:
            return []
        now = self._clock()
        found = [
            Struck(armed.lie, armed.seconds())
            for armed in self._armed.values()
            if is_at(place, armed.lie.where) and place in places_of(KINDS[armed.lie.kind]) and armed.meets(now)
        ]
        self._note(found)
        return found

    def due(self) -> list[Struck]:
        """Return what befalls the world now."""
        now = self._clock()
        found = []
        for armed in self._armed.values():
            if KINDS[armed.lie.kind].family != "world" or armed.is_used_up or now < armed.due_at:
                continue
            armed.strikes += 1
            armed.due_at = now + armed.lie.every_s if armed.lie.every_s is not None else float("inf")
            found.append(Struck(armed.lie, armed.seconds()))
        self._note(found)
        return found

    def report(self) -> list[dict[str, Any]]:
        """Return every fault with how often it struck."""
        return [
            {"number": armed.number, "kind": armed.lie.kind, "where": armed.lie.where, "struck": armed.strikes}
            for armed in self._armed.values()
        ]

    def note(self, lie: Lie) -> None:
        """Count that a fault struck."""
        self.counts[lie.kind] += 1
        self._count(lie)

    def _note(self, found: Iterable[Struck]) -> None:
        for struck in found:
            self.note(struck.lie)
