"""Memory that runs out, at every allocation of an append and at many of a node's order path: never half a state.

    python -m tests.endurance.allocations --nodes 200

has one allocation of Python fail, the first, the second, and so on until none is left to fail, while a process
appends, commits, keeps states and checkpoints; the process tries once more and is gone.  The journal must then open as
sound, tables and all, with every group whole or absent, and all there that was acknowledged.  Then the same to whole
nodes on the stage, somewhere on the order path: what the failure ends is started again, and comes to the same fills.

First comes the control: a journal that commits a group in two halves must be found out.
"""

import faulthandler
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from domain.order import Terms
from holdfast.staging import StagedNode
from messages.codec import encode
from messages.orders import OrderIntended
from persistence.errors import JournalError
from persistence.journal import Journal
from persistence.records import Draft
from persistence.verify import verify
from tests.endurance.bytecodes import FILLS, Ended, ended, live, parts, recover
from tests.endurance.mutation import Mutated, Put
from tests.endurance.power_loss import shorten_log
from tests.endurance.proof import Violated, conclude, parser_of

_testcapi: Any = import_module("_testcapi") if find_spec("_testcapi") else None
"""Not every build of Python has it."""

GROUP = 5
BEFORE = 4
ALLOCATIONS_MAX = 20_000
NODE_ALLOCATIONS = 40_000
"""Of so many allocations of the order path one is drawn to fail."""
HAS_MEANS = _testcapi is not None


def half_a_group(put: Put) -> None:
    """A group is committed in two halves."""
    commit = Journal._commit

    def mutated(self: Journal, rows: list[Any], changes: Any) -> None:
        commit(self, rows[:2], None)
        commit(self, rows[2:], changes)

    put(Journal, "_commit", mutated)


def drafts(first: int) -> list[Draft]:
    """Return a group of records, each of which changes a table."""
    made = []
    for seq in range(first, first + GROUP):
        terms = Terms(f"h{seq}", "confidence", "BTCUSDT", "buy", "market", Decimal("0.1"), "entry")
        made.append((seq, *encode(OrderIntended(terms, ordered_by=seq, attempt=0))))
    return [Draft(seq, seq, seq, kind, version, "x", 1, seq - 1, 0, 0, body) for seq, kind, version, body in made]


def append(journal: Journal) -> None:
    """Append a group, whose tables follow in the next."""
    journal.append(drafts(journal.last_seq + 1))


def append_ahead(journal: Journal) -> None:
    """Append a group, whose tables follow later, and let them follow."""
    journal.append(drafts(journal.last_seq + 1), tables_follow=True)
    journal.catch_up()


def keep(journal: Journal) -> None:
    """Keep states, and checkpoint."""
    journal.save_states(journal.last_seq, {"positions": (1, b"state")})
    journal.checkpoint()


WORKS: tuple[Callable[[Journal], None], ...] = (append, append_ahead, keep)


