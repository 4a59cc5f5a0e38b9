"""A full rebuild of the state from the journal, beside a scan and decode of the same records.

    python -m benchmarks.rebuild [--home HOME] [--days N] [--rounds N] [--dir FOLDER] [--json]

The journal is that of a recorded run, or of a run of the sample market where there are no recorded bars; an ended
node's own with --home.  The rebuild checks the chain, decodes, and folds every memory; the floor reads the rows with a
bare connection and decodes every payload.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import apsw

from benchmarks.common import ROOT, arguments, compared, recorded_bars, say
from benchmarks.recorded_run import one_run
from holdfast.rebuild import Rebuilt, shape_at
from messages.codec import decode
from persistence.reader import JournalReader
from persistence.records import COLUMNS, Record

RATIO_MAX = 2.5
FLOOR_IS = "scan and decode of the same records"
END = 2**63 - 1


def main() -> None:
    """Measure, and print."""
    parser = arguments("A full rebuild of the state from the journal.")
    parser.add_argument("--home", type=Path, help="an ended node's home to rebuild")
    parser.add_argument("--days", type=int, default=8, help="days of the recording to run where no home is given")
    parser.add_argument("--rounds", type=int, default=5, help="rebuilds to take the median of")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.dir) as folder:
        home = wanted.home or make_journal(Path(folder), wanted.days)
        say(measure(home, rounds=wanted.rounds), as_json=wanted.json)


def make_journal(folder: Path, days: int) -> Path:
    """Run a node to the end of its data; return its home."""
    bars = recorded_bars()
    home = folder / "home"
    if bars is not None:
        one_run(home, folder, bars, days)
        return home
    sample = ["--set", "feed.speed=max", "--set", "log.level=warning", "--json"]
    command = [sys.executable, "-m", "holdfast", "run", "--home", str(home), *sample]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return home


def measure(home: Path, *, rounds: int) -> list[dict[str, Any]]:
    """Let rebuild and floor take turns, and say what the parts of a rebuild take."""
    floors, ours, scans, checks = [], [], [], []
    for _ in range(rounds):
        scans.append(_timed(lambda: _read_bare(home, lambda record: None)))
        floors.append(_timed(lambda: _read_bare(home, _decode)))
        checks.append(_timed(lambda: _read_checked(home)))
        ours.append(_timed(lambda: rebuild(home)))
    events = rebuild(home).seq
    scan, floor, check, whole = (median(times) / events * 1e6 for times in (scans, floors, checks, ours))
    parts = {
        "scan": f"{scan:.2f} us",
        "chain check": f"{check - scan:.2f} us",
        "decode": f"{floor - scan:.2f} us",
        "fold and the rest": f"{whole - check - (floor - scan):.2f} us",
    }
    found = compared(
        "rebuild", ours=whole, floor=floor, unit="us/event", floor_is=FLOOR_IS, ratio_max=RATIO_MAX, parts=parts
    )
    return [found | {"events": events}]


def rebuild(home: Path) -> Rebuilt:
    """Fold everything, the chain of hashes checked."""
    with JournalReader(home) as reader:
        shape, problems = shape_at(reader, END)
        if problems:
            raise RuntimeError(f"expected a journal that can be rebuilt here, found {problems}")
        rebuilt = Rebuilt(shape)
        rebuilt.fold_all(reader.read())
    return rebuilt


def _read_checked(home: Path) -> None:
    with JournalReader(home) as reader:
        for _ in reader.read():
            pass


def _read_bare(home: Path, take: Callable[[Record], object]) -> None:
    with closing(apsw.Connection(str(home / "journal.db"), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        for row in connection.execute(f"SELECT {COLUMNS} FROM events ORDER BY seq"):
            take(Record(*row))


def _decode(record: Record) -> object:
    return decode(record.kind, record.version, record.payload)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
