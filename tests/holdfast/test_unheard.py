"""What stops no node and changes no exit code: that nobody takes its words, and when a signal comes."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from holdfast.exit_codes import ExitCode
from holdfast.helpers import Helpers
from holdfast.secrets import Secret
from tests.holdfast.test_processes import ROOT, command

FULL = Path("/dev/full")
WAIT_S = 60.0

SIGNALLED = """
import signal, threading
from holdfast.stop_signals import hear_stop_signals

lock, over = threading.Lock(), threading.Event()

def end(reason):
    with lock:
        print(reason, flush=True)
        over.set()

hear_stop_signals(end)
with lock:
    signal.raise_signal(signal.SIGTERM)
raise SystemExit(0 if over.wait(20) else 1)
"""

JOURNAL_FAILED = """
from holdfast.node import Node
Node._journal_failed(None, OSError("no space left"))
"""


def unheard(*words: object) -> int:
    """Run a program whose output and errors nobody takes, and return its exit code."""
    with FULL.open("w") as full:
        return subprocess.run(
            list(map(str, words)), cwd=ROOT, stdout=full, stderr=full, timeout=WAIT_S, check=False
        ).returncode


def test_a_signal_is_heard_whatever_the_main_thread_holds_just_then() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED], cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S, check=False
    )

    assert (done.returncode, done.stdout) == (0, "signal SIGTERM\n")


@pytest.mark.slow
@pytest.mark.parametrize("extra", [(), ("--json",), ("--progress",)], ids=["plain", "json", "progress"])
def test_a_node_whose_words_nobody_takes_trades_to_the_end_and_exits_as_it_would(
    tmp_path: Path, extra: tuple[str, ...]
) -> None:
    few_bars = ("--set", "feed.speed=max", "--set", "feed.end=2024-01-02T00:00:00Z")

    assert unheard(*command("run", "--home", tmp_path / "home", *few_bars, *extra)) == ExitCode.OK


def test_a_journal_that_fails_ends_the_process_with_its_code_though_nobody_hears_why() -> None:
    assert unheard(sys.executable, "-c", JOURNAL_FAILED) == ExitCode.IO_ERROR


@pytest.mark.parametrize("extra", [(), ("--json",)], ids=["plain", "json"])
def test_a_command_that_fails_unheard_exits_as_it_would(tmp_path: Path, extra: tuple[str, ...]) -> None:
    wrong = command("run", "--home", tmp_path / "home", "--set", "risk.nonsense=1", *extra)

    assert unheard(*wrong) == ExitCode.CONFIGURATION


def test_what_a_helpers_job_raises_is_printed_without_secrets(capfd: pytest.CaptureFixture[str]) -> None:
    secret = Secret("planted-in-an-error-77d1").reveal()
    helpers = Helpers("unheard", count=1)

    def fail() -> None:
        raise ValueError(f"no answer at https://example.org/?key={secret}")

    done = threading.Event()
    helpers.submit(fail)
    helpers.submit(done.set)
    assert done.wait(5.0)
    helpers.close()
    said = capfd.readouterr().err

    assert "no answer at https://example.org/?key=***" in said
    assert secret not in said
