"""Real node processes for tests: started, watched by their journal, killed without mercy, compared at the end."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from holdfast.rebuild import Rebuilt
from holdfast.replay import rebuild, replay_view
from holdfast.torture.lives import durable_seq
from persistence.reader import JournalReader

ROOT = Path(__file__).resolve().parents[2]
LIFE_S_MAX = 300.0


class Outcome(msgspec.Struct, frozen=True):
    """What a run ended with, as far as it must not depend on deaths."""

    fills: list[tuple[str, str, str, str, str, int, str]]
    """Symbol, side, quantity, price, fee, market time and strategy, in the order of the journal."""
    positions: dict[str, Any]
    cash: dict[str, str]
    market_at: int


class NodeProcess:
    """One life of a node in a home."""

    def __init__(self, home: Path, arguments: Sequence[str], *, environment: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.first_seq = durable_seq(home)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "holdfast", "run", "--home", str(home), *arguments],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_events(self, count: int) -> bool:
        """Wait until this life has so many durable events of its own; say False where it ended before."""
        deadline = time.monotonic() + LIFE_S_MAX
        while time.monotonic() < deadline:
            if durable_seq(self.home) >= self.first_seq + count:
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.002)
        raise TimeoutError(f"no {count} events within {LIFE_S_MAX} s: {self.end()[1][-2000:]}")

    def kill(self) -> None:
        """Send SIGKILL and reap."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def end(self) -> tuple[str, str]:
        """Wait for the process's own end; return what it printed."""
        return self.process.communicate(timeout=LIFE_S_MAX)


def start_events(home: Path) -> int:
    """Return how many events a start takes by itself, from the journal of a run with one start."""
    with JournalReader(home) as reader:
        return sum(1 for _ in reader.read(kinds=["NodeStarted", "PartStarted"]))


def caused_events(home: Path) -> int:
    """Return how many events of a journal the market has caused, and no start or death of the node or a part of it."""
    of_parts = {"NodeStarted", "PartStarted", "PartCrashed", "SupervisorReported"}
    with JournalReader(home) as reader:
        return sum(record.kind not in of_parts for record in reader.read())


def run_to_end(home: Path, arguments: Sequence[str], *, environment: Mapping[str, str] | None = None) -> None:
    """Run a node until its data ends; raise where it does not exit with 0."""
    node = NodeProcess(home, arguments, environment=environment)
    out, err = node.end()
    if node.process.returncode != 0:
        raise AssertionError(f"expected exit code 0, found {node.process.returncode}\n{out[-2000:]}\n{err[-4000:]}")


def outcome_of(home: Path) -> Outcome:
    """Return what the journal in a home says the run came to."""
    rebuilt, _ = rebuild(home)
    return outcome(rebuilt)


def outcome(rebuilt: Rebuilt) -> Outcome:
    """Return the outcome of a rebuilt journal."""
    view = json.loads(json.dumps(replay_view(rebuilt)))
    return Outcome(
        fills=[
            (f["symbol"], f["side"], f["quantity"], f["price"], f["fee"], f["at"], f["strategy"]) for f in view["fills"]
        ],
        positions=view["positions"],
        cash=view["cash"],
        market_at=view["at"],
    )
