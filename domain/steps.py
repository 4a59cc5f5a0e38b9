"""What follows from what the executor knows: a pure function, the rules of an order's life.

* Nothing new is begun for a plan while the fate of one of its orders, or of a cancel, is unknown.
* What is held and has a stop price is covered by resting stops, once the market has shown a price: what was taken over
  from another program is held before the market has begun, when no venue takes an order.
* A stop that was refused is tried again after a while; a close at its price or below it is left at meanwhile, and at
  any time where the venue does not refuse one that comes too late.
* An exit that the venue ends with nothing sold is tried again after a while too, and not into the same market at once.
* No stop rests for what is not held any more: it would sell what another strategy holds.
* Leaving cancels what rests, waits for the proof, then sells what is left: a resting sell locks its quantity.  Of a
  position that is left in part, what stays gets its stop again while the rest is being sold.
* What is more than the venue takes in one order is sold in several, one after the other, and protected by several.
* For what is held by a journal that was put back to an earlier time, nothing is ordered before the verdict of a start,
  or until that has taken too long; but for an operator's flatten.
* An entry is placed at most once, and not after its time, nor into a symbol with an order of unknown fate.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from domain.execution import Approval, Execution
from domain.market import Closing, Instant, Instrument
from domain.money import ZERO, floor_to
from domain.order import UNPROVEN, Leg, Order, Terms, client_order_id
from domain.plan import Plan
from domain.proposal import Exit, Reason

TAKE_PROFIT = "take-profit"
"""How the cause of an exit begins that a price has led to."""
STOPS_MAX = 2
"""Stops that rest for one plan: an entry may fill in many parts, and venues let few orders of a symbol wait for their
price (Binance five, whoever placed them)."""
FULL_STOPS_MAX = 4
"""Stops that rest for one plan where the venue takes no larger ones."""
STOP_PASSED = "stop passed"
"""How the cause of an exit begins that a price has led to at which no stop sells."""
NO_ORDERS: tuple[Order, ...] = ()


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
    namespace: str = ""
    """Part of every client order id, where other homes' orders may be in the account."""
    watches_stops: bool = False
    """A stop that came too late may wait at the venue for its price to come back."""


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
        orders = by_plan.get(key, NO_ORDERS)
        if (orders or not plan.is_idle) and plan.symbol in here.instruments:
            steps += _steps_of_plan(known, plan, orders, here)
    for approval in () if known.awaits_verdict else known.approvals.values():
        if not _is_wished_away(known, approval):
            steps.append(_step_of_approval(known, approval, here))
    return steps


def waits_until(known: Execution, now: Instant) -> Instant | None:
    """Return when the next of those that wait to be tried again is due; None where none waits.

    No bar may close for long, and a position waits for its protection.
    """
    held = [plan for plan in known.plans.values() if plan.held > 0]
    due = [plan.not_before for plan in held if plan.not_before > now]
    due += [known.stale_until for plan in held if known.is_held_back(plan, now)]
    return min(due, default=None)


def count_idle(known: Execution, run: Sequence[Closing]) -> int:
    """Return how many of these closings nothing can follow from, where nothing followed from what was before.

    A plan that holds, and neither aims at a price nor waits for a time, is left as it is by the market's going on.
    """
    if known.approvals or known.to_protect:
        return 0
    targets: dict[str, Decimal] = {}
    for plan in known.plans.values():
        if plan.wish is not None or plan.exit_why or plan.is_stale or (plan.not_before and plan.held > 0):
            return 0
        if plan.take_profit is not None and plan.held > 0:
            targets[plan.symbol] = min(plan.take_profit, targets.get(plan.symbol, plan.take_profit))
    # What was taken over may wait for the market's first price.
    unpriced = {plan.symbol for plan in known.plans.values()} - known.closes.keys()
    if not targets and not unpriced:
        return len(run)
    for place, (_at, bars) in enumerate(run):
        if any(bar.symbol in unpriced for bar in bars):
            return place
        if targets and any(bar.close >= targets[bar.symbol] for bar in bars if bar.symbol in targets):
            return place
    return len(run)


def _is_wished_away(known: Execution, approval: Approval) -> bool:
    """Say whether an exit of the same plan is to be taken up first; the entry is then judged by what that led to."""
    plan = known.plans.get(f"{approval.strategy}|{approval.entry.symbol}")
    return plan is not None and plan.wish is not None


def _steps_of_plan(known: Execution, plan: Plan, orders: Sequence[Order], here: Situation) -> list[Step]:
    for order in orders:
        if order.state in UNPROVEN or order.terms.client_id in known.canceling:
            return []
    if orders and known.unwanted:
        unwanted = [order.terms.client_id for order in orders if order.terms.client_id in known.unwanted]
        if unwanted:
            return [Cancel(client_id, plan.symbol, known.unwanted[client_id]) for client_id in unwanted]
    if known.is_held_back(plan, here.now):
        return []
    sellable = floor_to(max(plan.held, ZERO), here.instruments[plan.symbol].lot)
    close = known.closes.get(plan.symbol)
    if plan.wish is not None and not (plan.exit_why and here.now > plan.wish.good_until):
        return [_take_up(plan, plan.wish, is_empty=not orders and sellable == 0, now=here.now)]
    if plan.exit_why:
        return _steps_to_leave(plan, orders, sellable, close or ZERO, here)
    is_aimed = known.closed_at.get(plan.symbol, plan.aims_from) >= plan.aims_from
    if plan.take_profit is not None and close is not None and close >= plan.take_profit and sellable > 0 and is_aimed:
        return [Leave(plan.strategy, plan.symbol, f"{TAKE_PROFIT} {plan.take_profit} reached at {close}")]
    return [] if close is None else _steps_to_protect(plan, orders, sellable, close if is_aimed else None, here)


