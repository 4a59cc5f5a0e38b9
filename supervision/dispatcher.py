"""A dispatcher: one thread on which several actors take turns, the most urgent first.

What one says to another then costs no change of threads.  The word is Akka's; an actor that names no dispatcher has
a thread of its own.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from supervision.mailbox import Turns
from supervision.turns import Player

if TYPE_CHECKING:
    from supervision.actor import Actor


class Dispatcher:
    """Lets its actors take turns.  Its thread is replaced where one of them is given up in the midst of its turn."""

    def __init__(self, start_thread: Callable[[Callable[[], None]], None]) -> None:
        self._start_thread = start_thread
        self._turns = Turns()
        self._players: dict[Actor, Player] = {}
        self._turn_of: Player | None = None
        self._threads = 0
        """Threads started so far; only the newest goes on."""
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
        """Give an actor that was fenced no more turns; where it has one, the others go on without its thread."""
        with self._lock:
            player = self._players.pop(actor, None)
            if player is None:
                return
            player.is_over = True
            if self._turn_of is player:
                self._begin_thread()

    def _begin_thread(self) -> None:
        number = self._threads + 1
        self._start_thread(lambda: self._run(number))
        self._threads, self._turn_of = number, None

    def _run(self, number: int) -> None:
        while True:
            player: Player = self._turns.next()
            if player.is_over:
                continue
            self._turn_of = player
            try:
                lives_on = player.take_quick_turn()
            except BaseException:
                self.leave_behind(player.actor)
                raise
            with self._lock:
                if number != self._threads:
                    return  # Its actor was given up meanwhile, and a newer thread has the others.
                self._turn_of = None
                if not lives_on:
                    player.is_over = True
                    self._players.pop(player.actor, None)