def starve(home: Path, work: Callable[[Journal], None], nth: int) -> tuple[bool, int]:
    """Do some work in a process whose n-th allocation fails, and try once more where it did.

    Returns whether one has failed, and the last sequence that was acknowledged.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        faulthandler.disable()  # A C library that meets no memory may end the process, as it may.
        try:
            journal = Journal.open(home)
            acknowledged, has_failed = journal.last_seq, False
            try:
                _testcapi.set_nomemory(nth, nth + 1)
                work(journal)
                _testcapi.remove_mem_hooks()
                acknowledged = journal.last_seq
            except (MemoryError, JournalError):
                _testcapi.remove_mem_hooks()
                has_failed = True
                with suppress(JournalError, MemoryError):
                    work(journal)
                    acknowledged = journal.last_seq
            os.write(writing, f"{int(has_failed)} {acknowledged}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    # Who says nothing was ended by it.
    failed, seq = said.split() if said else ("1", "0")
    return failed == "1", int(seq)


def starve_everywhere(folder: Path, tally: Counter[str], *, stride: int = 1) -> None:
    """Have each allocation of each kind of work fail, or one in so many, until none is left.

    Raises:
        Violated: it says which, and what is left then.
    """
    base, home = folder / "base", folder / "starved"
    with closing(Journal.open(base)) as journal:
        for _ in range(BEFORE):
            append(journal)
    for work in WORKS:
        for nth in range(0, ALLOCATIONS_MAX, stride):
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(base, home)
            has_failed, acknowledged = starve(home, work, nth)
            try:
                _look(home, acknowledged)
            except (Violated, JournalError) as error:
                raise Violated(f"{work.__name__}, allocation {nth}: {type(error).__name__}: {error}") from error
            tally[work.__name__] += has_failed
            if not has_failed:
                break
        else:
            raise Violated(f"{work.__name__}: more than {ALLOCATIONS_MAX} allocations")


def _look(home: Path, acknowledged: int) -> None:
    with closing(Journal.open(home)) as journal:
        last = journal.last_seq
    if last < max(acknowledged, BEFORE * GROUP):
        raise Violated(f"{acknowledged} was acknowledged, it ends at {last}")
    if last % GROUP:
        raise Violated(f"half a group is there: it ends at {last}")
    if not (found := verify(home)).is_sound:
        raise Violated(f"not sound: {found}")


def starve_nodes(folder: Path, count: int, seed: int, tally: Counter[str]) -> None:
    """Have one allocation fail in each of so many nodes, start what it ended again, and compare.

    Raises:
        Violated: it says which, and what is different.
    """
    chance = random.Random(seed)
    live(folder / "reference", seed=seed)
    reference: Ended = ended(folder / "reference")
    for number in range(count):
        nth, home = chance.randrange(NODE_ALLOCATIONS), folder / f"node-{number}"
        tally["nodes ended" if _starve_node(home, nth, seed) else "nodes that went on"] += 1
        try:
            recover(home, reference, seed=seed + 1)
        except Violated as error:
            raise Violated(f"a node's allocation {nth}, seed {seed}: {error}") from error
        shutil.rmtree(home)


def _starve_node(home: Path, nth: int, seed: int) -> bool:
    child = os.fork()
    if child == 0:
        faulthandler.disable()
        code = 1
        try:
            with StagedNode(parts(), home, seed=seed) as node:
                node.run(lambda: node.counted("FramesClosed") > 0)
                _testcapi.set_nomemory(nth, nth + 1)
                try:
                    node.run(lambda: node.counted("PositionChanged") >= FILLS)
                finally:
                    _testcapi.remove_mem_hooks()
                node.run()
                node.commit()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] != 0


def control(folder: Path, *, stride: int = 1) -> str:
    """Return how a journal is found out that commits in halves; nothing where it is not."""
    folder.mkdir()
    with Mutated(half_a_group):
        try:
            starve_everywhere(folder, Counter(), stride=stride)
        except Violated as error:
            return str(error)
    return ""


def main() -> int:
    """Run it from the command line."""
    parser = parser_of(__doc__)
    parser.add_argument("--nodes", type=int, default=50, help="whole nodes")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not HAS_MEANS:
        print("expected a Python with _testcapi, which has allocations fail", file=sys.stderr)
        return 1
    shorten_log()
    began, tally, violation, found = time.monotonic(), Counter[str](), "", ""
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        try:
            found = control(Path(folder) / "control", stride=3)
            if not found:
                raise Violated("the control, a group in two halves, was not found out")
            starve_everywhere(Path(folder), tally)
            starve_nodes(Path(folder), options.nodes, options.seed, tally)
        except Violated as error:
            violation = str(error)
    again = f"python -m tests.endurance.allocations --nodes {options.nodes} --seed {options.seed}"
    return conclude({**tally, "control": found[:120]}, violation, again, began=began, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
