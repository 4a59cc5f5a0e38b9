"""A house to try supervision in, on either runtime, and actors that do what a test tells them."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from pykka._envelope import Envelope

from supervision import (
    Actor,
    Break,
    ChildSpec,
    Exit,
    Lane,
    Recorded,
    RecordedClock,
    Recovery,
    Seat,
    Stage,
    Stop,
    Supervisor,
    SupervisorReport,
    SupervisorSpec,
    Switchboard,
    System,
    Threads,
)
from supervision.spec import AutoShutdown, Restart, Strategy
from supervision.stage import StageRecorder
from supervision.system import Runtime

__all__ = ["Envelope", "House", "Puppet"]

RUNTIMES = ("stage", "threads", "shared")
"""On one thread in a seeded order; on a thread each; on threads, with all but the supervisors on one dispatcher."""
PATIENCE_S = 5.0


class Poke(NamedTuple):
    """A message."""

    value: Any = None


class Letter(NamedTuple):
    """A message that leaves the house."""

    value: Any = None


class Noted(NamedTuple):
    """An event."""

    value: Any = None


class Marked(NamedTuple):
    """An event at which states are told."""


def encode(event: object) -> tuple[str, int, bytes]:
    """Encode by name: nothing is read back from it."""
    return type(event).__name__, 1, repr(event).encode()


class HandRecorder:
    """A recorder that is durable as far as the test says."""

    def __init__(self) -> None:
        self.durable_seq = 0
        self.records: list[Recorded] = []
        self.hurried: list[int] = []

    def enqueue(self, records: Sequence[Recorded]) -> None:
        """Keep records."""
        self.records.extend(records)

    def hurry(self, seq: int) -> None:
        """Note who waits."""
        self.hurried.append(seq)

    def wait(self, seq: int, timeout_s: float) -> bool:
        """Be durable at once."""
        self.durable_seq = max(self.durable_seq, seq)
        return True


class House:
    """A system on a runtime, with everything it reports."""

    def __init__(
        self,
        runtime: str = "stage",
        *,
        seed: int = 0,
        routes: Mapping[type, Sequence[str]] | None = None,
        leaves_house: frozenset[type] = frozenset({Letter}),
        recover: Recovery | None = None,
        on_report: Callable[[Any], None] | None = None,
        abandoned_max: int = 5,
    ) -> None:
        self._others = frozenset(threading.enumerate())
        self._dispatcher = "crew" if runtime == "shared" else ""
        self.reports: list[Any] = []
        self.ends: list[Exit] = []
        self.stuck: list[str] = []
        self.log: list[tuple[Any, ...]] = []
        self.records: list[Recorded] = []
        self.stage: Stage | None = None
        self.threads: Threads | None = None
        recorder: StageRecorder | HandRecorder
        ground: Runtime
        if runtime == "stage":
            recorder = StageRecorder(self.records.extend, 0)
            ground = self.stage = Stage(seed=seed, recorder=recorder, wall_ms=0)
        else:
            recorder = HandRecorder()
            self.records = recorder.records
            ground = self.threads = Threads(RecordedClock())
        self.recorder = recorder
        self.switchboard = Switchboard(
            clock=ground.clock,
            recorder=recorder,
            encode=encode,
            routes=routes or {},
            leaves_house=leaves_house,
        )
        if isinstance(recorder, StageRecorder):
            recorder.on_durable = self.switchboard.on_durable
        self.system = System(
            runtime=ground,
            switchboard=self.switchboard,
            recover=recover,
            marker=Marked,
            on_report=on_report or self.reports.append,
            on_root_end=self.ends.append,
            on_stuck=self.stuck.append,
            abandoned_max=abandoned_max,
            seed=seed,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.threads is not None:
            self.system.stop()
            self.until(lambda: bool(self.ends))
            self.threads.close()

    def start(self, *children: ChildSpec, **flags: Any) -> None:
        """Start children below a root and wait until the root has begun them all, or has ended."""
        self.begin(*children, **flags)
        self.until(lambda: bool(self.ends) or all(self.is_up(name) for name in self.system.names()))
        self.rest()

    def begin(self, *children: ChildSpec, **flags: Any) -> None:
        """Start children below a root."""
        self.system.start(supervisor("root", *children, **flags))

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the house live until a condition holds; fail where it does not come to hold."""
        if self.stage is not None:
            self.stage.run_until(condition, steps_max=200_000)
        else:
            deadline = time.monotonic() + PATIENCE_S
            while not condition() and time.monotonic() < deadline:
                time.sleep(0.001)
        assert condition(), (self.log, self.reports, self.ends)

    def until_idle(self) -> None:
        """Let the house live until every message that was delivered is done."""
        self.until(lambda: all(cell.mailbox.is_idle() for cell in self.switchboard._cells.values() if cell.up))

    def rest(self, seconds: float = 0.0) -> None:
        """Let everything happen that can happen now (on a stage also what is due within that time)."""
        if self.stage is None:
            time.sleep(seconds or 0.05)
            return
        over: list[bool] = []
        self.stage.after(seconds, lambda: over.append(True))
        self.stage.run_until(lambda: bool(over), steps_max=200_000)

    def is_up(self, name: str) -> bool:
        """Say whether a name lives."""
        return self.switchboard.is_up(name)

    def epoch(self, name: str) -> int:
        """Return a name's epoch."""
        return self.switchboard.epoch_of(name)

    def crash(self, name: str) -> None:
        """Break an incarnation and wait until it has ended."""
        epoch = self.epoch(name)
        ended = self.count("ended", name)
        self.system.tell(name, Break("test"), Lane.SYSTEM)
        self.until(lambda: self.count("ended", name) > ended or self.epoch(name) != epoch or not self.is_up(name))

    def exit(self, name: str, kind: Any = "normal") -> None:
        """Have an incarnation end by itself."""
        self.system.tell(name, Stop(kind), Lane.SYSTEM)

    def count(self, what: str, name: str) -> int:
        """Count entries of the log."""
        return sum(entry[:2] == (what, name) for entry in self.log)

    def threads_of(self, name: str) -> int:
        """Count the threads on which incarnations of a name still run; on a stage, its players."""
        if self.stage is not None:
            return sum(player.actor.name == name for player in self.stage._players)
        mine = frozenset(threading.enumerate()) - self._others
        alone = sum(thread.name.startswith(f"{name}/") for thread in mine)
        assert self.threads is not None
        shared = [player for each in self.threads._dispatchers.values() for player in each._players.values()]
        return alone + sum(player.actor.name == name for player in shared)

    def reported(self, kind: type) -> list[Any]:
        """Return the reports of one type."""
        return [report for report in self.reports if type(report) is kind]

    def terminations(self) -> list[SupervisorReport]:
        """Return what supervisors reported of children that ended or did not start."""
        return [report for report in self.reported(SupervisorReport) if report.context != "shutdown"]

    def surrenders(self) -> list[SupervisorReport]:
        """Return what supervisors reported when they gave up."""
        return [report for report in self.reported(SupervisorReport) if report.context == "shutdown"]

    def dead_letters(self, to: str) -> int:
        """Count what could not be delivered to a name."""
        return sum(n for letter, n in self.switchboard.dead_letters.counts.items() if letter.to == to)

    def puppet(
        self,
        name: str,
        *,
        on_start: Callable[["Puppet"], object] | None = None,
        on_message: Callable[["Puppet", Any], Any] | None = None,
        on_stop: Callable[["Puppet"], object] | None = None,
        has_open_work: Callable[[], bool] = lambda: False,
        **fields: Any,
    ) -> ChildSpec:
        """Return the spec of an actor that does what it is told here."""

        def make(system: System, seat: Seat) -> Puppet:
            self.log.append(("made", name))
            puppet = Puppet(system, seat, log=self.log)
            puppet.on_begin, puppet.on_message, puppet.on_end = on_start, on_message, on_stop
            puppet.open_work = has_open_work
            return puppet

        fields.setdefault("dispatcher", self._dispatcher)
        return ChildSpec(name=name, start=make, **fields)


