"""Threads that do what may take long, and keep no process from ending: whatever hangs there ends with it.

Those of `concurrent.futures` are waited for when the interpreter ends.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue

from holdfast.secrets import print_scrubbed


class Helpers:
    """Does what it is given, so much at once and the rest in order."""

    def __init__(self, name: str, *, count: int) -> None:
        """`count` is how many threads there may be; they are started when they are needed."""
        self._name = name
        self._count = count
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0
        self._unfinished = 0
        self._is_closed = False

    def submit(self, job: Callable[[], object]) -> None:
        """Have a job done; once this is closed none is taken any more.  An error of it is printed."""
        with self._lock:
            if self._is_closed:
                return
            if self._started <= self._unfinished and self._started < self._count:
                self._started += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
            self._unfinished += 1
            self._jobs.put(job)

    def close(self) -> None:
        """Begin no job any more, and wait for none."""
        with self._lock:
            self._is_closed = True
            for _ in range(self._started):
                self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._is_closed:
                return
            try:
                job()
            except Exception as error:  # noqa: BLE001  a job that fails must not take its thread along
                print_scrubbed(error, error.__traceback__)
            with self._lock:
                self._unfinished -= 1
