"""Who mends, when, and the record that says so."""

import os
import pwd
import time
from datetime import UTC, datetime
from typing import NamedTuple

from messages.base import Event
from messages.codec import encode
from persistence.chain import Row
from persistence.records import Draft
from persistence.watermark import Mark


class Mender(NamedTuple):
    """Whoever gave the command, and when."""

    user: str
    process: int
    wall_ms: int

    @property
    def stamp(self) -> str:
        """Return the moment in UTC as part of a file's name, in milliseconds."""
        return stamp_of(self.wall_ms)


def this_mender() -> Mender:
    """Return the user of this process, now."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return Mender(user, os.getpid(), time.time_ns() // 1_000_000)


def stamp_of(wall_ms: int) -> str:
    """Return a moment in UTC as part of a file's name, in milliseconds."""
    moment = datetime.fromtimestamp(wall_ms / 1000, tz=UTC)
    return f"{moment:%Y%m%dT%H%M%S}.{wall_ms % 1000:03d}Z"


def draft_after(kept: Mark, newest: Row, event: Event, *, wall_ms: int) -> Draft:
    """Return the record that follows a journal's newest one, in whose market time nothing has happened since."""
    kind, version, payload = encode(event)
    seq = kept.seq + 1
    return Draft(
        seq=seq,
        at=newest[1],
        wall=wall_ms,
        kind=kind,
        version=version,
        actor="node",
        epoch=0,
        seen=0,
        correlation=seq,
        causation=0,
        payload=payload,
    )
