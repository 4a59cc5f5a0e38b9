"""The breaker's rules: what an entry must satisfy to become an order, and how large an order."""

from collections.abc import Callable
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from typing import Literal, TypeVar

import msgspec

from domain.losses import LossLimit, fall
from domain.market import Instant, Instrument
from domain.money import ONE, ZERO, ceil_to
from domain.nonsense import AMOUNT_MAX, Misfit, is_amount, nonsense_in, nonsense_of
from domain.proposal import Entry, Reason

Value = TypeVar("Value")
Mode = Literal["active", "paused", "reduce_only", "halted"]

EXACT = Context(prec=120)
"""Wide enough that no product of bounded numbers is rounded, so that a limit cannot be passed by rounding."""
UNIT_COST = Context(prec=12, rounding=ROUND_CEILING)
"""The worst price is rounded up to so many digits, which keeps reserved amounts short."""
UNKNOWN = Decimal("NaN")


class Limits(msgspec.Struct, frozen=True):
    """What the breaker holds entries to.  Fractions are of one: 0.02 is two percent.

    Raises:
        ValueError: a setting cannot be; the sentence lists all that cannot.
    """

    price_collar: Decimal
    """How far a price may lie from the mark, as a fraction of the mark, either way."""
    order_notional_max: Decimal
    """The most one order may cost, buffers included, in quote currency."""
    exposure_max: Decimal
    """The most that positions and reservations may come to, as a fraction of equity."""
    symbol_exposure_max: Decimal
    """The same for one symbol."""
    daily_loss_max: Decimal
    """A loss of this fraction of the equity at the day's start ends entries until the next day."""
    drawdown_max: Decimal
    """A fall by this fraction of the highest equity ends entries until an operator resets it."""
    stale_after_ms: int
    """A mark that is older than this is no price."""
    symbols_allowed: tuple[str, ...]
    market_lock: Decimal
    fee_lock: Decimal
    """What the venue holds back on top, as its profile says: a smaller reservation would promise what it refuses."""

    base_fee: Decimal = ZERO
    """The share of what is bought that its fee may take, as the venue's profile says."""
    no_trade: bool = False
    """Deny every entry, whatever it is; what is held is still protected and may be left."""

    def __post_init__(self) -> None:
        problems = [f"{name} must be {expected}, was {found}" for name, expected, found in _misfits(self)]
        if problems:
            raise ValueError("; ".join(problems))


class Account(msgspec.Struct, frozen=True):
    """What is known at the moment of judging.  What is not known is None, and denies."""

    now: Instant
    mode: Mode
    instrument: Instrument | None
    mark: Decimal | None
    """The market's newest price of the symbol."""
    mark_at: Instant | None
    equity: Decimal | None
    """None too when an asset that is held has no mark."""
    day_start_equity: Decimal | None
    peak_equity: Decimal | None
    cash_free: Decimal | None
    """Quote currency that no order and no reservation has a claim on."""
    exposure: Decimal | None
    """Positions and reservations of all symbols."""
    symbol_exposure: Decimal | None
    unreconciled: str = ""
    """Why the books may not be what the venue's account is; empty where they are."""
    tripped: tuple[LossLimit, ...] = ()
    """The latches of `LossWatch`."""
    has_unresolved_order: bool = False
    """An order in the symbol is neither proven nor disproved."""
    has_entry_in_flight: bool = False
    """An entry of the same strategy in the symbol is not finished."""


class Approved(msgspec.Struct, frozen=True):
    """The entry may become an order."""

    quantity: Decimal
    """At most what was proposed, in whole lots."""
    reserved: Decimal
    """The most it can cost, in quote currency: quantity at the worst price, buffers included."""
    reduced_by: Reason | None
    """The limit that made it smaller; None where it is what was proposed, rounded down to whole lots."""


class Denied(msgspec.Struct, frozen=True):
    """The entry may not become an order; `detail` says what was expected and what was found."""

    reason: Reason
    detail: str


Verdict = Approved | Denied


def judge(entry: Entry, *, account: Account, limits: Limits) -> Verdict:
    """Say whether an entry may become an order, of which quantity, and if not, why.

    The first check that fails names the reason.  Their order: the node's mode, the symbol, the sense of the entry's own
    numbers, its age, orders in flight, the mark and its age, the collar, equity and losses, and at last the size, which
    is cut down to the largest number of lots that order notional, exposure, symbol exposure and free cash all allow.
    """
    for check in _CHECKS:
        denied = check(entry, account, limits)
        if denied is not None:
            return denied
    return _judge_size(entry, account, limits)


def _check_mode(_entry: Entry, account: Account, _limits: Limits) -> Denied | None:
    if account.mode == "active":
        return None
    return _deny("BREAKER_NOT_ACTIVE", "the breaker", "active", account.mode)


