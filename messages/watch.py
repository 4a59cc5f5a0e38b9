"""What the watcher says: that something which must hold of the node's own records does not."""

from domain.invariants.finding import Code
from messages.base import Event


class InvariantViolated(Event, frozen=True):
    """A law does not hold; entries are denied until an operator resumes, unless it is only a notice."""

    code: Code
    law: str
    """What must hold, as a sentence."""
    subject: str
    """What it is about: an order's client id, a position's strategy and symbol, or the account."""
    expected: str
    found: str
    sequences: tuple[int, ...]
    """The records that it rests on."""
    advice: str
    """What an operator can do."""
    reduces: bool = True
    """The node is in reduce only from here on."""
