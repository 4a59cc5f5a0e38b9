"""A mailbox with four lanes: the most urgent message first, each lane first in, first out."""

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pykka import Future
from pykka._envelope import Envelope

from supervision.bell import Bell, Turns, nothing
from supervision.errors import ActorDown
from supervision.mailbox_spec import DEFAULT_MAILBOX, MailboxSpec
from supervision.ordinary import OrdinaryLane
from supervision.signals import Lane, Recorded

EVENTS_MAX = 1_000_000
"""Remembered events that may wait for their reader.  None may be lost, so a reader with more of them is replaced."""
RECENT_MAX = 10
"""Messages whose types a crash report names."""
QUESTIONS_MAX = 1_000
"""Questions that may wait among the events."""
LANE_LIMITS = {Lane.SYSTEM: 10_000, Lane.CONTROL: 1_000, Lane.EVENTS: EVENTS_MAX}
"""Messages that the lanes hold whose limit is no policy."""


class Sender(NamedTuple):
    """Which incarnation of whom said something."""

    name: str
    epoch: int


class Post(Envelope[Any]):
    """A message on its way, and since when (monotonic seconds); one that many hear is one post.

    One with an epoch is for that incarnation and for no later one.
    """

    __slots__ = ("at", "epoch", "sender")

    def __init__(
        self,
        message: Any,
        at: float = 0.0,
        reply_to: Future[Any] | None = None,
        sender: Sender | None = None,
        epoch: int | None = None,
    ) -> None:
        self.message = message
        self.reply_to = reply_to
        self.at = at
        self.sender = sender
        self.epoch = epoch


class TurnOver(BaseException):
    """Ends an actor's turn; raised outside of every handler."""


