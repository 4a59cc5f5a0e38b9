"""A backtest beside other engines: a cross of two averages over a seeded random walk, long only, market orders.

    python -m benchmarks.backtest [--bars N] [--long N] [--peers PYTHON] [--dir FOLDER] [--json]

Ours is a real `holdfast backtest` process with its journal kept, from reading the file to the last record written;
the others are given their bars in memory, and only their run is counted.  `--peers` names a Python that has
nautilus_trader and backtesting; without it, or where it lacks one, that one is left out.  All must agree on the fills.
The floor has no actors: the same bars are read, the same strategy is asked, and the same records are written.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.common import ROOT, arguments, compared, figure, rounded, say
from benchmarks.cross import Cross
from domain.bars import read_stretch
from domain.market import MINUTE_MS, Bar
from domain.sources import Stretch
from gateways.recorded import RecordedMarket
from holdfast.recovery import draft_of, recorded_of
from messages.codec import decode, encode
from messages.orders import OrderFilled
from persistence.journal import Journal
from persistence.reader import JournalReader
from supervision.express import GATHERED_MAX

FAST, SLOW, QUANTITY = 12, 26, 10
UNIT = "bars per CPU second"
FIRST = 1_704_067_200_000
PEERS = {"NautilusTrader": "nautilus.py", "backtesting.py": "backtesting_py.py"}
SETTINGS = (
    "sentiment.source=none",
    'feed.frames=["1m"]',
    "feed.warmup_bars=0",
    "venue.latency_ms=0",
    "venue.slippage_bps=0",
    "venue.balances.USDT=1000000",
    "risk.order_notional_max=100000",
    "risk.drawdown_max=1",
    "risk.daily_loss_max=1",
    "risk.exposure_max=1",
    "risk.symbol_exposure_max=1",
)
DISAGREEMENT_MAX = 0.001
MEMORY_MB_MAX = 100
FLOOR_IS = "bars read and told to the strategy, {:.2f}, and the same records written, {:.2f}, without an actor"
LINEAR_MAX = 1.04
"""How much more a bar may cost in a run five times as long."""


class Run(msgspec.Struct):
    """One engine's run of the job."""

    version: str
    bars: int
    seconds: float
    cpu_s: float
    memory_mb: float
    fills: list[tuple[int, str, str]]
    """When, in milliseconds; side; price."""

    @property
    def rate(self) -> float:
        """Return bars per CPU second."""
        return self.bars / self.cpu_s


def main() -> None:
    """Measure, and print."""
    parser = arguments("A backtest beside other engines.")
    parser.add_argument("--bars", type=int, default=100_000, help="one-minute bars")
    parser.add_argument("--long", type=int, default=0, help="bars of a longer run, to see whether time grows with them")
    parser.add_argument("--peers", help="a Python that has nautilus_trader and backtesting")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.dir) as folder:
        say(measure(Path(folder), wanted.bars, long=wanted.long, peers=wanted.peers), as_json=wanted.json)


def measure(folder: Path, bars: int, *, long: int, peers: str | None) -> list[dict[str, Any]]:
    """Run the job on all engines there are, one after another."""
    file = write_walk(folder / "short", bars)
    ours = run_ours(file, folder / "kept")
    figures = [
        figure("backtest_rate", ours=ours.rate, unit=UNIT, fills=len(ours.fills), seconds=ours.seconds),
        figure("backtest_memory", ours=ours.memory_mb, unit="MB")
        | {"target": f"below {MEMORY_MB_MAX} MB", "is_met": ours.memory_mb < MEMORY_MB_MAX},
    ]
    bare = bare_cpu_s(file, folder / "kept", folder / "bare")
    figures.append(
        compared("backtest_cpu", ours=ours.cpu_s, floor=sum(bare), unit="CPU s", floor_is=FLOOR_IS.format(*bare))
    )
    for name, script in PEERS.items():
        figures.append(beside(name, script, file, ours, peers))
    if long:
        longer = run_ours(write_walk(folder / "long", long), folder / "kept_long")
        # On a machine with other work the rate of the same run differs from minute to minute: so one before, one after.
        again = run_ours(file, folder / "kept_again")
        growth = (ours.rate + again.rate) / 2 / longer.rate
        target = {"target": f"at most {LINEAR_MAX:g} times a bar's cost", "is_met": growth <= LINEAR_MAX}
        more = {"bars": long, "memory_mb": rounded(longer.memory_mb)}
        figures.append(figure("backtest_growth", ours=growth, unit="times", **more) | target)
    return figures


