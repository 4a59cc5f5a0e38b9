"""A turn that stops midway, as a thread that hangs does, on a stage that has one thread.

The turn is taken on a thread of its own, and the stage waits until that one is over or has stopped: so only one of the
two runs at any time, and the order of things stays that of the seed.
"""

import threading
import traceback

from supervision.frames import frame_of
from supervision.turns import Player

BEFORE = ".before_release"


class Hang(Player):
    """A player whose next message is begun and not ended, until it is let go.

    Before what it said is released it hangs only in a turn in which it has something to say.
    """

    __slots__ = ("_at_rest", "_is_let_go", "_point", "_thread")

    def __init__(self, player: Player, moment: str) -> None:
        """`moment` is the point of the turn (`before_release`, `after_release`) at which it stops."""
        super().__init__(player.actor)
        self.has_begun, self.is_due = player.has_begun, player.is_due
        self._point = f"{player.name}.{moment}"
        self._at_rest = threading.Event()
        self._is_let_go = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def stack(self) -> str:
        """Return what the hung thread is doing."""
        frame = frame_of(self._thread.ident or 0) if self.is_hung and self._thread else None
        return "".join(traceback.format_stack(frame)) if frame is not None else ""

    def take_turn(self) -> bool:
        """Take a turn, and be back when it is over or hangs; say False where the actor's life ended."""
        if self._is_let_go.is_set() or not self.has_begun:
            return super().take_turn()
        self._at_rest.clear()
        self._thread = threading.Thread(target=self._take_turn, name=f"hang {self._point}", daemon=True)
        self._thread.start()
        self._at_rest.wait()
        return not self.is_over

    def rest(self) -> None:
        """Have nothing in hand, unless it hangs."""
        if not self.is_hung:
            super().rest()

    def reach(self, point: str) -> None:
        """Stop here, if this is the turn and the point to stop at."""
        if point != self._point or threading.current_thread() is not self._thread or self._is_let_go.is_set():
            return
        if point.endswith(BEFORE) and self.actor._outbox is None:
            return
        self.is_hung = True
        self._at_rest.set()
        self._is_let_go.wait()

    def let_go(self) -> None:
        """Let the turn go on to its end, which may be that of the actor's life too."""
        was_hung = self.is_hung
        self._at_rest.clear()
        self._is_let_go.set()
        if was_hung:
            self._at_rest.wait()

    def _take_turn(self) -> None:
        try:
            self.is_over = not super().take_turn()
        finally:
            self.is_hung = False
            self._at_rest.set()
