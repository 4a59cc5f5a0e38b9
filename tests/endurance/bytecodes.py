"""Death at every bytecode of the order path: the node comes back to the same fills, and no order is placed twice.

    python -m tests.endurance.bytecodes --real 500

brings a whole node on the stage, with real files, to just before its first offer, and looks at its files before every
single bytecode of ours from there to the fold of the fills: breaker, executor, switchboard, commit, venue's desk and
book, evidence, positions.  A process that is killed leaves its files as they are at that moment, so each thing that
they ever are is recovered from: a node is started in a copy and lives to the end of its data.  Fills, positions, cash
and the venue's orders must be those of a node that was never killed.

What that rests on is tried too, with `--real` processes that really are killed with SIGKILL at bytecodes spread over
the path: each must leave what was seen there, and be recovered from in place.

First come the controls, which must be found out: nodes with a bug.  What falls within one bytecode, between the
system calls of a commit, is the matter of `power_loss` and `holdfast torture`.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from hashlib import blake2b
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import apsw
import msgspec

from domain.market import MINUTE_MS, Instant
from domain.sources import Step
from gateways.sample import SampleMarket
from gateways.sample_plan import BEGIN
from holdfast.config.loading import load_settings
from holdfast.parts import Parts, gather
from holdfast.staging import StagedNode
from persistence.errors import JournalError
from persistence.reader import JournalReader
from persistence.watermark import read_mark
from supervision import SupervisionError
from tests.endurance.kill_equivalence import compare
from tests.endurance.mutants import MUTANTS
from tests.endurance.mutation import Mutated
from tests.endurance.nodes import ROOT, Outcome, outcome_of
from tests.endurance.power_loss import shorten_log
from tests.endurance.proof import Violated, conclude, parser_of

OURS = tuple(f"{ROOT}/{name}/" for name in ("domain", "messages", "supervision", "persistence", "gateways", "actors"))
MINUTES = 36
"""Of market: the first offers come after 15 of them, their fills a minute later, the next offers after 30."""
FILLS, AFTER_TURNS = 2, 12
"""The path begins with the turn that makes the first offer, and ends so many turns after the fold of so many fills."""
CONTROLS = ("a_send_does_not_wait_for_the_disk", "an_unknown_order_is_sent_again")
FILES = ("journal.db", "journal.db-wal", "journal.watermark", "venue.db", "venue.db-wal", "venue.db-journal")
"""All that a node reads when it starts; the index of a log is made anew from the log."""


class ShortMarket(SampleMarket):
    """The beginning of the generated market."""

    def steps(self, after: Instant) -> Iterator[Step]:
        """Read the steps of its minutes."""
        for step in super().steps(after):
            if step.at > BEGIN + MINUTES * MINUTE_MS:
                return
            yield step


class Ended(msgspec.Struct, frozen=True):
    """What a node ended with."""

    outcome: Outcome
    orders: list[tuple[Any, ...]]
    """Of the venue's book, but for their ids: these are made of sequences, and a restart has events of its own."""


class Seen(msgspec.Struct):
    """Something that the files were, and at which bytecodes."""

    folder: Path
    first: int
    place: str
    told: tuple[Any, ...]
    bytecodes: int = 0


def parts() -> Parts:
    """Return the parts of a node on a short market."""
    overrides = ("feed.speed=max", "journal.snapshot_every=100")
    settings = load_settings(None, environ={}, overrides=overrides).settings
    return msgspec.structs.replace(gather(settings, folder=ROOT), source=ShortMarket(days=1))


def live(home: Path, *, seed: int, traced: Callable[[FrameType], None] | None = None) -> None:
    """Let a node live to the end of its data; `traced` is called before each bytecode of ours on the order path.

    Raises:
        Violated: it does not come to its end.
    """
    try:
        with StagedNode(parts(), home, seed=seed) as node:
            if traced is not None:
                _walk(node, traced)
            node.run()
            node.commit()
            if not node.ended:
                raise Violated(f"it does not come to its end: {node.root_exit} {node.switchboard.unsettled()}")
    except (JournalError, SupervisionError) as error:
        raise Violated(f"{type(error).__name__}: {error}") from error


