"""Specifications of children and supervisors: data, validated as a whole before anything starts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from supervision.errors import SpecError

if TYPE_CHECKING:
    from supervision.actor import Actor
    from supervision.cells import Seat
    from supervision.system import System

Restart = Literal["permanent", "transient", "temporary"]
Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]

INFINITE = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Seconds between the end of a child and its next start: `base * 2**n`, at most `cap`, plus up to `jitter` of it.

    `n` counts restarts since the child last stayed up for `reset_after_s`.
    """

    base_s: float = 0.0
    cap_s: float = 5.0
    jitter: float = 0.2
    reset_after_s: float = 10.0

    def delay_s(self, restarts: int, draw: float) -> float:
        """Return the wait before a restart; `draw` is a random number in 0..1."""
        plain = self.base_s * 2.0 ** min(restarts, 60)
        return min(self.cap_s, min(self.cap_s, plain) * (1 + draw * self.jitter))


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSpec:
    """How a supervisor treats its children: more than `intensity` restarts within `period_s` and it gives up."""

    strategy: Strategy = "one_for_one"
    intensity: int = 1
    period_s: float = 5.0
    children: Sequence["ChildSpec"] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """A child: its name, how it is made, when it is started anew, how long it may take to start and to stop."""

    name: str
    start: Callable[["System", "Seat"], "Actor"]
    restart: Restart = "permanent"
    shutdown_s: float | None = 5.0
    """Seconds to end in after being asked; 0 fences at once, None waits for ever (for supervisors)."""
    start_timeout_s: float = 60.0
    hang_after_s: float | None = None
    """Seconds that one message may take; longer is a hang, and it is replaced.  None waits for ever."""
    fenceable: bool = True
    """A successor may take over while a hung one still holds what it holds; otherwise the process must end."""
    settles: bool = False
    """Recorded data waits for it: down or busy means not settled."""
    hears_late: bool = False
    """It hears an event only once that is durable: right for who speaks to people, and wakes nobody in between."""
    dispatcher: str = ""
    """The thread it shares with all others that name it too; a thread of its own where empty."""
    urgency: int = 0
    """Of those that share a thread and have messages, the one with the highest goes first."""
    backoff: Backoff = field(default_factory=Backoff)
    supervises: SupervisorSpec | None = None

    def walk(self, parent: str = "") -> Iterator[tuple["ChildSpec", str]]:
        """Yield this spec and all below it, each with the name of its supervisor."""
        yield self, parent
        for child in self.supervises.children if self.supervises else ():
            yield from child.walk(self.name)


def check_specs(root: ChildSpec) -> None:
    """Refuse a tree that cannot be, naming the value; nothing is started.

    Raises:
        SpecError: a name is missing or used twice, or a number is out of range.
    """
    names: set[str] = set()
    for spec, _parent in root.walk():
        if not spec.name:
            raise SpecError("a child must have a name")
        if spec.name in names:
            raise SpecError(f"names of children must differ, {spec.name!r} is used twice")
        names.add(spec.name)
        _check_child(spec)
        if spec.supervises is not None:
            _check_supervisor(spec.name, spec.supervises)


def _check_child(spec: ChildSpec) -> None:
    if spec.restart not in ("permanent", "transient", "temporary"):
        raise SpecError(f"{spec.name}: restart must be permanent, transient or temporary, was {spec.restart!r}")
    if spec.shutdown_s is not None and not 0 <= spec.shutdown_s < INFINITE:
        raise SpecError(f"{spec.name}: shutdown must be at least 0 seconds and finite, or None, was {spec.shutdown_s}")
    if not 0 < spec.start_timeout_s < INFINITE:
        raise SpecError(
            f"{spec.name}: the time to start must be above 0 seconds and finite, was {spec.start_timeout_s}"
        )
    if spec.hang_after_s is not None and not 0 < spec.hang_after_s < INFINITE:
        raise SpecError(f"{spec.name}: hang_after_s must be above 0 and finite, or None, was {spec.hang_after_s}")
    if spec.supervises is not None and spec.dispatcher:
        raise SpecError(
            f"{spec.name}: a supervisor must have a thread of its own, named dispatcher {spec.dispatcher!r}"
        )
    if spec.supervises is not None and spec.shutdown_s is not None:
        raise SpecError(f"{spec.name}: a supervisor must be given all the time it needs to stop (None)")


def _check_supervisor(name: str, spec: SupervisorSpec) -> None:
    if spec.strategy not in ("one_for_one", "one_for_all", "rest_for_one"):
        raise SpecError(f"{name}: strategy must be one_for_one, one_for_all or rest_for_one, was {spec.strategy!r}")
    if spec.intensity < 0:
        raise SpecError(f"{name}: intensity must be at least 0, was {spec.intensity}")
    if not 0 < spec.period_s < INFINITE:
        raise SpecError(f"{name}: period must be above 0 seconds and finite, was {spec.period_s}")
    for child in spec.children:
        backoff = child.backoff
        if not (0 <= backoff.base_s <= backoff.cap_s < INFINITE and 0 <= backoff.jitter < INFINITE):
            raise SpecError(f"{child.name}: backoff must have 0 <= base <= cap and jitter >= 0, was {backoff}")
        if not 0 < backoff.reset_after_s < INFINITE:
            raise SpecError(f"{child.name}: reset_after_s must be above 0 and finite, was {backoff.reset_after_s}")
        waits = sum(backoff.delay_s(n, draw=1.0) for n in range(spec.intensity + 1))
        if waits >= spec.period_s:
            raise SpecError(
                f"{child.name}: the first {spec.intensity + 1} waits of its backoff take up to {waits} s, "
                f"so {name} (period {spec.period_s} s) could never give up"
            )
