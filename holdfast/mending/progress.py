"""How far a long piece of work is, on a terminal."""

import sys
import time

SHOWN_EVERY_S = 0.1


class Progress:
    """One line that is written over and over, on standard error where that is wanted."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._shown_at = 0.0
        self._width = 0

    def show(self, what: str, done: int, total: int) -> None:
        """Say that so much is done of so much; at most ten times a second."""
        now = time.monotonic()
        if not self._wanted or (now - self._shown_at < SHOWN_EVERY_S and done < total):
            return
        self._shown_at = now
        share = f" {100 * done // total:3} %" if total > 0 else ""
        line = f"{what}{share}"
        sys.stderr.write("\r" + line.ljust(self._width))
        sys.stderr.flush()
        self._width = len(line)

    def clear(self) -> None:
        """Take the line away."""
        if self._wanted and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0
