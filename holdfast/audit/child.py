"""The process that audits a day beside a node: `python -m holdfast.audit.child HOME DAY FOLDER`.

It yields to everything else that runs, and leaves when its node is gone.
"""

import os
import shutil
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import msgspec

from gateways.side_process import leave_with_parent
from holdfast.audit.command import brief_of
from holdfast.audit.compare import Audit, audit
from holdfast.audit.days import NoSuchDay
from holdfast.config.problems import ConfigurationError
from holdfast.secrets import scrub
from messages.audit import DayAudited
from persistence.errors import JournalError
from supervision import SupervisionError

NICE = 19
"""How much it yields: as much as there is."""
TEXT_MAX = 2_000
"""Characters of what was found that the journal keeps."""
NODE_GONE = 3
LOOK_S = 0.05
LOOKS_MAX = 100


def main(home: Path, day: str, folder: Path) -> None:
    """Audit a day in a folder for nothing else, which is gone afterwards, and write what came of it as JSON."""
    os.nice(NICE)
    is_node_gone = threading.Event()

    def leave() -> None:
        is_node_gone.set()
        _remove(folder)
        os._exit(NODE_GONE)

    leave_with_parent(leave)
    try:
        sys.stdout.write(msgspec.json.encode(_audited(home, day, folder)).decode())
        sys.stdout.flush()
    finally:
        if is_node_gone.is_set():
            # Who removes the folder would end with this thread.
            time.sleep(2 * LOOKS_MAX * LOOK_S)
        shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Take a folder away that the other thread may still write into: again, until it stays away."""
    for _ in range(LOOKS_MAX):
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(LOOK_S)
        if not folder.exists():
            return


def _audited(home: Path, day: str, folder: Path) -> DayAudited:
    try:
        return audited_of(audit(home, day, folder=folder))
    except (NoSuchDay, JournalError, ConfigurationError, SupervisionError, OSError) as error:
        return DayAudited(day=day, score=None, problem=text_of(f"{type(error).__name__}: {error}"))


def audited_of(found: Audit) -> DayAudited:
    """Return what is remembered of an audit."""
    sides = {"replay": found.replay, "backtest": found.backtest}
    scores = {
        f"{name} {what}": score.percent
        for name, side in sides.items()
        for what, score in (("decisions", side.decisions), ("fills", side.fills))
    }
    return DayAudited(
        day=found.day.name,
        score=found.score,
        scores={name: percent for name, percent in scores.items() if isinstance(percent, Decimal)},
        causes={str(cause): tally.first + tally.following for cause, tally in found.tallies().items()},
        is_equal=found.is_equal,
        text=text_of(brief_of(found)),
    )


def text_of(text: str) -> str:
    """Return a text that the journal takes: scrubbed, cut, and with nothing in it that is no character."""
    return scrub(text)[:TEXT_MAX].encode("utf-8", "backslashreplace").decode()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
