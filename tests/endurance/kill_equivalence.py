"""Kill equivalence: a run that is killed at any moments ends with the same fills as one that is not.

    python -m tests.endurance.kill_equivalence --kills 200

runs it over the recorded bars in HOLDFAST_DATA (else ../shared/data), or over the sample market where there are none.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from holdfast.replay import rebuild
from holdfast.torture.lives import durable_seq
from tests.endurance.nodes import (
    ROOT,
    NodeProcess,
    Outcome,
    caused_events,
    outcome_of,
    run_to_end,
    start_events,
)


class Tally(msgspec.Struct):
    """What was done to the killed run."""

    kills: int = 0
    with_open_order: int = 0
    during_start: int = 0
    fills: int = 0
    events: int = 0
    seconds: float = 0.0


def data_folder() -> Path | None:
    """Return the folder of recorded bars, where there is one."""
    folder = Path(os.environ.get("HOLDFAST_DATA", ROOT.parent / "shared" / "data"))
    return folder / "ohlcv" if (folder / "ohlcv").is_dir() else None


def arguments_for(*, days: int) -> list[str]:
    """Return the options of a run with two strategies on three symbols."""
    common = ["--set", "feed.speed=max", "--set", "log.level=error", "--set", "admin.enabled=false"]
    folder = data_folder()
    if folder is None:
        print("no recorded bars: set HOLDFAST_DATA; using the sample market", file=sys.stderr)
        return common
    start, day_ms = 1_623_888_000_000, 86_400_000  # 2021-06-17
    return [
        *common,
        *("--set", "feed.source=files", "--set", f"feed.path={folder}"),
        *("--set", 'feed.symbols=["BTCUSDT","ETHUSDT","DOGEUSDT"]', "--set", "feed.timeframe=1m"),
        *("--set", f"feed.start={start}", "--set", f"feed.end={start + days * day_ms}"),
    ]


def kill_through(home: Path, arguments: Sequence[str], *, kills: int, seed: int, reference: Path) -> Tally:
    """Run a node to its end through so many deaths, each after new durable events of that life beyond its start."""
    draw = random.Random(seed)
    tally = Tally()
    starts, events = start_events(reference), caused_events(reference)
    began = time.monotonic()
    caused = overrun = 0
    while tally.kills < kills:
        # A life runs on between its last mark and its death, which is to come out of its share.
        left = (events - caused) // (kills - tally.kills + 1) - overrun // max(1, tally.kills)
        wanted = draw.randint(2, max(2, left))
        node = NodeProcess(home, arguments)
        if not node.wait_for_events(starts + wanted):
            raise AssertionError(f"the run ended after {tally.kills} kills: {node.end()[1][-3000:]}")
        time.sleep(draw.random() * 0.003)
        node.kill()
        tally.kills += 1
        before, caused = caused, caused_events(home)
        overrun += max(0, caused - before - wanted)
        tally.with_open_order += bool(rebuild(home)[0].executor.state.orders)
        if draw.random() < 0.1:
            _kill_during_start(home, arguments, draw)
            tally.during_start += 1
        _show(tally, home, events)
    run_to_end(home, arguments)
    tally.seconds = round(time.monotonic() - began, 1)
    tally.events = durable_seq(home)
    return tally


def _kill_during_start(home: Path, arguments: Sequence[str], draw: random.Random) -> None:
    node = NodeProcess(home, arguments)
    time.sleep(draw.random() * 0.8)
    node.kill()


def _show(tally: Tally, home: Path, events: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{tally.kills} kills, sequence {durable_seq(home)} of about {events}", end="", file=sys.stderr)


def compare(reference: Outcome, killed: Outcome) -> list[str]:
    """Return the differences of two outcomes."""
    differences = [
        f"fill {index}: expected {ours}, found {theirs}"
        for index, (ours, theirs) in enumerate(zip(reference.fills, killed.fills, strict=False))
        if ours != theirs
    ]
    if len(reference.fills) != len(killed.fills):
        differences.append(f"expected {len(reference.fills)} fills, found {len(killed.fills)}")
    for name in ("positions", "cash", "market_at"):
        expected, found = getattr(reference, name), getattr(killed, name)
        if expected != found:
            differences.append(f"{name}: expected {expected}, found {found}")
    return differences


def main() -> int:
    """Run the comparison from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    arguments = arguments_for(days=options.days)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        run_to_end(home / "reference", arguments)
        reference = outcome_of(home / "reference")
        tally = kill_through(
            home / "killed", arguments, kills=options.kills, seed=options.seed, reference=home / "reference"
        )
        tally.fills = len(reference.fills)
        differences = compare(reference, outcome_of(home / "killed"))
    print(msgspec.json.encode(tally).decode())
    for difference in differences[:20]:
        print(difference)
    print(f"{'equal' if not differences else 'DIFFERENT'}: {len(reference.fills)} fills, seed {options.seed}")
    return 1 if differences or len(reference.fills) < 100 else 0


if __name__ == "__main__":
    sys.exit(main())
