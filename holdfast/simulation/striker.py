"""Lets a fault befall a node on the stage."""

import shutil
from collections.abc import Callable
from pathlib import Path

from holdfast.simulation.console import Console
from holdfast.simulation.faults import COMMITS, PLACES_TO_DIE, TURNS_MAX, Strike
from holdfast.staging import StagedNode
from persistence.errors import JournalError
from persistence.journal import Journal
from supervision import Crashed

Say = Callable[[str, str], None]
IN_TIME_S = 15.0
"""What hangs no longer than this is not replaced."""
OPERATOR_COMES_AFTER_S = 1.0


class Death(BaseException):
    """The process ends here."""


class Striker:
    """Acts on one life of a node.  `reached` must hear every cue of it."""

    def __init__(self, heard: Callable[[str], None], say: Say, console: Console) -> None:
        """`heard` is told each fault when it has befallen; `say` hears what must not be; `console` gives commands."""
        self.node: StagedNode | None = None
        self._heard = heard
        self._say = say
        self._console = console
        self._crash_at = ""
        self._die_at = ""
        self._fail_at = ""
        self._times = 0
        self._tired = ""
        """Who is broken as often as it comes back, until its supervisor gives up."""
        self._hung = ""
        """Who hangs until some turns after it was replaced."""
        self._hung_epoch = 0
        self._broken_epoch = 0
        self._late_turns = 0

    def strike(self, strike: Strike) -> None:
        """Let a fault come, now or at the point that it names."""
        node = self.node
        assert node is not None
        match strike.act:
            case "crash":
                if node.crash(strike.part):
                    self._heard("crash")
            case "crash_within":
                self._crash_at = f"{strike.part}.{strike.moment}"
            case "hang":
                self._hang(node, strike)
            case "kill":
                self._heard("kill")
                node.kill()
            case "kill_within":
                places = (*PLACES_TO_DIE, f"{strike.part}.{strike.moment}")
                self._die_at = places[strike.turns % len(places)]
                self._times = strike.times
            case "commit_fails":
                self._fail_at = COMMITS[strike.times % 2]
            case "disk_stalls":
                self._heard("disk_stalls")
                node.stall_disk(is_stalled=True)
                node.stage.after(strike.delay_s, lambda: node.stall_disk(is_stalled=False))
            case "clock_steps":
                self._heard("clock_steps")
                node.stage.clock.step_wall(int(strike.delay_s * 1000) * (-1) ** strike.times)
            case "log_is_cut":
                self._heard("log_is_cut")
                cut_log(node, strike, self._say)
                node.kill()
            case "give_up":
                self._tired = strike.part
            case command:
                self._console.order(command, strike.part, copies=strike.times)  # type: ignore[arg-type]

    def reached(self, point: str) -> None:
        """Hear that the node has come to a point."""
        node = self.node
        if node is None or node.stage.is_dead:
            return
        if point == self._crash_at:
            self._crash_at = ""
            self._heard("crash_within")
            # What is delivered when it kills for the second time is put aside, until somebody says that it was not it.
            node.stage.after(OPERATOR_COMES_AFTER_S, node.retry_quarantined)
            raise Crashed(f"on cue at {point}")
        if point == self._die_at:
            self._times -= 1
            if self._times <= 0:
                self._die_at = ""
                self._heard("kill_within")
                node.kill()
                raise Death
        if point == self._fail_at:
            self._fail_at = ""
            self._heard("commit_fails")
            raise OSError(5, "Input/output error")
        node.stage.reach(point)

    def look(self) -> None:
        """Look between two turns: break who must not come back, and let go who hangs and was replaced a while ago."""
        node = self.node
        if self._tired and node is not None:
            self._tire(node)
        if not self._hung or node is None or node.switchboard.epoch_of(self._hung) == self._hung_epoch:
            return
        if self._late_turns > 0:
            self._late_turns -= 1
            return
        self._hung = ""
        self._let_go()

    def disarm(self) -> None:
        """Let nothing befall the node any more."""
        self._crash_at = self._die_at = self._fail_at = self._tired = ""

    def _tire(self, node: StagedNode) -> None:
        name = self._tired
        supervisor = node.system.tree.parent_of(name)
        if node.switchboard.is_up(name):
            if (epoch := node.switchboard.epoch_of(name)) != self._broken_epoch and node.crash(name):
                self._broken_epoch = epoch
        elif not node.switchboard.is_up(supervisor):
            self._tired = ""
            self._heard("give_up")

    def _hang(self, node: StagedNode, strike: Strike) -> None:
        if not node.stage.hang(strike.part, strike.moment):
            return
        if strike.delay_s < IN_TIME_S:
            node.stage.after(strike.delay_s, self._let_go)
        else:
            # Its successor is at work by then: later nobody would be left to be disturbed.
            self._hung, self._hung_epoch = strike.part, node.switchboard.epoch_of(strike.part)
            self._late_turns = strike.turns

    def _let_go(self) -> None:
        assert self.node is not None
        for _ in range(self.node.stage.let_go()):
            self._heard("hang")


def cut_log(node: StagedNode, strike: Strike, say: Say) -> None:
    """Open a copy of the journal whose log the disk has lost a piece of: it must be refused, or nothing be missing."""
    durable = node.durable_seq
    copy = node.home.with_name("cut")
    shutil.copytree(node.home, copy)
    try:
        log = copy / "journal.db-wal"
        whole = log.read_bytes()
        used = len(whole.rstrip(b"\0"))
        begin = used * strike.turns // TURNS_MAX
        log.write_bytes(whole[:begin] + bytes(used - begin))
        _demand_refused(copy, durable, say)
    finally:
        shutil.rmtree(copy)


def _demand_refused(home: Path, durable: int, say: Say) -> None:
    try:
        journal = Journal.open(home)
    except JournalError:
        return
    journal.close()
    if journal.last_seq < durable:
        say("loss-is-seen", f"{durable} was durable, a journal of {journal.last_seq} was opened without a word")
