"""The lives of a node under torture: real processes, started or forked, watched by their journal, killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from holdfast.torture.warm import Birth, Forked, Warm
from persistence.errors import JournalDamaged
from persistence.watermark import read_mark

LOOK_S = 0.004
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
        said: Path,
        program: Sequence[str] = PROGRAM,
        environment: Mapping[str, str] | None = None,
        warm: Warm | None = None,
        wall_steps: Sequence[tuple[float, float]] = (),
        waits: bool = False,
    ) -> None:
        """Start it, or have it forked from a warm process; what it says on standard error goes to the file `said`.

        A forked one may have its wall clock set, and may wait to be continued before its first step.
        """
        self.home = home
        self.began = time.monotonic()
        self.first_seq = durable_seq(home)
        self._said = said
        said.unlink(missing_ok=True)
        words = ["--home", str(home), *arguments]
        self.process: subprocess.Popen[bytes] | Forked
        if warm is not None:
            birth = Birth(words, environment or {}, str(said), waits=waits, wall_steps=wall_steps)
            self.process = warm.bear(birth)
            return
        with said.open("wb") as file:
            self.process = subprocess.Popen(
                [*program, "run", *words],
                env={**os.environ, **(environment or {})},
                stdout=subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,
            )

    def wait_for_events(self, count: int, *, limit_s: float) -> bool:
        """Wait until this life has so many durable events of its own, or so long; say whether it has."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if durable_seq(self.home) >= self.first_seq + count:
                return True
            if self.is_over():
                return False
            time.sleep(LOOK_S)
        return False

    def wait_for_end(self, limit_s: float) -> bool:
        """Wait until it has ended, or so long; say whether it has."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if self.is_over():
                return True
            time.sleep(LOOK_S)
        return False

    def is_over(self) -> bool:
        """Say whether it has ended."""
        return self.process.poll() is not None

    @property
    def exit_code(self) -> int | None:
        """Return what it ended with by itself; None where it lives, or died of SIGKILL."""
        code = self.process.poll()
        return None if code == -signal.SIGKILL else code

    def go_on(self) -> None:
        """Continue, where it waits."""
        self.process.send_signal(signal.SIGCONT)

    def stand_still(self, seconds: float) -> None:
        """Let it do nothing for so long, and go on as if nothing had been."""
        self.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> int:
        """Send SIGKILL, reap, and return when that was, in wall-clock milliseconds."""
        self.process.send_signal(signal.SIGKILL)
        at_ms = time.time_ns() // 1_000_000
        self.process.wait(60.0)
        return at_ms

    def stop(self, *, limit_s: float) -> None:
        """Ask it to end in order.

        Raises:
            NodeEnded: it did not, or not with 0.
        """
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise NodeEnded(f"expected a node that ends within {limit_s} s, found that it goes on") from None
        if code != 0:
            raise NodeEnded(f"expected a node that ends with 0, found {code}: {self.last_words()}")

    def last_words(self) -> str:
        """Return the end of what it said on standard error."""
        try:
            return self._said.read_text(errors="replace").strip()[-2_000:]
        except OSError:
            return ""


def durable_seq(home: Path) -> int:
    """Return how far the journal in a home has come, as its watermark says; 0 where there is none yet."""
    try:
        mark = read_mark(home / "journal.watermark")
    except (OSError, JournalDamaged):
        return 0
    return 0 if mark is None else mark.seq
