"""Laws of a process beside the node: bounded in time and output, and gone when the node is."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateways.side_process import Ended, SideProcess
from tests.endurance.nodes import ROOT

WAIT_S = 20.0


def ended(folder: Path, code: str, *, limit_s: float = WAIT_S, output_max: int = 1_000) -> Ended:
    """Run code beside this process, and return what became of it."""
    return _run(folder, code, [], limit_s=limit_s, output_max=output_max)


def _run(folder: Path, code: str, arguments: Sequence[str], *, limit_s: float, output_max: int) -> Ended:
    (folder / "beside.py").write_text(code)
    found: list[Ended] = []
    is_over = threading.Event()

    def end(what: Ended) -> None:
        found.append(what)
        is_over.set()

    SideProcess("beside", arguments, place=folder, limit_s=limit_s, output_max=output_max, on_end=end)
    assert is_over.wait(WAIT_S)
    return found[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def test_what_lies_in_the_working_directory_is_not_taken_for_a_module(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "json.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(folder / "elsewhere")

    assert ended(folder, "import json; print(json.dumps([]))").output == "[]\n"


def test_what_it_writes_and_how_it_ends_is_told(folder: Path) -> None:
    found = ended(folder, "import sys; print('done'); print('odd', file=sys.stderr); sys.exit(4)")

    assert (found.code, found.output, found.errors, found.is_overdue) == (4, "done\n", "odd\n", False)


def test_one_that_takes_too_long_is_ended(folder: Path) -> None:
    found = ended(folder, "import time; time.sleep(600)", limit_s=0.3)

    assert (found.code, found.is_overdue) == (-signal.SIGKILL, True)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_one_that_says_too_much_is_cut(folder: Path, stream: str) -> None:
    found = ended(folder, f"import sys\nfor n in range(100_000): print('much', file=sys.{stream})")

    assert max(len(found.output), len(found.errors)) == 1_000


def test_to_end_one_waits_until_that_was_told(folder: Path) -> None:
    (folder / "beside.py").write_text("import time; time.sleep(600)")
    found: list[Ended] = []

    process = SideProcess("beside", [], place=folder, limit_s=WAIT_S, output_max=10, on_end=found.append)
    process.end(WAIT_S)

    assert [each.code for each in found] == [-signal.SIGKILL]


PARENT = """
import sys, time
from pathlib import Path
from gateways.side_process import SideProcess
process = SideProcess("beside", [], place=Path(), limit_s=600.0, output_max=10, on_end=lambda end: None)
print(process.pid, flush=True)
time.sleep(600)
"""
CHILD = """
import os, time
from pathlib import Path
from gateways.side_process import leave_with_parent

def leave():
    Path("left").write_text("")
    os._exit(3)

leave_with_parent(leave)
Path("lives").write_text("")
time.sleep(600)
"""


def until_there(path: Path) -> bool:
    deadline = time.monotonic() + WAIT_S
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return path.exists()


def test_it_leaves_when_its_node_was_killed(folder: Path) -> None:
    (folder / "beside.py").write_text(CHILD)
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=folder, stdout=subprocess.PIPE)
    try:
        assert until_there(folder / "lives")
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.communicate()

    assert until_there(folder / "left")
