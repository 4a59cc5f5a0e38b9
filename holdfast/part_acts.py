"""What operators' commands do to parts of the tree: the same on threads and on the stage."""

from messages.node import OperatorCommanded
from supervision import Break, Lane, Stall, SupervisionError, System

CLERKS = ("operator", "operations")
"""The clerk who answers an operator, and the supervisor it falls with."""
ANSWER_FIRST_S = 0.5
"""How long these live on, so that the answer is out before they end."""


class PartActs:
    """Restarts, breaks, hangs and mends parts; called by the clerk once the command is durable."""

    def __init__(self, system: System) -> None:
        self._system = system

    def __call__(self, command: OperatorCommanded) -> tuple[bool, str]:
        """Do what a command orders; say whether it was done, and what came of it."""
        match command.command:
            case "restart":
                return self.restart(command.target, command.reason)
            case "crash":
                return self._crash(command.target, command.reason)
            case "excuse":
                return self._excuse(command)
            case "hang":
                return self._hang(command.target, command.reason)
            case "quarantine-retry" | "quarantine-drop":
                return self._quarantine(command)
            case _:
                return False, f"{command.command} acts on no part of the tree"

    def restart(self, name: str, reason: str) -> tuple[bool, str]:
        """Have a part started anew; say whether that was begun."""
        if name in CLERKS:
            self._system.runtime.after(ANSWER_FIRST_S, lambda: self._restart_now(name, reason))
            return True, f"{name} will be restarted in {ANSWER_FIRST_S} s"
        return self._restart_now(name, reason)

    def _restart_now(self, name: str, reason: str) -> tuple[bool, str]:
        try:
            self._system.restart(name, reason)
        except SupervisionError as error:
            return False, str(error)
        return True, f"{name} is being restarted"

    def _crash(self, name: str, reason: str) -> tuple[bool, str]:
        system, blow = self._system, Break(reason or "an operator asked for it")
        if name in (*CLERKS, "root"):
            system.runtime.after(ANSWER_FIRST_S, lambda: system.tell(name, blow, Lane.CONTROL))
            heals = "`holdfast ctl tree` shows how it heals" if name in CLERKS else "the process ends with 70"
            return True, f"{name} will be broken in {ANSWER_FIRST_S} s; {heals}"
        if not system.tell(name, blow, Lane.CONTROL):
            return False, f"{name} is down already"
        return True, f"{name} was broken; `holdfast ctl tree` shows how it heals"

    def _excuse(self, command: OperatorCommanded) -> tuple[bool, str]:
        """Have an actor pass an event over; that this was commanded is what later starts and replays go by."""
        actor, _, seq = command.target.rpartition(" ")
        self._system.excused.add((actor, int(seq)))
        ok, detail = self.restart(actor, command.reason)
        return ok, f"{actor} passes over sequence {seq}; {detail}; then resume with --reason"

    def _hang(self, name: str, reason: str) -> tuple[bool, str]:
        system, spec = self._system, self._system.tree.spec_of(name)
        stall = Stall(reason or "an operator asked for it")
        follows = "replaced" if spec.fenceable else "found, which ends the process with 70"
        told = f"{name} hangs; after {spec.hang_after_s:g} s it is {follows}, and `holdfast ctl crashes` has its stack"
        if name in CLERKS:
            system.runtime.after(ANSWER_FIRST_S, lambda: system.tell(name, stall, Lane.CONTROL))
            return True, told
        if not system.tell(name, stall, Lane.CONTROL):
            return False, f"{name} is down already"
        return True, told

    def _quarantine(self, command: OperatorCommanded) -> tuple[bool, str]:
        quarantine = self._system.switchboard.quarantine
        actor, _, fingerprint = command.target.partition(" ")
        is_retry = command.command == "quarantine-retry"
        count = (quarantine.retry if is_retry else quarantine.drop)(actor, fingerprint)
        if count is None:
            return False, f"no messages to {actor} with the fingerprint {fingerprint} are in quarantine"
        waited = f"{count} that waited {'are' if count != 1 else 'is'} {'delivered' if is_retry else 'dropped'}"
        return True, f"{waited}; others like that are delivered from now on"
