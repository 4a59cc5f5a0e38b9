"""A node killed before any bytecode of the order path ends as one that was not.

    python -m tests.endurance.bytecodes

A node stands on the stage, with real files, just before a bar on which it will enter.  A process lives on from there
and kills itself with SIGKILL before the n-th bytecode of our code that it executes, from the bar over offer, proposal,
verdict, intent, commit, send, fill and position to the protective stop that rests.  Then the home is started again and
run to its end: fills, positions and cash must be those of a node that was never killed.

There are more than 100,000 such bytecodes, and a killed process leaves nothing but its files: deaths between the same
two system calls that write leave the same.  So one run is watched for where it writes, and it is killed before the
first and before the last bytecode between any two writes; and, lest that were wrong, before every 500th besides.

First comes the control: where unfinished orders of earlier lives are not asked about, some death must show.
"""

import argparse
import gc
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import msgspec

from domain.market import MINUTE_MS, Instant
from domain.sources import Step
from gateways.sample import SampleMarket
from holdfast.config.loading import load_settings
from holdfast.parts import Parts, gather
from holdfast.staging import StagedNode
from persistence.reader import JournalReader
from tests.endurance.journal_kills import MEMORY
from tests.endurance.kill_equivalence import compare
from tests.endurance.mutants import an_inherited_order_is_taken_for_certain
from tests.endurance.mutation import Mutated
from tests.endurance.nodes import Outcome, outcome_of

ROOT = Path(__file__).resolve().parents[2]
OURS = ("actors", "domain", "gateways", "holdfast", "messages", "persistence", "supervision")
AFTER_MS = 40 * MINUTE_MS
"""How long the market goes on after the entry: until the next offers have been answered."""
CONTROL_EVERY = 5_000
FAR: Instant = 1 << 50
SETTINGS = ("feed.speed=max", "feed.symbols=BTCUSDT", "journal.snapshot_every=400", "sentiment.source=none")


class Tracer:
    """Counts bytecodes of our code, and dies before one of them."""

    def __init__(self, dies_at: int) -> None:
        """`dies_at` is the number of that bytecode; with 0 none, and it is noted where the process writes."""
        self.count = 0
        self.firsts: list[int] = []
        """Each bytecode before which something was written since the one before it."""
        self._writes = -1
        self._calls = os.open("/proc/self/io", os.O_RDONLY) if not dies_at else -1
        self._dies_at = dies_at
        self._is_ours: dict[CodeType, bool] = {}
        self._roots = tuple(f"{ROOT / name}/" for name in OURS)

    def __call__(self, frame: FrameType, event: str, argument: Any) -> "Tracer | None":
        """Hear of what a thread executes."""
        if event == "call":
            code = frame.f_code
            if code not in self._is_ours:
                self._is_ours[code] = code.co_filename.startswith(self._roots)
            if not self._is_ours[code]:
                return None
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        elif event == "opcode":
            self.count += 1
            if self.count == self._dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if not self._dies_at:
                self._note_writes()
        return self

    def _note_writes(self) -> None:
        writes = int(os.pread(self._calls, 512, 0).partition(b"syscw: ")[2].partition(b"\n")[0])
        if writes != self._writes:
            self._writes = writes
            self.firsts.append(self.count)


class NeverEnds(Exception):
    """A node does not come to the end of its data."""


class Scene(msgspec.Struct):
    """The node just before it enters, and what becomes of it where it lives."""

    parts: Parts
    at: Instant
    """When the bars close on which it enters."""
    template: Path
    reference: Outcome


def set_scene(folder: Path) -> Scene:
    """Find the first entry of the generated market, and bring a home to just before it."""
    parts = _parts(until=FAR)
    with StagedNode(parts, folder / "scout", seed=0) as node:
        node.run(lambda: node.counted("OrderIntended") > 0)
        node.commit()
    with JournalReader(folder / "scout") as reader:
        at = next(iter(reader.read(kinds=["OrderIntended"]))).at
    parts = _parts(until=at + AFTER_MS)
    _live(parts, folder / "reference")
    with StagedNode(parts, folder / "template", seed=0) as node:
        node.run(lambda: node.stage.clock.market_ms() >= at - MINUTE_MS)
        node.commit()
        node.kill()
    reference = outcome_of(folder / "reference")
    if not reference.fills:
        raise AssertionError("expected a market in which something is bought, found none")
    return Scene(parts, at, folder / "template", reference)


class _Ending(SampleMarket):
    """The generated market, up to an instant."""

    def __init__(self, until: Instant) -> None:
        super().__init__(days=1, symbols=("BTCUSDT",))
        self._until = until

    def steps(self, after: Instant) -> Iterator[Step]:
        """Yield the steps after an instant."""
        return itertools.takewhile(lambda step: step.at <= self._until, super().steps(after))


