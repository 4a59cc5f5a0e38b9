"""What the journal tells of the lives in a home: how long each took to recover, and what was open when one died."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from holdfast.history import ORDER_EVENTS, History
from holdfast.recovery import recorded_of
from messages.codec import decode
from messages.parts import PartCrashed
from persistence.reader import JournalReader
from persistence.records import Record
from persistence.scan import END

TOLD = ("NodeStarted", "NodeStopped", "PartStarted", "PartCrashed", "Offered")
REASON_CHARS_MAX = 60
UNPROVEN = ("intended", "unresolved")


class Lived(msgspec.Struct):
    """One life, as whoever took it saw it."""

    first_seq: int
    """Where the journal ended when it began."""
    after_ms: int
    """Wall-clock time of the death that it came after; 0 where there was none."""
    began_ms: int = 0
    """Wall-clock time at which it began."""
    is_timely: bool = True
    """Nothing but itself kept it from being quick, and its wall clock told the time."""


class Recovery(msgspec.Struct, frozen=True):
    """How long a life took, from the death before it, in seconds."""

    ready_s: float
    """Until every part is up again."""
    trading_s: float
    """Until a strategy is asked again."""


class Deaths(msgspec.Struct):
    """What a journal tells of all the lives in it."""

    with_open_order: int = 0
    with_unproven_order: int = 0
    crashes: Counter[str] = msgspec.field(default_factory=Counter)
    """Parts that crashed, or hung and were replaced, by name and reason."""
    recoveries: list[Recovery] = []


def look_at_deaths(home: Path, lives: Sequence[Lived]) -> Deaths:
    """Read the journal once."""
    found, history, has_stopped = Deaths(), History(), False
    starts: list[list[Record]] = []
    with JournalReader(home) as reader:
        for record in reader.read(kinds=[*ORDER_EVENTS, *TOLD]):
            if record.kind in ORDER_EVENTS:
                history.take(recorded_of(record))
            elif record.kind == "PartCrashed":
                crashed = decode(record.kind, record.version, record.payload)
                assert isinstance(crashed, PartCrashed)
                reason = re.split(r"[:(]", crashed.reason)[0][:REASON_CHARS_MAX]
                found.crashes[f"{crashed.part}: {reason}"] += 1
            elif record.kind == "NodeStopped":
                has_stopped = True
            elif record.kind == "NodeStarted":
                if starts and not has_stopped:
                    states = {order.state for order in history.orders.values()}
                    found.with_open_order += "accepted" in states
                    found.with_unproven_order += any(state in states for state in UNPROVEN)
                starts.append([record])
                has_stopped = False
            elif starts:
                starts[-1].append(record)
    ends = [*(life.first_seq for life in lives[1:]), END]
    recoveries = (_recovery(life, end, starts) for life, end in zip(lives, ends, strict=False))
    found.recoveries = [each for each in recoveries if each is not None]
    return found


def _recovery(life: Lived, end: int, starts: Sequence[Sequence[Record]]) -> Recovery | None:
    """Return the recovery of a life that the next one found at `end`.

    None where it did not come so far, or had a reason to be slow.
    """
    if not life.is_timely or not life.after_ms:
        return None
    own = next((each for each in starts if life.first_seq < each[0].seq <= end), None)
    if own is None or own[0].wall < life.after_ms:
        return None
    offered = next((record for record in own if record.kind == "Offered"), None)
    if offered is None:
        return None
    up = [record.wall for record in own if record.kind == "PartStarted" and record.seq < offered.seq]
    return Recovery((max(up) - life.after_ms) / 1000, (offered.wall - life.after_ms) / 1000) if up else None
