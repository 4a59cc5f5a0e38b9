"""An actor that hangs is found, told of with its stack, and replaced; who has no successor ends the process."""

from pathlib import Path
from typing import Any

import pytest

from holdfast.exit_codes import ExitCode
from holdfast.replay import verify_everything
from tests.holdfast.test_processes import running

pytestmark = pytest.mark.slow

SOON = ("--set", "supervision.hang_after_s=1.0", "--set", "feed.speed=600", "--set", "supervision.backoff.base_s=0.01")


ENDLESS = """
import pathlib
import threading

FOUND = pathlib.Path(__file__).with_suffix(".thread")


class Endless:
    timeframes = ("15m",)

    def __init__(self, symbols, parameters):
        pass

    def on_bar(self, bar):
        pass

    def on_score(self, score):
        pass

    def propose(self, view):
        if not FOUND.exists():
            FOUND.write_text(str(threading.get_native_id()))
            while True:
                pass
        return []

    def save(self):
        return {}

    def restore(self, state):
        pass
"""


def test_a_strategy_that_computes_for_ever_is_replaced_and_its_thread_ends(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text(ENDLESS)
    config = tmp_path / "config.toml"
    config.write_text('[strategies.endless]\nclass = "endless.py:Endless"\n')
    with running(tmp_path / "home", "--config", config, *SOON) as node:
        found = tmp_path / "endless.thread"
        node.wait_until(lambda: found.exists() and found.read_text(), "an endless loop")
        thread = Path(f"/proc/{node.process.pid}/task/{found.read_text()}")
        node.wait_until(lambda: any(each["reason"].startswith("hung") for each in node.call("crashes", n=9)), "a hang")
        node.wait_until(lambda: not thread.exists(), "the end of its thread")

        node.wait_until(lambda: not node.status()["down"], "everything up")
        seq = node.status()["seq"]
        node.wait_until(lambda: node.status()["seq"] > seq + 20, "a market that goes on")
        assert node.order("stop")["ok"]
        assert node.end() == ExitCode.OK
    assert not [check for check in verify_everything(tmp_path / "home") if check.problems]


@pytest.mark.parametrize("name", ["executor", "strategy.confidence", "health", "operator"])
def test_a_part_that_hangs_is_replaced_and_its_stack_is_told(tmp_path: Path, name: str) -> None:
    with running(tmp_path / "home", *SOON) as node:
        node.wait_until_trading()
        before = node.status()["actors"][name]["epoch"]

        answer = node.order("hang", actor=name, reason="to see it found")

        assert answer["ok"], answer
        node.wait_until(
            lambda: (now := node.status())["actors"][name]["epoch"] > before and not now["down"], f"another {name}"
        )

        def told() -> Any:
            return next((crash for crash in node.call("crashes", n=9) if crash["actor"] == name), None)

        found = node.wait_until(told, "word of it")
        assert found["reason"].startswith("hung")
        assert "Stall" in found["message"] and "hang_for_ever" in found["stack"]
        seq = node.status()["seq"]
        node.wait_until(lambda: node.status()["seq"] > seq + 20, "a market that goes on")
        assert node.order("stop")["ok"]
        assert node.end() == ExitCode.OK
    assert not [check for check in verify_everything(tmp_path / "home") if check.problems]


def test_too_many_that_hang_end_the_process(tmp_path: Path) -> None:
    with running(tmp_path / "home", *SOON, "--set", "supervision.abandoned_max=1") as node:
        node.wait_until_trading()

        for name in ("herald", "health"):
            assert node.order("hang", actor=name)["ok"]

        assert node.end() == ExitCode.GAVE_UP
        assert "2 threads were left behind, more than 1" in node.said()


def test_a_venue_desk_that_hangs_ends_the_process(tmp_path: Path) -> None:
    with running(tmp_path / "home", *SOON) as node:
        node.wait_until_trading()

        assert "ends the process with 70" in node.order("hang", actor="venue")["detail"]

        assert node.end() == ExitCode.GAVE_UP
        assert "nobody can take over what it holds" in node.said()


def test_who_is_not_watched_for_hangs_is_not_hung(tmp_path: Path) -> None:
    with running(tmp_path / "home", *SOON) as node:
        node.wait_until_trading()

        for name in ("guard", "nobody"):
            assert "expected one of health, " in node.order("hang", actor=name)["detail"]
