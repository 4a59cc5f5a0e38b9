"""The stage for runs that are to be quick: turns in the order of urgency and arrival, as on a shared thread.

Nothing is drawn, so the order of turns depends on what was said alone.  `by_own_loop` lets pykka's own loop handle each
message, which takes longer and must come to the same: the tests compare the two.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from supervision.bell import Turns
from supervision.signals import Recorded
from supervision.stage import Stage, StageRecorder, StillBell
from supervision.turns import Player

if TYPE_CHECKING:
    from supervision.actor import Actor

GATHERED_MAX = 4_096
"""Records that wait to be written down together."""


class AtOnceRecorder(StageRecorder):
    """Takes what is recorded for durable at once, and writes it down later.

    For runs of which nothing outlives a death: what is sent there leaves no house, so no send has to wait for a disk.
    """

    def __init__(self, append: Callable[[Sequence[Recorded]], None], last_seq: int) -> None:
        super().__init__(append, last_seq)
        self._last_seq = last_seq

    @property
    def durable_seq(self) -> int:
        """Return the highest sequence."""
        return self._last_seq

    def enqueue(self, records: Sequence[Recorded]) -> None:
        """Gather records; write down what has gathered once that is much."""
        super().enqueue(records)
        self._last_seq = records[-1].seq
        if len(self._gathered) >= GATHERED_MAX:
            self.commit()

    def hurry(self, seq: int) -> None:
        """Do nothing: it is taken for durable."""

    def wait(self, seq: int, timeout_s: float) -> bool:
        """Write down what has gathered: somebody wants to read it."""
        self.commit()
        return seq <= self._last_seq

    @property
    def wants_turn(self) -> bool:
        """Say no: it needs none."""
        return False


class Express(Stage):
    """A stage without a choice: the most urgent first, then who was spoken to first.

    All is settled only when nobody has a turn left, so only then is it looked for.
    """

    def __init__(self, *, recorder: StageRecorder, wall_ms: int, market_ms: int = 0, by_own_loop: bool = False) -> None:
        super().__init__(seed=0, recorder=recorder, wall_ms=wall_ms, market_ms=market_ms)
        self._turns = Turns(StillBell())
        self._by_own_loop = by_own_loop

    def run(self, actor: "Actor", *, dispatcher: str = "", urgency: int = 0) -> None:
        """Let an actor take part; its start is a turn like any other."""
        queue = self._turns.queue_for(urgency)
        queue.append(_Rider(actor, lambda rider: rider.mailbox.share(self._turns, urgency, rider), self._by_own_loop))

    def step(self) -> bool:
        """Take one turn, or let time pass to the next timer; say False where nothing is left to happen."""
        if self.is_dead:
            return False
        queue = next(filter(None, self._turns.queues), None)
        rider = queue.popleft() if queue is not None else self._look_up()
        if rider is None:
            return self._pass_time()
        self.steps += 1
        self._is_stepping = True
        try:
            if rider.is_quick:
                rider.is_quick = rider.take_quick_turn()
            else:
                rider.ride()
        finally:
            self._is_stepping = False
        return True

    def _look_up(self) -> "_Rider | None":
        """Let it be seen that nobody has anything in hand, and return whose turn that has made it."""
        bell = self._turns.bell
        bell.is_needed = True
        self._turns.on_quiet()
        bell.is_needed = False
        rider: _Rider | None = self._turns.take()
        return rider


class _Rider(Player):
    """An actor with a turn for its start, and then one for each message."""

    __slots__ = ("_by_own_loop", "_join", "is_quick")

    def __init__(self, actor: "Actor", join: "Callable[[_Rider], object]", by_own_loop: bool) -> None:
        super().__init__(actor)
        self._join = join
        self._by_own_loop = by_own_loop
        self.is_quick = False
        """It has begun, lives, and takes quick turns."""

    def ride(self) -> None:
        """Take a turn that is no quick one: the first, or one by pykka's own loop; none once its life is over."""
        if not self.has_begun:
            self.take_turn()
            self._join(self)
            self.is_over = self.actor.actor_stopped.is_set() and not self.take_turn()
            self.is_quick = not (self.is_over or self._by_own_loop)
        elif self._by_own_loop and not self.is_over:
            self.is_over = not self.take_turn()
