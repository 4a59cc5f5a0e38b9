"""A supervisor's office: serves what is asked of it while it runs.  Answers are OTP's."""

from dataclasses import replace
from typing import TYPE_CHECKING

from supervision.child import Child
from supervision.errors import SpecError
from supervision.requests import (
    AlreadyPresent,
    AlreadyStarted,
    ChangeSpecs,
    ChildCounts,
    CountChildren,
    DeleteChild,
    Done,
    GetChildSpec,
    Invalid,
    Refused,
    Reply,
    Request,
    RestartChild,
    StartChild,
    TerminateChild,
    WhichChildren,
)
from supervision.spec import ChildSpec, SupervisorSpec, check_backoff, check_child

if TYPE_CHECKING:
    from supervision.supervisor import Supervisor
    from supervision.system import System


class Office:
    """Changes what its supervisor wants, and answers at once where nothing has to happen first."""

    def __init__(self, supervisor: "Supervisor", system: "System") -> None:
        self._supervisor = supervisor
        self._system = system

    def serve(self, request: Request) -> None:
        """Do what a request asks for, or begin to."""
        match request:
            case StartChild(reply, None, arguments):
                self._start_one_more(reply, arguments)
            case StartChild(reply, spec) if spec is not None:
                self._start_child(reply, spec)
            case RestartChild(reply, name):
                self._restart_child(reply, name)
            case TerminateChild(reply, name):
                self._terminate_child(reply, name)
            case DeleteChild(reply, name):
                self._delete_child(reply, name)
            case WhichChildren(reply):
                reply(tuple(child.info() for child in self._supervisor.children))
            case CountChildren(reply):
                reply(self._count_children())
            case GetChildSpec(reply, name):
                child = self._supervisor.children.find(name)
                reply(child.spec if child is not None else Refused(name, "not_found"))
            case ChangeSpecs(reply, spec):
                self._change_specs(reply, spec)

    def _start_one_more(self, reply: Reply, arguments: tuple[object, ...]) -> None:
        flags = self._supervisor.flags
        if not flags.is_simple:
            reply(Invalid(f"{self._supervisor.name}: a child must be specified, only arguments were given"))
            return
        spec = self._system.tree.one_more(flags.children[0])
        self._adopt(Child(spec, arguments, asked_by=reply))

    def _start_child(self, reply: Reply, spec: ChildSpec) -> None:
        flags = self._supervisor.flags
        if flags.is_simple:
            reply(Refused(spec.name, "simple_one_for_one"))
        elif (child := self._supervisor.children.find(spec.name)) is not None:
            reply(AlreadyStarted(spec.name, child.epoch) if child.runs else AlreadyPresent(spec.name))
        else:
            try:
                check_child(spec, set(), under=flags, is_taken=self._system.tree.knows)
                check_backoff(self._supervisor.name, flags, spec)
            except SpecError as error:
                reply(Invalid(str(error)))
                return
            self._adopt(Child(spec, asked_by=reply))

    def _adopt(self, child: Child) -> None:
        self._system.tree.adopt(child.spec, self._supervisor.name)
        self._supervisor.children.add(child)

    def _restart_child(self, reply: Reply, name: str) -> None:
        if (child := self._child_or_refuse(reply, name)) is None:
            return
        if child.runs:
            reply(Refused(name, "running"))
        elif child.is_restarting:
            reply(Refused(name, "restarting"))
        else:
            child.starts.append(reply)
            self._supervisor.revive(child)

    def _terminate_child(self, reply: Reply, name: str) -> None:
        flags = self._supervisor.flags
        child = self._supervisor.children.find(name)
        if child is None:
            is_template = flags.is_simple and name == flags.children[0].name
            reply(Refused(name, "simple_one_for_one" if is_template else "not_found"))
            return
        self._supervisor.terminate(child, reply)

    def _delete_child(self, reply: Reply, name: str) -> None:
        if (child := self._child_or_refuse(reply, name)) is None:
            return
        if child.runs:
            reply(Refused(name, "running"))
        elif child.is_restarting:
            reply(Refused(name, "restarting"))
        else:
            self._supervisor.forget(child)
            reply(Done(name))

    def _child_or_refuse(self, reply: Reply, name: str) -> Child | None:
        if self._supervisor.flags.is_simple:
            reply(Refused(name, "simple_one_for_one"))
            return None
        child = self._supervisor.children.find(name)
        if child is None:
            reply(Refused(name, "not_found"))
        return child

    def _count_children(self) -> ChildCounts:
        children = self._supervisor.children
        supervisors = sum(child.spec.type == "supervisor" for child in children)
        specs = 1 if self._supervisor.flags.is_simple else len(children)
        return ChildCounts(specs, sum(child.runs for child in children), supervisors, len(children) - supervisors)

    def _change_specs(self, reply: Reply, flags: SupervisorSpec) -> None:
        """Those of children that run hold from their next start on; new ones are not started, none is taken away."""
        supervisor = self._supervisor
        own = {supervisor.name, *self._system.tree.below(supervisor.name)}
        try:
            changed = replace(self._system.tree.spec_of(supervisor.name), supervises=flags)
            check_child(changed, set(self._system.names()) - own)
            if flags.is_simple != supervisor.flags.is_simple:
                raise SpecError(f"{supervisor.name}: a template cannot become children, nor children a template")
        except SpecError as error:
            reply(Invalid(str(error)))
            return
        supervisor.change(flags)
        for spec in () if flags.is_simple else flags.children:
            self._take_over(spec)
        reply(Done(supervisor.name))

    def _take_over(self, spec: ChildSpec) -> None:
        supervisor = self._supervisor
        self._system.tree.adopt(spec, supervisor.name)
        if (child := supervisor.children.find(spec.name)) is not None:
            child.spec = spec
            return
        supervisor.children.add(child := Child(spec))
        supervisor.set_aside(child)
