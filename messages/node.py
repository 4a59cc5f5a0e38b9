"""The node's own life: starts and stops, operators, markers, parts that gave up."""

from typing import Any, Literal

import msgspec

from domain.performance import Summary
from messages.base import Event, Message

Command = Literal[
    "pause",
    "resume",
    "halt",
    "flatten",
    "cancel-all",
    "restart",
    "reload",
    "loglevel",
    "stop",
    "crash",
    "hang",
    "excuse",
    "snapshot",
    "reconcile",
    "settle",
    "quarantine-retry",
    "quarantine-drop",
]


class NodeStarted(Event, frozen=True):
    """A process took over the journal.  Secrets are no part of `configuration`."""

    boot: int
    version: str
    configuration: dict[str, Any]
    platform: str
    """System, Python, and the library that speaks to a real venue, with their versions."""
    folder: str = ""
    """Where relative paths of the configuration start."""


class NodeStopped(Event, frozen=True):
    """The process ended on purpose."""

    reason: str


class NodeFailed(Event, frozen=True):
    """The process gave itself up."""

    reason: str
    exit_code: int


class ConfigurationChanged(Event, frozen=True):
    """A changed configuration was applied while running, or refused as a whole."""

    applied: bool
    changes: dict[str, Any]
    problems: tuple[str, ...] = ()
    configuration: dict[str, Any] = msgspec.field(default_factory=dict)
    """The whole configuration as it is now, without secrets; empty where it was refused."""


class OperatorCommanded(Event, frozen=True):
    """An operator told the node to change something: who, what and why.  Durable before it acts."""

    request_id: str
    command: Command
    user: str
    """Name or uid of the peer, as the kernel gave it."""
    process: int
    wall_ms: int
    reason: str = ""
    target: str = ""
    """The actor, log level, symbol or order the command is about; or actor and fingerprint, or actor and sequence."""


class CommandDone(Event, frozen=True):
    """What came of an operator's command."""

    request_id: str
    ok: bool
    detail: str = ""


class Restored(Event, frozen=True):
    """The journal up to here came out of a backup, and goes on in a new generation.

    What happened after `last_sequence` is not known here; the node is halted until an operator resumes it.
    """

    source: str
    """Folder of the backup."""
    generation: int
    last_sequence: int
    last_hash: str
    user: str
    process: int
    wall_ms: int


class Salvaged(Event, frozen=True):
    """The journal up to here is what could be proven of a damaged one, and goes on in a new generation.

    The node is halted until an operator resumes it.
    """

    generation: int
    kept: int
    """The last sequence of the proven part."""
    lost_from: int
    """The first sequence that is lost; 0 where none is known to be."""
    lost_to: int
    """The highest sequence that is known of; 0 where nothing is known to be lost."""
    readable_beyond: int
    """Records behind the damage that could be read: they are in the quarantine, unproven, and are not followed."""
    reason: str
    files: dict[str, str]
    """BLAKE2b-256 of the damaged files, by name."""
    quarantine: str
    """Folder within the home that these were moved to."""
    user: str
    process: int
    wall_ms: int


class BackedUp(Event, frozen=True):
    """The journal was backed up on schedule, or could not be."""

    folder: str = ""
    """Where the backup is; empty where none was made."""
    sequence: int = 0
    """The last one that is in it."""
    hash: str = ""
    bytes: int = 0
    dropped: tuple[str, ...] = ()
    """Names of older backups that were removed for it."""
    problem: str = ""
    """Why there is none."""


class StateMarked(Event, frozen=True):
    """A marker: every actor that folds answers with its state as of this sequence."""

    why: str


class StateHashed(Event, frozen=True):
    """All states as of the marker at `sequence` were hashed."""

    sequence: int
    state_hash: str
    parts: dict[str, str]
    versions: dict[str, int] = msgspec.field(default_factory=dict)
    """Version of each actor's memory: states of different versions say nothing about each other."""


class PartGaveUp(Event, frozen=True):
    """A supervisor stopped trying: a part is down until an operator restarts it."""

    part: str
    reason: str


class StateAt(Message, frozen=True):
    """An actor's state as of a marker, encoded."""

    sequence: int
    actor: str
    version: int
    state: bytes


class HoldingsAsked(Message, frozen=True):
    """What is held, and what is it worth?"""


class PerformanceAsked(Message, frozen=True):
    """How has it done?"""


class VenueWordAsked(Message, frozen=True):
    """Say what the venue has answered about an order; `anew` asks it once more before."""

    client_id: str
    anew: bool = False


class OrdersAsked(Message, frozen=True):
    """Which orders are known?"""


class BreakerAsked(Message, frozen=True):
    """May entries be made, and how far are the limits?"""


class SentimentAsked(Message, frozen=True):
    """Can headlines be read, and how far are they scored?"""


class SummaryWanted(Message, frozen=True):
    """Tell how trading has gone, to this name."""

    reply_to: str


class SummaryTold(Message, frozen=True):
    """How trading has gone."""

    summary: Summary


class Mark(Message, frozen=True):
    """Have all states told as of a marker, and hashed; say so to `reply_to`, if anyone wants to know."""

    why: str
    reply_to: str = ""
    request_id: str = ""


class Marked(Message, frozen=True):
    """All states as of the marker at `sequence` were hashed and kept."""

    request_id: str
    sequence: int
    state_hash: str


class StateTooLarge(Message, frozen=True):
    """An actor's state is too large to be kept; without a snapshot it folds its whole past when it starts."""

    actor: str
    size: int
    size_max: int


class SnapshotOverdue(Message, frozen=True):
    """A snapshot that an operator asked for has taken as long as it may."""

    request_id: str


class BackupEnded(Message, frozen=True):
    """A backup that was begun has come to its end."""

    made: BackedUp


class Beat(Message, frozen=True):
    """A timer of the actor that gets it went off."""


class Perform(Message, frozen=True):
    """Do what this command orders.  Delivered only once the command is durable."""

    request_id: str


class AnswerOperator(Message, frozen=True):
    """Tell the operator what came of a command.  Delivered only once that is durable."""

    request_id: str
    ok: bool
    detail: str


class CommandReceived(Message, frozen=True):
    """An operator's command, with the callable that takes the answer: `(ok, detail)`."""

    command: OperatorCommanded
    respond: Any
    problem: str = ""
    """Why it cannot be done as things are now; whoever repeats a request is answered as before all the same."""
