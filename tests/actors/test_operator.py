"""The laws of the operator's clerk: written down, then done, then answered; and one request is done once."""

from typing import Any

import pytest

from actors.operator import COMMANDS_KEPT, Operator, OperatorMemory
from messages.base import Event
from messages.node import Command, CommandDone, CommandReceived, Mark, Marked, OperatorCommanded
from supervision import MailboxSpec
from tests.actors.alone import Alone
from tests.actors.values import commanded

ACTING: tuple[Command, ...] = ("restart", "reload", "loglevel", "stop", "crash", "hang", "quarantine-drop")
FOLDED: tuple[Command, ...] = ("pause", "resume", "halt", "flatten", "cancel-all", "settle")


class Desk:
    """A clerk alone, with what it did to the process and what it answered."""

    def __init__(self, *past: Event, outcome: tuple[bool, str] = (True, "as you say")) -> None:
        self.done: list[Command] = []
        self.answers: list[tuple[bool, str]] = []
        self.fails_next = False
        self._outcome = outcome
        self.alone = Alone("operator", self._make, mailbox=MailboxSpec(retains=True))
        self.alone.happen(*past)
        self.alone.live()

    def order(self, command: Command, **changes: str) -> None:
        """Send a command; what is answered to it is noted."""
        self.alone.tell(self.request(command, **changes))

    def request(self, command: Command, **changes: str) -> CommandReceived:
        return CommandReceived(commanded(command, **changes), lambda ok, detail: self.answers.append((ok, detail)))

    def _make(self, system: Any, seat: Any) -> Operator:
        return Operator(system, seat, memory=OperatorMemory(), act=self._act)

    def _act(self, command: OperatorCommanded) -> tuple[bool, str]:
        self.done.append(command.command)
        if self.fails_next:
            self.fails_next = False
            raise OSError("the disk is gone")
        return self._outcome


# -- once ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [*ACTING, *FOLDED])
def test_a_command_is_written_down_done_and_answered_each_when_the_one_before_is_on_disk(command: Command) -> None:
    desk = Desk()
    desk.alone.stall_disk()

    desk.order(command)
    stalled = ([type(event) for event in desk.alone.said][:1], list(desk.done), list(desk.answers))
    desk.alone.stall_disk(is_stalled=False)

    acts = command in ACTING
    assert stalled == ([OperatorCommanded], [], [])
    assert [type(event) for event in desk.alone.said] == [OperatorCommanded, CommandDone]
    assert desk.done == ([command] if acts else [])
    assert desk.answers == [(True, "as you say" if acts else "")]


def test_what_could_not_be_done_is_answered_with_why() -> None:
    desk = Desk(outcome=(False, "feed is down already"))

    desk.order("crash", target="feed")

    assert desk.answers == [(False, "feed is down already")]
    assert desk.alone.said_of(CommandDone) == [CommandDone("r1", ok=False, detail="feed is down already")]


@pytest.mark.parametrize("command", ["crash", "pause"])
def test_a_request_that_is_repeated_is_done_once_and_answered_each_time(command: Command) -> None:
    desk = Desk()
    desk.alone.stall_disk()

    desk.order(command)
    desk.order(command)
    desk.alone.stall_disk(is_stalled=False)
    desk.order(command)

    assert len(desk.answers) == 3
    assert len(set(desk.answers)) == 1
    assert len(desk.alone.said_of(OperatorCommanded)) == 1
    assert desk.done == ["crash"] * (command == "crash")


@pytest.mark.parametrize("command", ["crash", "pause"])
def test_a_request_that_was_done_is_answered_by_a_later_life_and_not_done_again(command: Command) -> None:
    desk = Desk()
    desk.order(command)

    desk.alone.crash()
    desk.order(command)

    assert len(desk.answers) == 2
    assert desk.answers[0] == desk.answers[1]
    assert desk.done == ["crash"] * (command == "crash")


def test_two_requests_are_done_twice() -> None:
    desk = Desk()

    desk.order("crash", request_id="r1")
    desk.order("crash", request_id="r2")

    assert desk.done == ["crash", "crash"]


