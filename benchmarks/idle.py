"""What an idle paper node costs: CPU until it is ready, and memory a while after.

    python -m benchmarks.idle [--rounds N] [--settle-s SECONDS] [--dir FOLDER] [--json]

The floor of a round is a bare process that imports the libraries no node can do without.  The market stands almost
still, so that nothing but the start is measured; modules are compiled beforehand, as those of an installed node are.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common import ROOT, arguments, below, compared, compiled_once, cpu_s, figure, rss_mb, say
from holdfast.admin.client import AdminClient, NodeRefused, NodeUnreachable

CPU_S_MAX = 0.6
RSS_MB_MAX = 64
FLOOR = "import pykka, apsw, msgspec, peewee"
READY_S_MAX = 60.0
LOOK_S = 0.01


def main() -> None:
    """Measure, and print."""
    parser = arguments("What an idle paper node costs.")
    parser.add_argument("--rounds", type=int, default=5, help="starts to take the median of")
    parser.add_argument("--settle-s", type=float, default=5.0, help="seconds after which memory is read")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.dir) as folder:
        say(measure(Path(folder), rounds=wanted.rounds, settle_s=wanted.settle_s), as_json=wanted.json)


def measure(folder: Path, *, rounds: int, settle_s: float) -> list[dict[str, Any]]:
    """Start floor and node in turn, and set their medians beside each other."""
    environment = compiled_once(folder)
    floor_cpu_s(environment)
    one_start(folder / "warm-up", environment, settle_s=0)
    floors, cpus, memories = [], [], []
    for number in range(rounds):
        floors.append(floor_cpu_s(environment))
        cpu, memory = one_start(folder / f"home{number}", environment, settle_s=settle_s)
        cpus.append(cpu)
        memories.append(memory)
    cpu_figure = compared("idle_cpu", ours=median(cpus), floor=median(floors), unit="s", floor_is=FLOOR)
    return [
        below(cpu_figure, CPU_S_MAX),
        below(figure("idle_rss", ours=median(memories), unit="MB", after_s=settle_s), RSS_MB_MAX),
    ]


def floor_cpu_s(environment: dict[str, str]) -> float:
    """Return the CPU of a process that imports and ends."""
    process = subprocess.Popen([sys.executable, "-c", FLOOR], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def one_start(home: Path, environment: dict[str, str], *, settle_s: float) -> tuple[float, float]:
    """Start a node; return its CPU seconds until it was ready, and its memory in MB a while after."""
    command = [sys.executable, "-m", "holdfast", "run", "--home", str(home), "--set", "feed.speed=0.001"]
    quiet = subprocess.DEVNULL
    node = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=quiet, stderr=quiet)
    try:
        cpu = cpu_when_ready(node, home)
        time.sleep(settle_s)
        return cpu, rss_mb(node.pid)
    finally:
        node.terminate()
        node.wait()


def cpu_when_ready(node: subprocess.Popen[bytes], home: Path) -> float:
    """Return the CPU seconds that a node had used when its socket first said that every actor is up."""
    client = AdminClient(home / "admin.sock")
    deadline = time.monotonic() + READY_S_MAX
    while time.monotonic() < deadline:
        # Read before the question, whose answer costs CPU that no node needs to be ready.
        used = cpu_s(node.pid)
        if is_ready(client):
            return used
        if node.poll() is not None:
            raise RuntimeError(f"expected a node that runs, found that it ended with {node.returncode}")
        time.sleep(LOOK_S)
    raise TimeoutError(f"expected a node that is ready within {READY_S_MAX} s, found none")


def is_ready(client: AdminClient) -> bool:
    """Say whether a node answers, and every actor is up and has handled its first message."""
    try:
        actors: dict[str, dict[str, Any]] = client.call("status")["actors"]
    except (NodeUnreachable, NodeRefused):
        return False
    return all(each["status"] == "up" and each["handled"] for each in actors.values())


if __name__ == "__main__":
    main()
