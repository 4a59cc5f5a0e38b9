"""Turns: an actor's loop, one message at a time, so that many actors can share one thread.

A mailbox whose `get` ends the turn once its one message is spent turns pykka's own loop into `take_turn`.
`take_quick_turn` does the same without that loop, in a fraction of the time; the tests compare the two.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from supervision.mailbox import Mailbox, TurnOver

if TYPE_CHECKING:
    from supervision.actor import Actor


class Player:
    """An actor that takes turns with others."""

    __slots__ = ("actor", "has_begun", "has_messages", "is_due", "is_hung", "is_over", "lanes", "mailbox", "name")

    def __init__(self, actor: "Actor") -> None:
        self.actor = actor
        self.name = actor.name
        self.mailbox: Mailbox = actor.actor_inbox  # type: ignore[assignment]
        self.lanes = self.mailbox.lanes
        self.has_messages = self.mailbox.has_messages
        self.has_begun = False
        self.is_due = True
        """Whether it wants a turn though nobody says anything: to begin, or to end where its start has failed."""
        self.is_hung = False
        self.is_over = False

    def take_turn(self) -> bool:
        """Begin, or handle one message; say False where that was the end of the actor's life."""
        actor = self.actor
        if not self.has_begun:
            self.has_begun = True
            actor._actor_loop_setup()
            self.is_due = actor.actor_stopped.is_set()
            return True
        if not actor.actor_stopped.is_set():
            self.mailbox.begin_turn()
            try:
                actor._actor_loop_running()
            except TurnOver:
                return True
        actor._actor_loop_teardown()
        return False

    def rest(self) -> None:
        """Have nothing in hand until the next turn."""
        self.mailbox.rest()

    def take_quick_turn(self) -> bool:
        """Handle one message of an actor that has begun; say False where that was the end of the actor's life."""
        if (envelope := self.mailbox.pop()) is None:
            return True
        actor, reply_to = self.actor, envelope.reply_to
        try:
            answer = actor._handle_receive(envelope.message)
            if reply_to is not None:
                reply_to.set(answer)
        except Exception:  # noqa: BLE001  the actor has reported it, and has ended
            if reply_to is not None:
                reply_to.set_exception()
        if not actor.actor_stopped.is_set():
            return True
        actor._actor_loop_teardown()
        return False


def with_something_to_do(players: Iterable[Player]) -> list[Player]:
    """Return those who want a turn: to take a message, to begin, or to end.

    A stage asks this of everybody before every turn, hence without a call for each.
    """
    return [player for player in players if (player.is_due or any(player.lanes)) and not player.is_hung]