def _check_books(entry: Entry, account: Account, _limits: Limits) -> Denied | None:
    if not account.unreconciled:
        return None
    expected = "open orders and holdings that agree with the venue's account"
    return _deny("NOT_RECONCILED", f"books of {entry.symbol}", expected, account.unreconciled)


def _check_no_trade(_entry: Entry, _account: Account, limits: Limits) -> Denied | None:
    return _deny("NO_TRADE", "the setting no_trade", "off", "on") if limits.no_trade else None


def _check_symbol(entry: Entry, account: Account, limits: Limits) -> Denied | None:
    if entry.symbol not in limits.symbols_allowed:
        return _deny("SYMBOL_NOT_ALLOWED", "symbol", f"one of {', '.join(limits.symbols_allowed)}", entry.symbol)
    known = account.instrument
    if known is None or known.symbol != entry.symbol:
        found = None if known is None else known.symbol
        return _deny("SYMBOL_NOT_ALLOWED", "the instrument", f"that of {entry.symbol}", found)
    return None


def _check_sense(entry: Entry, account: Account, _limits: Limits) -> Denied | None:
    misfits = nonsense_in(entry) or nonsense_of(_given(account.instrument))
    return _deny("NONSENSE", *misfits[0]) if misfits else None


def _check_age(entry: Entry, account: Account, _limits: Limits) -> Denied | None:
    if account.now <= entry.good_until:
        return None
    return _deny("EXPIRED", "market time", f"at most {entry.good_until}", account.now)


def _check_flight(entry: Entry, account: Account, _limits: Limits) -> Denied | None:
    if account.has_unresolved_order:
        return _deny("UNRESOLVED_ORDER", f"every order in {entry.symbol}", "proven", "one that is not")
    if account.has_entry_in_flight:
        return _deny("ENTRY_IN_FLIGHT", f"every entry in {entry.symbol}", "finished", "one that is not")
    return None


def _check_mark(entry: Entry, account: Account, limits: Limits) -> Denied | None:
    if not is_amount(account.mark):
        return _deny("NO_PRICE", f"the mark of {entry.symbol}", "above 0", account.mark)
    if account.mark_at is None:
        return _deny("NO_PRICE", f"the time of the mark of {entry.symbol}", "known", None)
    age_ms = account.now - account.mark_at
    if abs(age_ms) > limits.stale_after_ms:
        return _deny("STALE_MARKET", "age of the mark in ms", f"at most {limits.stale_after_ms}", age_ms)
    return None


def _check_collar(entry: Entry, account: Account, limits: Limits) -> Denied | None:
    mark = _given(account.mark)
    low, high = mark * (ONE - limits.price_collar), mark * (ONE + limits.price_collar)
    for name, price in (("price", entry.price), ("limit_price", entry.limit_price)):
        if price is not None and not low <= price <= high:
            return _deny("PRICE_COLLAR", name, f"from {low} to {high}", price)
    if entry.stop_price is not None and entry.stop_price >= mark:
        return _deny("NONSENSE", "stop_price", f"below the mark {mark}", entry.stop_price)
    return None


def _check_losses(_entry: Entry, account: Account, limits: Limits) -> Denied | None:
    equity = account.equity
    if not is_amount(equity):
        return _deny("NO_PRICE", "equity", "known and above 0", equity)
    losses: tuple[tuple[LossLimit, Reason, Decimal | None, Decimal], ...] = (
        ("daily_loss", "DAILY_LOSS", account.day_start_equity, limits.daily_loss_max),
        ("drawdown", "DRAWDOWN", account.peak_equity, limits.drawdown_max),
    )
    for limit, reason, base, allowed in losses:
        if not is_amount(base):
            return _deny(reason, f"the equity that {limit} is measured from", "known and above 0", base)
        lost = fall(base, equity)
        if lost >= allowed:
            return _deny(reason, limit, f"below {allowed}", _short(lost))
        if limit in account.tripped:
            return _deny(reason, f"the latch of {limit}", "open", f"tripped, with {_short(lost)} lost now")
    return None


_CHECKS: tuple[Callable[[Entry, Account, Limits], Denied | None], ...] = (
    _check_mode,
    _check_books,
    _check_no_trade,
    _check_symbol,
    _check_sense,
    _check_age,
    _check_flight,
    _check_mark,
    _check_collar,
    _check_losses,
)


