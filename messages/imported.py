"""What was taken over from the files of another program, once, when the account was opened.

All of it is committed together with `AccountOpened`, so that a death leaves all of it or none.
"""

import msgspec

from domain.imported import Counters, HeldPosition, LastEntry, PastTrade
from messages.base import Event


class ImportedFile(msgspec.Struct, frozen=True):
    """A file that was read, and never touched."""

    path: str
    sha256: str
    """Of its bytes."""
    size: int
    """In bytes."""


class StateImported(Event, frozen=True):
    """The state of another program was taken over; each position follows as a record of its own."""

    files: tuple[ImportedFile, ...]
    symbols: tuple[str, ...]
    """The market's, when it was read."""
    positions: int
    trades: int
    """How many follow."""
    entries: tuple[LastEntry, ...] = ()
    counters: Counters | None = None
    notices: tuple[str, ...] = ()
    """What was read otherwise than it may have been meant, or not at all."""


class PositionImported(Event, frozen=True):
    """A strategy holds what another program bought.  Its orders are named after this record."""

    position: HeldPosition


class Kept(msgspec.Struct, frozen=True):
    """What of an object in a file means nothing here, as JSON; what is long comes in pieces, to be joined."""

    path: str
    """Of the object; empty for the file as a whole."""
    piece: int
    """From 1."""
    text: str


class PastImported(Event, frozen=True):
    """What the files say of the past, and whatever in them means nothing here, kept for people.  Nobody acts on it."""

    trades: tuple[PastTrade, ...] = ()
    kept: tuple[Kept, ...] = ()
