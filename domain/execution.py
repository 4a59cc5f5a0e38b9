"""What the executor knows: plans, orders, approvals and wishes, folded from events.

A plan (`domain.plan`) is kept for each strategy and symbol.  `domain.steps` says what follows from it.
"""

from decimal import Decimal
from typing import Literal

import msgspec

from domain.imported import HeldPosition
from domain.market import HOUR_MS, MINUTE_MS, Instant
from domain.money import ZERO
from domain.order import Fill, Leg, Order, Terms
from domain.plan import Plan
from domain.proposal import Entry, Exit

STALE_MS_MAX = MINUTE_MS
"""So long after a start the verdict is waited for with what is held, where the books are known to be old."""
FINISHED_KEPT = 200
"""Finished orders that stay known, for answers that come late."""


class Approval(msgspec.Struct, frozen=True):
    """An entry that was approved and is not placed yet."""

    proposal_id: str
    strategy: str
    entry: Entry
    quantity: Decimal
    ordered_by: int


class Halt(msgspec.Struct, frozen=True):
    """An operator ended entries: what was decided before this sequence was folded is not wanted any more."""

    seq: int
    why: str
    exit_until: Instant = 0
    """Above zero: what such an entry still buys is to be left again, wished until then."""


class Vouch(msgspec.Struct, frozen=True):
    """An operator vouches for it that the venue has nothing more of an order that it denies."""

    why: str
    until: Instant


