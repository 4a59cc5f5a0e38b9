"""The process that makes a backup beside a node: `python -m holdfast.mending.child HOME TO KEEP`.

It yields to everything else that runs, and leaves when its node is gone; what it had begun is cleared up by the next.
"""

import os
import sys
from pathlib import Path

import msgspec

from gateways.side_process import leave_with_parent
from holdfast.cues import cue_from_environment
from holdfast.mending.backup import back_up
from holdfast.mending.errors import MendingRefused
from holdfast.mending.progress import Progress
from holdfast.mending.schedule import failed
from messages.node import BackedUp
from persistence.errors import JournalError
from persistence.journal import nothing

NICE = 19
"""How much it yields: as much as there is."""
NODE_GONE = 3


def main(home: Path, to: Path, keep: int) -> None:
    """Make a backup, and write what came of it as JSON."""
    os.nice(NICE)
    os.umask(0o077)
    leave_with_parent(lambda: os._exit(NODE_GONE))
    sys.stdout.write(msgspec.json.encode(made(home, to, keep)).decode())


def made(home: Path, to: Path, keep: int) -> BackedUp:
    """Make a backup, and return what is remembered of it."""
    try:
        done = back_up(home, to, keep=keep, progress=Progress(wanted=False), cue=cue_from_environment() or nothing)
    except (MendingRefused, JournalError, OSError) as error:
        return failed(f"{type(error).__name__}: {error}")
    return BackedUp(
        folder=done["backup"],
        sequence=done["seq"],
        hash=done["hash"],
        bytes=done["bytes"],
        dropped=tuple(done["dropped"]),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