def beside(name: str, script: str, file: Path, ours: Run, peers: str | None) -> dict[str, Any]:
    """Return how many times as fast as another engine ours is, and how many fills they do not agree on."""
    key = "backtest_beside_" + script.removesuffix(".py")
    if peers is None:
        return figure(key, ours=ours.rate, unit=UNIT, left_out="no --peers given")
    command = [peers, str(Path(__file__).parent / "peers" / script), str(file), str(FAST), str(SLOW), str(QUANTITY)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        why = ended.stderr.strip().splitlines()[-1:] or ["it failed"]
        return figure(key, ours=ours.rate, unit=UNIT, left_out=f"{peers} has no {name}: {why[0]}")
    theirs = msgspec.json.decode(ended.stdout, type=Run)
    apart = disagreement(ours, theirs)
    return figure(key, ours=ours.rate, unit=UNIT) | {
        "floor": rounded(theirs.rate),
        "floor_is": f"{name} {theirs.version}, {len(theirs.fills)} fills, {theirs.memory_mb:.0f} MB",
        "ratio": round(ours.rate / theirs.rate, 3),
        "apart": round(apart, 5),
        "target": f"fills apart by at most {DISAGREEMENT_MAX:.1%}",
        "is_met": apart <= DISAGREEMENT_MAX,
    }


def bare_cpu_s(file: Path, kept: Path, home: Path) -> tuple[float, float]:
    """Return the CPU seconds that it takes to read the bars and tell the strategy, and to write what was recorded."""
    strategy, began = Cross(["BTCUSDT"], {}), time.process_time()
    newest: Bar | None = None
    for stretch in RecordedMarket.open(file, warmup_bars=0, frames=("1m",)).stretches(0):
        assert isinstance(stretch, Stretch)
        bars = read_stretch(stretch, newest) or []
        for bar in bars:
            strategy.on_bar(bar)
        newest = bars[-1]
    bars_s = time.process_time() - began
    with JournalReader(kept) as reader:
        records = [recorded_of(record) for record in reader.read()]
    began = time.process_time()
    with closing(Journal.open(home)) as journal:
        for first in range(0, len(records), GATHERED_MAX):
            group = records[first : first + GATHERED_MAX]
            journal.append([draft_of(each._replace(payload=encode(each.event)[2])) for each in group])
    return bars_s, time.process_time() - began


def disagreement(ours: Run, theirs: Run) -> float:
    """Return the share of fills, by time and side, that only one of the two has."""
    mine, others = ({(at, side) for at, side, _price in run.fills} for run in (ours, theirs))
    return len(mine ^ others) / max(1, len(mine | others))


def run_ours(file: Path, home: Path) -> Run:
    """Run the job on a process of ours; its memory is that of the whole process."""
    options = [word for each in SETTINGS for word in ("--set", each)]
    parameters = [f"fast={FAST}", f"slow={SLOW}", f"quantity={QUANTITY}"]
    options += [word for each in parameters for word in ("--param", each)]
    command = [sys.executable, "-m", "holdfast", "backtest", "--data", str(file), "--json", "--journal", str(home)]
    process = subprocess.Popen(
        [*command, "--strategy", "benchmarks.cross.Cross", *options], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    printed = process.stdout.read()
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the backtest must end with 0, ended with {process.returncode}: {printed}")
    said = json.loads(printed)
    memory_mb = usage.ru_maxrss / 1024
    return Run("", said["bars"], said["seconds"], said["cpu_seconds"], memory_mb, fills_in(home))


def fills_in(home: Path) -> list[tuple[int, str, str]]:
    """Return the fills that a journal holds."""
    fills: list[tuple[int, str, str]] = []
    with JournalReader(home) as reader:
        for record in reader.read(kinds=["OrderFilled"]):
            event = decode(record.kind, record.version, record.payload)
            assert isinstance(event, OrderFilled)
            fills.append((event.fill.at, event.fill.side, f"{event.fill.price:.2f}"))
    return fills


def write_walk(folder: Path, bars: int) -> Path:
    """Write a seeded random walk of one-minute bars, each of which opens where the one before has closed."""
    folder.mkdir(parents=True)
    draw, price = random.Random(7), 100.0
    file = folder / "BTCUSDT_1m.csv"
    with file.open("w") as out:
        out.write("ts,open,high,low,close,volume\n")
        for number in range(bars):
            opened, price = price, price * (1 + draw.gauss(0, 0.0005))
            high = max(opened, price) * (1 + abs(draw.gauss(0, 0.0002)))
            low = min(opened, price) * (1 - abs(draw.gauss(0, 0.0002)))
            prices = ",".join(f"{each:.2f}" for each in (opened, high, low, price))
            out.write(f"{FIRST + number * MINUTE_MS},{prices},{draw.randrange(500, 5_000)}\n")
    return file


if __name__ == "__main__":
    main()
