"""Specifications of children and supervisors: data, validated as a whole before anything starts.

The words and the defaults are Erlang/OTP's (`supervisor`, stdlib).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from supervision.errors import SpecError
from supervision.mailbox_spec import DEFAULT_MAILBOX, MailboxSpec, check_mailbox

if TYPE_CHECKING:
    from supervision.actor import Actor

Restart = Literal["permanent", "transient", "temporary"]
Strategy = Literal["one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one"]
AutoShutdown = Literal["never", "any_significant", "all_significant"]
ChildType = Literal["worker", "supervisor"]

INFINITE = float("inf")
SHUTDOWN_S = float("5")
"""What a worker has to end in where nothing is said; a supervisor then has for ever."""


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
    """How a supervisor treats its children: more than `intensity` restarts within `period_s` and it gives up.

    `simple_one_for_one` has one child, which is a template: it starts none by itself, and `start_child` makes one more.
    """

    strategy: Strategy = "one_for_one"
    intensity: int = 1
    period_s: float = 5.0
    auto_shutdown: AutoShutdown = "never"
    """Whether it ends when a significant child has ended by itself, or the last one of them has."""
    children: Sequence["ChildSpec"] = ()

    @property
    def is_simple(self) -> bool:
        """Say whether its one child is a template."""
        return self.strategy == "simple_one_for_one"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """A child: its name, how it is made, when it is started anew, how long it may take to start and to stop."""

    name: str
    start: Callable[..., "Actor"]
    """Makes an incarnation of it: called with the system and a seat, and with what `start_child` was given besides."""
    restart: Restart = "permanent"
    significant: bool = False
    """Its end by itself can be the end of its supervisor (`auto_shutdown`)."""
    shutdown_s: float | None = SHUTDOWN_S
    """Seconds to end in after being asked; 0 fences at once, None waits for ever (for supervisors, and theirs where
    nothing is said)."""
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
    mailbox: MailboxSpec = DEFAULT_MAILBOX
    """What it does with more messages than it can handle, and with those that wait when it is started anew."""
    backoff: Backoff = field(default_factory=Backoff)
    supervises: SupervisorSpec | None = None

    def __post_init__(self) -> None:
        """Give a supervisor the time it needs; only to say so is an error."""
        if self.supervises is not None and self.shutdown_s is SHUTDOWN_S:
            object.__setattr__(self, "shutdown_s", None)

    @property
    def type(self) -> ChildType:
        """Return what kind of child it is."""
        return "worker" if self.supervises is None else "supervisor"

    def walk(self, parent: str = "") -> Iterator[tuple["ChildSpec", str]]:
        """Yield this spec and all below it that start by themselves, each with the name of its supervisor."""
        yield self, parent
        if self.supervises is not None and not self.supervises.is_simple:
            for child in self.supervises.children:
                yield from child.walk(self.name)


def check_specs(root: ChildSpec) -> None:
    """Refuse a tree that cannot be, naming the value; nothing is started.

    Raises:
        SpecError: a name is missing or used twice, a word is none of those it may be, or a number is out of range.
    """
    check_child(root, set())


def check_child(
    spec: ChildSpec,
    names: set[str],
    *,
    under: SupervisorSpec | None = None,
    is_taken: Callable[[str], bool] = lambda name: False,
) -> None:
    """Refuse a child, or anything below it, that cannot be; add its names to those that are used.

    `is_taken` says of a name whether it is used elsewhere.

    Raises:
        SpecError: it names the value.
    """
    if not spec.name:
        raise SpecError("a child must have a name")
    if spec.name in names or is_taken(spec.name):
        raise SpecError(f"names of children must differ, {spec.name!r} is used twice")
    names.add(spec.name)
    _check_fields(spec)
    if under is not None:
        _check_significance(spec, under)
    if spec.supervises is not None:
        _check_supervisor(spec, spec.supervises)
        for child in spec.supervises.children:
            check_child(child, names, under=spec.supervises, is_taken=is_taken)


def _check_fields(spec: ChildSpec) -> None:
    if not callable(spec.start):
        raise SpecError(f"{spec.name}: its start must be what makes an actor, was {spec.start!r:.100}")
    _check_word(spec.name, "restart", spec.restart, ("permanent", "transient", "temporary"))
    if spec.shutdown_s is not None and not 0 <= spec.shutdown_s < INFINITE:
        raise SpecError(f"{spec.name}: shutdown must be at least 0 seconds and finite, or None, was {spec.shutdown_s}")
    if not 0 < spec.start_timeout_s < INFINITE:
        raise SpecError(
            f"{spec.name}: the time to start must be above 0 seconds and finite, was {spec.start_timeout_s}"
        )
    if spec.hang_after_s is not None and not 0 < spec.hang_after_s < INFINITE:
        raise SpecError(f"{spec.name}: hang_after_s must be above 0 and finite, or None, was {spec.hang_after_s}")
    check_mailbox(spec.name, spec.mailbox)


def _check_significance(spec: ChildSpec, under: SupervisorSpec) -> None:
    if spec.significant and spec.restart == "permanent":
        raise SpecError(f"{spec.name}: a significant child must be transient or temporary, was permanent")
    if spec.significant and under.auto_shutdown == "never":
        raise SpecError(f"{spec.name}: a significant child needs a supervisor whose auto_shutdown is not never")


def _check_supervisor(spec: ChildSpec, flags: SupervisorSpec) -> None:
    name = spec.name
    if spec.dispatcher:
        raise SpecError(f"{name}: a supervisor must have a thread of its own, named dispatcher {spec.dispatcher!r}")
    if spec.shutdown_s is not None:
        raise SpecError(f"{name}: a supervisor must be given all the time it needs to stop (None)")
    strategies = ("one_for_one", "one_for_all", "rest_for_one", "simple_one_for_one")
    _check_word(name, "strategy", flags.strategy, strategies)
    _check_word(name, "auto_shutdown", flags.auto_shutdown, ("never", "any_significant", "all_significant"))
    if flags.auto_shutdown != "never" and spec.restart == "permanent":
        raise SpecError(f"{name}: a supervisor with auto_shutdown must not be permanent: it would be restarted")
    if flags.is_simple and flags.auto_shutdown != "never":
        raise SpecError(f"{name}: auto_shutdown must be never with simple_one_for_one, was {flags.auto_shutdown}")
    if flags.is_simple and len(flags.children) != 1:
        raise SpecError(f"{name}: simple_one_for_one must have one child as its template, had {len(flags.children)}")
    if not isinstance(flags.intensity, int) or flags.intensity < 0:
        raise SpecError(f"{name}: intensity must be a whole number of at least 0, was {flags.intensity}")
    if not 0 < flags.period_s < INFINITE:
        raise SpecError(f"{name}: period must be above 0 seconds and finite, was {flags.period_s}")
    for child in flags.children:
        check_backoff(name, flags, child)


def check_backoff(name: str, flags: SupervisorSpec, child: ChildSpec) -> None:
    """Refuse waits that cannot be, or that would keep a supervisor from ever giving up.

    Raises:
        SpecError: it names the value.
    """
    backoff = child.backoff
    if not (0 <= backoff.base_s <= backoff.cap_s < INFINITE and 0 <= backoff.jitter < INFINITE):
        raise SpecError(f"{child.name}: backoff must have 0 <= base <= cap and jitter >= 0, was {backoff}")
    if not 0 < backoff.reset_after_s < INFINITE:
        raise SpecError(f"{child.name}: reset_after_s must be above 0 and finite, was {backoff.reset_after_s}")
    waits = _waits_s(backoff, flags.intensity + 1)
    if waits >= flags.period_s:
        raise SpecError(
            f"{child.name}: the first {flags.intensity + 1} waits of its backoff take up to {waits} s, "
            f"so {name} (period {flags.period_s} s) could never give up"
        )


@lru_cache(maxsize=128)
def _waits_s(backoff: Backoff, restarts: int) -> float:
    """Return the longest that so many restarts wait in all; a tree has many children of one backoff."""
    return sum(backoff.delay_s(n, draw=1.0) for n in range(restarts))


def _check_word(name: str, field_name: str, found: str, allowed: Sequence[str]) -> None:
    if found not in allowed:
        listed = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
        raise SpecError(f"{name}: {field_name} must be {listed}, was {found!r}")
