"""The executor: intent on disk, then the send, then evidence.  It never guesses and never sends twice."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from actors.base import RememberingActor
from actors.certainty import Certainty, Request
from actors.evidence import end_of_denied, events_of
from actors.executor_memory import VENUE, ExecutorMemory
from domain.market import SECOND_MS, Closing, Instant, Instrument
from domain.order import UNPROVEN, Order
from domain.steps import (
    Cancel,
    Deny,
    EndLeaving,
    Leave,
    Place,
    Situation,
    Step,
    count_idle,
    next_steps,
    waits_until,
)
from domain.venue import (
    Answer,
    OrderNotFound,
    OrderSeen,
    Refused,
    Unproven,
    VenueProfile,
    absence_is_proven,
    may_still_turn_up,
)
from messages.node import OrdersAsked, VenueWordAsked
from messages.orders import (
    CancelIntended,
    CancelOrder,
    CheckRequests,
    ExitEnded,
    ExitOrdered,
    ForeignOrderSeen,
    LookAgain,
    LookUpOrder,
    OrderIntended,
    OrderRejected,
    OrderUnresolved,
    SubmitOrder,
    TryAgain,
    VenueAnswered,
    VenueReported,
)
from messages.reconciliation import CertaintyAsked, OrdersCertain
from messages.risk import OrderDenied
from supervision import Seat, System

RECONCILER = "reconciler"
NAP_MS_MIN = SECOND_MS
"""A market that stands still while the clock goes on is not looked at more often."""
REQUESTS_PER_LIFE = 1_000_000_000
NO_STRAYS: Mapping[str, str] = {}


class Executor(RememberingActor):
    """Asks the venue about every unfinished order of earlier lives before it begins anything new."""

    def __init__(
        self,
        system: System,
        seat: Seat,
        *,
        memory: ExecutorMemory,
        instruments: Mapping[str, Instrument],
        generation: int,
        profile: VenueProfile,
        deadline_ms: int,
        strays: Mapping[str, str] = NO_STRAYS,
        resting: Collection[str] = (),
    ) -> None:
        """`strays` are open orders of ours, with their symbols, that the venue has and the journal does not.

        Of symbols that are `resting` the venue may tell nothing any more: what is open of them holds up nothing else.
        """
        super().__init__(system, seat, memory=memory)
        self._known = memory
        self._instruments = instruments
        self._generation = generation
        self._profile = profile
        self._deadline_ms = deadline_ms
        self._resting = resting
        self._last_request = self.epoch * REQUESTS_PER_LIFE
        self._requests: dict[int, Request] = {}
        self._answers: list[tuple[Request, Answer]] = []
        self._sure = Certainty()
        self._strays = dict(strays)
        """Those that it is not known of that they are over: each is cancelled before anything new is begun."""
        self._asked_for_certainty = ""
        """Who wants to know once all that earlier lives have left is certain."""
        self._is_watching = False
        """A timer is set for the oldest request."""
        self._wakes: tuple[Instant, float] = 0, 0.0
        """When what was refused is due for which a timer was set, and when that goes off, in monotonic seconds."""
        self._desk_epoch = self.epoch
        """A desk that is newer was started while this incarnation lived."""

    def started(self) -> None:
        """Take over the unfinished orders of earlier lives: whatever was sent then is uncertain now."""
        self._sure.inherit(self._known.state.orders, resting=self._resting)

    def has_open_work(self) -> bool:
        """Say whether the venue owes an answer, or an order's fate is still to be asked for."""
        return bool(self._requests or self._answers or self._sure.resting or self._sure.inherited)

    def receive(self, message: Any) -> Any:
        """Take an answer, a report, or notice that none came."""
        match message:
            case VenueAnswered(request_id=request_id, answer=answer):
                request = self._requests.pop(request_id, Request("report", answer.client_id))
                self._answers.append((request, answer))
            case VenueReported(seen=seen):
                self._answers.append((Request("report", seen.client_id), seen))
            case CheckRequests():
                self._check_requests()
            case TryAgain():
                pass
            case LookAgain(client_id=client_id):
                self._sure.resting.discard(client_id)
            case CertaintyAsked():
                self._asked_for_certainty = RECONCILER
            case OrdersAsked():
                return self._known.save()
            case VenueWordAsked(client_id=client_id, anew=anew):
                return self._sure.word_of(client_id, anew=anew)
            case _:
                super().receive(message)
        return None

    def count_idle(self, run: Sequence[Closing]) -> int:
        """Return how many of these closings nothing can follow from."""
        return count_idle(self._known.state, run)

    def take_run(self, run: Sequence[Closing]) -> None:
        """Take closings in; of each symbol the newest bar is all that is remembered of these."""
        for _at, bars in run if len(self._instruments) > 1 else run[-1:]:
            self._known.take_bars(bars)

    def react(self) -> None:
        """Take answers in, one at a time; make certain of what is open; only then begin something new."""
        while self._answers and not self.has_recorded():
            self._take_in(*self._answers.pop(0))
        if self.has_recorded():
            return
        self._cancel_strays()
        self._make_certain()
        if self._sure.inherited or self._strays:
            return
        if self._asked_for_certainty:
            self.tell(self._asked_for_certainty, OrdersCertain())
            self._asked_for_certainty = ""
        self._cancel_again()
        for step in next_steps(self._known.state, self._situation()):
            self._do(step)
        self._wake_in_time()

    def _wake_in_time(self) -> None:
        """Have a message when the next refused order is due to be tried again."""
        now, (wakes_for, wakes_at) = self.market_ms(), self._wakes
        due = waits_until(self._known.state, now)
        if due is not None and (due < wakes_for or self.monotonic() >= wakes_at):
            pause_s = max(due - now, NAP_MS_MIN) / SECOND_MS
            self._wakes = due, self.monotonic() + pause_s
            self.after(pause_s, TryAgain())

    def _situation(self) -> Situation:
        return Situation(
            self.market_ms(),
            self._instruments,
            self._generation,
            self._deadline_ms,
            namespace=self._known.state.namespace,
            watches_stops=not self._profile.refuses_late_stops,
        )

    # -- evidence ------------------------------------------------------------------------------------------------

    def _take_in(self, request: Request, answer: Answer) -> None:
        order = self._known.state.order(answer.client_id)
        if order is None:
            self._hear_of_foreign(answer)
        elif isinstance(answer, OrderSeen):
            self._see(request, order, answer)
        elif request.kind == "submit" and isinstance(answer, Refused) and order.state in UNPROVEN:
            if answer.is_reached:
                # It cannot rest any more: what it was to protect is left now, and not when its price is back.
                why = f"stop {order.terms.stop_price} was reached before it could rest"
                self.record(ExitOrdered(order.terms.strategy, order.terms.symbol, why, None))
            self.record(OrderRejected(answer.client_id, answer.code, answer.message, "answer", passes=answer.passes))
        else:
            # Also a refusal of what was seen in the meantime: one of the two is wrong, and only asking tells which.
            self._doubt(request, order, answer)

    def _hear_of_foreign(self, answer: Answer) -> None:
        client_id, state = answer.client_id, "not seen"
        if isinstance(answer, OrderSeen):
            filled = sum(fill.quantity for fill in answer.fills)
            state = f"{answer.state}, {filled:f} of it filled" if filled else answer.state
        self.tell("health", ForeignOrderSeen(client_id, state))
        if client_id not in self._strays:
            return
        if isinstance(answer, OrderNotFound) or (isinstance(answer, OrderSeen) and answer.state != "accepted"):
            del self._strays[client_id]
        else:
            self._ask_again_later(client_id)

    def _see(self, request: Request, order: Order, seen: OrderSeen) -> None:
        if order.state == "absent":
            # Taken for lost by all that the venue's profile promises: somebody must look.
            self.tell("health", ForeignOrderSeen(seen.client_id, f"{seen.state}, and was taken for absent"))
        evidence = {"lookup": "lookup", "report": "report"}.get(request.kind, "answer")
        for event in events_of(order, seen, evidence):  # type: ignore[arg-type]
            self.record(event)
        if request.kind == "cancel" and seen.state == "accepted":
            self._ask_again_later(seen.client_id)
        elif request.kind != "report":
            self._sure.make_sure_of(seen.client_id)

    def _doubt(self, request: Request, order: Order, answer: Answer) -> None:
        client_id = order.terms.client_id
        detail = answer.detail if isinstance(answer, Unproven) else type(answer).__name__
        self._sure.certain.discard(client_id)
        if not order.is_open:
            self._sure.inherited.discard(client_id)
        elif request.kind == "lookup" and isinstance(answer, OrderNotFound):
            self._count_negative(order, request.asked_at)
        else:
            if order.state == "intended":
                self.record(OrderUnresolved(client_id, detail))
            self._ask_again_later(client_id)

    def _count_negative(self, order: Order, asked_at: Instant) -> None:
        client_id = order.terms.client_id
        vouch = self._known.state.vouch_of(client_id, asked_at)
        is_vouched = vouch is not None
        proves = not may_still_turn_up(order.terms, now=asked_at, profile=self._profile, is_vouched_for=is_vouched)
        negatives = self._sure.count_negative(client_id, proves=proves)
        if absence_is_proven(negatives, self._profile):
            if order.state != "accepted" or is_vouched:
                proof = vouch.why if vouch is not None else "it can no longer arrive"
                proposal_id = self._known.state.proposals.get(client_id, "")
                self.record(end_of_denied(order, f"not found {negatives} times, and {proof}", proposal_id))
                self._sure.make_sure_of(client_id)
                return
            # The venue had it: whether it is over is for an operator to say, and no other order waits for that.
            self._sure.inherited.discard(client_id)
        if order.state == "intended":
            self.record(OrderUnresolved(client_id, "not found, which proves nothing yet"))
        self._ask_again_later(client_id)

    def _ask_again_later(self, client_id: str) -> None:
        self._sure.certain.discard(client_id)
        if client_id not in self._sure.resting:
            self._sure.resting.add(client_id)
            self.after(self._profile.look_again_s, LookAgain(client_id))

    # -- requests ------------------------------------------------------------------------------------------------

    def _make_certain(self) -> None:
        if self._known.desk_epoch > self._desk_epoch:
            # The venue's desk was started anew: what came in between, nobody has heard.
            self._desk_epoch = self._known.desk_epoch
            self._sure.doubt_all()
        self._sure.doubt_vouched(self._known.state.vouched)
        asked = {request.client_id for request in self._requests.values()}
        for order in self._sure.questions(self._known.state.orders, asked):
            terms = order.terms
            number = self._number("lookup", terms.client_id)
            self.tell(VENUE, LookUpOrder(number, terms.client_id, terms.symbol, terms.sent_from))

    def _cancel_strays(self) -> None:
        if not self._strays:
            return
        asked = {request.client_id for request in self._requests.values()} | self._sure.resting
        for client_id, symbol in self._strays.items():
            if client_id not in asked:
                self.tell(VENUE, CancelOrder(self._number("cancel", client_id), client_id, symbol))

    def _cancel_again(self) -> None:
        known = self._known.state
        asked = {request.client_id for request in self._requests.values()}
        for client_id in known.canceling:
            if client_id in self._sure.certain and client_id not in asked:
                number = self._number("cancel", client_id)
                self.tell(VENUE, CancelOrder(number, client_id, known.orders[client_id].terms.symbol))

    def _do(self, step: Step) -> None:
        match step:
            case Place():
                self._place(step)
            case Cancel(client_id=client_id, symbol=symbol, why=why):
                self.record(CancelIntended(client_id, why))
                self.tell(VENUE, CancelOrder(self._number("cancel", client_id), client_id, symbol))
            case Leave(strategy=strategy, symbol=symbol, why=why, quantity=quantity):
                self.record(ExitOrdered(strategy, symbol, why, quantity))
            case EndLeaving(strategy=strategy, symbol=symbol, left=left):
                self.record(ExitEnded(strategy, symbol, left))
            case Deny(proposal_id=proposal_id, strategy=strategy, symbol=symbol, reason=reason, detail=detail):
                self.record(OrderDenied(proposal_id, strategy, symbol, reason, detail))

    def _place(self, step: Place) -> None:
        terms = step.terms
        self.record(
            OrderIntended(
                terms=terms,
                ordered_by=step.ordered_by,
                attempt=step.attempt,
                proposal_id=step.proposal_id,
                why=step.why,
            )
        )
        self._sure.certain.add(terms.client_id)
        self.tell(VENUE, SubmitOrder(self._number("submit", terms.client_id), terms))

    def _number(self, kind: Literal["submit", "cancel", "lookup"], client_id: str) -> int:
        self._last_request += 1
        due = self.monotonic() + self._profile.answer_within_s
        self._requests[self._last_request] = Request(kind, client_id, due, self.market_ms())
        self._watch_requests()
        return self._last_request

    def _watch_requests(self) -> None:
        """Set one timer for the oldest request: one for each would cost more than the requests."""
        if self._requests and not self._is_watching:
            self._is_watching = True
            oldest = next(iter(self._requests.values()))
            self.after(oldest.due - self.monotonic(), CheckRequests())

    def _check_requests(self) -> None:
        self._is_watching = False
        now = self.monotonic()
        for number in [number for number, request in self._requests.items() if request.due <= now]:
            request = self._requests.pop(number)
            detail = f"no answer within {self._profile.answer_within_s} s"
            self._answers.append((request, Unproven(request.client_id, detail)))
        self._watch_requests()