class Mailbox:
    """Many writers, one reader.

    A reader with a thread of its own sleeps in `get`.  One that shares a thread with others gets one message a turn.
    `on_quiet` is called whenever the reader has nothing in hand and is about to sleep.
    """

    def __init__(
        self,
        on_quiet: Callable[[], object] = nothing,
        *,
        spec: MailboxSpec = DEFAULT_MAILBOX,
        on_drop: Callable[[Any, str], object] = lambda message, why: None,
    ) -> None:
        """`on_drop` hears of messages that a policy lets go of, and why."""
        self.lanes: tuple[deque[Envelope[Any]], ...] = tuple(deque() for _ in Lane)
        self._events = self.lanes[Lane.EVENTS]
        self._plain = self.lanes[Lane.ORDINARY]
        self._plain_max = 0 if spec.conflate is not None else spec.ordinary_max
        """While the ordinary lane holds less, its policy has nothing to say."""
        self._ordinary = OrdinaryLane(self._plain, spec, on_drop)
        self._on_quiet = on_quiet
        self._on_drop = on_drop
        self._bell = Bell()
        self._turns: deque[Any] = deque(maxlen=0)
        """Where its reader queues for a turn with each message; nowhere while it has a thread of its own."""
        self._reader: Any = None
        self._is_shared = False
        self.has_turn = False
        self.taken_out: Envelope[Any] | None = None
        """What was taken out last and is in hand, or about to be."""
        self.in_hand: Any = None
        """The message that its reader is busy with, or was ended by."""
        self.busy_since: float | None = None
        """Since when, in monotonic seconds; None while its reader has no message in hand."""
        self.recent: deque[Any] = deque(maxlen=RECENT_MAX)
        """The types of the messages that its reader took, the newest last; events themselves, which are kept anyway."""
        self._asked = self._answered = 0
        """Questions queued among the events, as their writers count them, and taken out, as the reader does."""
        self.taken = 0
        """Messages that were taken out so far."""
        self.high_water = 0
        """The most that one lane has held when something was taken out of it."""

    # -- the reader ----------------------------------------------------------------------------------------------

    def share(self, turns: Turns, urgency: int, reader: Any) -> None:
        """Ask for a turn of its reader with each message from now on, and for those that are here."""
        turns.on_quiet = self._on_quiet
        self._is_shared, self._reader, self._bell = True, reader, turns.bell
        self._turns = queue = turns.queue_for(urgency)
        queue.extend(reader for _ in range(self.depth()))
        turns.bell.ring()

    def give_turns(self, bell: Bell) -> None:
        """Give a message in each turn that somebody else sees to, with a bell that is theirs."""
        self._is_shared, self._bell = True, bell

    def get(self) -> Envelope[Any]:
        """Return the most urgent message; sleep until there is one, or end the turn."""
        if self._is_shared:
            if not self.has_turn or (envelope := self.pop()) is None:
                raise TurnOver
            self.has_turn = False
            return envelope
        self._bell.is_needed = False
        while (envelope := self.pop()) is None:
            self._bell.sleep(self.has_messages, self._on_quiet)
        return envelope

    def pop(self) -> Envelope[Any] | None:
        """Take the most urgent message out; None where there is none."""
        for lane in filter(None, self.lanes):
            # Round again after a question that nobody waits for any more: a lane may be full of them.
            while True:
                depth = len(lane)
                try:
                    envelope = lane.popleft()
                except IndexError:
                    # Who fences drains while the reader reads: between a look and a taking the lane became empty.
                    break
                self.high_water = max(self.high_water, depth)
                self.taken += 1
                if lane is self._events:
                    if envelope.reply_to is None:
                        self.taken_out = envelope
                        return envelope
                    self._answered += 1
                elif self._ordinary.conflates:
                    self._ordinary.taken(envelope)
                if envelope.reply_to is not None and getattr(envelope.reply_to, "is_given_up", False):
                    self._on_drop(envelope.message, "expired")
                    continue
                self.taken_out = envelope
                return envelope
        return None

    def begin_turn(self) -> None:
        """Let the reader take one message."""
        self.has_turn = True
        self._bell.is_needed = False

    def rest(self) -> None:
        """Take it that the reader has nothing in hand, for one that takes turns and does not sleep."""
        self._bell.is_needed = True
        self._on_quiet()

    # -- writers -------------------------------------------------------------------------------------------------

    def put(self, envelope: Envelope[Any], lane: Lane = Lane.ORDINARY) -> bool:
        """Queue a message; say False where its lane is full and it was not taken."""
        if lane == Lane.ORDINARY:
            if len(self._plain) < self._plain_max:
                self._plain.append(envelope)
            elif not self._ordinary.take(envelope):
                return False
        elif not self._has_room(lane, envelope):
            return False
        else:
            self.lanes[lane].append(envelope)
        self._turns.append(self._reader)
        if self._bell.is_needed:
            self._bell.ring()
        return True

    def hear(self, post: Post) -> None:
        """Queue what is remembered and must not be lost; that there is not too much of it, others watch."""
        self._events.append(post)
        self._turns.append(self._reader)
        if self._bell.is_needed:
            self._bell.ring()

    def _has_room(self, lane: Lane, envelope: Envelope[Any]) -> bool:
        """Count it where it is a question: behind the events, it is answered by one who has heard of them."""
        if lane == Lane.EVENTS and envelope.reply_to is not None:
            if self._asked - self._answered >= QUESTIONS_MAX:
                return False
            self._asked += 1
        return len(self.lanes[lane]) < LANE_LIMITS[lane]

    # -- looking -------------------------------------------------------------------------------------------------

    def is_idle(self) -> bool:
        """Say whether nothing is queued and its reader has nothing in hand."""
        return self._bell.is_needed and not any(self.lanes)

    def has_messages(self) -> bool:
        """Say whether something is queued."""
        return any(self.lanes)

    def empty(self) -> bool:
        """Say whether nothing is queued."""
        return not any(self.lanes)

    def depth(self) -> int:
        """Return how many messages are queued."""
        return sum(map(len, self.lanes))

    def first_types(self) -> tuple[str, ...]:
        """Return the types of the first messages that are queued."""
        waiting = itertools.chain.from_iterable(tuple(lane) for lane in self.lanes)
        return tuple(type_of(envelope.message) for envelope in itertools.islice(waiting, RECENT_MAX))

    def events_waiting(self) -> int:
        """Return how many remembered events are queued."""
        return len(self._events)

    def oldest_at(self) -> float | None:
        """Return when the oldest of the queued messages was posted, in monotonic seconds; None where there is none."""
        heads = (_posted_at(lane) for lane in self.lanes if lane)
        return min((at for at in heads if at is not None), default=None)

    def drain(self) -> Iterator[tuple[Lane, Envelope[Any]]]:
        """Take everything out that is to be read, with the lane it was in."""
        for lane, queue in zip(Lane, self.lanes, strict=True):
            while queue:
                try:
                    envelope = queue.popleft()
                except IndexError:  # Its reader was quicker.
                    break
                if self._ordinary.conflates:
                    self._ordinary.taken(envelope)
                yield lane, envelope


def refuse(envelope: Envelope[Any], why: str) -> None:
    """Tell who waits for an answer that there will be none."""
    if envelope.reply_to is not None:
        envelope.reply_to.set_exception((ActorDown, ActorDown(why), None))


def type_of(message: Any) -> str:
    """Return the name of a message's type, or of a type: of the event where it is a remembered one."""
    if type(message) is Recorded:
        return type(message.event).__name__
    return message.__name__ if isinstance(message, type) else type(message).__name__


def _posted_at(lane: deque[Envelope[Any]]) -> float | None:
    try:
        return getattr(lane[0], "at", None)
    except IndexError:  # Its reader was quicker.
        return None
