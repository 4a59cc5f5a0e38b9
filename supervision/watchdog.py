"""The watchdog: an actor that has one message in hand for too long is fenced, reported with its stack, and replaced.

Progress is what counts: a heartbeat message could not tell a hang from a backlog.  What may not be shared with a
successor (`ChildSpec.fenceable`) and too many threads left behind end the process instead.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from supervision.cells import Vitals
from supervision.mailbox import EVENTS_MAX
from supervision.signals import Exit

if TYPE_CHECKING:
    from supervision.system import System

LOOK_S = 1.0


class Watchdog:
    """Looks at all who live, again and again."""

    def __init__(self, system: "System", *, abandoned_max: int, on_stuck: Callable[[str], None]) -> None:
        """`on_stuck` hears why the process can no longer help itself."""
        self._system = system
        self._abandoned_max = abandoned_max
        self.on_stuck = on_stuck

    def watch(self) -> None:
        """Look from now on, until the runtime is closed."""
        self._system.runtime.after(LOOK_S, self._look)

    def _look(self) -> None:
        self.watch()  # First of all: whatever becomes of this look, there is a next one.
        for vitals in self._system.switchboard.vitals(at_work=True):
            spec = self._system.tree.find_spec(vitals.name)
            # One without was taken away a moment ago.
            if spec is None or (why := _why_stuck(vitals, spec.hang_after_s)) is None:
                continue
            if not spec.fenceable:
                self.on_stuck(f"{vitals.name} {why}, and nobody can take over what it holds")
            else:
                self._system.give_up_on(vitals.name, vitals.epoch, Exit("hung", why))

    def count(self) -> None:
        """Have the process end where too many threads were left behind, whoever has left them.

        A child that hangs in each of its starts does so too slowly for its supervisor ever to give up.
        """
        if self._system.abandoned > self._abandoned_max:
            self.on_stuck(f"{self._system.abandoned} threads were left behind, more than {self._abandoned_max}")


def _why_stuck(vitals: Vitals, hang_after_s: float | None) -> str | None:
    if vitals.events_waiting > EVENTS_MAX:
        return f"has {vitals.events_waiting} events to hear, more than {EVENTS_MAX}"
    if hang_after_s is not None and vitals.busy_s > hang_after_s:
        return f"has been busy with {vitals.busy_with} for {vitals.busy_s:.1f} s, longer than {hang_after_s} s"
    return None