@pytest.mark.parametrize(("command", "target"), [("halt", ""), ("crash", "breaker")])
@pytest.mark.parametrize("moment", ["before it is on disk", "once it is done", "in a later life"])
def test_a_request_id_that_names_another_command_is_refused_and_nothing_is_done(
    moment: str, command: Command, target: str
) -> None:
    desk = Desk()
    desk.alone.stall_disk(is_stalled=moment == "before it is on disk")
    desk.order("crash", target="feed")
    if moment == "in a later life":
        desk.alone.crash()
    desk.answers.clear()

    desk.order(command, target=target)

    refusal = "request id r1 names another command, crash feed: a new command needs a new one"
    assert desk.answers == [(False, refusal)]
    assert [command.command for command in desk.alone.said_of(OperatorCommanded)] == ["crash"]
    assert len(desk.done) <= 1


def test_only_so_many_answers_are_kept() -> None:
    desk = Desk()

    for number in range(COMMANDS_KEPT + 1):
        desk.order("crash", request_id=f"r{number}")
    desk.order("crash", request_id=f"r{COMMANDS_KEPT}")
    desk.order("crash", request_id="r0")

    assert len(desk.done) == COMMANDS_KEPT + 2


# -- deaths ----------------------------------------------------------------------------------------------------------

CUT_SHORT = (False, "cut short: whether it was done is not known")


@pytest.mark.parametrize("command", ACTING)
def test_a_command_to_the_process_that_an_earlier_life_left_open_is_not_begun_by_the_next(command: Command) -> None:
    desk = Desk(commanded(command))

    desk.order(command)

    assert desk.done == []
    assert desk.answers == [CUT_SHORT]


@pytest.mark.parametrize("command", FOLDED)
def test_a_command_that_acts_by_being_remembered_is_done_although_its_life_ended(command: Command) -> None:
    desk = Desk(commanded(command))

    desk.order(command)

    assert desk.answers == [(True, "")]


def test_a_clerk_that_dies_before_a_command_is_written_down_has_done_nothing() -> None:
    desk = Desk()

    desk.alone.tell_amid_a_crash(desk.request("crash"))
    desk.order("crash")

    assert desk.done == ["crash"]
    assert desk.answers == [(True, "as you say")]


@pytest.mark.parametrize("events", [1, 2])
def test_a_clerk_that_dies_in_the_midst_of_a_command_never_does_it_twice(events: int) -> None:
    desk = Desk()
    desk.alone.crash_after(events)

    desk.order("crash")
    desk.order("crash")

    assert len(desk.done) == events - 1
    assert desk.answers == [(True, "as you say") if events == 2 else CUT_SHORT]


def test_a_command_that_waits_for_a_clerk_that_dies_is_done_by_the_next() -> None:
    desk = Desk()

    desk.alone.system.tell("operator", desk.request("crash"))
    desk.alone.crash()

    assert desk.done == ["crash"]
    assert desk.answers == [(True, "as you say")]


def test_what_a_clerk_had_written_down_and_not_begun_when_it_died_is_never_begun() -> None:
    desk = Desk()
    desk.alone.stall_disk()
    for number in (1, 2, 3):
        desk.order("crash", request_id=f"r{number}")
    desk.fails_next = True

    desk.alone.stall_disk(is_stalled=False)
    desk.order("crash", request_id="r2")
    desk.order("crash", request_id="r4")

    assert desk.alone.crashes() == 1
    assert desk.done == ["crash", "crash"], "the first, over which the clerk died, and the fourth"
    assert [ok for ok, _detail in desk.answers] == [False, True]


# -- snapshots -------------------------------------------------------------------------------------------------------


def test_a_snapshot_is_asked_of_the_archivist_and_answered_with_what_it_tells() -> None:
    desk = Desk()

    desk.order("snapshot")
    before = list(desk.answers)
    desk.alone.tell(Marked("r1", 77, "abc"))

    assert before == []
    assert desk.alone.told == [("archivist", Mark("asked for by op", "operator", "r1"))]
    assert desk.answers == [(True, "77 abc")]


def test_a_snapshot_that_nobody_takes_is_answered_after_a_while() -> None:
    desk = Desk()
    desk.alone.lose("archivist")

    desk.order("snapshot")
    desk.alone.rest(60)

    assert desk.answers == [(False, "the archivist has told of no snapshot within 30 s")]


def test_a_snapshot_that_was_taken_in_time_is_answered_once() -> None:
    desk = Desk()
    desk.order("snapshot")
    desk.alone.tell(Marked("r1", 77, "abc"))

    desk.alone.rest(60)

    assert desk.answers == [(True, "77 abc")]
    assert len(desk.alone.said_of(CommandDone)) == 1
