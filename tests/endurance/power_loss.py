"""What a power cut leaves of a journal is a journal: what was acknowledged is there, and nothing else.

    python -m tests.endurance.power_loss --states 100000

records the system calls of processes that open a journal, append in groups, keep snapshots, checkpoint and close; and
opens every state that a power cut could have left at any point (see `recorded_disk`), as a node opens it.  It must be
taken for sound, hold every record that had been acknowledged, and no other than was written.  The log's length is
scaled down, so that it is begun anew often.

First come the controls, which must be found out: a journal that syncs less (synchronous=NORMAL, OFF), and one that
acknowledges before it commits.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

from persistence import connection, journal, opening
from persistence.errors import JournalError
from persistence.journal import Journal
from persistence.reader import JournalReader
from tests.endurance.journal_kills import drafts
from tests.endurance.proof import Violated, conclude, parser_of
from tests.endurance.recorded_disk import State, record, states

ROOT = Path(__file__).resolve().parents[2]
LOG_BYTES = 96 * 1024
APPENDS = 24
GROUPS = (1, 1, 2, 5, 20)
CONTROLS = ("NORMAL", "OFF", "too early")
CONTROL_STATES_MAX = 20_000


def shorten_log() -> None:
    """Have the log begun anew after a few commits."""
    for module in (opening, journal):
        module.LOG_BYTES = LOG_BYTES  # type: ignore[attr-defined]


def work(home: Path, seed: int, how: str) -> None:
    """Open a journal, write to it as a node does, and say what is durable; `how` may break it on purpose."""
    shorten_log()
    if how in ("NORMAL", "OFF"):
        connection._WRITING["synchronous"] = (how, {"OFF": 0, "NORMAL": 1}[how])
    chance = random.Random(seed)
    world = os.open(os.devnull, os.O_WRONLY)
    with closing(Journal.open(home)) as writing:
        for _ in range(APPENDS):
            group = drafts(writing.last_seq + 1, writing.last_seq + chance.choice(GROUPS))
            if how == "too early":
                os.write(world, str(group[-1].seq).encode())
            writing.append(group)
            os.write(world, str(writing.last_seq).encode())
            if chance.random() < 0.2:
                writing.save_states(writing.last_seq, {"positions": (1, b"%d" % writing.last_seq)})
            if chance.random() < 0.1:
                writing.checkpoint()


def check(state: State, home: Path) -> None:
    """Open what a power cut has left, and look whether it is what it must be.

    Raises:
        Violated: it says what it is instead.
    """
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    for name, content in state.files.items():
        (home / name).write_bytes(content)
    try:
        with closing(Journal.open(home)) as found:
            last = found.last_seq
        with JournalReader(home) as reader:
            held = [(each.seq, each.payload) for each in reader.read()]
    except JournalError as error:
        raise Violated(f"it is taken for {type(error).__name__}: {error}") from error
    if last < state.said:
        raise Violated(f"{state.said} was acknowledged, it ends at {last}")
    if held != [(draft.seq, draft.payload) for draft in drafts(1, last)]:
        raise Violated(f"its {last} records are not those that were written")


def run(folder: Path, seed: int, how: str, states_max: int, tally: Counter[str], show: Callable[[], None]) -> None:
    """Record one process after another in a home that goes on, and check what a power cut leaves of each.

    Raises:
        Violated: it says what a power cut can leave.
    """
    home, left = folder / f"home-{seed}", folder / "left"
    with closing(Journal.open(home)) as fresh:
        fresh.append(drafts(1, 3))
    chance, seen = random.Random(seed), set[bytes]()
    for life in range(3):
        before = _files(home)
        command = [sys.executable, "-m", "tests.endurance.power_loss", "--work", str(home), "--how", how]
        operations = record([*command, "--seed", str(seed * 10 + life)], home, folder / "calls", cwd=ROOT)
        tally["operations"] += len(operations)
        for number, state in enumerate(states(before, operations, chance)):
            tally["states"] += 1
            mark = _mark(state)
            if mark in seen:
                continue
            seen.add(mark)
            try:
                check(state, left)
            except Violated as error:
                raise Violated(f"seed {seed}, life {life}, state {number}: {error}") from error
            tally["distinct states"] += 1
            show()
            if tally["distinct states"] >= states_max:
                return


def _files(home: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in home.iterdir() if path.is_file() and not path.name.endswith("-shm")
    }


def _mark(state: State) -> bytes:
    digest = blake2b(str(state.said).encode(), digest_size=16)
    for name, content in sorted(state.files.items()):
        digest.update(f"{name} {len(content)} ".encode())
        digest.update(content)
    return digest.digest()


def control(folder: Path, seed: int, how: str) -> int:
    """Return after how many states a journal that is broken on purpose is found out; 0 where it is not."""
    tally: Counter[str] = Counter()
    folder.mkdir()
    try:
        run(folder, seed, how, CONTROL_STATES_MAX, tally, lambda: None)
    except Violated:
        return tally["distinct states"] + 1
    return 0


def main() -> int:
    """Run it from the command line."""
    parser = parser_of(__doc__)
    parser.add_argument("--states", type=int, default=5_000, help="distinct ones, at least")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--how", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work is not None:
        work(options.work, options.seed, options.how)
        return 0
    if shutil.which("strace") is None:
        print("expected strace, found none: it records what a process writes and syncs", file=sys.stderr)
        return 1
    shorten_log()
    began, tally, violation, seed = time.monotonic(), Counter[str](), "", options.seed
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = {how: control(Path(folder) / how.replace(" ", "-"), seed, how) for how in CONTROLS}
        if blind := [how for how, after in found.items() if not after]:
            violation = f"the control {blind[0]!r} was not found out"
        try:
            while tally["distinct states"] < options.states and not violation:
                run(Path(folder), seed, "", options.states, tally, lambda: _show(tally, began))
                seed += 1
        except Violated as error:
            violation = str(error)
    again = f"python -m tests.endurance.power_loss --seed {seed} --states {options.states}"
    return conclude({**tally, "controls found after": found}, violation, again, began=began, as_json=options.json)


def _show(tally: Counter[str], began: float) -> None:
    if sys.stderr.isatty() and not tally["distinct states"] % 50:
        pace = tally["distinct states"] / (time.monotonic() - began)
        print(f"\r{tally['distinct states']} states, {pace:.0f} a second", end="", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
