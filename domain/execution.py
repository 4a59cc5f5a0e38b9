"""What the executor knows, and what follows from it.

The knowledge is folded from events; `next_steps` is a pure function of it.  A plan is kept for each strategy and
symbol: what is held, the stop and take-profit that came with the entry, and whether it is to be left.  The rules:

* nothing new is begun for a plan while the fate of one of its orders, or of a cancel, is unknown;
* what is held and has a stop price is covered by resting stops;
* leaving cancels what rests, waits for the proof, then sells what is left: a resting sell locks its quantity;
* an entry is placed at most once, and not after its time, nor into a symbol with an order of unknown fate.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from domain.market import MINUTE_MS, Instant, Instrument
from domain.money import ZERO, floor_to
from domain.order import Fill, Leg, Order, Terms, client_order_id
from domain.proposal import Entry, Exit, Reason

FINISHED_KEPT = 200
"""Finished orders that stay known, for answers that come late."""
RETRY_AFTER_MS = MINUTE_MS
"""After a refused stop or exit, market time until the next try."""


class Plan(msgspec.Struct):
    """What is held of a symbol for a strategy, and what is to become of it."""

    strategy: str
    symbol: str
    held: Decimal = ZERO
    """Base currency bought for the strategy and still there, fees taken in it deducted."""
    stop_price: Decimal | None = None
    take_profit: Decimal | None = None
    exit_why: str = ""
    """Not empty: the position is being left."""
    exit_left: Decimal | None = None
    """How much is still to be sold; all that is held where None."""
    basis: int = 0
    """Sequence of the record that last changed this plan: part of the ids of the orders it leads to."""
    attempts: int = 0
    """Orders that this basis led to."""
    not_before: Instant = 0
    """The next stop or exit waits until this instant, after one was refused."""
    wish: Exit | None = None
    """Somebody wants it left; not taken up yet."""
    wished_at: int = 0
    """Sequence of the record that says so."""


class Approval(msgspec.Struct, frozen=True):
    """An entry that was approved and is not placed yet."""

    proposal_id: str
    strategy: str
    entry: Entry
    quantity: Decimal
    ordered_by: int


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
    closes: dict[str, Decimal] = msgspec.field(default_factory=dict)
    takes_entries: bool = True

    # -- folding -------------------------------------------------------------------------------------------------

    def plan_of(self, strategy: str, symbol: str) -> Plan:
        """Return the plan of a strategy and symbol, made if need be."""
        return self.plans.setdefault(f"{strategy}|{symbol}", Plan(strategy, symbol))

    def approve(self, approval: Approval) -> None:
        """Remember that an entry may be placed."""
        self.approvals[approval.proposal_id] = approval

    def drop(self, proposal_id: str) -> None:
        """Forget an approval that will not be placed."""
        self.approvals.pop(proposal_id, None)

    def intend(self, terms: Terms, proposal_id: str) -> None:
        """Remember an order that is about to be sent."""
        self.orders[terms.client_id] = Order(terms)
        plan = self.plan_of(terms.strategy, terms.symbol)
        plan.attempts += 1
        if proposal_id:
            approval = self.approvals.pop(proposal_id)
            plan.stop_price = approval.entry.stop_price
            plan.take_profit = approval.entry.take_profit
            self.proposals[terms.client_id] = proposal_id

    def accept(self, client_id: str, venue_id: str) -> None:
        """Take it as proven that the venue has an order."""
        if order := self.orders.get(client_id):
            order.venue_id = venue_id
            order.move_to("accepted")

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
        plan.held += _received(fill, order.terms.base)
        if order.terms.leg == "exit" and plan.exit_left is not None:
            plan.exit_left -= fill.quantity
        self._change(plan, seq)
        if order.state == "filled":
            self._finish(order)

    def end(self, client_id: str, state: Literal["canceled", "expired", "rejected", "absent"], seq: int) -> None:
        """Take an order's end as proven."""
        order = self.order(client_id)
        if order is None or not order.move_to(state):
            return
        plan = self.plan_of(order.terms.strategy, order.terms.symbol)
        self._change(plan, seq)
        self._finish(order)

    def refuse(self, client_id: str, seq: int, at: Instant) -> None:
        """Take an order as rejected; what it was for is not tried again in the same minute."""
        order = self.orders.get(client_id)
        self.end(client_id, "rejected", seq)
        if order is not None and order.terms.leg != "entry":
            terms = order.terms
            self.plan_of(terms.strategy, terms.symbol).not_before = at + RETRY_AFTER_MS

    def order_exit(
        self, strategy: str, symbol: str, why: str, quantity: Decimal | None, *, seq: int, seen: int
    ) -> None:
        """Remember that a position is to be left, whole or in part; a wish that was not seen yet still stands."""
        plan = self.plan_of(strategy, symbol)
        plan.exit_why, plan.exit_left = why, quantity
        if plan.wished_at <= seen:
            plan.wish = None
        self._change(plan, seq)

    def end_exit(self, strategy: str, symbol: str, *, seq: int, seen: int) -> None:
        """Remember that nothing more can or need be sold, unless the plan has changed since that was found."""
        plan = self.plan_of(strategy, symbol)
        if max(plan.basis, plan.wished_at) > seen:
            return
        was_partial = plan.exit_left is not None
        plan.exit_why, plan.exit_left, plan.wish = "", None, None
        if not was_partial:
            plan.stop_price = plan.take_profit = None
        self._change(plan, seq)

    def wish_exit(self, strategy: str, wish: Exit, seq: int) -> None:
        """Remember that somebody wants a position left."""
        plan = self.plan_of(strategy, wish.symbol)
        plan.wish, plan.wished_at = wish, seq

    def wish_flat(self, symbol: str, why: str, good_until: Instant, seq: int) -> None:
        """Remember that all positions of a symbol (of every symbol where it is empty) are to be left."""
        for plan in self.plans.values():
            if symbol in ("", plan.symbol):
                plan.wish, plan.wished_at = Exit(plan.symbol, good_until, None, why), seq

    def want_gone(self, legs: tuple[Leg, ...], why: str, symbol: str = "") -> None:
        """Remember that the open orders of these legs are to be cancelled."""
        for order in self.orders.values():
            if order.terms.leg in legs and symbol in ("", order.terms.symbol):
                self.unwanted[order.terms.client_id] = why

    def _change(self, plan: Plan, seq: int) -> None:
        plan.basis, plan.attempts = seq, 0

    def _finish(self, order: Order) -> None:
        client_id = order.terms.client_id
        self.proposals.pop(client_id, None)
        self.unwanted.pop(client_id, None)
        if client_id in self.canceling:
            self.canceling.remove(client_id)
        if self.orders.pop(client_id, None) is not None:
            self.finished[client_id] = order
        if len(self.finished) > FINISHED_KEPT:
            del self.finished[next(iter(self.finished))]

    # -- looking -------------------------------------------------------------------------------------------------

    def order(self, client_id: str) -> Order | None:
        """Return an order, also one that was finished not long ago; None where it is not known."""
        return self.orders.get(client_id) or self.finished.get(client_id)


