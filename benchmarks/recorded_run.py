"""A recorded run as fast as it goes: 30 days of 1-minute bars of four symbols, confidence engine, journal on.

    python -m benchmarks.recorded_run [--days N] [--rounds N] [--keep FOLDER] [--dir FOLDER] [--json]

The node is a real `holdfast run` process; a thread beside it notes the CPU time of each thread, and each turn on a
shared one is counted for its actor.  The floor reads and judges the same steps in a bare loop.  HOLDFAST_DATA names
the folder of the recorded market.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import (
    MEGABYTE,
    ROOT,
    SYMBOLS,
    arguments,
    compared,
    compiled_once,
    figure,
    recorded_bars,
    say,
    thread_cpu_s,
)
from domain.bars import judge_step
from domain.market import Bar
from gateways.recorded import RecordedMarket
from holdfast.wiring import TRADING
from persistence.reader import JournalReader
from supervision.turns import Player

FIRST_DAY = datetime(2021, 6, 10, tzinfo=UTC)
DAYS = 31
LOOK_S = 0.1
SHARES = "HOLDFAST_BENCHMARK_SHARES"
NO_DATA = "expected recorded bars in HOLDFAST_DATA or ../shared/data, found none"
FLOOR_IS = "reading and judging the same steps in a bare loop"


def main() -> None:
    """Measure, and print; within the measured process, run the node."""
    if shares := os.environ.get(SHARES):
        sys.exit(run_observed(Path(shares), sys.argv[1:]))
    parser = arguments("A recorded run as fast as it goes.")
    parser.add_argument("--days", type=int, default=DAYS, help="how much of the recording to run")
    parser.add_argument("--rounds", type=int, default=1, help="runs to take the median of")
    parser.add_argument("--keep", type=Path, help="an absent folder to leave the home of the last run in")
    wanted = parser.parse_args()
    bars = recorded_bars()
    if bars is None:
        sys.exit(NO_DATA)
    with tempfile.TemporaryDirectory(dir=wanted.dir) as folder:
        figures = measure(Path(folder), bars, days=wanted.days, rounds=wanted.rounds, keep=wanted.keep)
    say(figures, as_json=wanted.json)


def measure(folder: Path, bars: Path, *, days: int, rounds: int, keep: Path | None = None) -> list[dict[str, Any]]:
    """Let floor and node take turns, and say where the node's time goes."""
    one_run(folder / "warm-up", folder, bars, days=min(days, 1))
    floors, runs = [], []
    for number in range(rounds):
        floors.append(bare_loop_s(bars, days))
        runs.append(one_run(folder / f"home{number}", folder, bars, days))
    last = runs[-1]
    seconds = median(run["summary"]["seconds"] for run in runs)
    cpu = median(run["cpu_s"] for run in runs)
    home = folder / f"home{rounds - 1}"
    with JournalReader(home) as reader:
        kinds = Counter(record.kind for record in reader.read())
    size = (home / "journal.db").stat().st_size
    if keep is not None:
        shutil.move(home, keep)
    count, events = last["summary"]["bars"], kinds.total()
    ours = compared(
        "recorded_run_time", ours=seconds, floor=median(floors), unit="s", floor_is=FLOOR_IS, parts=_shares(last)
    )
    return [
        ours,
        figure("recorded_run_bars", ours=count / seconds, unit="bars/s", total=count),
        figure("recorded_run_events", ours=events / seconds, unit="events/s", total=events, parts=dict(kinds)),
        figure("recorded_run_cpu", ours=cpu, unit="s", per_bar_us=round(cpu / count * 1e6, 1)),
        figure("recorded_run_switches", ours=last["switches"] / events, unit="context switches an event"),
        figure("recorded_run_journal", ours=size / MEGABYTE, unit="MB", bytes_per_event=round(size / events, 1)),
    ]


def bare_loop_s(bars: Path, days: int) -> float:
    """Return the seconds that opening, reading and judging the steps takes."""
    began = time.perf_counter()
    end = int(_end(days).timestamp() * 1000)
    market = RecordedMarket.open(bars, symbols=SYMBOLS, end=end)
    newest: dict[str, Bar] = {}
    at = market.starts_at()
    for step in market.steps(at):
        judged = judge_step(step, newest, at)
        newest.update({bar.symbol: bar for bar in judged.bars})
        at = step.at
    return time.perf_counter() - began


def one_run(home: Path, folder: Path, bars: Path, days: int) -> dict[str, Any]:
    """Run a node to the end of its data; return its summary, its CPU and the CPU of each thread."""
    shares = folder / "shares.json"
    given = {
        "feed.source": "files",
        "feed.path": str(bars),
        "feed.symbols": json.dumps(SYMBOLS),
        "feed.speed": "max",
        "feed.end": _end(days).isoformat(),
        "strategies.ema_cross.enabled": "false",
        "log.level": "warning",
    }
    settings = [part for key, value in given.items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "benchmarks.recorded_run", "run", "--home", str(home), "--json", *settings]
    environment = compiled_once(folder) | {SHARES: str(shares)}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise RuntimeError(f"expected a run that ends with 0, found {ended.returncode}: {ended.stderr[-2000:]}")
    observed: dict[str, Any] = json.loads(shares.read_text())
    return observed | {"summary": json.loads(ended.stdout)}


def _end(days: int) -> datetime:
    return FIRST_DAY + timedelta(days=days)


def _shares(run: dict[str, Any]) -> dict[str, str]:
    cpu = run["cpu_s"]
    ranked = sorted(run["threads"].items(), key=lambda item: -item[1])
    return {name: f"{seconds:.2f} s, {seconds / cpu:.0%} of the CPU" for name, seconds in ranked if seconds >= 0.01}


def run_observed(shares: Path, tokens: list[str]) -> int:
    """Be the node, and write down how much CPU each thread took."""
    from holdfast.cli.main import run_command_line

    threads: dict[str, float] = {}
    over = threading.Event()
    watcher = threading.Thread(target=_watch_threads, args=(threads, over), name="benchmark", daemon=True)
    watcher.start()
    turns = _count_turns()
    code = run_command_line(tokens)
    over.set()
    watcher.join()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    observed = {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "switches": usage.ru_nvcsw + usage.ru_nivcsw,
        "threads": {name: seconds for name, seconds in threads.items() if name != TRADING} | turns,
    }
    shares.write_text(json.dumps(observed))
    return code


def _count_turns() -> dict[str, float]:
    """Have the CPU time of every turn on a shared thread added up by its actor."""
    seconds: dict[str, float] = {}
    take = Player.take_quick_turn

    def take_and_count(player: Player) -> bool:
        began = time.thread_time()
        lives_on = take(player)
        name = player.actor.name
        seconds[name] = seconds.get(name, 0.0) + time.thread_time() - began
        return lives_on

    setattr(Player, take.__name__, take_and_count)
    return seconds


def _watch_threads(threads: dict[str, float], over: threading.Event) -> None:
    while True:
        for thread in threading.enumerate():
            if thread.native_id is not None:
                with suppress(OSError):  # It has ended since.
                    threads[thread.name.partition("/")[0]] = thread_cpu_s(thread.native_id)
        if over.wait(LOOK_S):
            return


if __name__ == "__main__":
    main()
