"""Differences that prove nothing: a command and a death came together, and no record tells which of them an order met.

What was being sent when a part or the process died came to the venue, or did not; a command that is known by then
decides otherwise about an order that was lost than about one that rests.  A re-run repeats no deaths, so it loses none.
"""

import msgspec

from domain.market import Instant
from holdfast.rerun.inputs import Cue, Inputs
from holdfast.rerun.overtaking import STEPS
from holdfast.routes import AUDITOR, KEEPER, OPERATIONS, role_of
from messages.codec import decode
from messages.parts import PartCrashed
from persistence.reader import JournalReader
from persistence.records import Record

PROCESS = "the process"
ONLOOKERS = frozenset({*OPERATIONS, "operations", AUDITOR, KEEPER})


class Untold(msgspec.Struct, frozen=True):
    """A command and a death between two steps of the market."""

    at: Instant
    command: str
    command_seq: int
    died: str
    """The part that died, or the process."""
    died_seq: int
    """Of the record that tells it: a process that was killed is told by the next start."""


def find_untold(reader: JournalReader, inputs: Inputs, at: Instant) -> Untold | None:
    """Return what keeps a difference at an instant from being told; None where nothing does."""
    for cue in reversed(inputs.cues):
        if cue.command is not None and cue.at <= at and at in inputs.scripts and _reaches(reader, cue, at):
            death = _death_beside(reader, cue, inputs.until)
            if death is not None:
                died, died_seq = death
                command = getattr(cue.command, "command", type(cue.command).__name__)
                return Untold(cue.at, command, cue.seq, died, died_seq)
    return None


def _reaches(reader: JournalReader, cue: Cue, at: Instant) -> bool:
    """Say whether an instant is that of a cue, or the next, where what it has led to comes to its end."""
    following = next(reader.read(after=reader.seq_at(cue.at)), None)
    return at == cue.at or (following is not None and at == following.at)


def _death_beside(reader: JournalReader, cue: Cue, until: int) -> tuple[str, int] | None:
    before = next(reader.read_newest(STEPS, 1, until=cue.seq), None)
    steps = reader.read(after=cue.seq, until=until, kinds=STEPS)
    end = next(steps, None)
    if cue.overtaken is not None:
        end = next(steps, None)
    between = reader.read(
        after=before.seq if before is not None else 0,
        until=until if end is None else end.seq,
        kinds=("NodeStarted", "PartCrashed"),
    )
    return next((death for record in between if (death := _death_in(record)) is not None), None)


def _death_in(record: Record) -> tuple[str, int] | None:
    event = decode(record.kind, record.version, record.payload)
    if not isinstance(event, PartCrashed):
        return PROCESS, record.seq
    return None if role_of(event.part) in ONLOOKERS else (event.part, record.seq)