def _parts(until: Instant) -> Parts:
    parts = gather(load_settings(None, environ={}, overrides=SETTINGS).settings, folder=ROOT)
    return msgspec.structs.replace(parts, source=_Ending(until))


def _live(parts: Parts, home: Path) -> None:
    with StagedNode(parts, home, seed=0) as node:
        node.run()
        if not node.ended:
            raise NeverEnds(f"the data must end, found {node.root_exit}, {node.gave_up}")
        node.commit()


class OrderPath(msgspec.Struct):
    """The order path as a process that was not killed went it."""

    bytecodes: int
    firsts: list[int]
    """Each bytecode before which something was written since the one before it."""

    def points(self, every: int) -> list[int]:
        """Return before which bytecodes to die."""
        lasts = [first - 1 for first in self.firsts[1:]] + [self.bytecodes]
        return sorted({*self.firsts, *lasts, *range(1, self.bytecodes + 1, every)})


def live_and_die(scene: Scene, home: Path, dies_at: int) -> OrderPath | None:
    """Let a process live on from the scene and die before a bytecode; with 0 return the path that it went."""
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(scene.template, home)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, msgspec.json.encode(_live_on(scene, home, dies_at)))
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, -signal.SIGKILL):
        raise AssertionError(f"bytecode {dies_at}: the process ended with {code}")
    return msgspec.json.decode(told, type=OrderPath) if told else None


def _live_on(scene: Scene, home: Path, dies_at: int) -> OrderPath:
    gc.disable()  # Finalizers would run at another bytecode each time.
    tracer = Tracer(dies_at)
    with StagedNode(scene.parts, home, seed=0) as node:
        node.run(lambda: node.stage.clock.market_ms() >= scene.at)
        sys.settrace(tracer)
        node.run(lambda: node.counted("OrderAccepted") >= 2 and node.counted("PositionChanged") > 0)
        sys.settrace(None)
    return OrderPath(tracer.count, tracer.firsts)


def differences_after(scene: Scene, home: Path, dies_at: int, *, is_broken: bool = False) -> list[str]:
    """Return how a node that was killed before a bytecode differs, in the end, from one that was not."""
    live_and_die(scene, home, dies_at)
    try:
        with Mutated(an_inherited_order_is_taken_for_certain) if is_broken else nullcontext():
            _live(scene.parts, home)
    except (NeverEnds, RuntimeError) as error:
        return [str(error)]
    return compare(scene.reference, outcome_of(home))


def first_difference(scene: Scene, home: Path, points: Sequence[int], *, is_broken: bool = False) -> str:
    """Return what the first death leads to that changes anything, and at which bytecode; empty where none does."""
    for _, found in _each(scene, home, points, is_broken=is_broken):
        if found:
            return found
    return ""


def _each(scene: Scene, home: Path, points: Sequence[int], *, is_broken: bool = False) -> Iterator[tuple[int, str]]:
    for done, point in enumerate(points, start=1):
        found = differences_after(scene, home, point, is_broken=is_broken)
        yield done, f"bytecode {point}: {'; '.join(found[:5])}" if found else ""


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=500, help="die before every so-manieth bytecode too; 1 for all")
    parser.add_argument("--folder", default=MEMORY if Path(MEMORY).is_dir() else None, help="where homes are made")
    parser.add_argument("--json", action="store_true", help="write JSON")
    options = parser.parse_args()
    began, deaths, violation = time.monotonic(), 0, ""
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        scene, home = set_scene(Path(folder)), Path(folder) / "home"
        path = live_and_die(scene, home, 0)
        assert path is not None, "nobody has killed it"
        control = first_difference(scene, home, path.points(CONTROL_EVERY), is_broken=True)
        if not control:
            violation = "the control was not found out"
        points = path.points(options.every) if control else []
        for done, found in _each(scene, home, points):
            deaths, violation = done, violation or found
            _show(deaths, len(points), began)
            if violation:
                break
    report: dict[str, Any] = {"bytecodes": path.bytecodes, "writes": len(path.firsts), "deaths": deaths}
    report |= {"fills": len(scene.reference.fills), "control": control}
    report["seconds"] = round(time.monotonic() - began, 1)
    lines = [*(f"{name:<12} {value}" for name, value in report.items()), violation or "nothing is changed"]
    print(json.dumps(report | {"violation": violation}) if options.json else "\n".join(lines))
    return 1 if violation else 0


def _show(done: int, wanted: int, began: float) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {wanted}, {done / (time.monotonic() - began):.1f} a second", end="", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
