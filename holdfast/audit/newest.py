"""What the newest audit on schedule has found, as the journal has it."""

from pathlib import Path
from typing import Any

import msgspec

from messages.audit import DayAudited
from messages.codec import decode
from persistence.reader import JournalReader


class NewestAudit:
    """Finds the newest audit of a home, and looks no further back than it has looked before."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._seen: tuple[int, dict[str, Any] | None] = (0, None)

    def __call__(self) -> dict[str, Any] | None:
        """Return it as JSON values; None where there is none yet.

        Raises:
            JournalError: the journal cannot be read.
        """
        after, found = self._seen
        with JournalReader(self._home) as reader:
            until = reader.last()[0]
            for record in reader.read(after=after, until=until, kinds=["DayAudited"]):
                event = decode(record.kind, record.version, record.payload)
                assert isinstance(event, DayAudited)
                found = _view(event)
        self._seen = until, found
        return found


def _view(event: DayAudited) -> dict[str, Any]:
    view: dict[str, Any] = msgspec.to_builtins(event)
    told = ("day", "score", "is_equal", "causes", "problem")
    return {name: view[name] for name in told if view[name] or name in ("score", "is_equal")}
