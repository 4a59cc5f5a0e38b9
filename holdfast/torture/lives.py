"""The lives of a node under torture: real processes, started, watched by their journal, and killed without mercy."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from persistence.watermark import read_mark

LOOK_S = 0.002
PROGRAM = (sys.executable, "-m", "holdfast")


class NodeEnded(Exception):
    """The node ended by itself, which nobody had asked it to."""


class Life:
    """One process of a node in a home."""

    def __init__(
        self,
        home: Path,
        arguments: Sequence[str],
        *,
        program: Sequence[str] = PROGRAM,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Start it."""
        self.home = home
        self.first_seq = durable_seq(home)
        self.process = subprocess.Popen(
            [*program, "run", "--home", str(home), *arguments],
            env={**os.environ, **(environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_events(self, count: int, *, limit_s: float) -> bool:
        """Wait until this life has so many durable events of its own, or so long; say whether it has.

        Raises:
            NodeEnded: it ended before, and not by a signal.
        """
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if durable_seq(self.home) >= self.first_seq + count:
                return True
            if self.is_over():
                return False
            time.sleep(LOOK_S)
        return False

    def is_over(self) -> bool:
        """Say whether it has died of a signal.

        Raises:
            NodeEnded: it ended otherwise.
        """
        code = self.process.poll()
        if code is not None and code != -signal.SIGKILL:
            raise NodeEnded(f"expected a node that lives, found that it ended with {code}: {self._said()}")
        return code is not None

    def kill(self) -> int:
        """Send SIGKILL, reap, and return when that was, in wall-clock milliseconds."""
        self.process.send_signal(signal.SIGKILL)
        at_ms = time.time_ns() // 1_000_000
        self.process.communicate()
        return at_ms

    def stop(self, *, limit_s: float) -> None:
        """Ask it to end in order.

        Raises:
            NodeEnded: it did not, or not with 0.
        """
        self.process.terminate()
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NodeEnded(f"expected a node that ends within {limit_s} s, found that it goes on") from None
        if code != 0:
            raise NodeEnded(f"expected a node that ends with 0, found {code}: {self._said()}")

    def _said(self) -> str:
        return self.process.communicate()[1].strip()[-2_000:]


def durable_seq(home: Path) -> int:
    """Return how far the journal in a home has come, as its watermark says; 0 where there is none yet."""
    try:
        mark = read_mark(home / "journal.watermark")
    except OSError:
        return 0
    return 0 if mark is None else mark.seq
