"""The other runtime: one thread, virtual time, a seeded order of delivery.

Which actor takes the next turn is drawn from the seed; what one actor says to another arrives in the order it was
said.  The same seed gives the same run.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Sequence
from decimal import Context, localcontext
from typing import TYPE_CHECKING, Any

import pykka

from supervision.bell import Bell
from supervision.clock import MarketClock
from supervision.errors import SupervisionError
from supervision.hang import Hang
from supervision.signals import Recorded
from supervision.turns import Player, with_something_to_do

if TYPE_CHECKING:
    from supervision.actor import Actor


STEPS_MAX = 10_000_000
"""Turns after which a run that was to come to an end is taken for one that does not."""


class StageClock(MarketClock):
    """Virtual time, which moves only when nothing else can happen."""

    def __init__(self, wall_ms: int, market_ms: int = 0) -> None:
        super().__init__(market_ms)
        self._began_ms = wall_ms
        self.now_s = 0.0

    def monotonic(self) -> float:
        """Return virtual seconds since the stage was set."""
        return self.now_s

    def wall_ms(self) -> int:
        """Return the virtual wall clock."""
        return self._began_ms + int(self.now_s * 1000)

    def step_wall(self, by_ms: int) -> None:
        """Set the wall clock forward or back, as somebody may set a machine's; monotonic time takes no notice."""
        self._began_ms += by_ms


class StageRecorder:
    """Gathers records and commits them in a turn of its own, so that death can fall before or after."""

    name = ""

    def __init__(
        self,
        append: Callable[[Sequence[Recorded]], None],
        durable_seq: int,
        *,
        on_enqueue: Callable[[Sequence[Recorded]], None] = lambda records: None,
    ) -> None:
        self._append = append
        self._on_enqueue = on_enqueue
        self._durable_seq = durable_seq
        self._gathered: list[Recorded] = []
        self._is_hurried = False
        self.is_stalled = False
        """The disk takes its time: nothing is committed until this ends."""
        self.on_durable: Callable[[int], None] = lambda seq: None

    @property
    def durable_seq(self) -> int:
        """Return the highest committed sequence."""
        return self._durable_seq

    def enqueue(self, records: Sequence[Recorded]) -> None:
        """Gather records."""
        self._gathered.extend(records)
        self._on_enqueue(records)

    def hurry(self, seq: int) -> None:
        """Ask for a turn."""
        self._is_hurried = True

    def wait(self, seq: int, timeout_s: float) -> bool:
        """Commit at once: on a stage nobody can wait for another."""
        if seq > self._durable_seq:
            self.commit()
        return seq <= self._durable_seq

    @property
    def wants_turn(self) -> bool:
        """Say whether somebody waits for a commit, or enough has gathered."""
        is_due = bool(self._gathered) and (self._is_hurried or len(self._gathered) >= 512)
        return is_due and not self.is_stalled

    def commit(self) -> None:
        """Write what has gathered and tell who waits."""
        gathered, self._gathered, self._is_hurried = self._gathered, [], False
        if gathered:
            self._append(gathered)
            self._durable_seq = gathered[-1].seq
            self.on_durable(self._durable_seq)


class StillBell(Bell):
    """Nobody sleeps on a stage, so nobody is woken."""

    def ring(self) -> None:
        """Do nothing."""


