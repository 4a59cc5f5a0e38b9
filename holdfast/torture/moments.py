"""The moments at which a life ends: anywhere, while it starts, at a named boundary, at a system call."""

import random
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from holdfast.cues import VARIABLE
from holdfast.torture.lives import Life

PARTS = ("executor", "breaker", "venue", "positions")
CUES = (
    *("journal.before_commit", "journal.after_commit", "journal.after_watermark"),
    *(f"{part}.{when}_release" for part in PARTS for when in ("before", "after")),
)
WRITES = ("pwrite64", "fdatasync")
"""The system calls by which the journal and its watermark are written."""
SEND = "sendto"
"""The one by which a request goes out."""
EVENTS_MEAN, EVENTS_MAX = 25, 90
DELAY_S_MAX = 0.5
TIMES_MAX = 25
"""The most passings of a boundary, or calls of a thread, before death comes."""
ATTACH_WITHIN_S = 20.0


class Injection(msgspec.Struct, frozen=True):
    """What befalls the nth call of one kind, of whichever thread makes so many."""

    call: str
    deed: str
    """In strace's words: `signal=KILL`, `error=EIO`, `retval=4096`."""
    nth: int
    lasts: bool = False
    """All calls after it fare likewise, as on a disk that is full."""

    @property
    def name(self) -> str:
        """Name it, without its number."""
        return f"{self.deed} at {self.call}"

    @property
    def when(self) -> str:
        """Return its calls in strace's words."""
        return f"{self.nth}+" if self.lasts else str(self.nth)

    @property
    def fails(self) -> bool:
        """Say whether it lets a call fail, which nobody may pass over."""
        return self.deed.startswith("error=")


class Moment(msgspec.Struct, frozen=True):
    """When a life is to end."""

    kind: str
    events: int = 0
    """It has so many events of its own first."""
    delay_s: float = 0.0
    cue: str = ""
    injection: Injection | None = None

    @property
    def name(self) -> str:
        """Name it for a report."""
        if self.injection is not None:
            return self.injection.name
        return self.cue.partition(":")[0] or self.kind

    @property
    def environment(self) -> Mapping[str, str]:
        """Return what a process must be told for it."""
        return {VARIABLE: self.cue} if self.cue else {}


def draw_moment(draw: random.Random, *, start_s: float, has_strace: bool) -> Moment:
    """Draw one; a start takes about `start_s`."""
    shares = {"anywhere": 0.5, "a boundary": 0.3, "its start": 0.1, "a system call": 0.1 if has_strace else 0.0}
    kind = draw.choices(tuple(shares), tuple(shares.values()))[0]
    events = min(EVENTS_MAX, 1 + int(draw.expovariate(1 / EVENTS_MEAN)))
    match kind:
        case "its start":
            return Moment(kind, delay_s=draw.random() * start_s)
        case "a boundary":
            return Moment(kind, EVENTS_MAX, cue=f"{draw.choice(CUES)}:{draw.randint(1, TIMES_MAX)}")
        case "a system call":
            return Moment(kind, EVENTS_MAX, injection=_draw_injection(draw))
    return Moment(kind, events, delay_s=draw.random() * DELAY_S_MAX)


def _draw_injection(draw: random.Random) -> Injection:
    call = draw.choice((*WRITES, SEND))
    deeds = ("signal=KILL",) if call == SEND else ("signal=KILL", "error=EIO", "error=ENOSPC")
    deed = draw.choice(deeds)
    return Injection(call, deed, draw.randint(1, TIMES_MAX), lasts=deed == "error=ENOSPC")


def has_strace() -> bool:
    """Say whether system calls can be tampered with here."""
    if (strace := shutil.which("strace")) is None:
        return False
    tried = [strace, "-qq", "-o", "/dev/null", "-e", "trace=none", "true"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


class Tampering:
    """Tampers with the system calls of a life that waits, from its first step on, until it ends."""

    def __init__(self, life: Life, injection: Injection, files: tuple[Path, ...], notes: Path) -> None:
        """Attach; calls that write count only on these files.  `notes` takes what strace tells."""
        self._notes = notes
        notes.unlink(missing_ok=True)
        only = [word for file in files if injection.call != SEND for word in ("-P", str(file))]
        self._strace = subprocess.Popen(
            [
                *("strace", "-f", "-qq", "-o", str(notes), "-p", str(life.process.pid), *only),
                *("-e", f"trace={injection.call}"),
                *("-e", f"inject={injection.call}:{injection.deed}:when={injection.when}"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _wait_until(lambda: _is_traced(life.process.pid) or life.is_over())

    @property
    def has_struck(self) -> bool:
        """Say whether it has befallen the life."""
        try:
            return "INJECTED" in self._notes.read_text(errors="replace")
        except OSError:
            return False

    def end(self) -> None:
        """Wait for strace, which ends with the life."""
        try:
            self._strace.wait(10.0)
        except subprocess.TimeoutExpired:
            self._strace.kill()
            self._strace.wait()


def wait_until_stopped(life: Life) -> None:
    """Wait for a life that is to stop before its first step: continued before that, it would wait for ever."""
    _wait_until(lambda: "State:\tT" in _status(life.process.pid) or life.is_over())


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ATTACH_WITHIN_S
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.002)


def _is_traced(pid: int) -> bool:
    status = _status(pid)
    return bool(status) and "TracerPid:\t0\n" not in status


def _status(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
