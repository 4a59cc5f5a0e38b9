"""How a journal's newest generation began, as a starting node must know and say it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from actors.base import Log
from domain.market import Instant
from gateways.errors import SourceBroken
from holdfast.mending.books import Stray, find_strays
from messages.codec import decode
from messages.node import OperatorCommanded, Restored, Salvaged
from persistence.reader import JournalReader

SAID_MAX = 50
"""Orders that are named in the log at a start."""


class Mended(msgspec.Struct, frozen=True):
    """What began the newest generation."""

    seq: int
    event: Restored | Salvaged
    is_resumed: bool
    """An operator has opened the node again since."""


def newest_mend(reader: JournalReader) -> Mended | None:
    """Return how the newest generation began; None for the first one."""
    if reader.generation == 1:
        return None
    newest = next(iter(reader.read_newest([Restored.__name__, Salvaged.__name__], 1)), None)
    if newest is None:
        return None
    event = decode(newest.kind, newest.version, newest.payload)
    assert isinstance(event, Restored | Salvaged)
    commands = (
        decode(record.kind, record.version, record.payload)
        for record in reader.read(after=newest.seq, kinds=[OperatorCommanded.__name__])
    )
    is_resumed = any(isinstance(command, OperatorCommanded) and command.command == "resume" for command in commands)
    return Mended(newest.seq, event, is_resumed)


def strays_of(home: Path, now: Instant) -> tuple[Stray, ...]:
    """Return the orders that a home's book has and its journal does not; none where the book cannot be read."""
    with suppress(SourceBroken):  # Whoever opens the book says so.
        return find_strays(home, now=now)
    return ()


def open_strays(strays: Sequence[Stray]) -> Mapping[str, str]:
    """Return those that may still be filled, with their symbols."""
    return {stray.client_id: stray.symbol for stray in strays if stray.is_open}


def say_mended(log: Log, mended: Mended | None, strays: Sequence[Stray]) -> None:
    """Say in the log that the node is halted for it, and what the venue knows that the journal does not."""
    if mended is None or mended.is_resumed:
        return
    name = f"journal.{type(mended.event).__name__.lower()}"
    log("warning", name, seq=mended.seq, **msgspec.to_builtins(mended.event))
    for stray in strays[:SAID_MAX]:
        said = stray._asdict() | {"order": stray.client_id, "what": "not in the journal"}
        del said["client_id"]
        log("warning", "order.foreign", **said)
