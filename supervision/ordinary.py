"""The lane of ordinary messages, which has a policy: how many, what goes when there are more, what replaces what."""

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

from pykka._envelope import Envelope

from supervision.mailbox_spec import MailboxSpec


class OrdinaryLane:
    """Takes messages by its policy; the reader takes from the queue directly."""

    def __init__(self, queue: deque[Envelope[Any]], spec: MailboxSpec, on_drop: Callable[[Any, str], object]) -> None:
        self._queue = queue
        self._spec = spec
        self._on_drop = on_drop
        self._by_key: dict[Hashable, Envelope[Any]] = {}
        """The newest message of each key; it may have been taken out since."""
        self.replaced: set[Envelope[Any]] = set()
        """What waits and is not to be read any more."""

    def take(self, envelope: Envelope[Any]) -> bool:
        """Queue a message; say False where there is no room and its sender is to know."""
        if self._spec.conflate is not None and envelope.reply_to is None:
            self._replace(envelope, self._spec.conflate(envelope.message))
        if len(self._queue) >= self._spec.ordinary_max:
            if self._spec.overflow == "reject":
                return False
            if self._spec.overflow == "drop_newest":
                self._on_drop(envelope.message, "full")
                return True
            self._drop_oldest()
        self._queue.append(envelope)
        return True

    def let_go(self, envelope: Envelope[Any]) -> bool:
        """Say whether what was just taken out is not to be read any more."""
        if envelope not in self.replaced:
            return False
        self.replaced.discard(envelope)
        return True

    def _replace(self, envelope: Envelope[Any], key: Hashable | None) -> None:
        """Let go of the message that waits under this key: where its reader was quicker, both are handled."""
        if key is None:
            return
        before = self._by_key.get(key)
        if before is not None and before in self._queue:
            self.replaced.intersection_update(self._queue)
            self.replaced.add(before)
            self._on_drop(before.message, "conflated")
        self._by_key[key] = envelope

    def _drop_oldest(self) -> None:
        try:
            dropped = self._queue.popleft()
        except IndexError:  # Its reader was quicker: there is room.
            return
        if dropped.reply_to is not None:
            dropped.reply_to.set_exception((LookupError, LookupError("it was dropped for newer messages"), None))
        if not self.let_go(dropped):
            self._on_drop(dropped.message, "full")
