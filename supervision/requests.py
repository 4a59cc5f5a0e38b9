"""What is asked of a supervisor while it runs, and what it answers: OTP's API, as messages.

Each request carries who hears the answer.  A start is answered when the child has acknowledged it, a stop when the
child has ended; a supervisor that is down, or ends first, answers `NoProc`.  The results are those of `supervisor`
in Erlang/OTP's stdlib.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

from supervision.signals import Exit
from supervision.spec import ChildSpec, ChildType, SupervisorSpec

Reply = Callable[[Any], object]


class ChildUp(NamedTuple):
    """The child runs; `start_child` and `restart_child` started it."""

    name: str
    epoch: int


class AlreadyStarted(NamedTuple):
    """A child of that name runs already."""

    name: str
    epoch: int


class AlreadyPresent(NamedTuple):
    """There is a child of that name, which does not run."""

    name: str


class Ignored(NamedTuple):
    """The child had nothing to do and does not run; its specification is kept."""

    name: str


class StartFailed(NamedTuple):
    """The child did not start; one that was new is forgotten."""

    name: str
    reason: Exit


class Done(NamedTuple):
    """It is as it was asked for."""

    name: str


Why = Literal["running", "restarting", "not_found", "simple_one_for_one"]


class Refused(NamedTuple):
    """It cannot be done, and nothing has changed."""

    name: str
    why: Why


class Invalid(NamedTuple):
    """A specification cannot be, and nothing has changed."""

    problem: str


class NoProc(NamedTuple):
    """Nobody is there to do it."""

    supervisor: str


class ChildInfo(NamedTuple):
    """One child: its epoch, or that it is being restarted or does not run."""

    name: str
    state: int | Literal["restarting", "none"]
    type: ChildType


class ChildCounts(NamedTuple):
    """How many children there are: specified, alive now, supervisors and workers (alive or not)."""

    specs: int
    active: int
    supervisors: int
    workers: int


class StartChild(NamedTuple):
    """Start one more child: of this specification, or of the template with these arguments."""

    reply: Reply
    spec: ChildSpec | None = None
    arguments: tuple[Any, ...] = ()


class RestartChild(NamedTuple):
    """Start a child that was stopped."""

    reply: Reply
    name: str


class TerminateChild(NamedTuple):
    """Stop a child and keep its specification; a temporary one's goes too."""

    reply: Reply
    name: str


class DeleteChild(NamedTuple):
    """Forget the specification of a child that does not run."""

    reply: Reply
    name: str


class WhichChildren(NamedTuple):
    """List the children, in the order of their start."""

    reply: Reply


class CountChildren(NamedTuple):
    """Count the children."""

    reply: Reply


class GetChildSpec(NamedTuple):
    """Return a child's specification."""

    reply: Reply
    name: str


class ChangeSpecs(NamedTuple):
    """Take over new specifications: those of children that run hold from their next start on."""

    reply: Reply
    spec: SupervisorSpec


Request = (
    StartChild
    | RestartChild
    | TerminateChild
    | DeleteChild
    | WhichChildren
    | CountChildren
    | GetChildSpec
    | ChangeSpecs
)
REQUESTS: tuple[type, ...] = get_args(Request)
