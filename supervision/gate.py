"""The gate: what waits until its cause is durable.  Sends that leave the house, and news for onlookers."""

from collections import deque
from typing import Any, NamedTuple

from supervision.cells import Cell
from supervision.mailbox import Post


class Held(NamedTuple):
    """Something said that waits until what its sender knew is durable."""

    gate: int
    sender: str
    epoch: int
    to: str
    message: Any


class Gate:
    """Keeps both in the order they came; called with the switchboard's lock held."""

    def __init__(self) -> None:
        self._held: list[Held] = []
        self._news: deque[tuple[int, Cell, Post]] = deque()
        self.is_opening = False
        """The news will be let through in a moment."""

    @property
    def holds_sends(self) -> bool:
        """Say whether a send waits."""
        return bool(self._held)

    def hold(self, held: Held) -> None:
        """Keep a send."""
        self._held.append(held)

    def revoke(self, sender: str, epoch: int) -> None:
        """Forget what an incarnation wanted to send."""
        self._held = [held for held in self._held if (held.sender, held.epoch) != (sender, epoch)]

    def sends_due(self, seq: int) -> list[Held]:
        """Take out the sends whose cause is durable with this sequence."""
        due = [held for held in self._held if held.gate <= seq]
        if due:
            self._held = [held for held in self._held if held.gate > seq]
        return due

    def why_closed(self) -> tuple[str, ...]:
        """Say which sends wait, and for what."""
        return tuple(f"{held.sender}: a send waits for sequence {held.gate}" for held in self._held)

    def keep_news(self, seq: int, onlooker: Cell, post: Post) -> None:
        """Keep an event for an onlooker."""
        self._news.append((seq, onlooker, post))

    def has_news(self, seq: int) -> bool:
        """Say whether there is something to hear of what is durable with this sequence."""
        return bool(self._news) and self._news[0][0] <= seq

    def tell_news(self, seq: int) -> None:
        """Tell onlookers what is durable, much at once: to wake them for each would cost more."""
        self.is_opening = False
        while self.has_news(seq):
            _seq, onlooker, post = self._news.popleft()
            if onlooker.up:
                onlooker.mailbox.hear(post)