class Execution(msgspec.Struct):
    """All that the executor knows."""

    orders: dict[str, Order] = msgspec.field(default_factory=dict)
    """Orders whose end is not proven, in order of intent."""
    finished: dict[str, Order] = msgspec.field(default_factory=dict)
    """The newest of the others, for answers that come late."""
    plans: dict[str, Plan] = msgspec.field(default_factory=dict)
    approvals: dict[str, Approval] = msgspec.field(default_factory=dict)
    canceling: list[str] = msgspec.field(default_factory=list)
    """Orders whose cancel was intended and is not proven yet."""
    proposals: dict[str, str] = msgspec.field(default_factory=dict)
    """Proposal of each unfinished entry order."""
    unwanted: dict[str, str] = msgspec.field(default_factory=dict)
    """Open orders an operator wants gone, and why."""
    brackets: dict[str, tuple[Decimal | None, Decimal | None]] = msgspec.field(default_factory=dict)
    """Stop and take-profit of each entry order that has not filled at all; of finished ones too, for late trades."""
    vouched: dict[str, Vouch] = msgspec.field(default_factory=dict)
    """By client id of the open order."""
    stops: dict[str, Halt] = msgspec.field(default_factory=dict)
    """The newest order of an operator that ended all entries of a symbol; under the empty name, of all symbols."""
    closes: dict[str, Decimal] = msgspec.field(default_factory=dict)
    closed_at: dict[str, Instant] = msgspec.field(default_factory=dict)
    """When the bars of these closes closed."""
    to_protect: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """How far below its next price the stop of a plan is to be, as a fraction of it; by strategy and symbol."""
    takes_entries: bool = True
    awaits_verdict: bool = False
    """The books were not held against the venue's account yet, since the process began: approved entries wait."""
    stale_until: Instant = 0
    """From this instant on plans are followed though they are stale: who waits on is without protection."""
    namespace: str = ""
    """What the client order ids of this journal carry."""

    # -- folding -------------------------------------------------------------------------------------------------

    def plan_of(self, strategy: str, symbol: str) -> Plan:
        """Return the plan of a strategy and symbol, made if need be."""
        return self.plans.setdefault(f"{strategy}|{symbol}", Plan(strategy, symbol))

    def take_over(self, held: HeldPosition, seq: int) -> None:
        """Hold what was bought before the journal began as if it had been bought here."""
        plan = self.plan_of(held.strategy, held.symbol)
        plan.held += held.quantity
        plan.stop_price, plan.take_profit = held.stop_price, held.take_profit
        self._change(plan, seq)

    def adopt(self, strategy: str, symbol: str, amount: Decimal, seq: int) -> None:
        """Hold more or less by something that no order of ours has done."""
        plan = self.plan_of(strategy, symbol)
        plan.held += amount
        self._change(plan, seq)

    def protect(self, strategy: str, symbol: str, below: Decimal, now: Instant) -> None:
        """Give what was adopted a stop so far below the newest price, or below the next where that is none or old."""
        if now - self.closed_at.get(symbol, 0) > HOUR_MS:
            self.to_protect[f"{strategy}|{symbol}"] = below
        else:
            self.plan_of(strategy, symbol).stop_price = self.closes[symbol] * (1 - below)

    def take_close(self, symbol: str, close: Decimal, closed_at: Instant) -> None:
        """Take in the newest price of a symbol."""
        self.closes[symbol], self.closed_at[symbol] = close, closed_at
        for key in [key for key in self.to_protect if key.endswith(f"|{symbol}")] if self.to_protect else ():
            self.plans[key].stop_price = close * (1 - self.to_protect.pop(key))

    def doubt_plans(self) -> None:
        """Take it that what is held was another amount when the journal was put back."""
        for plan in self.plans.values():
            plan.is_stale = True

    def await_verdict(self, now: Instant) -> None:
        """Begin to wait for a start's verdict."""
        self.awaits_verdict, self.stale_until = True, now + STALE_MS_MAX

    def end_waiting(self) -> None:
        """Take it that the books were held against the account."""
        self.awaits_verdict = False
        for plan in self.plans.values():
            plan.is_stale = False

    def is_held_back(self, plan: Plan, now: Instant) -> bool:
        """Say whether nothing is ordered for a plan yet, because its books are old."""
        return plan.is_stale and self.awaits_verdict and now < self.stale_until

    def approve(self, approval: Approval) -> None:
        """Remember that an entry may be placed."""
        self.approvals[approval.proposal_id] = approval

    def drop(self, proposal_id: str) -> None:
        """Forget an approval that will not be placed."""
        self.approvals.pop(proposal_id, None)

    def intend(self, terms: Terms, proposal_id: str, *, seq: int, seen: int) -> None:
        """Remember an order that is about to be sent; one that an operator had just ended is unwanted at once."""
        self.orders[terms.client_id] = Order(terms)
        plan = self.plan_of(terms.strategy, terms.symbol)
        plan.attempts += 1
        if terms.leg == "exit" and not plan.exit_why:
            self.unwanted[terms.client_id] = "its exit was called off"
        if proposal_id:
            entry = self.approvals.pop(proposal_id).entry
            self.brackets[terms.client_id] = (entry.stop_price, entry.take_profit)
            self.proposals[terms.client_id] = proposal_id
            if (halt := self.halted_since(seen, terms.symbol)) is not None:
                self.unwanted[terms.client_id] = halt.why
                if halt.exit_until:
                    self.wish_exit(terms.strategy, Exit(terms.symbol, halt.exit_until, None, halt.why), seq)

    def accept(self, client_id: str, venue_id: str) -> None:
        """Take it as proven that the venue has an order."""
        if order := self.orders.get(client_id):
            order.venue_id = venue_id
            order.move_to("accepted")
            if order.terms.leg != "exit":  # Of an exit, only that it sells is a success.
                self.plan_of(order.terms.strategy, order.terms.symbol).refusals = 0

    def doubt(self, client_id: str) -> None:
        """Take it as unknown whether the venue has an order."""
        if order := self.orders.get(client_id):
            order.move_to("unresolved")

    def fill(self, fill: Fill, seq: int) -> None:
        """Count a fill for its order and its plan."""
        order = self.order(fill.client_id)
        if order is None or not order.take(fill):
            return
        plan = self.plan_of(order.terms.strategy, fill.symbol)
        self._bracket(plan, fill)
        plan.held += _received(fill, order.terms.base)
        if order.terms.leg == "exit":
            plan.refusals = 0
            plan.exit_left = None if plan.exit_left is None else plan.exit_left - fill.quantity
        if order.terms.leg == "stop":
            self._stop_filling(plan)
        self._change(plan, seq)
        if order.state == "filled":
            self._finish(order)

    def end(
        self, client_id: str, state: Literal["canceled", "expired", "rejected", "absent"], seq: int, at: Instant
    ) -> None:
        """Take an order's end as proven; an exit that the venue ends with nothing sold is tried again after a pause."""
        order = self.order(client_id)
        if order is None or not order.move_to(state):
            return
        plan = self.plan_of(order.terms.strategy, order.terms.symbol)
        is_called_off = not plan.exit_why or client_id in self.canceling
        if state in ("canceled", "expired") and order.terms.leg == "exit" and not order.filled and not is_called_off:
            plan.wait(at, passes=True)
        self._change(plan, seq)
        self._finish(order)

    def refuse(self, client_id: str, seq: int, at: Instant, *, passes: bool = False) -> None:
        """Take an order as rejected; what it was for is tried again after a minute, or soon where the reason passes."""
        order = self.orders.get(client_id)
        self.end(client_id, "rejected", seq, at)
        if order is None or order.terms.leg == "entry":
            return
        plan = self.plan_of(order.terms.strategy, order.terms.symbol)
        leaves_all = plan.exit_why and plan.exit_left is None
        if order.terms.leg == "exit" or not leaves_all:  # Who leaves needs no stop, and need not wait for one.
            plan.wait(at, passes=passes)

    def order_exit(
        self, strategy: str, symbol: str, why: str, quantity: Decimal | None, *, seq: int, seen: int
    ) -> None:
        """Remember that a position is to be left, whole or in part; a wish that was not seen yet still stands.

        Who leaves all of it needs no wish: a part of it that somebody wants left would be less.
        """
        plan = self.plan_of(strategy, symbol)
        if not plan.exit_why and quantity is None:
            plan.not_before = 0  # It was for a stop, and who leaves at the market needs none.
        plan.exit_why, plan.exit_left = why, quantity
        if plan.wished_at <= seen or quantity is None:
            plan.wish = None
        self._change(plan, seq)

    def end_exit(self, strategy: str, symbol: str, *, seq: int, seen: int) -> None:
        """Remember that nothing more can or need be sold, unless the plan has changed since that was found."""
        plan = self.plan_of(strategy, symbol)
        if max(plan.basis, plan.wished_at) > seen:
            return
        if not plan.exit_why:
            plan.wish = None
            return
        was_partial = plan.exit_left is not None
        plan.exit_why, plan.exit_left, plan.wish = "", None, None
        if not was_partial:
            plan.stop_price = plan.take_profit = None
        self._change(plan, seq)

    def wish_exit(self, strategy: str, wish: Exit, seq: int) -> None:
        """Remember that somebody wants a position left, unless all of it is being left already, or wished to be."""
        plan = self.plan_of(strategy, wish.symbol)
        leaves_all = plan.exit_why and plan.exit_left is None
        wants_all = plan.wish is not None and plan.wish.quantity is None
        if not leaves_all and (wish.quantity is None or not wants_all):
            plan.wish, plan.wished_at = wish, seq

    def wish_flat(self, symbol: str, why: str, good_until: Instant, seq: int) -> None:
        """Remember that all positions of a symbol (of every symbol where it is empty) are to be left."""
        for plan in self.plans.values():
            if symbol in ("", plan.symbol):
                plan.is_stale = False  # Whoever wants all of it sold does not ask how much it is.
                self.wish_exit(plan.strategy, Exit(plan.symbol, good_until, None, why), seq)
        self.stops[symbol] = Halt(seq, why, good_until)

    def want_gone(self, legs: tuple[Leg, ...], why: str, symbol: str = "") -> None:
        """Remember that the open orders of these legs are to be cancelled."""
        for order in self.orders.values():
            if order.terms.leg in legs and symbol in ("", order.terms.symbol):
                self.unwanted[order.terms.client_id] = why

    def vouch(self, client_id: str, why: str, until: Instant) -> None:
        """Remember that an operator vouches for an order's end; what the venue shows of it still goes before."""
        if client_id in self.orders:
            self.vouched[client_id] = Vouch(why, until)

    def stop_entries(self, why: str, seq: int) -> None:
        """Remember that an operator ended all entries, those too that were decided and not heard of yet."""
        self.takes_entries = False
        self.want_gone(("entry",), why)
        self.stops[""] = Halt(seq, why)

    def stop_leaving(self, why: str, seq: int) -> None:
        """Remember that an operator called off the exits that are under way."""
        self.want_gone(("exit",), why)
        for plan in self.plans.values():
            if plan.exit_why:
                # The basis stays: one record for several plans would give their next orders one id.
                plan.exit_why, plan.exit_left, plan.wished_at = "", None, seq

    def halted_since(self, seen: int, symbol: str) -> Halt | None:
        """Return an operator's order that ended entries of a symbol after a sequence; None where there is none."""
        halts = [halt for name in ("", symbol) if (halt := self.stops.get(name)) is not None and halt.seq > seen]
        return max(halts, key=lambda halt: halt.seq, default=None)

    def vouch_of(self, client_id: str, now: Instant) -> Vouch | None:
        """Return an operator's word for the end of an order, while it holds."""
        vouch = self.vouched.get(client_id)
        return vouch if vouch is not None and now <= vouch.until else None

    def _bracket(self, plan: Plan, fill: Fill) -> None:
        """Take over stop and take-profit with an entry's first fill; while something is held, None replaces neither."""
        if (bracket := self.brackets.pop(fill.client_id, None)) is None:
            return
        plan.aims_from = fill.at
        stop_price, take_profit = bracket
        is_empty = plan.held <= 0
        plan.stop_price = stop_price if stop_price is not None or is_empty else plan.stop_price
        plan.take_profit = take_profit if take_profit is not None or is_empty else plan.take_profit

    def _stop_filling(self, plan: Plan) -> None:
        """An entry that goes on buying what its own stop sells is unwanted."""
        for order in self.orders.values():
            terms = order.terms
            if (terms.strategy, terms.symbol, terms.leg) == (plan.strategy, plan.symbol, "entry"):
                self.unwanted[terms.client_id] = "its stop was hit"

    def _change(self, plan: Plan, seq: int) -> None:
        plan.basis, plan.attempts = seq, 0

    def _finish(self, order: Order) -> None:
        client_id = order.terms.client_id
        self.proposals.pop(client_id, None)
        self.unwanted.pop(client_id, None)
        self.vouched.pop(client_id, None)
        if client_id in self.canceling:
            self.canceling.remove(client_id)
        if self.orders.pop(client_id, None) is not None:
            self.finished[client_id] = order
        if len(self.finished) > FINISHED_KEPT:
            oldest = next(iter(self.finished))
            del self.finished[oldest]
            self.brackets.pop(oldest, None)

    # -- looking -------------------------------------------------------------------------------------------------

    def order(self, client_id: str) -> Order | None:
        """Return an order, also one that was finished not long ago; None where it is not known."""
        return self.orders.get(client_id) or self.finished.get(client_id)


def _received(fill: Fill, base: str) -> Decimal:
    fee = fill.fee.amount if fill.fee.asset == base else ZERO
    return (fill.quantity if fill.side == "buy" else -fill.quantity) - fee
