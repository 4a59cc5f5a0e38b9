"""A dispatcher: one thread on which several actors take turns, the most urgent first.

What one says to another then costs no change of threads.  The word is Akka's; an actor that names no dispatcher has
a thread of its own.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from supervision.bell import Turns
from supervision.turns import Player

if TYPE_CHECKING:
    from supervision.actor import Actor


class Errand:
    """Something that takes a turn although it is no actor."""

    is_over = False

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do

    def has_messages(self) -> bool:
        """Say that there are none."""
        return False

    def take_quick_turn(self) -> bool:
        """Do it."""
        self._do()
        return True


class Dispatcher:
    """Lets its actors take turns.  Its thread is replaced where one of them is given up in the midst of its turn."""

    def __init__(self, start_thread: Callable[[Callable[[], None]], None]) -> None:
        self._start_thread = start_thread
        self._turns = Turns()
        self._players: dict[Actor, Player] = {}
        self._turn_of: Player | Errand | None = None
        self._thread_id = 0
        self._threads = 0
        """Threads started so far; only the newest goes on."""
        self._left: dict[Actor, int] = {}
        """The threads of actors that were left behind on them, until these threads end."""
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the thread, if that was not done yet."""
        with self._lock:
            if not self._threads:
                self._begin_thread()

    def join(self, actor: "Actor", urgency: int) -> None:
        """Let an actor that has begun take turns from now on."""
        player = Player(actor)
        with self._lock:
            self._players[actor] = player
        player.mailbox.share(self._turns, urgency, player)

    def leave_behind(self, actor: "Actor") -> None:
        """Let the others go on without an actor that was fenced in the midst of its turn; it keeps the thread."""
        with self._lock:
            player = self._players.get(actor)
            if player is not None and self._turn_of is player:
                player.is_over = True
                del self._players[actor]
                self._left[actor] = self._thread_id
                self._begin_thread()

    def abandoned_thread_of(self, actor: "Actor") -> int | None:
        """Return the thread that an actor was left behind on; None once it has ended."""
        return self._left.get(actor)

    def thread_of(self, actor: "Actor") -> int | None:
        """Return the thread on which an actor has the turn; None while it has none."""
        player = self._turn_of
        return self._thread_id if isinstance(player, Player) and player.actor is actor else None

    def errand(self, do: Callable[[], object], urgency: int) -> Callable[[], bool]:
        """Return what asks for a turn to do something in.  On any other thread it asks for none, and says False."""
        errand, queue = Errand(do), self._turns.queue_for(urgency)

        def ask() -> bool:
            if threading.get_ident() != self._thread_id:
                return False
            queue.append(errand)
            return True

        return ask

    def _begin_thread(self) -> None:
        number = self._threads + 1
        self._start_thread(lambda: self._run(number))
        self._threads, self._turn_of = number, None

    def _run(self, number: int) -> None:
        self._thread_id = threading.get_ident()
        while True:
            player: Player | Errand = self._turns.next()
            if player.is_over:
                continue
            self._turn_of = player
            lives_on = player.take_quick_turn()
            with self._lock:
                if number == self._threads:
                    self._turn_of = None
                    if isinstance(player, Player) and not lives_on:
                        player.is_over = True
                        self._players.pop(player.actor, None)
                    continue
            self._live_out(player, lives_on)
            return

    def _live_out(self, player: Player | Errand, lives_on: bool) -> None:
        """Let an actor that was fenced meanwhile end by its last message: a newer thread has the others."""
        try:
            while lives_on and player.has_messages():
                lives_on = player.take_quick_turn()
        finally:
            if isinstance(player, Player):
                self._left.pop(player.actor, None)
