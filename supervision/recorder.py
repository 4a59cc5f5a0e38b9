"""The port to the journal: numbered records go in, in order, and are durable later."""

from collections.abc import Sequence
from typing import Protocol

from supervision.signals import Recorded


class Recorder(Protocol):
    """Who writes down what is remembered."""

    @property
    def durable_seq(self) -> int:
        """Return the highest sequence that will survive any death."""

    def enqueue(self, records: Sequence[Recorded]) -> None:
        """Take records in sequence; called with the switchboard's lock held, so it must be quick."""

    def hurry(self, seq: int) -> None:
        """Tell that somebody waits for this sequence to be durable."""

    def wait(self, seq: int, timeout_s: float) -> bool:
        """Wait until a sequence is durable; only a starting actor and the edge may."""


class Encoder(Protocol):
    """Turns an event into its kind, version and bytes; refuses what could not be read back."""

    def __call__(self, event: object) -> tuple[str, int, bytes]: ...
