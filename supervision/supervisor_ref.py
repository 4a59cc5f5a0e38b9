"""A supervisor as the edge of the house has it: OTP's calls, each with a time-out."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from supervision.errors import ActorDown
from supervision.requests import (
    AlreadyPresent,
    AlreadyStarted,
    ChangeSpecs,
    ChildCounts,
    ChildInfo,
    ChildUp,
    CountChildren,
    DeleteChild,
    Done,
    GetChildSpec,
    Ignored,
    Invalid,
    NoProc,
    Refused,
    Reply,
    Request,
    RestartChild,
    StartChild,
    StartFailed,
    TerminateChild,
    WhichChildren,
)
from supervision.signals import Lane
from supervision.spec import ChildSpec, SupervisorSpec

if TYPE_CHECKING:
    from supervision.system import System

StartAnswer = ChildUp | AlreadyStarted | AlreadyPresent | Ignored | StartFailed | Invalid | Refused


class SupervisorRef:
    """Every call waits for its answer, and raises

    * ActorDown: there is no such supervisor, or it ended before it had answered;
    * pykka.Timeout: no answer in time; what was asked for may still come about;
    * SupervisionError: an actor called.  Actors tell requests, with a `reply` of their own.
    """

    def __init__(self, system: "System", name: str) -> None:
        self._system = system
        self._name = name

    def start_child(self, spec: ChildSpec, timeout_s: float = 5.0) -> StartAnswer:
        """Start one more child; a specification that did not start is forgotten."""
        answer: StartAnswer = self._ask(lambda reply: StartChild(reply, spec), timeout_s)
        return answer

    def start_one_more(self, *arguments: Any, timeout_s: float = 5.0) -> StartAnswer:
        """Start one more child of a template (`simple_one_for_one`), with arguments of its own."""
        answer: StartAnswer = self._ask(lambda reply: StartChild(reply, None, arguments), timeout_s)
        return answer

    def restart_child(self, name: str, timeout_s: float = 5.0) -> ChildUp | Ignored | StartFailed | Refused:
        """Start a child that was stopped."""
        answer: ChildUp | Ignored | StartFailed | Refused
        answer = self._ask(lambda reply: RestartChild(reply, name), timeout_s)
        return answer

    def terminate_child(self, name: str, timeout_s: float = 10.0) -> Done | Refused:
        """Stop a child; one that is stopped already is as it was asked for."""
        answer: Done | Refused = self._ask(lambda reply: TerminateChild(reply, name), timeout_s)
        return answer

    def delete_child(self, name: str, timeout_s: float = 5.0) -> Done | Refused:
        """Forget a child that does not run."""
        answer: Done | Refused = self._ask(lambda reply: DeleteChild(reply, name), timeout_s)
        return answer

    def which_children(self, timeout_s: float = 5.0) -> tuple[ChildInfo, ...]:
        """Return what there is of each child, in the order of their start."""
        answer: tuple[ChildInfo, ...] = self._ask(WhichChildren, timeout_s)
        return answer

    def count_children(self, timeout_s: float = 5.0) -> ChildCounts:
        """Return how many children there are."""
        answer: ChildCounts = self._ask(CountChildren, timeout_s)
        return answer

    def get_childspec(self, name: str, timeout_s: float = 5.0) -> ChildSpec | Refused:
        """Return a child's specification, with what was left at its default."""
        answer: ChildSpec | Refused = self._ask(lambda reply: GetChildSpec(reply, name), timeout_s)
        return answer

    def change_specs(self, spec: SupervisorSpec, timeout_s: float = 5.0) -> Done | Invalid:
        """Replace the specifications: children that run keep running, new ones are not started, none is taken away."""
        answer: Done | Invalid = self._ask(lambda reply: ChangeSpecs(reply, spec), timeout_s)
        return answer

    def _ask(self, make: Callable[[Reply], Request], timeout_s: float) -> Any:
        self._system.runtime.demand_edge()
        future = self._system.new_answer(self._name)
        if not self._system.tell(self._name, make(future.set), Lane.SYSTEM):
            raise ActorDown(f"{self._name} is down")
        answer = self._system.wait(future, timeout_s)
        if isinstance(answer, NoProc):
            raise ActorDown(f"{self._name} went down")
        return answer
