"""How the node answers a call: once, from any thread, at once or later."""

import threading
from collections.abc import Callable
from typing import Any

from holdfast.admin.connection import Limits
from holdfast.admin.protocol import Call, Code, error_line, item_line, result_line

Post = Callable[[bytes], bool]
"""Hands a line to the socket's thread; says whether it was taken."""


class Responder:
    """Answers one call.  The first answer counts; later ones, and those after the deadline, go nowhere."""

    def __init__(self, call: Call, post: Post, limits: Limits, deadline: float) -> None:
        self._call = call
        self._post = post
        self._limits = limits
        self._deadline: float | None = deadline
        self._lock = threading.Lock()
        self._is_done = False

    def __call__(self, result: Any) -> bool:
        """Answer with a result; say whether the answer is on its way."""
        return self._end(lambda: self._within_limits(result_line(self._call.id, result)))

    def refuse(self, message: str, *, code: int = Code.REFUSED, data: Any = None) -> bool:
        """Answer that the call is not served, and why; say whether the answer is on its way."""
        return self._end(lambda: error_line(self._call.id, code, message, data))

    def keep_open(self) -> None:
        """Lift the deadline: items will be pushed for as long as the client listens."""
        self._deadline = None

    def push(self, item: Any) -> bool:
        """Tell one item before the answer; say whether somebody still listens."""
        with self._lock:
            if self._is_done:
                return False
            is_taken = self._post(item_line(self._call.id, self._call.method, item))
            self._is_done = not is_taken
            return is_taken

    @property
    def is_done(self) -> bool:
        """Say whether it was answered, or nobody waits for the answer any more."""
        return self._is_done

    @property
    def deadline(self) -> float | None:
        """The instant the client is told that the node did not answer; None where it listens for ever."""
        return self._deadline

    def abandon(self) -> None:
        """Nobody waits for the answer any more."""
        with self._lock:
            self._is_done = True

    def _end(self, write: Callable[[], bytes]) -> bool:
        with self._lock:
            if self._is_done:
                return False
            line = write() if self._call.answerable else b""
            self._is_done = True
            return self._post(line)

    def _within_limits(self, line: bytes) -> bytes:
        if len(line) <= self._limits.outgoing_bytes:
            return line
        message = f"the answer must have at most {self._limits.outgoing_bytes} bytes, it has {len(line)}"
        return error_line(self._call.id, Code.LIMIT, message)
