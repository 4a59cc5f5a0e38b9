"""A warm process: it has imported all that a node imports, and each life is a fork of it.

    python -m holdfast.torture.warm SOCKET

It has no thread, no event loop and no file of its own: a fork of it begins where a start is after a second of imports.
A life is handed over to whoever asked for it (a subreaper): who kills it is who reaps it, as with any child.
"""

import ctypes
import gc
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn, Self

import msgspec

from holdfast.torture.wall import install, step_wall

REQUEST_BYTES_MAX = 200_000
READY_WITHIN_S = 60.0
WARM = (sys.executable, "-m", "holdfast.torture.warm")
_SUBREAPER = 36
"""`PR_SET_CHILD_SUBREAPER` of prctl(2): orphans of a child become ours."""

_DIES_WITH_PARENT = 1
"""`PR_SET_PDEATHSIG`: a signal for when the parent is dead."""


class WarmFailed(OSError):
    """The warm process did not start, or could not fork."""


class Birth(msgspec.Struct, frozen=True):
    """What a life is to be."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    said: str
    """The file that takes what it says on standard error."""
    waits: bool = False
    """It stops before its first step, until it is sent SIGCONT."""
    file_bytes_max: int = 0
    """No file of it may grow beyond this; 0 for no limit."""
    wall_steps: Sequence[tuple[float, float]] = ()
    """After so many seconds of its life, its wall clock is set by so many seconds."""


class Forked:
    """A life that was forked: a child of this process, as `subprocess.Popen` has them."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return its exit code, the negative signal it died of, or None while it lives."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for its end and return its exit code.

        Raises:
            subprocess.TimeoutExpired: it lives on.
        """
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.002)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it was reaped."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Warm:
    """The warm process, from outside.  Used from any thread."""

    def __init__(self, program: Sequence[str] = WARM) -> None:
        """Start it, and wait until it has imported everything.

        Raises:
            WarmFailed: it does not start, or this system hands no orphans over.
        """
        if ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0) != 0:
            raise WarmFailed("expected a system that hands orphans over (prctl), found that it does not")
        self._lock = threading.Lock()
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [*program, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._channel.settimeout(READY_WITHIN_S)
        self._hear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._channel.close()
        self._process.wait()

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        return self._process.pid

    def bear(self, birth: Birth) -> Forked:
        """Fork a life.

        Raises:
            WarmFailed: it could not.
        """
        with self._lock:
            self._channel.send(msgspec.json.encode(birth))
            return Forked(int(self._hear()))

    def _hear(self) -> bytes:
        try:
            said = self._channel.recv(64)
        except OSError as error:
            raise WarmFailed(f"expected a warm process that answers, found {error}") from error
        if not said:
            raise WarmFailed("expected a warm process that lives, found that it ended")
        return said


def main(prepare: Callable[[], None] = lambda: None) -> None:
    """Import everything, and fork a life for each request until nobody asks any more.

    `prepare` is called once everything is imported: what it changes is changed in every life.
    """
    channel = socket.socket(fileno=int(sys.argv[1]))
    # Before the imports: some of them take hold of the clock.
    install()
    _import_everything()
    prepare()
    assert threading.active_count() == 1, "a process with threads cannot be forked"
    gc.collect()
    gc.freeze()
    channel.send(b"ready")
    while request := channel.recv(REQUEST_BYTES_MAX):
        birth = msgspec.json.decode(request, type=Birth)
        channel.send(str(_fork_away(birth, channel)).encode())


def _import_everything() -> None:
    import holdfast.cli.starting
    import holdfast.config.loading
    import holdfast.live
    import holdfast.node
    import holdfast.torture.hasty
    from gateways.live.client import import_exchange

    for kind in holdfast.live.DIALECTS.values():
        import_exchange(kind.exchange_id)


def _fork_away(birth: Birth, channel: socket.socket) -> int:
    """Fork a life as a grandchild, whose parent ends at once; return its number."""
    reading, writing = os.pipe()
    between = os.fork()
    if between == 0:
        parent = os.getpid()
        if (pid := os.fork()) == 0:
            os.close(reading)
            os.close(writing)
            channel.close()
            _die_with_its_new_parent(parent)
            _live(birth)
        os.write(writing, str(pid).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(between, 0)
    pid_text = os.read(reading, 32)
    os.close(reading)
    return int(pid_text)


def _die_with_its_new_parent(old: int) -> None:
    """Be killed where the torture is: a node that nobody waits for would trade on for ever."""
    while os.getppid() == old:
        time.sleep(0.0005)
    ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL, 0, 0, 0)


def _live(birth: Birth) -> NoReturn:
    """Be a node, as `holdfast run` is one, and end as it ends."""
    code = 70
    try:
        os.setsid()
        said = os.open(birth.said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(said, 2)
        os.close(said)
        os.environ.update(birth.environment)
        if birth.waits:
            os.kill(os.getpid(), signal.SIGSTOP)
        if birth.file_bytes_max:
            resource.setrlimit(resource.RLIMIT_FSIZE, (birth.file_bytes_max, birth.file_bytes_max))
        step_wall(birth.wall_steps)
        random.seed()
        sys.argv[1:] = ["run", *birth.arguments]
        from holdfast.__main__ import main as run_command

        code = run_command()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
