"""What is kept of a venue between two lives, in a file of the home: its symbols' rules, and a pause it asked for.

It is a help and no truth: where it cannot be read, it is as if it had never been written.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from domain.market import DAY_MS, SECOND_MS, Instrument

NAME = "venue.json"
BYTES_MAX = 1_000_000
HELD_MS_MAX = 3 * DAY_MS
"""No venue we know of wants to be left alone for longer; what says so is not believed."""


class Kept(msgspec.Struct):
    """What the file holds."""

    url: str
    held_until_ms: int = 0
    """Until when nothing may be asked, by the machine's wall clock."""
    held_since_ms: int = 0
    """When the venue asked for it, by the same clock."""
    rules: dict[str, Instrument] = {}
    rules_at_ms: int = 0
    """When they were told, by the machine's wall clock."""


class VenueFile:
    """The file, of one venue.  Used from any thread."""

    def __init__(self, home: Path, url: str) -> None:
        """Read it; what it has of another venue is forgotten."""
        self._path = home / NAME
        self._lock = threading.Lock()
        self._kept = _read(self._path) or Kept(url)
        if self._kept.url != url:
            self._kept = Kept(url)

    def held_for_s(self, wall_ms: int) -> float:
        """Return for how many seconds the venue still wants to be left alone.

        Where the clock has been set back to before that was asked for, the pause begins anew: by a clock that had run
        ahead for a moment, it might last for as long as that.
        """
        with self._lock:
            kept = self._kept
            if wall_ms < kept.held_since_ms:
                kept.held_until_ms += wall_ms - kept.held_since_ms
                kept.held_since_ms = wall_ms
                self._write()
            left_ms = kept.held_until_ms - wall_ms
        return left_ms / SECOND_MS if 0 < left_ms <= HELD_MS_MAX else 0.0

    def hold(self, seconds: float, wall_ms: int) -> None:
        """Keep that the venue wants to be left alone for so long."""
        until_ms = wall_ms + int(seconds * SECOND_MS)
        is_held = self.held_for_s(wall_ms) > 0
        with self._lock:
            if until_ms > self._kept.held_until_ms or not is_held:
                self._kept.held_since_ms, self._kept.held_until_ms = wall_ms, until_ms
                self._write()

    def rules_of(self, symbols: Sequence[str]) -> tuple[Mapping[str, Instrument], int] | None:
        """Return the rules of these symbols and when they were told; None where some of them are not known."""
        rules = self._kept.rules
        if not all(symbol in rules for symbol in symbols):
            return None
        return {symbol: rules[symbol] for symbol in symbols}, self._kept.rules_at_ms

    def keep_rules(self, rules: Mapping[str, Instrument], wall_ms: int) -> Sequence[str]:
        """Keep what the venue told; return the symbols of which it told something else, or of more, before."""
        with self._lock:
            before = self._kept.rules
            self._kept.rules, self._kept.rules_at_ms = {**before, **rules}, wall_ms
            self._write()
        return [symbol for symbol, rule in rules.items() if _is_news(before.get(symbol, rule), rule)]

    def _write(self) -> None:
        """Put a whole file in the place of the old one; a disk that is full costs a question at the next start."""
        making = self._path.with_name(f".{NAME}")
        with suppress(OSError):
            file = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(file, "wb") as out:
                out.write(msgspec.json.encode(self._kept))
                out.flush()
                os.fsync(file)
            making.rename(self._path)


def _read(path: Path) -> Kept | None:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(BYTES_MAX), type=Kept)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _is_news(before: Instrument, rule: Instrument) -> bool:
    """Say whether orders by the rules from before may be refused, or less exact than they could be.

    The most of one order follows a market's turnover, day by day: that it rose concerns nobody.
    """
    most, most_before = rule.quantity_max, before.quantity_max
    fell = most is not None and (most_before is None or most < most_before)
    return fell or msgspec.structs.replace(rule, quantity_max=most_before) != before
