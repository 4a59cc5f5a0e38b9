"""A process of our own interpreter beside the node: bounded in time and output, and gone when the node is."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec


class Ended(msgspec.Struct, frozen=True):
    """What became of it."""

    code: int
    """As the operating system has it; below zero where a signal ended it."""
    output: str
    """What it wrote to standard output, cut to the limit."""
    errors: str
    """The end of what it wrote to standard error."""
    is_overdue: bool
    """It was ended because it took too long."""


class SideProcess:
    """Runs a module beside the node.

    The process holds the other end of a pipe to its standard input: when that closes, the node is gone, and it is to
    leave (`leave_with_parent`).
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        place: Path,
        limit_s: float,
        output_max: int,
        on_end: Callable[[Ended], None],
    ) -> None:
        """Start it.  Modules are looked for in `place` first, and not in the working directory, whatever lies there.

        `on_end` is called on a thread of its own.

        Raises:
            OSError: it cannot be started.
        """
        self._limit_s = limit_s
        self._output_max = output_max
        self._on_end = on_end
        self._is_overdue = False
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(place), os.environ.get("PYTHONPATH"))))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._errors = b""
        self._listener = threading.Thread(target=self._read_errors, name=f"{module}-errors", daemon=True)
        self._listener.start()
        self._watcher = threading.Thread(target=self._watch, name=module, daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int:
        """Return its number."""
        return self._process.pid

    def end(self, wait_s: float) -> None:
        """End it at once, if it is not over, and wait so long until `on_end` was called."""
        self._process.kill()
        self._watcher.join(wait_s)

    def _watch(self) -> None:
        timer = threading.Timer(self._limit_s, self._overdue)
        timer.daemon = True
        timer.start()
        assert self._process.stdout is not None
        output = self._process.stdout.read(self._output_max + 1)
        if len(output) > self._output_max:
            self._process.kill()
        code = self._process.wait()
        timer.cancel()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        text, errors = (part.decode("utf-8", "replace") for part in (output[: self._output_max], self._errors))
        self._on_end(Ended(code, text, errors, self._is_overdue))

    def _overdue(self) -> None:
        self._is_overdue = True
        self._process.kill()

    def _read_errors(self) -> None:
        """Keep the end of what it complains of; what is not read would hold it up."""
        assert self._process.stderr is not None
        while part := self._process.stderr.read1(self._output_max):  # type: ignore[attr-defined]
            self._errors = (self._errors + part)[-self._output_max :]


def leave_with_parent(leave: Callable[[], None]) -> None:
    """Have this process leave when the one that started it is gone: `leave` is called on a thread of its own."""

    def watch() -> None:
        sys.stdin.buffer.read()
        leave()

    threading.Thread(target=watch, name="parent", daemon=True).start()
