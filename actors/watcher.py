"""The watcher: writes down which law of the node's own records does not hold, so that the breaker reduces to exits."""

from actors.base import RememberingActor
from actors.watcher_memory import WatcherMemory, event_of
from supervision import Seat, System


class Watcher(RememberingActor):
    """Hears late and speaks seldom; nobody waits for it."""

    def __init__(self, system: System, seat: Seat, *, memory: WatcherMemory) -> None:
        super().__init__(system, seat, memory=memory)
        self._known = memory

    def react(self) -> None:
        """Record what was found and not recorded yet."""
        for finding in self._known.state.pending:
            self.record(event_of(finding))
