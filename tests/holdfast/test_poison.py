"""An event that an actor cannot fold leaves the node halted, visible and mendable, through deaths too."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.exit_codes import ExitCode
from tests.holdfast.test_processes import Node, holdfast, journal_of, running

pytestmark = pytest.mark.slow

STRATEGY = """
from domain.market import MINUTE_MS
from gateways.sample_plan import BEGIN


class Choosy:
    timeframes = ("15m",)

    def __init__(self, symbols, parameters):
        self.bars = 0

    def on_bar(self, bar):
        if (bar.symbol, bar.closed_at) == ("BTCUSDT", BEGIN + 60 * MINUTE_MS):
            raise ValueError("this bar will not do")
        self.bars += 1

    def on_score(self, score):
        pass

    def propose(self, view):
        return []

    def save(self):
        return {"bars": self.bars}

    def restore(self, state):
        self.bars = state["bars"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "choosy.py").write_text(STRATEGY)
    path = tmp_path / "config.toml"
    path.write_text('[strategies.choosy]\nclass = "choosy.py:Choosy"\n[journal]\nsnapshot_every = 100\n')
    return path


@contextmanager
def poisoned(home: Path, config: Path) -> Iterator[tuple[Node, str]]:
    """Run a node until it is poisoned; yield it with what it says of that."""
    node = Node(home, "--config", config)
    try:
        said = node.wait_until(lambda: node.status().get("poisoned"), "a poisoned part")
        yield node, said["strategy.choosy"]
    finally:
        node.process.kill()
        node.process.wait()


def demand_told(home: Path, sequence: int) -> None:
    """Demand that what is held is told all the same, and that nothing which cannot be folded is called proven."""
    why = f"strategy.choosy cannot fold sequence {sequence}, FramesClosed: ValueError: this bar will not do"
    held = holdfast("replay", "--home", home)
    verified = holdfast("replay", "--verify", "--json", "--home", home)
    again = holdfast("replay", "--rerun", "--home", home)

    assert (held.returncode, held.stderr) == (ExitCode.OK, "")
    assert f"note: {why}\n" in held.stdout
    assert verified.returncode == ExitCode.DAMAGED
    assert {check["name"]: check["problems"] for check in json.loads(verified.stdout)["checks"]} == {
        "journal": [],
        "states": [why],
        "snapshots": [],
        "invariants": [],
    }
    assert again.returncode == ExitCode.GAVE_UP
    assert "strategy.choosy cannot fold sequence" in again.stderr
    assert "Traceback" not in again.stderr


def demand_run_again(home: Path) -> None:
    """Demand that what was excused holds up neither a re-run nor an audit."""
    again = holdfast("replay", "--rerun", "--home", home)
    audited = holdfast("audit", "--json", "--home", home)

    assert again.returncode == ExitCode.OK, again.stdout + again.stderr
    assert audited.returncode == ExitCode.OK, audited.stdout + audited.stderr
    assert [each["detail"].split()[0] for each in json.loads(audited.stdout)["inputs"]] == ["halt", "halt", "resume"]


def test_a_poison_event_leaves_the_node_halted_visible_and_mendable_through_deaths(
    config: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with poisoned(home, config) as (node, said):
        status = node.status()
        head, _, why = said.partition(": ")
        sequence = int(head.split()[1].rstrip(","))

        assert (status["state"], status["down"]) == ("halted", ["strategy.choosy"])
        assert why == "ValueError: this bar will not do"
        (halt,) = node.wait_until(lambda: journal_of(home, "OperatorCommanded"), "a halt")
        assert (halt["command"], halt["user"]) == ("halt", "holdfast")
        assert halt["reason"] == f"strategy.choosy cannot fold {said}"
        assert [each["reason"].partition("(")[0] for each in node.call("crashes", n=2)] == ["poisoned", "crash"]
        assert node.status()["market_time"] == status["market_time"]
        node.end(signal.SIGKILL)
    demand_told(home, sequence)

    with poisoned(home, config) as (node, said_again):
        assert said_again == said
        assert node.status()["state"] == "halted"
        assert not node.order("excuse", actor="strategy.choosy", sequence=sequence + 1, reason="a mistake")["ok"]

        excused = node.order("excuse", actor="strategy.choosy", sequence=sequence, reason="that bar is of no use")

        assert excused["ok"], excused
        node.wait_until(lambda: not node.status()["down"], "a strategy that passes the bar over")
        assert node.status()["state"] == "halted", "until it is resumed"
        assert node.order("resume", reason="mended")["ok"]
        before = node.status()
        node.wait_until(lambda: node.status()["market_time"] > before["market_time"], "a market that goes on")
        assert node.status()["state"] == "active"
        node.end(signal.SIGKILL)

    with running(home, "--config", config) as node:
        assert "poisoned" not in node.status()
        assert node.order("snapshot")["ok"]
        assert node.end(signal.SIGTERM) == ExitCode.OK
    demand_run_again(home)
    verified = holdfast("replay", "--verify", "--json", "--home", home)

    assert verified.returncode == ExitCode.OK, verified.stdout + verified.stderr
    assert json.loads(verified.stdout)["verified"] is True
