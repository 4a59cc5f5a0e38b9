"""Poison: a message that ended its actor twice is kept aside until somebody says what is to become of it."""

import re
import threading
from collections import Counter, deque
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, NamedTuple

from pykka._envelope import Envelope

from supervision.signals import Lane

DEATHS_MAX = 2
"""After so many deaths a message, and every one like it, is not delivered any more."""
FINGERPRINTS_MAX = 1_000
KEPT_MAX = 100
"""Messages of one kind that are kept, the newest; older ones go to the dead letters."""
SHOWN_CHARS_MAX = 500


class Poison(NamedTuple):
    """A quarantined message, as people see it."""

    actor: str
    fingerprint: str
    message: str
    reason: str
    """How it ended the actor the last time."""
    deaths: int
    waiting: int
    """How many like it wait here."""


class _Case:
    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.reason = ""
        self.deaths = 0
        self.waiting: deque[tuple[Lane, Any]] = deque()


class Quarantine:
    """Counts deaths by actor and message.  `takes` is called with the switchboard's lock held."""

    def __init__(
        self,
        lock: threading.RLock,
        tell: Callable[[str, Any, Lane], object],
        bury: Callable[[str, Any, str], object],
    ) -> None:
        self._lock = lock
        self._tell = tell
        self._bury = bury
        self._cases: dict[tuple[str, str], _Case] = {}
        self._closed: Counter[str] = Counter()
        """How many kinds of messages are not delivered, by actor."""
        self.is_used = False
        """Something was quarantined: until then nobody has to ask."""

    def blame(self, actor: str, message: Any, reason: str) -> bool:
        """Count that a message ended its actor; say whether it, and all like it, are quarantined now."""
        key = actor, fingerprint_of(message)
        with self._lock:
            if key not in self._cases and len(self._cases) >= FINGERPRINTS_MAX:
                self._forget_oldest()
            case = self._cases.setdefault(key, _Case(_shown(message)))
            case.deaths, case.reason = case.deaths + 1, reason[:SHOWN_CHARS_MAX]
            if case.deaths == DEATHS_MAX:
                self._closed[actor] += 1
                self.is_used = True
            return case.deaths >= DEATHS_MAX

    def takes(self, actor: str, lane: Lane, post: Envelope[Any]) -> bool:
        """Keep a message that is like a quarantined one, and say so; what is for one incarnation alone is not kept."""
        if not self._closed.get(actor) or getattr(post, "epoch", None) is not None:
            return False
        message = post.message
        case = self._cases.get((actor, fingerprint_of(message)))
        if case is None or case.deaths < DEATHS_MAX:
            return False
        if len(case.waiting) == KEPT_MAX:
            self._bury(actor, case.waiting.popleft()[1], "quarantined")
        case.waiting.append((lane, message))
        return True

    def cases(self) -> list[Poison]:
        """Return what is not delivered because it ended its actor too often."""
        with self._lock:
            return [
                Poison(actor, fingerprint, case.shown, case.reason, case.deaths, len(case.waiting))
                for (actor, fingerprint), case in self._cases.items()
                if case.deaths >= DEATHS_MAX
            ]

    def retry(self, actor: str, fingerprint: str) -> int | None:
        """Deliver what waits here, and all like it from now on; say how many waited, None where there is no case."""
        with self._lock:
            waiting = self._release(actor, fingerprint)
            for lane, message in waiting or ():
                self._tell(actor, message, lane)
            return None if waiting is None else len(waiting)

    def drop(self, actor: str, fingerprint: str) -> int | None:
        """Bury what waits here, deliver all like it from now on; say how many waited, None where there is no case."""
        with self._lock:
            waiting = self._release(actor, fingerprint)
            for _lane, message in waiting or ():
                self._bury(actor, message, "quarantined")
            return None if waiting is None else len(waiting)

    def _release(self, actor: str, fingerprint: str) -> list[tuple[Lane, Any]] | None:
        case = self._cases.get((actor, fingerprint))
        if case is None or case.deaths < DEATHS_MAX:
            return None
        del self._cases[actor, fingerprint]
        self._closed[actor] -= 1
        return list(case.waiting)

    def _forget_oldest(self) -> None:
        """Make room among those that killed only once; what is quarantined stays."""
        oldest = next((key for key, case in self._cases.items() if case.deaths < DEATHS_MAX), None)
        if oldest is not None:
            del self._cases[oldest]


def fingerprint_of(message: Any) -> str:
    """Return what messages of one type and content have in common; addresses in memory do not count."""
    text = re.sub(r"0x[0-9a-f]+", "0x", f"{type(message).__qualname__} {_shown(message, limit=None)}")
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=6).hexdigest()


def _shown(message: Any, limit: int | None = SHOWN_CHARS_MAX) -> str:
    try:
        return repr(message)[:limit]
    except Exception:  # noqa: BLE001  a message that cannot be shown is told apart by its type alone
        return f"<{type(message).__name__} that cannot be shown>"
