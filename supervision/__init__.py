"""Supervised actors on pykka: mailboxes, a switchboard that numbers what is remembered, supervisors, two runtimes.

Generic: no word of trading, and nothing of ours is imported.  The words are Erlang/OTP's.
"""

from pykka import Timeout

from supervision.actor import Actor
from supervision.cells import Seat, Vitals
from supervision.clock import Clock, MarketClock
from supervision.dead_letters import DeadLetters
from supervision.errors import ActorDown, Crashed, Fenced, SpecError, SupervisionError, said_whole
from supervision.express import AtOnceRecorder, Express
from supervision.journaled import JournaledActor, Memory, Recovered, Recovery
from supervision.mailbox_spec import MailboxSpec
from supervision.quarantine import Poison
from supervision.recorder import Recorder
from supervision.signals import (
    Break,
    CrashReport,
    Exit,
    Lane,
    Progress,
    Recorded,
    Settled,
    Stall,
    Stop,
    SupervisorReport,
)
from supervision.spec import Backoff, ChildSpec, SupervisorSpec, check_specs
from supervision.stage import Stage, StageRecorder
from supervision.supervisor import Supervisor
from supervision.switchboard import Switchboard
from supervision.system import System
from supervision.threads import FollowingClock, RecordedClock, Threads, WallClock

__all__ = [
    "Actor",
    "ActorDown",
    "AtOnceRecorder",
    "Backoff",
    "Break",
    "ChildSpec",
    "Clock",
    "CrashReport",
    "Crashed",
    "DeadLetters",
    "Exit",
    "Express",
    "Fenced",
    "FollowingClock",
    "JournaledActor",
    "Lane",
    "MailboxSpec",
    "MarketClock",
    "Memory",
    "Poison",
    "Progress",
    "Recorded",
    "RecordedClock",
    "Recorder",
    "Recovered",
    "Recovery",
    "Seat",
    "Settled",
    "SpecError",
    "Stage",
    "StageRecorder",
    "Stall",
    "Stop",
    "SupervisionError",
    "Supervisor",
    "SupervisorReport",
    "SupervisorSpec",
    "Switchboard",
    "System",
    "Threads",
    "Timeout",
    "Vitals",
    "WallClock",
    "check_specs",
    "said_whole",
]
