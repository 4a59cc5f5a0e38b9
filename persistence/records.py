"""What the journal keeps: a draft is what is handed in, a record is what is kept of it."""

import msgspec

from messages.base import Event


class Draft(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An event that has its sequence and is to be appended."""

    seq: int
    at: int
    """Market time in ms."""
    wall: int
    """Wall-clock time in ms."""
    kind: str
    version: int
    actor: str
    epoch: int
    """Incarnation of the actor."""
    seen: int
    """Last sequence the actor had folded."""
    correlation: int
    """Sequence of the event that began this chain of causes."""
    causation: int
    """Sequence of the event that was its direct cause."""
    payload: bytes
    event: Event | None = None
    """What the payload holds, where whoever hands it in has it at hand; no column."""


class Record(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An event as the journal has it: a draft and the hash that chains it to the record before."""

    seq: int
    at: int
    wall: int
    kind: str
    version: int
    actor: str
    epoch: int
    seen: int
    correlation: int
    causation: int
    payload: bytes
    hash: bytes


COLUMNS = ", ".join(Record.__struct_fields__)
"""The columns of a record as SQL names them, in the order of its fields."""

PLACES = ", ".join("?" for _ in Record.__struct_fields__)