def _judge_size(entry: Entry, account: Account, limits: Limits) -> Verdict:
    instrument, mark = _given(account.instrument), _given(account.mark)
    with localcontext(EXACT):
        unit = _unit_cost(entry, mark, limits)
        rooms = _rooms(account, limits, unit)
        for reason, name, room in rooms:
            if not room.is_finite():
                return _deny(reason, f"what {name} is measured by", "known and no less than 0", None)
        reason, name, room = min(rooms, key=lambda each: each[2])
        wanted = entry.quantity // instrument.lot
        fitting = max(ZERO, room // (unit * instrument.lot))
        quantity = min(wanted, fitting) * instrument.lot
        # The stop must be placeable too: a position that is worth less there than the venue takes has no protection.
        prices = (mark, entry.limit_price, entry.stop_price)
        smallest = _smallest(instrument, min(price for price in prices if price is not None), limits.base_fee)
        if wanted * instrument.lot < smallest:
            return _deny("TOO_SMALL", "quantity", f"at least {smallest}", entry.quantity)
        if quantity < smallest:
            need = f"at least {_short(smallest * unit)} {instrument.quote}, the cost of the smallest order"
            return _deny(reason, f"room left by {name}", need, _short(room))
        return Approved(quantity=quantity, reserved=quantity * unit, reduced_by=reason if fitting < wanted else None)


def _rooms(account: Account, limits: Limits, unit: Decimal) -> list[tuple[Reason, str, Decimal]]:
    """Return what each limit leaves for this order, in quote currency; NaN where that is not known."""
    equity, quantity_max = _given(account.equity), _given(account.instrument).quantity_max
    overall = _left(limits.exposure_max * equity, account.exposure)
    of_symbol = _left(limits.symbol_exposure_max * equity, account.symbol_exposure)
    rooms: list[tuple[Reason, str, Decimal]] = [
        ("ORDER_TOO_LARGE", "order_notional_max", limits.order_notional_max),
        ("EXPOSURE_LIMIT", "exposure_max", overall),
        ("SYMBOL_EXPOSURE_LIMIT", "symbol_exposure_max", of_symbol),
        ("NOT_ENOUGH_CASH", "cash_free", UNKNOWN if account.cash_free is None else account.cash_free),
    ]
    return rooms if quantity_max is None else [("ORDER_TOO_LARGE", "quantity_max", quantity_max * unit), *rooms]


def _left(allowed: Decimal, used: Decimal | None) -> Decimal:
    """Return the rest of a limit.  A use below zero frees nothing: it is no number that an exposure can have."""
    if used is None or not used.is_finite() or used < 0:
        return UNKNOWN
    return allowed - used


def _unit_cost(entry: Entry, mark: Decimal, limits: Limits) -> Decimal:
    """Return the most one unit of base can cost, buffers included."""
    worst = entry.limit_price
    if worst is None:
        worst = max(mark, entry.price) * (ONE + limits.market_lock)
    return UNIT_COST.plus(worst * (ONE + limits.fee_lock))


def _smallest(instrument: Instrument, price: Decimal, fee: Decimal) -> Decimal:
    """Return the least to buy of which so much is left after its fee, in whole lots, that it can be sold at a price."""
    least = max(instrument.lot, instrument.quantity_min, instrument.notional_min / price)
    return ceil_to(ceil_to(least, instrument.lot) / (ONE - fee), instrument.lot)


def _misfits(limits: Limits) -> list[Misfit]:
    misfits: list[Misfit] = []
    for name in ("exposure_max", "symbol_exposure_max", "daily_loss_max", "drawdown_max"):
        if not (is_amount(value := getattr(limits, name)) and value <= 1):
            misfits.append((name, "above 0 and at most 1", value))
    if not (is_amount(limits.price_collar) and limits.price_collar < 1):
        misfits.append(("price_collar", "above 0 and below 1", limits.price_collar))
    if not is_amount(limits.order_notional_max):
        misfits.append(("order_notional_max", f"above 0 and at most {AMOUNT_MAX}", limits.order_notional_max))
    for name in ("market_lock", "fee_lock", "base_fee"):
        if (value := getattr(limits, name)) != 0 and not (is_amount(value) and value < 1):
            misfits.append((name, "at least 0 and below 1", value))
    if limits.stale_after_ms <= 0:
        misfits.append(("stale_after_ms", "above 0", limits.stale_after_ms))
    if not all(limits.symbols_allowed) or len(set(limits.symbols_allowed)) < len(limits.symbols_allowed):
        misfits.append(("symbols_allowed", "names, each once", ", ".join(limits.symbols_allowed)))
    return misfits


def _given(value: Value | None) -> Value:
    """Return what an earlier check has proven to be there."""
    assert value is not None, "what is judged must have passed the checks before"
    return value


def _short(number: Decimal) -> str:
    return f"{number:.8g}"


def _deny(reason: Reason, name: str, expected: str, found: object) -> Denied:
    return Denied(reason, f"{name} must be {expected}, was {'not known' if found is None else found}")
