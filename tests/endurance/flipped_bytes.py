"""Every byte of a journal's files flipped, one after the other: found out, or nothing that is read is different.

    python -m tests.endurance.flipped_bytes

makes a journal with snapshots as a process that is killed leaves it, with its log not yet copied, and another whose
log was; flips all bits of one byte of a file, and reads and verifies: either damage is told of, or every record,
snapshot and identity is what it was.  The reader is what every start reads with.

First comes the control: a reader that does not check the chain and the watermark must be found out.
"""

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from persistence.errors import JournalError
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.verify import verify
from tests.endurance.journal_kills import drafts
from tests.endurance.power_loss import shorten_log
from tests.endurance.proof import Violated, conclude, parser_of

RECORDS = 12
FILES = ("journal.db", "journal.db-wal", "journal.watermark")
Reading = Callable[[Path], object]


def make(folder: Path) -> tuple[Path, Path]:
    """Make two homes: one as a killed process leaves it, one that was closed."""
    home, killed = folder / "closed", folder / "killed"
    with closing(Journal.open(home)) as journal:
        for seq in range(1, RECORDS + 1):
            journal.append(drafts(seq, seq))
            if seq % 5 == 0:
                journal.save_states(seq, {"positions": (1, b"state %d" % seq)})
        shutil.copytree(home, killed, ignore=shutil.ignore_patterns("*-shm"))
    return killed, home


def read(home: Path) -> object:
    """Read all that a node starts from."""
    with JournalReader(home) as reader:
        states = [reader.state_of("positions", version=1, upto=upto) for upto in range(RECORDS + 1)]
        return list(reader.read()), reader.last(), reader.generation, reader.boot, states


def read_unchecked(home: Path) -> object:
    """Read records as a program would that takes what SQLite says for what was written."""
    try:
        with closing(apsw.Connection(str(home / "journal.db"), flags=apsw.SQLITE_OPEN_READONLY)) as database:
            return database.execute("SELECT * FROM events").fetchall()
    except (apsw.Error, UnicodeDecodeError) as error:
        raise JournalError(str(error)) from error


def flip_all(home: Path, places: Mapping[str, Iterable[int]], tally: Counter[str], reading: Reading = read) -> None:
    """Flip bytes of files, each by itself, and put them right again.

    Raises:
        Violated: it says which byte changes what is read without being found out.
    """
    sound = reading(home)
    for name, chosen in places.items():
        for place in chosen:
            with (home / name).open("r+b", buffering=0) as file:
                byte = os.pread(file.fileno(), 1, place)
                os.pwrite(file.fileno(), bytes([byte[0] ^ 255]), place)
            (home / "journal.db-shm").unlink(missing_ok=True)
            is_told = _is_told(home, sound, reading, f"{home.name}/{name}, byte {place}")
            tally[f"{name} {'told' if is_told else 'harmless'}"] += 1
            with (home / name).open("r+b", buffering=0) as file:
                os.pwrite(file.fileno(), byte, place)
    (home / "journal.db-shm").unlink(missing_ok=True)
    if reading(home) != sound:
        raise Violated(f"{home.name}: reading has changed it")


def _is_told(home: Path, sound: object, reading: Reading, where: str) -> bool:
    try:
        found: Any = reading(home)
    except JournalError:
        return True
    if found == sound:
        return False
    if reading is read and not _is_sound(home):
        return True
    raise Violated(f"{where}: it is read as something else, and nothing tells")


def _is_sound(home: Path) -> bool:
    try:
        return verify(home).is_sound
    except JournalError:
        return False


def every_place(home: Path, stride: int = 1) -> dict[str, Iterable[int]]:
    """Return all bytes of all files, or one in so many."""
    return {name: range(0, (home / name).stat().st_size, stride) for name in FILES if (home / name).exists()}


def control(home: Path, stride: int = 1) -> str:
    """Return how a reader is found out that checks nothing; nothing where it is not."""
    copy = home.with_name("control")
    shutil.copytree(home, copy)
    try:
        flip_all(copy, every_place(copy, stride), Counter(), read_unchecked)
    except Violated as error:
        return str(error)
    return ""


def main() -> int:
    """Run it from the command line."""
    parser = parser_of(__doc__)
    parser.add_argument("--stride", type=int, default=1, help="flip one byte in so many")
    options = parser.parse_args()
    shorten_log()
    began, tally, violation, found = time.monotonic(), Counter[str](), "", ""
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        homes = make(Path(folder))
        try:
            found = control(homes[0])
            if not found:
                raise Violated("the control, a reader that checks nothing, was not found out")
            for home in homes:
                flip_all(home, every_place(home, options.stride), tally)
        except Violated as error:
            violation = str(error)
    again = f"python -m tests.endurance.flipped_bytes --stride {options.stride}"
    report = {"bytes": tally.total(), **tally, "control": found}
    return conclude(report, violation, again, began=began, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
