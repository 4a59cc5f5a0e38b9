"""The keeper: has the journal backed up when it is time, writes down what came of it, and warns where nothing did."""

from collections.abc import Callable
from typing import Any, Protocol

from actors.base import Log
from messages.node import BackedUp, BackupEnded, Beat
from supervision import Actor, Seat, System

LOOK_S = 20.0
"""Between two looks at whether it is time."""


class Backups(Protocol):
    """Makes backups beside the node: none of it is done in the caller's turn."""

    def is_due(self) -> bool:
        """Say whether it is time for a backup, and none is being made for that."""

    def begin(self, reply: Callable[[BackedUp], None]) -> str:
        """Begin to make a backup and tell what came of it; or say why not."""


class Keeper(Actor):
    """Looks now and then whether it is time."""

    def __init__(self, system: System, seat: Seat, *, backups: Backups, log: Log) -> None:
        super().__init__(system, seat)
        self._backups = backups
        self._log = log

    def started(self) -> None:
        """Begin to look."""
        self.after(LOOK_S, Beat())

    def receive(self, message: Any) -> Any:
        """Look, or take in what came of a backup."""
        match message:
            case Beat():
                self.after(LOOK_S, Beat())
                self._look()
            case BackupEnded(made=made):
                self._ended(made)
            case _:
                super().receive(message)
        return None

    def _look(self) -> None:
        if self._backups.is_due() and (why_not := self._backups.begin(self._reply)):
            self._ended(BackedUp(problem=why_not))

    def _reply(self, made: BackedUp) -> None:
        # To whoever plays the keeper then: what was made is there, also after a restart of this one.
        self._system.tell(self.name, BackupEnded(made))

    def _ended(self, made: BackedUp) -> None:
        self.record(made)
        if made.problem:
            self._log("warning", "backup.failed", problem=made.problem)
        else:
            self._log("info", "backup.done", folder=made.folder, sequence=made.sequence, bytes=made.bytes)
