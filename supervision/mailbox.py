"""A mailbox with four lanes: the most urgent message first, each lane first in, first out."""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from pykka._envelope import Envelope

from supervision.signals import Lane

LANE_LIMITS = {Lane.SYSTEM: 10_000, Lane.CONTROL: 1_000, Lane.EVENTS: 1_000_000, Lane.ORDINARY: 10_000}


class Mailbox:
    """Many writers, one reader.  A token in a C queue stands for each message, so that a reader can sleep."""

    def __init__(self) -> None:
        self._lanes: tuple[deque[Envelope[Any]], ...] = tuple(deque() for _ in Lane)
        self._tokens: SimpleQueue[None] = SimpleQueue()
        self.high_water = 0

    def put(self, envelope: Envelope[Any], lane: Lane = Lane.ORDINARY) -> bool:
        """Queue a message; say False where its lane is full and it was not taken."""
        queue = self._lanes[lane]
        if len(queue) >= LANE_LIMITS[lane]:
            return False
        queue.append(envelope)
        self._tokens.put(None)
        if (depth := self._tokens.qsize()) > self.high_water:
            self.high_water = depth
        return True

    def get(self) -> Envelope[Any]:
        """Return the most urgent message; sleep until there is one."""
        while True:
            self._tokens.get()
            if (envelope := self._pop()) is not None:
                return envelope

    def empty(self) -> bool:
        """Say whether nothing is queued."""
        return not any(self._lanes)

    def depth(self) -> int:
        """Return how many messages are queued."""
        return sum(len(lane) for lane in self._lanes)

    def drain(self) -> Iterator[Envelope[Any]]:
        """Take everything out."""
        while (envelope := self._pop()) is not None:
            yield envelope

    def _pop(self) -> Envelope[Any] | None:
        for lane in self._lanes:
            # Who fences drains while the reader reads: between a look and a taking the lane may have become empty.
            with suppress(IndexError):
                return lane.popleft()
        return None