def queue_place(terms: Terms) -> tuple[int | str, ...]:
    """Return where an order stands in the venue's queue: by its time, then by its terms.

    Asking about several orders in this order makes their fills known in the order in which they happened.
    """
    prices = (terms.limit_price, terms.stop_price)
    texts = ("" if price is None else f"{price:f}" for price in prices)
    quantity = f"{terms.quantity:f}"
    return (
        terms.valid_until,
        terms.symbol,
        terms.strategy,
        terms.leg,
        terms.side,
        terms.type,
        quantity,
        *texts,
    )


class Situation(msgspec.Struct, frozen=True):
    """What steps depend on besides what is known."""

    now: Instant
    """Market time."""
    instruments: Mapping[str, Instrument]
    generation: int
    """Generation of the journal, part of every client order id."""
    deadline_ms: int
    """How long the venue may take an order for, in market time."""


class Place(msgspec.Struct, frozen=True, tag="place"):
    """Record the intent of this order, then send it."""

    terms: Terms
    ordered_by: int
    attempt: int
    proposal_id: str = ""
    why: str = ""


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Record the intent to cancel this order, then ask for it."""

    client_id: str
    symbol: str
    why: str


class Leave(msgspec.Struct, frozen=True, tag="leave"):
    """Record that this position is to be left."""

    strategy: str
    symbol: str
    why: str
    quantity: Decimal | None = None


class EndLeaving(msgspec.Struct, frozen=True, tag="end_leaving"):
    """Record that nothing more can be sold of a position that was being left."""

    strategy: str
    symbol: str
    left: Decimal


class Deny(msgspec.Struct, frozen=True, tag="deny"):
    """Record that an approved entry is not placed after all."""

    proposal_id: str
    strategy: str
    symbol: str
    reason: Reason
    detail: str


Step = Place | Cancel | Leave | EndLeaving | Deny


def next_steps(known: Execution, here: Situation) -> list[Step]:
    """Say what follows from what is known.  Ends with an empty list once all of it is done."""
    by_plan: dict[str, list[Order]] = {}
    for order in known.orders.values():
        by_plan.setdefault(f"{order.terms.strategy}|{order.terms.symbol}", []).append(order)
    steps: list[Step] = []
    for key, plan in known.plans.items():
        if plan.symbol in here.instruments:
            steps += _steps_of_plan(known, plan, by_plan.get(key, []), here)
    steps += [_step_of_approval(known, approval, here) for approval in known.approvals.values()]
    return steps


def _steps_of_plan(known: Execution, plan: Plan, orders: list[Order], here: Situation) -> list[Step]:
    if any(order.state in ("intended", "unresolved") for order in orders):
        return []
    if any(order.terms.client_id in known.canceling for order in orders):
        return []
    unwanted = [order.terms.client_id for order in orders if order.terms.client_id in known.unwanted]
    if unwanted:
        return [Cancel(client_id, plan.symbol, known.unwanted[client_id]) for client_id in unwanted]
    sellable = floor_to(max(plan.held, ZERO), here.instruments[plan.symbol].lot)
    close = known.closes.get(plan.symbol)
    if plan.wish is not None:
        return [_take_up(plan, plan.wish, is_empty=not orders and sellable == 0, now=here.now)]
    if plan.exit_why:
        return _steps_to_leave(plan, orders, sellable, close or ZERO, here)
    if plan.take_profit is not None and close is not None and close >= plan.take_profit and sellable > 0:
        return [Leave(plan.strategy, plan.symbol, f"take-profit {plan.take_profit} reached at {close}")]
    return _steps_to_protect(plan, orders, sellable, here)


def _take_up(plan: Plan, wish: Exit, *, is_empty: bool, now: Instant) -> Leave | EndLeaving:
    if is_empty or now > wish.good_until:
        return EndLeaving(plan.strategy, plan.symbol, plan.held)
    return Leave(plan.strategy, plan.symbol, wish.why or "exit", wish.quantity)


def _steps_to_protect(plan: Plan, orders: list[Order], sellable: Decimal, here: Situation) -> list[Step]:
    if plan.stop_price is None or here.now < plan.not_before:
        return []
    covered = sum((order.remaining for order in orders if order.terms.leg == "stop"), ZERO)
    bare = sellable - covered
    if not _is_placeable(bare, plan.stop_price, here.instruments[plan.symbol]):
        return []
    return [_place_sell(plan, "stop", bare, here, why="protects what was bought")]


def _steps_to_leave(plan: Plan, orders: list[Order], sellable: Decimal, close: Decimal, here: Situation) -> list[Step]:
    resting = [order for order in orders if order.terms.leg != "exit"]
    if resting:
        return [Cancel(order.terms.client_id, plan.symbol, plan.exit_why) for order in resting]
    if orders or here.now < plan.not_before:
        return []
    instrument = here.instruments[plan.symbol]
    quantity = sellable if plan.exit_left is None else min(sellable, floor_to(plan.exit_left, instrument.lot))
    if not _is_placeable(quantity, close, instrument):
        return [EndLeaving(plan.strategy, plan.symbol, plan.held)]
    return [_place_sell(plan, "exit", quantity, here, why=plan.exit_why)]


def _place_sell(plan: Plan, leg: Leg, quantity: Decimal, here: Situation, *, why: str) -> Place:
    client_id = client_order_id(
        generation=here.generation, sequence=plan.basis, leg=leg, index=0, attempt=plan.attempts
    )
    terms = Terms(
        client_id=client_id,
        strategy=plan.strategy,
        symbol=plan.symbol,
        side="sell",
        type="stop" if leg == "stop" else "market",
        quantity=quantity,
        leg=leg,
        stop_price=plan.stop_price if leg == "stop" else None,
        valid_until=here.now + here.deadline_ms,
        base=here.instruments[plan.symbol].base,
    )
    return Place(terms, plan.basis, plan.attempts, "", why)


def _is_placeable(quantity: Decimal, price: Decimal, instrument: Instrument) -> bool:
    is_worth_it = price == 0 or quantity * price >= instrument.notional_min
    return quantity > 0 and quantity >= instrument.quantity_min and is_worth_it


def _step_of_approval(known: Execution, approval: Approval, here: Situation) -> Place | Deny:
    entry = approval.entry
    if (found := _why_not(known, approval, here)) is not None:
        reason, detail = found
        return Deny(approval.proposal_id, approval.strategy, entry.symbol, reason, detail)
    client_id = client_order_id(
        generation=here.generation, sequence=approval.ordered_by, leg="entry", index=0, attempt=0
    )
    terms = Terms(
        client_id=client_id,
        strategy=approval.strategy,
        symbol=entry.symbol,
        side=entry.side,
        type="market" if entry.limit_price is None else "limit",
        quantity=approval.quantity,
        leg="entry",
        limit_price=entry.limit_price,
        valid_until=here.now + here.deadline_ms,
        base=here.instruments[entry.symbol].base,
    )
    return Place(terms, approval.ordered_by, 0, approval.proposal_id, entry.why)


def _why_not(known: Execution, approval: Approval, here: Situation) -> tuple[Reason, str] | None:
    entry = approval.entry
    if not known.takes_entries:
        return "BREAKER_NOT_ACTIVE", "entries were stopped after this one was approved"
    if entry.symbol not in here.instruments:
        return "SYMBOL_NOT_ALLOWED", f"{entry.symbol} is no instrument of this node"
    if here.now > entry.good_until:
        return "EXPIRED", f"must be placed by {entry.good_until}, market time is {here.now}"
    if any(order.state == "unresolved" and order.terms.symbol == entry.symbol for order in known.orders.values()):
        return "UNRESOLVED_ORDER", f"the fate of an order in {entry.symbol} is unknown"
    plan = known.plans.get(f"{approval.strategy}|{entry.symbol}")
    if plan is not None and plan.exit_why:
        return "ENTRY_IN_FLIGHT", f"{entry.symbol} is being left: {plan.exit_why}"
    return None


def _received(fill: Fill, base: str) -> Decimal:
    fee = fill.fee.amount if fill.fee.asset == base else ZERO
    return (fill.quantity if fill.side == "buy" else -fill.quantity) - fee
