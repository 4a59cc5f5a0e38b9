"""The laws of the keeper: a backup when it is time, what came of it written down, and a warning where nothing did."""

from collections.abc import Callable
from typing import Any

import pytest

from actors.keeper import LOOK_S, Keeper
from messages.node import BackedUp, BackupEnded
from supervision import MailboxSpec
from tests.actors.alone import Alone

MADE = BackedUp(folder="/backups/1", sequence=77, hash="00", bytes=5, dropped=("old",))


class Desk:
    """A keeper alone, with backups that are due and take as long as the test says."""

    def __init__(self, *, why_not: str = "") -> None:
        self.due = False
        self.why_not = why_not
        self.begun: list[Callable[[BackedUp], None]] = []
        self.log: list[tuple[str, str]] = []
        self.alone = Alone("keeper", self._make, mailbox=MailboxSpec(retains=True)).live()

    def is_due(self) -> bool:
        return self.due

    def begin(self, reply: Callable[[BackedUp], None]) -> str:
        self.begun.append(reply)
        self.due = False
        return self.why_not

    def _make(self, system: Any, seat: Any) -> Keeper:
        log = lambda level, event, **values: self.log.append((level, event))  # noqa: E731
        return Keeper(system, seat, backups=self, log=log)


def test_a_backup_is_begun_when_it_is_time_and_what_came_of_it_is_remembered() -> None:
    desk = Desk()
    desk.alone.rest(5 * LOOK_S)
    assert desk.begun == []

    desk.due = True
    desk.alone.rest(5 * LOOK_S)

    (reply,) = desk.begun
    reply(MADE)
    desk.alone.rest(1)
    assert desk.alone.said == [MADE]
    assert desk.log == [("info", "backup.done")]


def test_a_backup_that_was_not_made_is_remembered_and_warned_of() -> None:
    desk = Desk(why_not="no room")
    desk.due = True

    desk.alone.rest(2 * LOOK_S)
    desk.alone.tell(BackupEnded(BackedUp(problem="a full disk")))

    assert desk.alone.said == [BackedUp(problem="no room"), BackedUp(problem="a full disk")]
    assert desk.log == [("warning", "backup.failed")] * 2


@pytest.mark.parametrize("is_late", [False, True])
def test_what_was_made_is_remembered_also_by_the_next_keeper_who_goes_on_looking(is_late: bool) -> None:
    desk = Desk()
    desk.due = True
    desk.alone.rest(2 * LOOK_S)

    if is_late:
        desk.alone.crash()
    desk.begun[0](MADE)
    if not is_late:
        desk.alone.crash()
    desk.alone.rest(LOOK_S)
    desk.due = True
    desk.alone.rest(3 * LOOK_S)

    assert desk.alone.said == [MADE]
    assert len(desk.begun) == 2
