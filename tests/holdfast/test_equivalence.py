"""Deaths change nothing: a node whose actors crash, or that is killed, ends as one that lived through.

On the stage, so that every death falls where the seed says, between any two turns or within one.
"""

import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from gateways.sample import SampleMarket
from holdfast.config.loading import load_settings
from holdfast.parts import Parts, gather
from holdfast.rebuild import Rebuilt, shape_at
from holdfast.replay import rebuild, verify_everything
from holdfast.staging import StagedNode
from messages.codec import decode
from messages.positions import PositionChanged
from persistence.reader import JournalReader
from supervision import Crashed
from tests.endurance.nodes import ROOT, Outcome, outcome_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
OVERRIDES = (
    "feed.speed=max",
    "journal.snapshot_every=400",
    *(
        f"supervision.{name}.intensity=1000"
        for name in ("root", "operations", "trading", "guard", "market", "strategies")
    ),
    "supervision.backoff.base_s=0.001",
    "supervision.backoff.cap_s=0.01",
)
KINDS = (
    "feed",
    "sentiment",
    "strategy.confidence",
    "strategy.ema_cross",
    "breaker",
    "executor",
    "venue",
    "positions",
    "reconciler",
    "operator",
    "archivist",
    "health",
    "herald",
    "watcher",
    "guard",
    "market",
    "strategies",
    "operations",
    "trading",
)


def parts_for(days: int) -> Parts:
    settings = load_settings(None, environ={}, overrides=OVERRIDES).settings
    return msgspec.structs.replace(gather(settings, folder=ROOT), source=SampleMarket(days=days))


@pytest.fixture(scope="module")
def parts() -> Parts:
    return parts_for(2)


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder) / "home"


@pytest.fixture(scope="module")
def reference(parts: Parts) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        live_through(parts, Path(folder) / "home", seed=0)
        return outcome_of(Path(folder) / "home")


def disagreements(home: Path) -> list[str]:
    """Return where the actors' books say different things about the same position."""
    rebuilt, _ = rebuild(home)
    book, plans = rebuilt.positions.state.book, rebuilt.executor.state.plans
    found = [f"not told: {each}" for each in rebuilt.positions.state.untold]
    told: dict[tuple[str, str], Decimal] = {}
    with JournalReader(home) as reader:
        for record in reader.read(kinds=["PositionChanged"]):
            event = decode(record.kind, record.version, record.payload)
            assert isinstance(event, PositionChanged)
            told[event.strategy, event.symbol] = event.quantity
    for (strategy, symbol), quantity in told.items():
        held = book.position(strategy, symbol).quantity
        planned = plan.held if (plan := plans.get(f"{strategy}|{symbol}")) is not None else Decimal(0)
        if not held == quantity == planned:
            found.append(f"{strategy} {symbol}: book {held}, told {quantity}, plan {planned}")
    return found


def live_through(parts: Parts, home: Path, *, seed: int) -> None:
    with StagedNode(parts, home, seed=seed) as node:
        node.run()
        assert node.ended
        node.commit()


def test_the_reference_trades_enough_to_prove_something(reference: Outcome) -> None:
    assert len(reference.fills) >= 30
    assert {fill[0] for fill in reference.fills} == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
    assert {fill[6] for fill in reference.fills} == {"confidence", "ema_cross"}


@pytest.mark.parametrize("seed", [1])
def test_the_outcome_depends_on_the_data_and_not_on_the_order_of_delivery(
    parts: Parts, reference: Outcome, home: Path, seed: int
) -> None:
    live_through(parts, home, seed=seed)

    assert outcome_of(home) == reference
    assert disagreements(home) == []


@pytest.mark.parametrize("seed", range(4))
def test_actors_that_crash_between_and_within_messages_change_nothing(
    parts: Parts, reference: Outcome, home: Path, seed: int
) -> None:
    crashes = crash_through(parts, home, seed=seed, wanted=60)

    assert outcome_of(home) == reference, f"seed {seed}"
    assert disagreements(home) == []
    assert sum(crashes.values()) >= 60
    assert set(crashes) >= set(KINDS)


def crash_through(parts: Parts, home: Path, *, seed: int, wanted: int) -> dict[str, int]:
    """Live to the end while actors of every kind are broken, before a message, or within one by a cue."""
    draw = random.Random(seed)
    crashes: dict[str, int] = {}
    pending: set[str] = set()

    def cue(point: str) -> None:
        name = point.rpartition(".")[0]
        if name in pending:
            pending.remove(name)
            crashes[name] = crashes.get(name, 0) + 1
            raise Crashed(f"on cue at {point}")

    with StagedNode(parts, home, seed=seed, cue=cue) as node:
        while sum(crashes.values()) < wanted or set(crashes) < set(KINDS):
            name = min(draw.sample(KINDS, 4), key=lambda kind: crashes.get(kind, 0))
            turns = node.stage.steps + draw.randint(20, 300)
            node.run(lambda turns=turns: node.stage.steps >= turns)  # type: ignore[misc]
            if draw.random() < 0.5 and name not in ("guard", "market", "strategies", "operations", "trading"):
                pending.add(name)
            elif node.crash(name):
                crashes[name] = crashes.get(name, 0) + 1
        node.run()
        assert node.ended, (node.root_exit, node.switchboard.unsettled())
        node.commit()
    return crashes