class Puppet(Actor):
    """Does what it is told by functions, and logs its life: made, started, took, ended."""

    def __init__(self, system: System, seat: Seat, *, log: list[tuple[Any, ...]]) -> None:
        super().__init__(system, seat)
        self.log = log
        self.on_begin: Callable[[Puppet], object] | None = None
        self.on_message: Callable[[Puppet, Any], Any] | None = None
        self.on_end: Callable[[Puppet], object] | None = None
        self.open_work: Callable[[], bool] = lambda: False

    def started(self) -> None:
        """Log, then do what the test says."""
        self.log.append(("begun", self.name))
        if self.on_begin is not None:
            self.on_begin(self)
        self.log.append(("started", self.name))

    def receive(self, message: Any) -> Any:
        """Log, then do what the test says."""
        self.log.append(("took", self.name, message))
        return self.on_message(self, message) if self.on_message is not None else None

    def stopped(self) -> None:
        """Log, then do what the test says."""
        self.log.append(("ended", self.name))
        if self.on_end is not None:
            self.on_end(self)

    def has_open_work(self) -> bool:
        """Say what the test says."""
        return self.open_work()


def supervisor(
    name: str,
    *children: ChildSpec,
    strategy: Strategy = "one_for_one",
    intensity: int = 3,
    period_s: float = 60.0,
    restart: Restart = "permanent",
    auto_shutdown: AutoShutdown = "never",
    **fields: Any,
) -> ChildSpec:
    """Return the spec of a supervisor."""
    spec = SupervisorSpec(
        strategy=strategy, intensity=intensity, period_s=period_s, auto_shutdown=auto_shutdown, children=children
    )
    return ChildSpec(
        name=name,
        start=lambda system, seat: Supervisor(system, seat, spec=spec),
        restart=restart,
        shutdown_s=None,
        supervises=spec,
        **fields,
    )


def failing_at(*starts: int) -> Callable[[Puppet], None]:
    """Return what fails at the given starts, counted from 1."""
    count = 0

    def begin(_puppet: Puppet) -> None:
        nonlocal count
        count += 1
        if count in starts:
            raise ValueError(f"start {count} fails")

    return begin


def lives(log: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return starts and ends in short: `+a` and `-a`."""
    signs = {"started": "+", "ended": "-"}
    return [signs[entry[0]] + entry[1] for entry in log if entry[0] in signs]
