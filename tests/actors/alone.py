"""One actor alone on a stage: events and messages are given to it by hand, and what it says is written down.

Its journal is a list, read back through the real codec.  Whoever it speaks to only listens.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from holdfast.routes import LEAVES_HOUSE, kinds_of, routes_for
from messages.base import Event
from messages.codec import decode, encode
from messages.node import StateAt, StateMarked
from supervision import (
    Actor,
    Break,
    ChildSpec,
    Crashed,
    Lane,
    MailboxSpec,
    Recorded,
    Recovered,
    Seat,
    Stage,
    StageRecorder,
    Stop,
    Supervisor,
    SupervisorSpec,
    Switchboard,
    System,
)
from supervision.errors import Poisoned
from supervision.mailbox_spec import DEFAULT_MAILBOX
from supervision.signals import Raise

Make = Callable[[System, Seat], Actor]
LISTENERS = ("positions", "venue", "executor", "archivist", "health", "reconciler")
"""Whom actors speak to."""
SOMEBODY = "somebody"
"""Whom the market may have to wait for."""


class Alone:
    """The actor, everything it has said, and the means to let things happen to it."""

    def __init__(self, name: str, make: Make, *, seed: int = 0, mailbox: MailboxSpec = DEFAULT_MAILBOX) -> None:
        self.name = name
        self.said: list[Any] = []
        """Events it recorded, whether they are on disk or not."""
        self.told: list[tuple[str, Any]] = []
        """Messages that were delivered, with who they were for."""
        self.reports: list[Any] = []
        self.states: list[StateAt] = []
        self.journal: list[Recorded] = []
        self._must_crash_at = ""
        self._must_crash_after = 0
        self._is_held = False
        self._recorder = StageRecorder(self.journal.extend, 0, on_enqueue=self._note)
        self.stage = Stage(seed=seed, recorder=self._recorder, wall_ms=0)
        self.switchboard = Switchboard(
            clock=self.stage.clock,
            recorder=self._recorder,
            encode=encode,  # type: ignore[arg-type]
            routes=routes_for([name]),
            leaves_house=LEAVES_HOUSE,
        )
        self._recorder.on_durable = self.switchboard.on_durable
        self.system = System(
            runtime=self.stage,
            switchboard=self.switchboard,
            recover=self._recover,
            marker=StateMarked,
            on_report=self.reports.append,
            cue=self._cue,
        )
        listeners = (self._listener(each) for each in (*LISTENERS, SOMEBODY) if each != name)
        self._root = _root((*listeners, ChildSpec(name=name, start=make, settles=True, mailbox=mailbox)))
        self._lives = False

    def live(self) -> Self:
        """Begin its first life, with all that has happened so far as its past."""
        self._lives = True
        self.system.start(self._root)
        self.rest()
        return self

    def happen(self, *events: Event, at: int = 0) -> None:
        """Let others record events, market time having come to `at`; then let everything be done."""
        self.stage.clock.advance_market(at)
        self.switchboard.record("others", events)
        self.rest()

    def tell(self, message: Any) -> None:
        """Say something to it; then let everything be done."""
        self.system.tell(self.name, message)
        self.rest()

    def ask(self, message: Any) -> Any:
        """Ask it from the edge of the house."""
        return self.system.ask(self.name, message, 60.0)

    def rest(self, seconds: float = 0.0) -> None:
        """Let all be done that can be done now, or that is due within some seconds."""
        if not self._lives:
            return
        over: list[bool] = []
        self.stage.after(seconds, lambda: over.append(True))
        self.stage.run_until(lambda: bool(over), steps_max=100_000)

    def crash(self, name: str = "") -> None:
        """Break it (or who is named) between two messages; it is started anew at once."""
        self.system.tell(name or self.name, Break("a test"), Lane.SYSTEM)
        self.rest()

    def happen_amid_a_crash(self, *events: Event, at: int = 0) -> None:
        """Break it while it hears of events, after it has decided what to say and before any of that is said."""
        self._must_crash_at = f"{self.name}.before_release"
        self.happen(*events, at=at)
        assert not self._must_crash_at, "it was to crash, and did not"

    def lose(self, listener: str) -> None:
        """Have one of those it speaks to go down for good."""
        self.system.tell(listener, Stop("normal"), Lane.SYSTEM)
        self.rest()

    def poison(self, listener: str) -> None:
        """Have one of those it speaks to set aside, for an event that it cannot fold."""
        self.system.tell(listener, Raise(Poisoned("sequence 1")), Lane.SYSTEM)
        self.rest()

    def tell_amid_a_crash(self, message: Any) -> None:
        """Break it while it handles a message, before anything that it decided to say is said."""
        self._must_crash_at = f"{self.name}.before_release"
        self.tell(message)
        assert not self._must_crash_at, "it was to crash, and did not"

    def crash_after(self, events: int) -> None:
        """Have it die once, as soon as it has recorded so many events in all."""
        self._must_crash_after = events

    def hold_settling(self) -> None:
        """Have somebody wait for an answer from the beginning, so that nothing settles but when it is let."""
        self._is_held = True

    def let_settle(self) -> None:
        """Let settle what has been caused so far, once."""
        for is_held in (False, True):
            self._is_held = is_held
            before = self._handled(SOMEBODY)
            self.system.tell(SOMEBODY, "what they wait for may have changed")
            self.stage.run_until(lambda before=before: self._handled(SOMEBODY) > before)  # type: ignore[misc]
        self.rest()

    def stall_disk(self, *, is_stalled: bool = True) -> None:
        """Let the disk take its time, or let it go on."""
        self._recorder.is_stalled = is_stalled
        self.rest()

    def forget(self) -> None:
        """Begin anew to write down what it says."""
        self.said.clear()
        self.told.clear()

    def everything(self) -> list[Recorded]:
        """Return the whole journal, what waits for the disk included."""
        self._recorder.commit()
        return list(self.journal)

    def told_of(self, *kinds: type) -> list[Any]:
        """Return the messages of some types that were delivered."""
        return [message for _, message in self.told if isinstance(message, kinds)]

    def said_of(self, *kinds: type) -> list[Any]:
        """Return the events of some types that it recorded."""
        return [event for event in self.said if isinstance(event, kinds)]

    def crashes(self) -> int:
        """Return how often it was started anew."""
        return next(each.restarts for each in self.switchboard.vitals() if each.name == self.name)

    # -- helpers -------------------------------------------------------------------------------------------------

    def _note(self, records: Sequence[Recorded]) -> None:
        self.said += [record.event for record in records if record.actor == self.name]

    def _cue(self, point: str) -> None:
        if point == self._must_crash_at:
            self._must_crash_at = ""
            raise Crashed(f"on cue at {point}")
        if 0 < self._must_crash_after <= len(self.said) and point == f"{self.name}.after_release":
            self._must_crash_after = 0
            raise Crashed(f"on cue after {len(self.said)} events")

    def _recover(self, name: str, *, version: int, upto: int) -> Recovered:
        self._recorder.commit()
        fitting = [state for state in self.states if state.version == version and state.sequence <= upto]
        seq, saved = (fitting[-1].sequence, fitting[-1].state) if fitting else (0, None)
        return Recovered(seq, saved, self._since(seq, upto))

    def _since(self, after: int, upto: int) -> Iterator[Recorded]:
        for record in list(self.journal):
            if after < record.seq <= upto and record.kind in kinds_of(self.name):
                yield record._replace(event=decode(record.kind, record.version, record.payload))

    def _listener(self, name: str) -> ChildSpec:
        is_held = lambda: name == SOMEBODY and self._is_held  # noqa: E731
        return ChildSpec(
            name=name,
            start=lambda system, seat: _Listener(system, seat, hear=self._hear, is_held=is_held),
            restart="transient",
            settles=name == SOMEBODY,
        )

    def _handled(self, name: str) -> int:
        return next(each.handled for each in self.switchboard.vitals() if each.name == name)

    def _hear(self, name: str, message: Any) -> None:
        if isinstance(message, StateAt):
            self.states.append(message)
        elif name != SOMEBODY and not isinstance(message, Recorded):
            self.told.append((name, message))


class _Listener(Actor):
    def __init__(
        self, system: System, seat: Seat, *, hear: Callable[[str, Any], None], is_held: Callable[[], bool]
    ) -> None:
        super().__init__(system, seat)
        self._hear = hear
        self._is_held = is_held

    def has_open_work(self) -> bool:
        return self._is_held()

    def receive(self, message: Any) -> None:
        self._hear(self.name, message)


def _root(children: tuple[ChildSpec, ...]) -> ChildSpec:
    spec = SupervisorSpec(intensity=1_000, period_s=3600.0, children=children)
    return ChildSpec(
        name="root",
        start=lambda system, seat: Supervisor(system, seat, spec=spec),
        shutdown_s=None,
        supervises=spec,
    )
