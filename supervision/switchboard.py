"""Delivers messages to names, across restarts, and numbers what is to be remembered.

One lock orders everything: an event gets its number and is put before all who hear it in one step, so that every
mailbox sees events in sequence.  Messages of the types that leave the house are held back until everything their
sender knew when it spoke is durable.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from pykka import Future
from pykka._envelope import Envelope

from supervision.cells import Cell, Outbox, Seat, Vitals, vitals_of
from supervision.clock import Clock
from supervision.dead_letters import DeadLetters
from supervision.errors import ActorDown
from supervision.gate import Gate, Held
from supervision.hearers import Hearers
from supervision.mailbox import Mailbox, Post, Sender, refuse
from supervision.mailbox_spec import DEFAULT_MAILBOX, MailboxSpec
from supervision.quarantine import Quarantine
from supervision.recorder import Encoder, Recorder
from supervision.signals import Down, Exit, Lane, Recorded, Settled, Stop, Wake
from supervision.watches import Watch, Watches

FENCED = Exit("killed", "it did not end in time and was fenced")


class Switchboard:
    """The one place through which everything said inside passes."""

    def __init__(
        self,
        *,
        clock: Clock,
        recorder: Recorder,
        encode: Encoder,
        routes: Mapping[type, Sequence[str]],
        leaves_house: frozenset[type] = frozenset(),
        last_seq: int = 0,
        last_epoch: int = 0,
        a_moment_later: Callable[[Callable[[], None]], object] = lambda call: call(),
    ) -> None:
        self._clock, self._monotonic = clock, clock.monotonic
        self._recorder, self.encode = recorder, encode
        self._leaves_house = leaves_house
        self._seq, self._epoch = last_seq, last_epoch
        self._lock = threading.RLock()
        self._cells: dict[str, Cell] = {}
        self._hearers = Hearers(routes, self._cells)
        self._a_moment_later = a_moment_later
        self._gate = Gate()
        self._settling: dict[Cell, None] = {}
        self._settle_waiter: Cell | None = None
        self._is_settled: Callable[[Cell], bool] = Cell.is_settled
        self.watches = Watches(self._lock, self._cells, self._tell_watcher)
        self.dead_letters = DeadLetters()
        self.quarantine = Quarantine(self._lock, self.tell, self.dead_letters.bury)

    # -- names ---------------------------------------------------------------------------------------------------

    def declare(
        self,
        name: str,
        *,
        settles: bool = False,
        parent: str = "",
        hears_late: bool = False,
        mailbox: MailboxSpec = DEFAULT_MAILBOX,
    ) -> None:
        """Make a name known before anything of it lives; one that settles is waited for from now on."""
        with self._lock:
            if name in self._cells:
                return
            cell = Cell(name, settles=settles, parent=parent, hears_late=hears_late, mailbox_spec=mailbox)
            cell.mailbox = self._new_mailbox(cell)
            self._cells[name] = cell
            self._hearers.forget()
            if settles:
                self._settling[cell] = None

    def forget(self, name: str) -> None:
        """Know a name no more; nothing of it may live."""
        with self._lock:
            if (cell := self._cells.pop(name, None)) is None:
                return
            self.watches.gone(cell)
            self._settling.pop(cell, None)
            self._hearers.forget()
            self.look_if_settled()

    def open(self, name: str, *, by: int | None = None) -> Seat:
        """Begin a new incarnation: a new epoch and a new mailbox that hears all that is numbered from now on.

        `by` is the epoch of the supervisor that wants it.

        Raises:
            Fenced: that supervisor was replaced; nothing was begun.
        """
        with self._lock:
            cell = self._cells[name]
            if by is not None:
                self._cells[cell.parent].demand_epoch(by)
            self._empty(cell)
            self._epoch += 1
            cell.epoch = self._epoch
            cell.started_at = self._clock.monotonic()
            cell.restarts += 1
            cell.up, cell.retired = True, False
            self._hearers.forget()
            self._put(cell, Post(Wake(), cell.started_at), Lane.SYSTEM)
            return Seat(cell, cell.epoch, cell.mailbox, self._seq)

    def close(self, name: str, epoch: int, reason: Exit) -> bool:
        """End an incarnation: what it had not yet sent is revoked; say False where it had ended before."""
        with self._lock:
            cell = self._cells.get(name)
            if cell is None or cell.epoch != epoch or not cell.up:
                return False
            cell.last_exit, cell.up = reason, False
            self._hearers.forget()
            self._empty(cell)
            self.watches.ended(cell, epoch, reason)
            self._gate.revoke(name, epoch)
            self.look_if_settled()
            return True

    def fence(self, name: str, epoch: int, reason: Exit = FENCED) -> bool:
        """Shut an incarnation out for good: from now on nothing it says is delivered."""
        with self._lock:
            cell = self._cells.get(name)
            if cell is None:
                return False
            old = cell.mailbox
            if not self.close(name, epoch, reason):
                return False
            self._epoch += 1
            cell.epoch = self._epoch
            # The old mailbox is left to its reader, so that nobody else can take this last message out of it.
            old.put(Post(Stop("killed")), Lane.SYSTEM)
            return True

    def expect(self, name: str) -> None:
        """Tell that a name is about to be started: settling waits for it from now on."""
        with self._lock:
            self._cells[name].retired = False

    def retire(self, name: str) -> None:
        """Tell that a name will not be started again by itself: settling no longer waits for it."""
        with self._lock:
            cell = self._cells[name]
            cell.retired = True
            if not cell.up:
                self._empty(cell)
                self.watches.gone(cell)
            self.look_if_settled()

    # -- speaking ------------------------------------------------------------------------------------------------

    def finish(self, cell: Cell, epoch: int, outbox: Outbox | None, *, open_work: bool) -> int:
        """Release what a handler said, and take in whether it waits for something; return the highest sequence given.

        Raises:
            Fenced: the incarnation was replaced; nothing was released.
        """
        with self._lock:
            cell.demand_epoch(epoch)
            cell.open_work = open_work
            return self._release(cell, outbox) if outbox is not None else 0

    def record(self, sender: str, events: Sequence[object]) -> int:
        """Number events that come from the edge of the house; return the highest sequence given."""
        outbox = Outbox()
        outbox.events = [(*self.encode(event), event, None, 0, 0) for event in events]
        with self._lock:
            return self._release(self._cells.get(sender) or Cell(sender), outbox)

    def tell(self, to: str, message: Any, lane: Lane = Lane.ORDINARY, *, epoch: int | None = None) -> bool:
        """Deliver a message; say False where nobody is there (or no longer that incarnation): a dead letter."""
        with self._lock:
            cell = self._cells.get(to)
            if cell is None or not cell.reads(epoch):
                self.dead_letters.bury(to, message)
                return False
            return self._put(cell, Post(message, self._monotonic(), epoch=epoch), lane)

    def pass_on(self, sender: str, epoch: int, to: str, message: Any) -> bool:
        """Deliver what an incarnation was told from outside, on any thread; a dead letter where it lives no more."""
        with self._lock:
            cell = self._cells.get(sender)
            if cell is not None and cell.up and cell.epoch == epoch:
                return self._deliver(to, message, Sender(sender, epoch))
            self.dead_letters.bury(to, message)
            return False

    def ask(self, to: str, message: Any, future: Future[Any]) -> None:
        """Deliver a question from the edge of the house, behind the events; its future gets an answer or an error."""
        with self._lock:
            cell = self._cells.get(to)
            if cell is None or not cell.up:
                future.set_exception((ActorDown, ActorDown(f"{to} is down"), None))
            elif not self._put(cell, Post(message, self._clock.monotonic(), future), Lane.EVENTS):
                future.set_exception((ActorDown, ActorDown(f"{to} is asked more than it can answer"), None))

    def on_durable(self, seq: int) -> None:
        """Let go of what waited for this sequence."""
        with self._lock:
            self._let_go(seq)
            self.look_if_settled()
            if not self._gate.is_opening and self._gate.has_news(seq):
                self._gate.is_opening = True
                self._a_moment_later(self._tell_news)

    def look_if_settled(self) -> None:
        """Tell who awaits it that nothing is left to do, if that is so.  Whoever runs out of messages looks."""
        if self._settle_waiter is None:
            return
        with self._lock:
            waiter = self._settle_waiter
            waits_for_sends = self._gate.holds_sends and self._is_settled is Cell.is_settled
            if waiter is not None and not waits_for_sends and all(map(self._is_settled, self._settling)):
                self._settle_waiter = None
                self._put(waiter, Post(Settled(self._seq), self._clock.monotonic()), Lane.ORDINARY)

    # -- looking -------------------------------------------------------------------------------------------------

    @property
    def last_seq(self) -> int:
        """Return the highest sequence given."""
        return self._seq

    @property
    def changes(self) -> int:
        """Return how often somebody has come or gone: while it stays the same, so do all who live."""
        return self._hearers.changes

    def is_up(self, name: str) -> bool:
        """Say whether a name has a living incarnation."""
        cell = self._cells.get(name)
        return cell is not None and cell.up

    def epoch_of(self, name: str) -> int:
        """Return the number of a name's incarnation; raise KeyError for a name that is not known."""
        return self._cells[name].epoch

    def unsettled(self) -> tuple[str, ...]:
        """Name what settling waits for."""
        with self._lock:
            busy = (cell for cell in self._settling if not cell.is_settled())
            return (*(f"{cell.name}: {cell.why_unsettled()}" for cell in busy), *self._gate.why_closed())

    def vitals(self, *, at_work: bool = False) -> list[Vitals]:
        """Return how every name is doing, in the order they were declared; or only those with something to do."""
        now = self._clock.monotonic()
        with self._lock:
            return [vitals_of(cell, now) for cell in self._cells.values() if not at_work or cell.is_at_work]

    # -- helpers, all called with the lock held ------------------------------------------------------------------

    def _release(self, cell: Cell, outbox: Outbox) -> int:
        last = self._number(cell, outbox) if outbox.events else 0
        if outbox.messages:
            sender = Sender(cell.name, cell.epoch)
            for to, message in outbox.messages:
                if type(message) in self._leaves_house:
                    self._hold(sender, to, message, gate=max(cell.given, outbox.seen))
                else:
                    self._deliver(to, message, sender)
        if outbox.wants_settled:
            self._settle_waiter = cell
            self._is_settled = Cell.is_quiet if outbox.though_waiting else Cell.is_settled
        return last

    def _number(self, cell: Cell, outbox: Outbox) -> int:
        clock, hearers_of, seq, records = self._clock, self._hearers.of, self._seq, []
        now, wall, name, epoch, seen = clock.monotonic(), clock.wall_ms(), cell.name, cell.epoch, outbox.seen
        own = None if cell.mailbox.events_waiting() else outbox.own
        for kind, version, payload, event, at, causation, correlation in outbox.events:
            seq += 1
            if at is not None:
                clock.advance_market(at)
            at_ms, root = clock.market_ms(), correlation or seq
            record = Recorded(seq, at_ms, wall, kind, version, name, epoch, seen, root, causation, payload, event)
            records.append(record)
            post = Post(record, now)
            ears, late = hearers_of(type(event), cell, own is None)
            for hear in ears:
                hear(post)
            if own is not None:
                own.append(record)
            for hearer in late:
                self._gate.keep_news(seq, hearer, post)
        self._seq = cell.given = seq
        self._recorder.enqueue(records)
        return seq

    def _tell_news(self) -> None:
        with self._lock:
            self._gate.tell_news(self._recorder.durable_seq)

    def _hold(self, sender: Sender, to: str, message: Any, *, gate: int) -> None:
        self._gate.hold(Held(gate, sender.name, sender.epoch, to, message))
        if (durable := self._recorder.durable_seq) < gate:
            self._recorder.hurry(gate)
        self._let_go(durable)  # With what was said before it: the news that this is durable may be on its way.

    def _let_go(self, seq: int) -> None:
        for held in self._gate.sends_due(seq):
            self._deliver(held.to, held.message, Sender(held.sender, held.epoch))

    def _deliver(self, to: str, message: Any, sender: Sender) -> bool:
        cell = self._cells.get(to)
        if cell is not None and cell.takes_messages:
            return self._put(cell, Post(message, self._monotonic(), None, sender), Lane.ORDINARY)
        self.dead_letters.bury(to, message)
        return False

    def _put(self, cell: Cell, post: Envelope[Any], lane: Lane) -> bool:
        if self.quarantine.is_used and lane != Lane.SYSTEM and self.quarantine.takes(cell.name, lane, post):
            refuse(post, f"{cell.name} was ended by such a message before: it is quarantined")
            return True
        if not (is_taken := cell.mailbox.put(post, lane)):
            self.dead_letters.bury(cell.name, post.message, "full")
        return is_taken

    def _tell_watcher(self, watch: Watch, down: Down) -> None:
        cell = self._cells.get(watch.watcher)
        if cell is not None and cell.up and cell.epoch == watch.watcher_epoch:
            self._put(cell, Post(down, self._clock.monotonic()), Lane.SYSTEM)

    def _empty(self, cell: Cell) -> None:
        """Give a cell a new mailbox, with what it retains of the old one; the rest goes to the dead letters."""
        old, cell.mailbox = cell.mailbox, self._new_mailbox(cell)
        cell.handled += old.taken
        for lane, envelope in old.drain():
            if cell.keeps(lane, envelope):
                self._put(cell, envelope, lane)  # As if it came now: it may be like one that is quarantined by now.
                continue
            self.dead_letters.bury(cell.name, envelope.message)
            refuse(envelope, f"{cell.name} went down")
        cell.open_work = False
        if self._settle_waiter is cell:
            self._settle_waiter = None

    def _new_mailbox(self, cell: Cell) -> Mailbox:
        drop = partial(self.dead_letters.bury, cell.name)
        return Mailbox(self.look_if_settled, spec=cell.mailbox_spec, on_drop=drop)