def _walk(node: StagedNode, traced: Callable[[FrameType], None]) -> None:
    node.run(lambda: node.counted("FramesClosed") > 0)
    before = sys.gettrace()
    sys.settrace(tracer(traced))
    try:
        node.run(lambda: node.counted("PositionChanged") >= FILLS)
        last = node.stage.steps + AFTER_TURNS
        node.run(lambda: node.stage.steps >= last)
    finally:
        sys.settrace(before)


def tracer(traced: Callable[[FrameType], None]) -> Callable[[FrameType, str, Any], Any]:
    """Return what `sys.settrace` takes, to have a function called before each bytecode of ours."""
    ours: dict[CodeType, bool] = {}

    def within(frame: FrameType, event: str, _: Any) -> Any:
        if event == "opcode":
            traced(frame)
        return within

    def enter(frame: FrameType, event: str, _: Any) -> Any:
        code = frame.f_code
        if code not in ours:
            ours[code] = code.co_filename.startswith(OURS)
        if not ours[code]:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return within

    return enter


def ended(home: Path) -> Ended:
    """Return what a node has ended with."""
    return Ended(outcome_of(home), sorted(_orders(home, "strategy, symbol, side, type, quantity, leg, submitted_at")))


def _orders(home: Path, columns: str) -> list[tuple[Any, ...]]:
    with closing(apsw.Connection(str(home / "venue.db"), flags=apsw.SQLITE_OPEN_READWRITE)) as book:
        return [tuple(str(value) for value in row) for row in book.execute(f"SELECT {columns} FROM orders")]


def told(home: Path) -> tuple[Any, ...]:
    """Return what files say, as far as it is the same in every run: a log's salt is not."""
    with JournalReader(home) as reader:
        last = reader.last()
    return last, read_mark(home / "journal.watermark"), tuple(_orders(home, "*"))


class Walk:
    """Looks at the files before each bytecode, and keeps a copy of everything that they are."""

    def __init__(self, home: Path, folder: Path, *, stride: int = 1) -> None:
        """`stride`: how many bytecodes pass from one look to the next."""
        self.bytecodes = 0
        self.seen: dict[bytes, Seen] = {}
        self.files: set[str] = set()
        self.at: list[Seen] = []
        """For each bytecode that was looked at, what the files were."""
        self._home, self._folder, self._stride = home, folder, stride
        self._io = os.open("/proc/self/io", os.O_RDONLY)
        self._changes: object = None

    def __call__(self, frame: FrameType) -> None:
        """Take in what the files are."""
        if self.bytecodes % self._stride == 0:
            # No file changes without a call that writes, which the kernel counts, or another length.
            changes = (_writes(self._io), *(_length(self._home / name) for name in FILES))
            if changes != self._changes:
                self._changes = changes
                self._look(frame)
            else:
                self.at.append(self.at[-1])
            self.at[-1].bytecodes += 1
            self.files.add(frame.f_code.co_filename)
        self.bytecodes += 1

    def close(self) -> None:
        """Let go of what counts the writes."""
        os.close(self._io)

    def _look(self, frame: FrameType) -> None:
        digest = blake2b(digest_size=16)
        for name in FILES:
            with suppress(FileNotFoundError):
                digest.update(name.encode() + (self._home / name).read_bytes())
        mark = digest.digest()
        if mark not in self.seen:
            self.seen[mark] = self._keep(frame)
        self.at.append(self.seen[mark])

    def _keep(self, frame: FrameType) -> Seen:
        copy = self._folder / f"at-{self.bytecodes}"
        copy.mkdir(mode=0o700)
        for name in FILES:
            if (self._home / name).exists():
                shutil.copy(self._home / name, copy / name)
        place = f"{Path(frame.f_code.co_filename).relative_to(ROOT)}:{frame.f_lineno} {frame.f_code.co_qualname}"
        return Seen(copy, self.bytecodes, place, told(copy))


def _writes(io: int) -> bytes:
    """Return how many calls of this process have written anything: https://man7.org/linux/man-pages/man5/proc_pid_io.5.html"""
    return os.pread(io, 400, 0).split(b"\n")[3]


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def walk(folder: Path, *, seed: int, stride: int = 1) -> Walk:
    """Live once and look at every bytecode of the order path, or at one in so many."""
    folder.mkdir()
    with closing(Walk(folder / "home", folder, stride=stride)) as path:
        live(folder / "home", seed=seed, traced=path)
    return path