class Stage:
    """Runs a whole system on one thread.  `steps` counts turns, `now` is virtual."""

    def __init__(self, *, seed: int, recorder: StageRecorder, wall_ms: int, market_ms: int = 0) -> None:
        self._clock = StageClock(wall_ms, market_ms)
        self._random = random.Random(seed)
        self._recorder = recorder
        self._players: list[Player] = []
        self._hangs: list[Hang] = []
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()
        self._is_stepping = False
        self.is_dead = False
        self.steps = 0
        self.prefer: Callable[[Sequence[str]], int | None] = lambda names: None
        """Says which of several who are ready takes the next turn, by its place; None leaves it to the lot.

        The recorder's name is empty.
        """

    @property
    def clock(self) -> StageClock:
        """Return the virtual clock."""
        return self._clock

    def run(self, actor: "Actor", *, dispatcher: str = "", urgency: int = 0) -> None:
        """Let an actor take part; its start is a turn like any other."""
        player = Player(actor)
        player.mailbox.give_turns(StillBell())
        self._players.append(player)

    def leave_behind(self, actor: "Actor") -> None:
        """Do nothing: nobody waits for a turn that hangs, and one that was fenced ends by its next message."""

    def stack_of(self, actor: "Actor") -> str:
        """Return what a hung actor is doing; between turns an actor of a stage does nothing."""
        return next((hang.stack for hang in self._hangs if hang.actor is actor), "")

    def hang(self, name: str, moment: str = "before_release") -> bool:
        """Let an actor hang in its next turn, at a moment of which `reach` is told; say False where none lives.

        It keeps its message in hand, and others take their turns, until it is let go: by then it may be replaced.
        """
        for place, player in enumerate(self._players):
            if player.name == name and type(player) is Player and player.has_begun:
                hang = Hang(player, moment)
                self._players[place] = hang
                self._hangs.append(hang)
                return True
        return False

    def reach(self, point: str) -> None:
        """Hear that a turn has come to a named point: one that is to hang stops there."""
        for hang in tuple(self._hangs):
            hang.reach(point)

    def let_go(self) -> int:
        """Let all turns that hang go on to their end, and those that were to hang be turns as any; count the hung."""
        hangs, self._hangs = self._hangs, []
        hung = [hang for hang in hangs if hang.is_hung]
        for hang in hangs:
            hang.let_go()
        for hang in hung:
            if hang.is_over:
                self._players.remove(hang)
            else:
                hang.rest()
        return len(hung)

    @property
    def hung(self) -> tuple[str, ...]:
        """Return the names of those that hang at this moment."""
        return tuple(hang.name for hang in self._hangs if hang.is_hung)

    def after(self, delay_s: float, call: Callable[[], object]) -> None:
        """Call at a later virtual time."""
        heapq.heappush(self._timers, (self._clock.now_s + max(delay_s, 0.0), next(self._count), call))

    def a_moment_later(self, call: Callable[[], object]) -> None:
        """Call at once: a stage has no time to spare, and time passes only when nothing else can happen."""
        call()

    def kill(self) -> None:
        """Die: nothing takes a turn any more, what is not committed is lost."""
        self.is_dead = True

    def step(self) -> bool:
        """Take one turn, or let time pass to the next timer; say False where nothing is left to happen."""
        if self.is_dead:
            return False
        ready: list[Player | StageRecorder] = [*with_something_to_do(self._players)]
        if self._recorder.wants_turn:
            ready.append(self._recorder)
        if not ready:
            return self._pass_time()
        self.steps += 1
        chosen = self._choose(ready) if len(ready) > 1 else ready[0]
        self._is_stepping = True
        try:
            if isinstance(chosen, StageRecorder):
                chosen.commit()
            else:
                if not chosen.take_turn():
                    self._players.remove(chosen)
                chosen.rest()
        finally:
            self._is_stepping = False
        return True

    def run_until(self, is_over: Callable[[], bool], *, steps_max: int = STEPS_MAX) -> None:
        """Take turns until a condition holds, the stage is dead or nothing is left.

        Raises:
            SupervisionError: the condition does not hold after so many turns.
        """
        # Whatever the caller's arithmetic is set to, actors reckon as on a thread of their own.
        with localcontext(Context()):
            for _ in range(steps_max):
                if is_over() or not self.step():
                    return
        raise SupervisionError(f"a stage must come to its end within {steps_max} turns, did not")

    def hang_for_ever(self) -> None:
        """Do nothing: `hang` lets an actor hang here, where there is one thread for all."""

    def demand_edge(self) -> None:
        """Refuse to let an actor wait.

        Raises:
            SupervisionError: an actor asked.
        """
        if self._is_stepping:
            raise SupervisionError("an actor must not wait for an answer: tell, and take the answer as a message")

    def wait(self, future: pykka.Future[Any], timeout_s: float) -> Any:
        """Let the stage run until a question is answered.

        Raises:
            SupervisionError: it was asked from inside an actor.
            pykka.Timeout: no answer within that virtual time.
        """
        self.demand_edge()
        deadline = self._clock.now_s + timeout_s
        with localcontext(Context()):
            while self._clock.now_s <= deadline:
                try:
                    return future.get(timeout=0)
                except pykka.Timeout:
                    if not self.step():
                        break
        return future.get(timeout=0)

    def _choose(self, ready: Sequence[Player | StageRecorder]) -> Player | StageRecorder:
        wanted = self.prefer([each.name for each in ready])
        return ready[self._random.randrange(len(ready)) if wanted is None else wanted]

    def _pass_time(self) -> bool:
        if not self._timers:
            return False
        due, _, call = heapq.heappop(self._timers)
        self._clock.now_s = max(self._clock.now_s, due)
        call()
        return True