def _take_up(plan: Plan, wish: Exit, *, is_empty: bool, now: Instant) -> Leave | EndLeaving:
    if is_empty or now > wish.good_until:
        return EndLeaving(plan.strategy, plan.symbol, plan.held)
    return Leave(plan.strategy, plan.symbol, wish.why or "exit", wish.quantity)


def _steps_to_protect(
    plan: Plan, orders: Sequence[Order], sellable: Decimal, close: Decimal | None, here: Situation
) -> list[Step]:
    if plan.stop_price is None:
        return []
    stops = [order for order in orders if order.terms.leg == "stop"]
    bare = sellable - sum((order.remaining for order in stops), ZERO)
    instrument = here.instruments[plan.symbol]
    # Of what is bare because it was refused, or too much for the stops there may be, nobody watches the price at the
    # venue; of what came too late, in vain.
    is_left_bare = here.now < plan.not_before or len(stops) >= FULL_STOPS_MAX
    watched = sellable if here.watches_stops else bare if is_left_bare else ZERO
    if close is not None and close <= plan.stop_price and _is_placeable(watched, close, instrument):
        return [Leave(plan.strategy, plan.symbol, f"{STOP_PASSED}: {plan.stop_price}, at {close}")]
    if here.now < plan.not_before:
        return []
    is_placeable = _is_placeable(bare, plan.stop_price, instrument)
    smallest = min(stops, key=lambda order: order.remaining) if stops else None
    fits_in_one = smallest is not None and instrument.at_most(smallest.remaining + bare) == smallest.remaining + bare
    if is_placeable and len(stops) < (STOPS_MAX if fits_in_one else FULL_STOPS_MAX):
        return [_place_sell(plan, "stop", bare, here, why="protects what was bought")]
    if smallest is not None and bare < 0 and not any(order.filled for order in stops):
        # Something was taken out of the books.  One that sells already is left to it: a fee may have taken the rest.
        return [Cancel(smallest.terms.client_id, plan.symbol, "is for more than is held")]
    is_filling = any(order.terms.leg == "entry" for order in orders)
    if smallest is not None and fits_in_one and bare > 0 and (is_placeable or not is_filling):
        # One too many, or too little for a stop of its own: one for both takes the place of the smallest that rests.
        return [Cancel(smallest.terms.client_id, plan.symbol, "makes room for a stop of more")]
    return []


def _steps_to_leave(
    plan: Plan, orders: Sequence[Order], sellable: Decimal, close: Decimal, here: Situation
) -> list[Step]:
    instrument = here.instruments[plan.symbol]
    leaving = sellable if plan.exit_left is None else min(sellable, floor_to(plan.exit_left, instrument.lot))
    staying = sellable - leaving
    resting = [order for order in orders if order.terms.leg == "entry"]
    stops = [order for order in orders if order.terms.leg == "stop"]
    covered = sum((order.remaining for order in stops), ZERO)
    if covered > staying:
        resting += stops
    if resting:
        return [Cancel(order.terms.client_id, plan.symbol, plan.exit_why) for order in resting]
    if here.now < plan.not_before:
        return []
    exits = [order for order in orders if order.terms.leg == "exit"]
    selling = sum((order.remaining for order in exits), ZERO)
    quantity = leaving - selling
    is_more_than_one = instrument.at_most(quantity) < quantity
    if _is_placeable(quantity, close, instrument) and not (exits and is_more_than_one):
        return [_place_sell(plan, "exit", quantity, here, why=plan.exit_why)]
    if not exits:
        return [EndLeaving(plan.strategy, plan.symbol, plan.held)]
    bare = sellable - max(leaving, selling) - covered
    if plan.stop_price is not None and _is_placeable(bare, plan.stop_price, instrument):
        # The market may take its time with the exit, and what stays is not to be without its stop so long.
        return [_place_sell(plan, "stop", bare, here, why="protects what stays")]
    return []


def _place_sell(plan: Plan, leg: Leg, quantity: Decimal, here: Situation, *, why: str) -> Place:
    """Sell a quantity, or as much of it as one order may be for; the rest follows."""
    instrument = here.instruments[plan.symbol]
    client_id = client_order_id(
        generation=here.generation,
        namespace=here.namespace,
        sequence=plan.basis,
        leg=leg,
        index=0,
        attempt=plan.attempts,
    )
    terms = Terms(
        client_id=client_id,
        strategy=plan.strategy,
        symbol=plan.symbol,
        side="sell",
        type="stop" if leg == "stop" else "market",
        quantity=instrument.at_most(quantity),
        leg=leg,
        stop_price=floor_to(plan.stop_price, instrument.tick) if leg == "stop" and plan.stop_price else None,
        valid_until=here.now + here.deadline_ms,
        base=instrument.base,
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
        generation=here.generation,
        namespace=here.namespace,
        sequence=approval.ordered_by,
        leg="entry",
        index=0,
        attempt=0,
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
    if (halt := known.halted_since(approval.ordered_by, entry.symbol)) is not None:
        return "BREAKER_NOT_ACTIVE", f"entries were ended after this one was approved: {halt.why}"
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