def recover(home: Path, reference: Ended, *, seed: int) -> None:
    """Start a node in what another has left, let it live to its end, and compare.

    Raises:
        Violated: it says what is different.
    """
    live(home, seed=seed)
    found = ended(home)
    differences = compare(reference.outcome, found.outcome)
    if found.orders != reference.orders:
        differences.append(f"orders: expected {reference.orders}, found {found.orders}")
    if differences:
        raise Violated("; ".join(differences[:3]))


def recover_all(path: Walk, reference: Ended, *, seed: int) -> None:
    """Recover from everything that the files were.

    Raises:
        Violated: it says at which bytecode a death does harm, and which.
    """
    for done, seen in enumerate(path.seen.values()):
        try:
            recover(seen.folder, reference, seed=seed + 1)
        except Violated as error:
            raise Violated(f"bytecode {seen.first} of {path.bytecodes}, before {seen.place}: {error}") from error
        _show("states of the files recovered from", done + 1, len(path.seen))


def die_at(home: Path, bytecode: int, *, seed: int) -> None:
    """Have a process of its own killed with SIGKILL just before a bytecode."""
    child = os.fork()
    if child == 0:
        try:
            left = bytecode

            def count(frame: FrameType) -> None:
                nonlocal left
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

            live(home, seed=seed, traced=count)
        finally:
            os._exit(1)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != -signal.SIGKILL:
        raise Violated(f"bytecode {bytecode}: the process was to be killed there, and ended by itself")


def kill_really(path: Walk, folder: Path, reference: Ended, count: int, *, seed: int) -> int:
    """Kill so many processes at bytecodes spread over the path, recover from each in place, and return how many.

    Raises:
        Violated: one has left something else than was seen there, or a death does harm.
    """
    for number in range(count):
        index = (2 * number + 1) * len(path.at) // (2 * count)
        bytecode, home = index * path.bytecodes // len(path.at), folder / f"killed-{number}"
        try:
            die_at(home, bytecode, seed=seed)
            if told(home) != path.at[index].told:
                raise Violated(f"expected files that say {path.at[index].told}, found {told(home)}")
            recover(home, reference, seed=seed + 1)
        except Violated as error:
            raise Violated(f"bytecode {bytecode} of {path.bytecodes}, really killed: {error}") from error
        shutil.rmtree(home)
        _show("processes killed", number + 1, count)
    return count


def control(folder: Path, name: str, reference: Ended, *, seed: int, stride: int = 1) -> str:
    """Return how a node with a bug is found out; nothing where it is not."""
    with Mutated(next(mutant for mutant in MUTANTS if mutant.__name__ == name)):
        try:
            recover_all(walk(folder / name, seed=seed, stride=stride), reference, seed=seed)
        except Violated as error:
            return str(error)
    return ""


def main() -> int:
    """Run it from the command line."""
    parser = parser_of(__doc__)
    parser.add_argument("--real", type=int, default=50, help="processes that are really killed")
    parser.add_argument("--stride", type=int, default=1, help="look at one bytecode in so many")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began, seed, violation = time.monotonic(), options.seed, ""
    report: dict[str, Any] = {}
    shorten_log()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        try:
            live(folder / "reference", seed=seed)
            reference = ended(folder / "reference")
            for bug in CONTROLS:
                report[bug] = control(folder, bug, reference, seed=seed, stride=max(options.stride, 10))[:160]
                if not report[bug]:
                    raise Violated(f"the control {bug!r} was not found out")
            path = walk(folder / "walk", seed=seed, stride=options.stride)
            report |= {"bytecodes": path.bytecodes, "looked at": len(path.at), "modules": len(path.files)}
            report |= {"fills": len(reference.outcome.fills), "orders": len(reference.orders)}
            report["different files"] = len(path.seen)
            recover_all(path, reference, seed=seed)
            report["really killed"] = kill_really(path, folder, reference, options.real, seed=seed)
        except Violated as error:
            violation = str(error)
    again = f"python -m tests.endurance.bytecodes --seed {seed} --stride {options.stride}"
    return conclude(report, violation, again, began=began, as_json=options.json)


def _show(what: str, done: int, of: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{what}: {done} of {of}", end="", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
