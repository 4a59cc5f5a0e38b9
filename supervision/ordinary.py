"""The lane of ordinary messages, which has a policy: how many, what goes when there are more, what replaces what."""

import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

from pykka._envelope import Envelope

from supervision.mailbox_spec import MailboxSpec


class OrdinaryLane:
    """Takes messages by its policy; the reader takes from the queue directly, and says so with `taken`."""

    def __init__(self, queue: deque[Envelope[Any]], spec: MailboxSpec, on_drop: Callable[[Any, str], object]) -> None:
        self._queue = queue
        self._spec = spec
        self._on_drop = on_drop
        self.conflates = spec.conflate is not None
        self._lock = threading.Lock()
        """Guards the two below.  Only a lane that conflates takes it."""
        self._waiting: dict[Hashable, Envelope[Any]] = {}
        """What waits under each key."""
        self._keys: dict[Envelope[Any], Hashable] = {}

    def take(self, envelope: Envelope[Any]) -> bool:
        """Queue a message; say False where there is no room and its sender is to know."""
        if self._spec.conflate is None or envelope.reply_to is not None:
            return self._append(envelope)
        key = self._spec.conflate(envelope.message)
        if key is None:
            return self._append(envelope)
        with self._lock:
            before = self._waiting.get(key)
            if before is None:
                return self._append(envelope, key)
            replaced = before.message
            for what in ("message", "sender", "epoch"):
                setattr(before, what, getattr(envelope, what))
        self._on_drop(replaced, "conflated")
        return True

    def taken(self, envelope: Envelope[Any]) -> None:
        """Let nothing take the place of a message that is out of the queue."""
        with self._lock:
            self._forget(envelope)

    def _append(self, envelope: Envelope[Any], key: Hashable | None = None) -> bool:
        if len(self._queue) >= self._spec.ordinary_max:
            if self._spec.overflow == "reject":
                return False
            if self._spec.overflow == "drop_newest":
                self._on_drop(envelope.message, "full")
                return True
            self._drop_oldest(is_locked=key is not None)
        if key is not None:
            self._waiting[key], self._keys[envelope] = envelope, key
        self._queue.append(envelope)
        return True

    def _drop_oldest(self, *, is_locked: bool) -> None:
        try:
            dropped = self._queue.popleft()
        except IndexError:  # Its reader was quicker: there is room.
            return
        if is_locked:
            self._forget(dropped)
        elif self.conflates:
            self.taken(dropped)
        if dropped.reply_to is not None:
            dropped.reply_to.set_exception((LookupError, LookupError("it was dropped for newer messages"), None))
        self._on_drop(dropped.message, "full")

    def _forget(self, envelope: Envelope[Any]) -> None:
        if (key := self._keys.pop(envelope, None)) is not None:
            del self._waiting[key]
