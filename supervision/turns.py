"""Turns: an actor's loop, one message at a time, so that many actors can share one thread.

A mailbox whose `get` ends the turn once its one message is spent turns pykka's own loop into `take_turn`.
`take_quick_turn` does the same without that loop, in a fraction of the time; the tests compare the two.
"""

from typing import TYPE_CHECKING

from supervision.mailbox import Mailbox, TurnOver

if TYPE_CHECKING:
    from supervision.actor import Actor


class Player:
    """An actor that takes turns with others."""

    __slots__ = ("_has_stopped", "actor", "has_begun", "has_messages", "is_over", "mailbox")

    def __init__(self, actor: "Actor") -> None:
        self.actor = actor
        self.mailbox: Mailbox = actor.actor_inbox  # type: ignore[assignment]
        self.has_messages = self.mailbox.has_messages
        self._has_stopped = actor.actor_stopped.is_set
        self.has_begun = False
        self.is_over = False

    @property
    def wants_turn(self) -> bool:
        """Say whether there is something to do: to begin, to end, or a message."""
        return self.has_messages() or not self.has_begun or self._has_stopped()

    def take_turn(self) -> bool:
        """Begin, or handle one message; say False where that was the end of the actor's life."""
        actor = self.actor
        if not self.has_begun:
            self.has_begun = True
            actor._actor_loop_setup()
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
