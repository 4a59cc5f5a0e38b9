"""How a reader of messages is woken, and whose turn it is where several share one thread."""

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any


def nothing() -> None:
    """Do nothing."""


class Bell:
    """Wakes one reader.  Costs nothing while that is awake."""

    def __init__(self) -> None:
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self.is_needed = False
        """The reader has nothing in hand, and sleeps or is about to."""

    def ring(self) -> None:
        """Wake the reader, or keep it from falling asleep."""
        self._tokens.put(None)

    def sleep(self, has_work: Callable[[], object], on_quiet: Callable[[], object]) -> None:
        """Sleep until there is work.  Who adds work rings only where `is_needed`, after having added it."""
        self.is_needed = True
        on_quiet()
        while not has_work():
            self._tokens.get()
        self.is_needed = False


class Turns:
    """Whose turn it is on a thread that many share: a turn for each message, the most urgent first."""

    def __init__(self, bell: Bell | None = None) -> None:
        self.bell = bell or Bell()
        self.on_quiet: Callable[[], object] = nothing
        """Called when it is nobody's turn."""
        self._urgencies: dict[int, deque[Any]] = {}
        self._lock = threading.Lock()
        """Guards the two around it: who begins at the same time as another must not hide the other's queue."""
        self.queues: tuple[deque[Any], ...] = ()
        """The most urgent first."""

    def queue_for(self, urgency: int) -> deque[Any]:
        """Return where those of an urgency queue for their turns."""
        with self._lock:
            queue = self._urgencies.setdefault(urgency, deque())
            self.queues = tuple(queue for _urgency, queue in sorted(self._urgencies.items(), reverse=True))
            return queue

    def take(self) -> Any:
        """Return whose turn it is; None where it is nobody's."""
        queue = next(filter(None, self.queues), None)
        return queue.popleft() if queue is not None else None

    def next(self) -> Any:
        """Return whose turn it is; sleep until it is somebody's."""
        while True:
            for queue in self.queues:
                if queue:
                    return queue.popleft()
            self.bell.sleep(self._has_any, self.on_quiet)

    def _has_any(self) -> bool:
        return any(self.queues)
