"""What all actors that remember have in common."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from messages.node import StateAt
from supervision import JournaledActor, Recorded

S = TypeVar("S", bound=msgspec.Struct)

Log = Callable[..., None]
"""`log(level, event, **values)`: says something that a person may want to read."""
ARCHIVIST = "archivist"
"""Who is told every state at a marker."""


class StructMemory(Generic[S]):
    """A memory whose state is one Struct, saved as JSON.  Subclasses write `fold`."""

    version = 1

    def __init__(self, state: S) -> None:
        self.state = state

    def save(self) -> bytes:
        """Return the state as JSON; fields and entries stand in the order they came."""
        return msgspec.json.encode(self.state)

    def load(self, saved: bytes) -> None:
        """Take over a saved state."""
        self.state = msgspec.json.decode(saved, type=type(self.state))


class RememberingActor(JournaledActor):
    """Tells its state at every marker."""

    def marked(self, record: Recorded, version: int, saved: bytes) -> None:
        """Tell the archivist."""
        self.tell(ARCHIVIST, StateAt(record.seq, self.name, version, saved))