@pytest.mark.parametrize("seed", range(4))
def test_a_node_killed_between_any_two_turns_ends_the_same(
    parts: Parts, reference: Outcome, home: Path, seed: int
) -> None:
    kills = kill_through(parts, home, seed=seed, wanted=40)

    assert outcome_of(home) == reference, f"seed {seed}"
    assert disagreements(home) == []
    assert kills >= 40
    assert not [check for check in verify_everything(home) if check.problems]


def kill_through(parts: Parts, home: Path, *, seed: int, wanted: int) -> int:
    """Live to the end through deaths of the whole node, each after some turns of that life."""
    draw = random.Random(seed)
    kills = 0
    while True:
        with StagedNode(parts, home, seed=draw.randrange(1 << 30)) as node:
            if kills >= wanted:
                node.run()
                node.commit()
                return kills
            turns = draw.choice([draw.randint(1, 150), draw.randint(150, 1500)])
            node.run(lambda turns=turns: node.stage.steps >= turns)  # type: ignore[misc]
            if node.ended:
                raise AssertionError(f"the data ended after {kills} kills")
            node.kill()
            kills += 1


POINTS = (
    "journal.before_commit",
    "journal.after_commit",
    "journal.after_watermark",
    "venue.before_book",
    "venue.after_book",
    *(f"{name}.{moment}" for name in KINDS[:8] for moment in ("before_release", "after_release")),
)


@pytest.mark.parametrize("point", POINTS)
def test_a_node_killed_at_a_boundary_ends_the_same(parts: Parts, reference: Outcome, home: Path, point: str) -> None:
    draw = random.Random(point)
    for _ in range(6):
        die_at(parts, home, point, times=draw.choice([1, 2, 3, draw.randint(1, 60)]), seed=draw.randrange(1 << 30))
    live_through(parts, home, seed=1)

    assert outcome_of(home) == reference, point


class _Death(BaseException):
    """The process ends here."""


def die_at(parts: Parts, home: Path, point: str, *, times: int, seed: int) -> None:
    """Live until a point was come to so many times, and die there."""
    left = times
    kill: Callable[[], None] = lambda: None  # noqa: E731

    def cue(named: str) -> None:
        nonlocal left
        if named == point:
            left -= 1
            if left == 0:
                kill()
                raise _Death

    with StagedNode(parts, home, seed=seed, cue=cue) as node:
        kill = node.kill
        with contextlib.suppress(_Death):
            node.run()


def test_the_same_seed_gives_the_same_chain_on_every_run_and_hash_seed() -> None:
    program = (
        "import sys, tempfile\n"
        "from pathlib import Path\n"
        "from tests.holdfast.test_equivalence import live_through, parts_for\n"
        "from persistence.reader import JournalReader\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    home = Path(folder) / 'home'\n"
        "    live_through(parts_for(1), home, seed=int(sys.argv[1]))\n"
        "    with JournalReader(home) as reader: print(reader.last()[1].hex())\n"
    )

    def head(seed: int, hash_seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", program, str(seed)]
        return subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    heads = [head(1, "0"), head(1, "1"), head(1, "random"), head(2, "0")]

    assert heads[0] == heads[1] == heads[2]
    assert heads[3] != heads[0]


def test_states_told_at_markers_are_those_of_a_full_fold(parts: Parts, home: Path) -> None:
    live_through(parts, home, seed=3)

    checks = {check.name: check for check in verify_everything(home)}
    assert checks["states"].checked >= 3
    assert not checks["states"].problems, json.dumps(checks["states"].problems)
    assert checks["snapshots"].checked == 11
    assert not checks["snapshots"].problems


@pytest.mark.parametrize("passes_over", ["", "executor", "feed", "breaker"])
def test_bars_that_are_folded_in_runs_are_folded_as_one_by_one(parts: Parts, home: Path, passes_over: str) -> None:
    live_through(parts, home, seed=4)
    with JournalReader(home) as reader:
        shape, _ = shape_at(reader, reader.last()[0])
        *_, last_bars = reader.read(kinds=["BarsClosed"])
        excused = [(passes_over, last_bars.seq)] if passes_over else []
        one_by_one, in_runs, whole = Rebuilt(shape, excused=excused), Rebuilt(shape, excused=excused), Rebuilt(shape)
        for record in reader.read():
            one_by_one.fold(record)
        in_runs.fold_all(reader.read())
        whole.fold_all(reader.read())

    assert in_runs.states() == one_by_one.states()
    assert (in_runs.seq, in_runs.at, in_runs.hash) == (one_by_one.seq, one_by_one.at, one_by_one.hash)
    changed = {name for name, state in whole.states().items() if state != in_runs.states()[name]}
    assert changed == ({passes_over} if passes_over else set())
