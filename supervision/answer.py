"""The answer to a question from the edge of the house: pykka's future on one lock, where pykka's has five objects.

Who waits may give up.  What is asked is then not begun any more, and what is answered is a dead letter.
"""

import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

import pykka


class Answer(pykka.Future[Any]):
    """Is given once, by whoever is first; can be had as often as wanted."""

    def __init__(self, on_late: Callable[[Any], object] = lambda answer: None) -> None:
        """`on_late` hears an answer that nobody waits for any more."""
        super().__init__()
        self._on_late = on_late
        self.is_given_up = False
        """Nobody waits any more."""
        self._is_closed = threading.Lock()
        self._is_closed.acquire()
        self._rights = [True]
        """The right to give it, taken by who gives it."""
        self._value: Any = None
        self._error: BaseException | None = None

    def get(self, *, timeout: float | None = None) -> Any:
        """Return the answer, or raise what was given for one.

        Raises:
            pykka.Timeout: there is none within so many seconds.
        """
        if self._get_hook is not None:
            return super().get(timeout=timeout)
        if not self._is_closed.acquire(timeout=-1 if timeout is None else max(timeout, 0)):
            raise pykka.Timeout(f"{timeout} seconds")
        self._is_closed.release()
        if self._error is not None:
            raise self._error
        return self._value

    def set(self, value: Any = None) -> None:
        """Give the answer.

        Raises:
            queue.Full: it was given before.
        """
        if not self._is_wanted(value):
            return
        self._value = value
        self._is_closed.release()

    def set_exception(self, exc_info: Any = None) -> None:
        """Give an error for an answer: that of `sys.exc_info`, where none is given.

        Raises:
            queue.Full: an answer was given before.
        """
        kind, error, trace = exc_info or sys.exc_info()
        assert kind is not None, "an error must be given, or be in hand"
        if not self._is_wanted(error):
            return
        self._error = (error if error is not None else kind()).with_traceback(trace)
        self._is_closed.release()

    def give_up(self) -> bool:
        """Wait no more; say False where an answer was given just before."""
        try:
            self._rights.pop()
        except IndexError:
            return False
        self.is_given_up = True
        return True

    def _is_wanted(self, answer: Any) -> bool:
        """Take the right to give it; one that comes too late is told, once."""
        try:
            self._rights.pop()
        except IndexError:
            if not self.is_given_up:
                raise queue.Full from None
            on_late, self._on_late = self._on_late, lambda answer: None
            on_late(answer)
            return False
        return True
