"""The base of every actor: pykka's loop with its traps closed.

A failure in start, in a handler or in an answer to a question ends the incarnation, is reported once and reaches the
supervisor; nothing that is not an ordinary exception can stop other actors; what a handler says is released as a
whole when it returns.
"""

import re
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import pykka

from supervision.answer import Answer
from supervision.cells import Outbox, Seat
from supervision.errors import Crashed, Fenced, Ignore, Interrupted, Poisoned, said_of
from supervision.mailbox import Mailbox, Sender, refuse, type_of
from supervision.signals import STACK_CHARS_MAX, Break, CrashReport, Down, Exit, Raise, Recorded, Stall, Stop, Wake

if TYPE_CHECKING:
    from supervision.system import System


class Actor(pykka.Actor):
    """An actor with a name that outlives it.  Subclasses write `receive`, and may write `started` and `stopped`."""

    hears_itself = False
    is_supervisor = False

    def __init__(self, system: "System", seat: Seat) -> None:
        self._system = system
        self._cell, self._epoch, self._mailbox, self._joined = seat
        self._outbox: Outbox | None = None
        self._exit = Exit("normal")
        self._heard = 0
        self._watching: dict[int, str] = {}
        """Names that are watched, by the number of the watch."""
        self._encode = system.encode
        self._finish = system.switchboard.finish
        self._monotonic = system.clock.monotonic
        self._cue = system.cue
        self._can_wait = type(self).has_open_work is not Actor.has_open_work
        super().__init__()

    # -- for subclasses ------------------------------------------------------------------------------------------

    def started(self) -> None:
        """Prepare what this incarnation needs; an error here is a failed start."""

    def receive(self, message: Any) -> Any:
        """Handle a message; what is returned answers a question."""
        raise Crashed(f"{self.name} knows no message such as {message!r:.200}")

    def stopped(self) -> None:
        """Let go of what this incarnation held, and of no more: where it was fenced a successor may live already."""

    def has_open_work(self) -> bool:
        """Say whether something asked for is still to come; the market waits for it."""
        return False

    @property
    def name(self) -> str:
        """Return the name that outlives this incarnation."""
        return self._cell.name

    @property
    def epoch(self) -> int:
        """Return the number of this incarnation; later ones are greater."""
        return self._epoch

    @property
    def is_busy(self) -> bool:
        """Say whether it has a message in hand."""
        return self._mailbox.busy_since is not None

    @property
    def sender(self) -> Sender | None:
        """Return which incarnation said the message in hand; None where no actor did, and of events, which tell."""
        return getattr(self._mailbox.taken_out, "sender", None)

    def tell(self, to: str, message: Any) -> None:
        """Say something to a name, once this handler has returned."""
        (self._outbox or self._saying()).messages.append((to, message))

    def record(self, event: object, *, at: int | None = None) -> None:
        """Have an event numbered, remembered and heard, once this handler has returned.

        `at` moves market time on recorded data; only its source gives it.
        """
        kind, version, payload = self._encode(event)
        outbox = self._outbox or self._saying()
        outbox.events.append((kind, version, payload, event, at, *self._cause()))

    def has_recorded(self) -> bool:
        """Say whether this handler has recorded an event so far."""
        return self._outbox is not None and bool(self._outbox.events)

    def await_settled(self, *, though_waiting: bool = False) -> None:
        """Ask for a `Settled` once all that was caused by what has been said is done.

        `though_waiting` is for a market that waits for nobody: as far as it can be done now, whoever may wait for an
        answer from outside.
        """
        saying = self._saying()
        saying.wants_settled, saying.though_waiting = True, though_waiting

    def after(self, delay_s: float, message: Any) -> None:
        """Say something to this incarnation later, in monotonic time."""
        self._system.after(delay_s, self.name, message, self._epoch)

    def watch(self, name: str, *, until_gone: bool = False) -> int:
        """Hear a `Down` when the incarnation of a name that lives now ends; return the number that it will carry.

        It comes exactly once, at once where nobody lives.  With `until_gone` restarts are passed over: it comes when
        the name is given up, or is no part of the tree any more.
        """
        ref = self._system.switchboard.watches.begin(self.name, self._epoch, name, until_gone=until_gone)
        self._watching[ref] = name
        return ref

    def unwatch(self, ref: int) -> None:
        """Hear nothing more of a watch, also where its `Down` is on its way."""
        if (name := self._watching.pop(ref, None)) is not None:
            self._system.switchboard.watches.end(name, ref)

    def monotonic(self) -> float:
        """Return monotonic seconds, which measure waiting."""
        return self._monotonic()

    def market_ms(self) -> int:
        """Return market time in milliseconds since the epoch."""
        return self._system.clock.market_ms()

    # -- one message ---------------------------------------------------------------------------------------------

    def _take(self, message: Any) -> Any:
        if type(message) is Wake:
            return None
        if type(message) is Stall:
            return self._system.runtime.hang_for_ever()
        if type(message) is Break:
            raise Crashed(f"{self.name} was broken on purpose: {message.reason}")
        if type(message) is Raise:
            raise message.error
        if type(message) is Recorded:
            self._heard = message.seq
        elif type(message) is Down and self._watching.pop(message.ref, None) is None:
            return None  # It was on its way when the watch was ended.
        return self.receive(message)

    def _cause(self) -> tuple[int, int]:
        return 0, 0

    def _seen(self) -> int:
        return self._heard

    def _said(self, last_seq: int) -> None:
        """Hear the highest sequence that was just given to this actor's events."""

    def _saying(self) -> Outbox:
        if self._outbox is None:
            self._outbox = Outbox()
        return self._outbox

    def _release(self) -> None:
        outbox = self._outbox
        if outbox is not None:
            self._outbox = None
            outbox.seen = self._seen()
        open_work = self._can_wait and self.has_open_work()
        if last := self._finish(self._cell, self._epoch, outbox, open_work=open_work):
            self._said(last)

    def _let_out(self) -> None:
        """Release what this handler has said, and take in whether something is waited for."""
        if self._cue is not None:
            self._cue(f"{self.name}.before_release")
        if self._outbox is not None or (self._can_wait and self.has_open_work() is not self._cell.open_work):
            self._release()
        if self._cue is not None:
            self._cue(f"{self.name}.after_release")

    # -- pykka's seams -------------------------------------------------------------------------------------------

    def _create_actor_inbox(self) -> Mailbox:  # type: ignore[override]  # called on the instance
        return self._mailbox

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return Answer()

    def _start_actor_loop(self) -> None:
        self._system.run(self)

    def _actor_loop_setup(self) -> None:
        try:
            self._begin()
        except BaseException as error:  # noqa: BLE001  the one place where a failed start is seen
            self._fail(error, kind="init")
            return
        self._system.started(self.name, self._epoch)

    def _begin(self) -> None:
        self.started()

    def _handle_receive(self, message: Any) -> Any:
        kind = type(message)
        if kind is Stop and self._ends_at_once(message):
            return None
        mailbox = self._mailbox
        mailbox.in_hand, mailbox.busy_since = message, self._monotonic()
        mailbox.recent.append(message if kind is Recorded else kind)
        try:
            answer = self._take(message)
            if self._outbox is not None or self._can_wait or self._cue is not None:
                self._let_out()
        except BaseException as error:
            self._fail(error, kind="crash")
            if isinstance(error, Exception):
                raise
            raise Crashed(f"{self.name} was ended by {said_of(error)}") from error
        mailbox.busy_since = mailbox.in_hand = mailbox.taken_out = None
        return answer

    def _ends_at_once(self, stop: Stop) -> bool:
        self._exit = Exit(stop.kind)
        self.actor_stopped.set()
        return True

    def _handle_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say nothing: `_fail` has reported it already."""

    def _fail(self, error: BaseException, *, kind: Literal["init", "crash", "clean-up"]) -> None:
        self.actor_stopped.set()
        self._outbox = None
        reason = _reason_of(error, kind)
        if kind != "clean-up" or self._exit.kind in ("normal", "shutdown"):
            self._exit = reason  # One that had failed before ends for that, whatever its clean-up comes to.
        if reason.kind in ("killed", "ignore"):
            return
        if kind == "crash" and self._came_from_others(in_hand := self._mailbox.in_hand):
            self._system.switchboard.quarantine.blame(self.name, in_hand, str(reason))
        self._system.report(self.last_words(reason, "".join(traceback.format_exception(error))))

    def _came_from_others(self, in_hand: Any) -> bool:
        """Say whether somebody may say it again: a timer is set anew by each incarnation, which is idle without."""
        if in_hand is None or type(in_hand) in (Recorded, Wake, Break, Raise, Down):
            return False
        return getattr(self._mailbox.taken_out, "epoch", None) is None

    def last_words(self, reason: Exit, stack: str) -> CrashReport:
        """Return what is known at the end of this incarnation."""
        in_hand, before = self._mailbox.in_hand, tuple(self._mailbox.recent)
        return CrashReport(
            name=self.name,
            epoch=self._epoch,
            reason=str(reason),
            message=_shown(in_hand) if in_hand is not None else "",
            stack=stack[-STACK_CHARS_MAX:],
            mailbox_depth=self._mailbox.depth(),
            mailbox_types=self._mailbox.first_types(),
            last_messages=tuple(map(type_of, before if in_hand is None else before[:-1])),
            uptime_s=self.monotonic() - self._cell.started_at,
            ancestors=self._system.tree.ancestors(self.name),
        )

    def _actor_loop_teardown(self) -> None:
        try:
            self.stopped()
        except BaseException as error:  # noqa: BLE001  a failing clean-up must not keep the end from being known
            self._fail(error, kind="clean-up")
        self._system.ended(self, self._exit)
        for _lane, envelope in self._mailbox.drain():
            refuse(envelope, f"{self.name} went down")

    def __str__(self) -> str:
        return f"{self._cell.name}/{self._epoch}"


def _reason_of(error: BaseException, kind: str) -> Exit:
    if isinstance(error, Fenced | Interrupted):
        return Exit("killed", "fenced")
    if isinstance(error, Ignore) and kind == "init":
        return Exit("ignore", str(error))
    if isinstance(error, Poisoned):
        return Exit("poisoned", str(error))
    return Exit("init" if kind == "init" else "crash", said_of(error))


_PLACE_IN_MEMORY = re.compile(r" at 0x[0-9a-f]+")
"""Says nothing to anybody, and would make two journals of one seed."""


def _shown(message: Any) -> str:
    try:
        return _PLACE_IN_MEMORY.sub("", repr(message))[:1_000]
    except Exception:  # noqa: BLE001  a message that cannot be shown must not hide the crash it caused
        return f"<{type(message).__name__} that cannot be shown>"
