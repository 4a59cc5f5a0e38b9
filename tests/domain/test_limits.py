"""Laws of the breaker: no approval passes a limit, looser limits never shrink one, and what is not known denies."""

import re
from decimal import Context, Decimal, localcontext
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.limits import Account, Approved, Denied, Limits, judge
from domain.losses import DayRolled, LossLimit, LossWatch, Trip, fall
from domain.market import DAY_MS, HOUR_MS, Instrument
from domain.proposal import Entry, Reason

D = Decimal
NOW = 100 * DAY_MS
BTC = Instrument(
    "BTC/USDT",
    base="BTC",
    quote="USDT",
    tick=D("0.01"),
    lot=D("0.001"),
    quantity_min=D("0.002"),
    notional_min=D("10"),
)
LIMITS = Limits(
    price_collar=D("0.02"),
    order_notional_max=D("5000"),
    exposure_max=D("0.8"),
    symbol_exposure_max=D("0.4"),
    daily_loss_max=D("0.05"),
    drawdown_max=D("0.2"),
    stale_after_ms=120_000,
    symbols_allowed=("BTC/USDT", "ETH/USDT"),
    fee_lock=D("0.001"),
    market_lock=D("0.01"),
)
ACCOUNT = Account(
    now=NOW,
    mode="active",
    instrument=BTC,
    mark=D("100"),
    mark_at=NOW,
    equity=D("10000"),
    day_start_equity=D("10000"),
    peak_equity=D("10000"),
    cash_free=D("10000"),
    exposure=D("0"),
    symbol_exposure=D("0"),
)
ENTRY = Entry(symbol="BTC/USDT", quantity=D("1"), price=D("100"), good_until=NOW)
UNIT = D("101.101")
"""The worst price of ENTRY, buffers included: 100 * 1.01 * 1.001."""


def entry(**changes: Any) -> Entry:
    return msgspec.structs.replace(ENTRY, **changes)


def account(**changes: Any) -> Account:
    return msgspec.structs.replace(ACCOUNT, **changes)


def limits(**changes: Any) -> Limits:
    return msgspec.structs.replace(LIMITS, **changes)


def test_an_entry_within_every_limit_is_approved_as_proposed() -> None:
    verdict = judge(ENTRY, account=ACCOUNT, limits=LIMITS)

    assert verdict == Approved(quantity=D("1"), reserved=UNIT, reduced_by=None)


def test_what_is_no_whole_lot_is_rounded_down_and_not_called_reduced() -> None:
    verdict = judge(entry(quantity=D("1.0019")), account=ACCOUNT, limits=LIMITS)

    assert verdict == Approved(quantity=D("1.001"), reserved=D("1.001") * UNIT, reduced_by=None)


def test_a_limit_order_reserves_its_own_price_and_the_fee() -> None:
    verdict = judge(entry(limit_price=D("99")), account=ACCOUNT, limits=LIMITS)

    assert verdict == Approved(quantity=D("1"), reserved=D("99.099"), reduced_by=None)


def test_a_market_order_reserves_the_higher_of_mark_and_price_seen() -> None:
    at_mark = judge(entry(price=D("99")), account=ACCOUNT, limits=LIMITS)
    above_mark = judge(entry(price=D("101")), account=ACCOUNT, limits=LIMITS)

    assert isinstance(at_mark, Approved)
    assert at_mark.reserved == UNIT
    assert isinstance(above_mark, Approved)
    assert above_mark.reserved == D("102.11201")


@pytest.mark.parametrize(
    ("room", "reason", "changes"),
    [
        (D("5000"), "ORDER_TOO_LARGE", {"order_notional_max": D("5000"), "symbol_exposure_max": D("0.8")}),
        (D("1000"), "EXPOSURE_LIMIT", {"exposure": D("7000")}),
        (D("900"), "SYMBOL_EXPOSURE_LIMIT", {"symbol_exposure": D("3100"), "exposure": D("3100")}),
        (D("250"), "NOT_ENOUGH_CASH", {"cash_free": D("250")}),
        (D("3") * UNIT, "ORDER_TOO_LARGE", {"instrument": msgspec.structs.replace(BTC, quantity_max=D("3"))}),
    ],
)
def test_a_larger_entry_is_cut_to_the_last_lot_its_tightest_limit_allows(
    room: D, reason: Reason, changes: dict[str, Any]
) -> None:
    known = {name: value for name, value in changes.items() if name in Account.__struct_fields__}
    allowed = {name: value for name, value in changes.items() if name in Limits.__struct_fields__}

    verdict = judge(entry(quantity=D("70")), account=account(**known), limits=limits(**allowed))

    assert isinstance(verdict, Approved)
    assert verdict.reduced_by == reason
    assert verdict.reserved <= room < verdict.reserved + BTC.lot * UNIT


def test_room_for_exactly_the_proposal_does_not_reduce_it() -> None:
    verdict = judge(ENTRY, account=account(cash_free=UNIT), limits=LIMITS)

    assert verdict == Approved(quantity=D("1"), reserved=UNIT, reduced_by=None)


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("ORDER_TOO_LARGE", {"order_notional_max": D("10")}),
        ("EXPOSURE_LIMIT", {"exposure": D("8000")}),
        ("EXPOSURE_LIMIT", {"exposure": D("9000")}),
        ("SYMBOL_EXPOSURE_LIMIT", {"symbol_exposure": D("3995")}),
        ("NOT_ENOUGH_CASH", {"cash_free": D("10.1")}),
        ("NOT_ENOUGH_CASH", {"cash_free": D("-5")}),
    ],
)
def test_a_limit_that_leaves_less_than_the_smallest_order_denies(reason: Reason, changes: dict[str, D]) -> None:
    known = {name: value for name, value in changes.items() if name in Account.__struct_fields__}
    allowed = {name: value for name, value in changes.items() if name in Limits.__struct_fields__}

    verdict = judge(ENTRY, account=account(**known), limits=limits(**allowed))

    assert isinstance(verdict, Denied)
    assert verdict.reason == reason
    assert "room left by" in verdict.detail


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quantity": D("0.0019"), "limit_price": D("100")}, "TOO_SMALL"),
        ({"quantity": D("0.099")}, "TOO_SMALL"),
        ({"quantity": D("0.101"), "limit_price": D("98")}, "TOO_SMALL"),
        ({"symbol": "DOGE/USDT"}, "SYMBOL_NOT_ALLOWED"),
        ({"symbol": "ETH/USDT"}, "SYMBOL_NOT_ALLOWED"),
        ({"side": "sell"}, "NONSENSE"),
        ({"quantity": D("0")}, "NONSENSE"),
        ({"quantity": D("-1")}, "NONSENSE"),
        ({"quantity": D("NaN")}, "NONSENSE"),
        ({"quantity": D("Infinity")}, "NONSENSE"),
        ({"quantity": D("1E+999999")}, "NONSENSE"),
        ({"quantity": D("1E-999999")}, "NONSENSE"),
        ({"quantity": 1.0}, "NONSENSE"),
        ({"price": D("0")}, "NONSENSE"),
        ({"price": D("sNaN")}, "NONSENSE"),
        ({"limit_price": D("-1")}, "NONSENSE"),
        ({"stop_price": D("NaN")}, "NONSENSE"),
        ({"stop_price": D("100")}, "NONSENSE"),
        ({"stop_price": D("99.5"), "limit_price": D("99.5")}, "NONSENSE"),
        ({"stop_price": D("100.5"), "price": D("101")}, "NONSENSE"),
        ({"take_profit": D("100")}, "NONSENSE"),
        ({"confidence": float("nan")}, "NONSENSE"),
        ({"confidence": 1.01}, "NONSENSE"),
        ({"good_until": NOW - 1}, "EXPIRED"),
        ({"price": D("102.01")}, "PRICE_COLLAR"),
        ({"price": D("97.99")}, "PRICE_COLLAR"),
        ({"limit_price": D("102.01")}, "PRICE_COLLAR"),
    ],
)
def test_an_entry_that_cannot_be_granted_is_denied_with_its_reason(changes: dict[str, Any], reason: Reason) -> None:
    verdict = judge(entry(**changes), account=ACCOUNT, limits=LIMITS)

    assert isinstance(verdict, Denied)
    assert verdict.reason == reason
    assert re.search(r" must be .+, was .+", verdict.detail)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mode": "paused"}, "BREAKER_NOT_ACTIVE"),
        ({"mode": "reduce_only"}, "BREAKER_NOT_ACTIVE"),
        ({"mode": "halted"}, "BREAKER_NOT_ACTIVE"),
        ({"instrument": None}, "SYMBOL_NOT_ALLOWED"),
        ({"instrument": msgspec.structs.replace(BTC, lot=D("0"))}, "NONSENSE"),
        ({"instrument": msgspec.structs.replace(BTC, notional_min=D("NaN"))}, "NONSENSE"),
        ({"has_unresolved_order": True}, "UNRESOLVED_ORDER"),
        ({"has_entry_in_flight": True}, "ENTRY_IN_FLIGHT"),
        ({"mark": None}, "NO_PRICE"),
        ({"mark": D("NaN")}, "NO_PRICE"),
        ({"mark": D("0")}, "NO_PRICE"),
        ({"mark_at": None}, "NO_PRICE"),
        ({"mark_at": NOW - 120_001}, "STALE_MARKET"),
        ({"mark_at": NOW + 120_001}, "STALE_MARKET"),
        ({"equity": None}, "NO_PRICE"),
        ({"equity": D("0")}, "NO_PRICE"),
        ({"day_start_equity": None}, "DAILY_LOSS"),
        ({"day_start_equity": D("NaN")}, "DAILY_LOSS"),
        ({"equity": D("9500")}, "DAILY_LOSS"),
        ({"tripped": ("daily_loss",)}, "DAILY_LOSS"),
        ({"peak_equity": None}, "DRAWDOWN"),
        ({"peak_equity": D("12500")}, "DRAWDOWN"),
        ({"tripped": ("drawdown",)}, "DRAWDOWN"),
        ({"exposure": None}, "EXPOSURE_LIMIT"),
        ({"exposure": D("NaN")}, "EXPOSURE_LIMIT"),
        ({"exposure": D("-1")}, "EXPOSURE_LIMIT"),
        ({"symbol_exposure": None}, "SYMBOL_EXPOSURE_LIMIT"),
        ({"cash_free": None}, "NOT_ENOUGH_CASH"),
        ({"cash_free": D("Infinity")}, "NOT_ENOUGH_CASH"),
    ],
)
def test_an_account_in_trouble_or_not_known_denies(changes: dict[str, Any], reason: Reason) -> None:
    verdict = judge(ENTRY, account=account(**changes), limits=LIMITS)

    assert isinstance(verdict, Denied)
    assert verdict.reason == reason
    assert re.search(r" must be .+, was .+", verdict.detail)


def test_what_is_left_after_a_fee_in_base_can_be_sold_at_the_stop_price() -> None:
    """Of 0.124 a fee leaves 0.123 in whole lots, worth less at 81 than the venue takes: nothing protects it."""
    wish = {"stop_price": D("81"), "limit_price": D("100")}
    in_base = limits(base_fee=D("0.001"))

    short = judge(entry(quantity=D("0.124"), **wish), account=account(), limits=in_base)
    enough = judge(entry(quantity=D("0.125"), **wish), account=account(), limits=in_base)
    elsewhere = judge(entry(quantity=D("0.124"), **wish), account=account(), limits=limits())

    assert short == Denied("TOO_SMALL", "quantity must be at least 0.125, was 0.124")
    assert isinstance(enough, Approved)
    assert isinstance(elsewhere, Approved)


def test_the_smallest_quantity_counts_where_the_smallest_notional_does_not() -> None:
    instrument = msgspec.structs.replace(BTC, notional_min=D("0"))

    below = judge(entry(quantity=D("0.0019")), account=account(instrument=instrument), limits=LIMITS)
    at = judge(entry(quantity=D("0.002")), account=account(instrument=instrument), limits=LIMITS)

    assert below == Denied("TOO_SMALL", "quantity must be at least 0.002, was 0.0019")
    assert isinstance(at, Approved)


def test_at_the_very_edge_of_age_collar_and_loss_an_entry_still_passes() -> None:
    known = account(mark_at=NOW - 120_000, equity=D("9500.01"), peak_equity=D("11875"))

    for price in ("98", "102"):
        assert isinstance(judge(entry(price=D(price)), account=known, limits=LIMITS), Approved)


def test_an_empty_list_of_symbols_allows_none() -> None:
    verdict = judge(ENTRY, account=ACCOUNT, limits=limits(symbols_allowed=()))

    assert isinstance(verdict, Denied)
    assert verdict.reason == "SYMBOL_NOT_ALLOWED"


def test_the_first_of_several_reasons_is_named_in_the_documented_order() -> None:
    everything_wrong = account(mode="halted", has_unresolved_order=True, mark=None, equity=None)

    verdict = judge(entry(symbol="DOGE/USDT", quantity=D("0")), account=everything_wrong, limits=LIMITS)

    assert isinstance(verdict, Denied)
    assert verdict.reason == "BREAKER_NOT_ACTIVE"


FRACTIONS = st.decimals("0.1", "1", places=4)
LOOSENED: tuple[str, ...] = (
    "price_collar",
    "order_notional_max",
    "exposure_max",
    "symbol_exposure_max",
    "daily_loss_max",
    "drawdown_max",
    "stale_after_ms",
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Entry, Account, Limits]:
    """Draw an entry near its mark, an account and limits that more often than not let something through."""
    mark = draw(st.decimals("0.0001", "90000", places=8))
    near = st.decimals("0.978", "1.022", places=4).map(lambda factor: mark * factor)
    equity = draw(st.decimals("500", "50000", places=8))
    instrument = msgspec.structs.replace(
        BTC,
        lot=draw(st.sampled_from([D("0.001"), D("0.00000001"), D("0.0003")])),
        quantity_min=draw(st.sampled_from([D("0"), D("0.002")])),
        notional_min=draw(st.sampled_from([D("0"), D("10")])),
        quantity_max=draw(st.none() | st.decimals("0.002", "100", places=4)),
    )
    return (
        entry(
            quantity=equity * draw(st.decimals("0.01", "2", places=8)) / mark,
            price=draw(near),
            limit_price=draw(st.none() | near),
            stop_price=draw(st.none() | st.just(mark / 2)),
        ),
        account(
            instrument=instrument,
            mark=mark,
            mark_at=NOW - draw(st.integers(0, 122_000)),
            equity=equity,
            day_start_equity=equity * draw(st.decimals("0.9", "1.055", places=3)),
            peak_equity=equity * draw(st.decimals("1", "1.26", places=3)),
            cash_free=equity * draw(st.decimals("-0.05", "1", places=3)),
            exposure=equity * draw(st.decimals("0", "0.7", places=3)),
            symbol_exposure=equity * draw(st.decimals("0", "0.5", places=3)),
        ),
        limits(
            price_collar=draw(st.decimals("0.02", "0.05", places=4)),
            order_notional_max=draw(st.decimals("100", "50000", places=4)),
            exposure_max=draw(FRACTIONS),
            symbol_exposure_max=draw(FRACTIONS),
            fee_lock=draw(st.decimals("0", "0.01", places=5)),
            market_lock=draw(st.decimals("0", "0.05", places=5)),
        ),
    )


@settings(max_examples=100, deadline=None)
@given(cases())
def test_no_approval_passes_a_limit_and_every_denial_says_why(case: tuple[Entry, Account, Limits]) -> None:
    wish, known, allowed = case

    verdict = judge(wish, account=known, limits=allowed)

    if isinstance(verdict, Denied):
        assert re.search(r" must be .+, was .+", verdict.detail)
        return
    assert known.instrument is not None
    assert known.mark is not None
    assert known.equity is not None
    assert known.exposure is not None
    assert known.symbol_exposure is not None
    assert known.cash_free is not None
    with localcontext(Context(prec=200)):
        worst = wish.limit_price or max(known.mark, wish.price) * (1 + allowed.market_lock)
        assert verdict.reserved >= verdict.quantity * worst * (1 + allowed.fee_lock)
        assert 0 < verdict.quantity <= wish.quantity
        assert verdict.quantity % known.instrument.lot == 0
        assert verdict.quantity >= known.instrument.quantity_min
        assert verdict.quantity * min(known.mark, worst) >= known.instrument.notional_min
        assert verdict.reserved <= allowed.order_notional_max
        assert known.exposure + verdict.reserved <= allowed.exposure_max * known.equity
        assert known.symbol_exposure + verdict.reserved <= allowed.symbol_exposure_max * known.equity
        assert verdict.reserved <= known.cash_free
        assert (verdict.reduced_by is None) == (verdict.quantity + known.instrument.lot > wish.quantity)
        most = D("Infinity") if known.instrument.quantity_max is None else known.instrument.quantity_max
        assert verdict.quantity <= most
        one_lot_more = verdict.reserved / verdict.quantity * (verdict.quantity + known.instrument.lot)
        rooms = {
            "ORDER_TOO_LARGE": min(allowed.order_notional_max, most * verdict.reserved / verdict.quantity),
            "EXPOSURE_LIMIT": allowed.exposure_max * known.equity - known.exposure,
            "SYMBOL_EXPOSURE_LIMIT": allowed.symbol_exposure_max * known.equity - known.symbol_exposure,
            "NOT_ENOUGH_CASH": known.cash_free,
        }
        assert verdict.reduced_by is None or one_lot_more > rooms[verdict.reduced_by]


@settings(max_examples=100, deadline=None)
@given(cases(), st.sampled_from(LOOSENED), st.decimals("1", "3", places=3))
def test_a_looser_limit_never_shrinks_an_approval(case: tuple[Entry, Account, Limits], name: str, factor: D) -> None:
    wish, known, allowed = case
    most = {"price_collar": D("0.99"), "order_notional_max": D("1E9"), "stale_after_ms": D("1E9")}.get(name, D(1))
    looser = min(most, getattr(allowed, name) * factor)

    before = judge(wish, account=known, limits=allowed)
    after = judge(
        wish,
        account=known,
        limits=msgspec.structs.replace(allowed, **{name: int(looser) if name == "stale_after_ms" else looser}),
    )

    if isinstance(before, Approved):
        assert isinstance(after, Approved)
        assert after.quantity >= before.quantity
        assert after.reserved >= before.reserved


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"price_collar": D("0")}, "price_collar must be above 0 and below 1, was 0"),
        ({"order_notional_max": D("-1")}, "order_notional_max must be above 0 and at most 1E+18, was -1"),
        ({"exposure_max": D("1.01")}, "exposure_max must be above 0 and at most 1, was 1.01"),
        ({"symbol_exposure_max": D("NaN")}, "symbol_exposure_max must be above 0 and at most 1, was NaN"),
        ({"daily_loss_max": 0.05}, "daily_loss_max must be above 0 and at most 1, was 0.05"),
        ({"drawdown_max": D("0")}, "drawdown_max must be above 0 and at most 1, was 0"),
        ({"stale_after_ms": 0}, "stale_after_ms must be above 0, was 0"),
        ({"fee_lock": D("-0.1")}, "fee_lock must be at least 0 and below 1, was -0.1"),
        ({"market_lock": D("1")}, "market_lock must be at least 0 and below 1, was 1"),
        ({"symbols_allowed": ("A/B", "A/B")}, "symbols_allowed must be names, each once, was A/B, A/B"),
    ],
)
def test_limits_that_cannot_be_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        Limits(**(msgspec.structs.asdict(LIMITS) | changes))


def test_every_wrong_limit_is_named_at_once() -> None:
    wrong = msgspec.structs.asdict(LIMITS) | {"price_collar": D("2"), "stale_after_ms": -1}

    with pytest.raises(ValueError, match=r"price_collar must be .*; stale_after_ms must be"):
        Limits(**wrong)


def marked(watch: LossWatch, at: int, equity: str) -> list[Trip | DayRolled]:
    """Take a mark in, latch what it trips, and return what has happened: first the day, then the trips."""
    rolled = watch.mark(at, D(equity))
    trips = watch.crossed(daily_loss_max=D("0.05"), drawdown_max=D("0.1"))
    for trip in trips:
        watch.trip(trip.limit)
    return [*([rolled] if rolled is not None else []), *trips]


def test_the_first_mark_begins_the_day_and_the_peak() -> None:
    watch = LossWatch()

    changes = marked(watch, NOW, "1000")

    assert changes == [DayRolled(day=100, equity=D("1000"), cleared=())]
    assert watch.day_start_equity == watch.peak_equity == D("1000")


def test_a_loss_of_the_day_trips_once_at_its_limit_and_stays_though_equity_recovers() -> None:
    watch = LossWatch()
    marked(watch, NOW, "1000")

    assert marked(watch, NOW + HOUR_MS, "950.01") == []
    assert marked(watch, NOW + 2 * HOUR_MS, "950") == [Trip("daily_loss", value=D("0.05"), allowed=D("0.05"))]
    assert marked(watch, NOW + 3 * HOUR_MS, "940") == []
    assert marked(watch, NOW + 4 * HOUR_MS, "1000") == []
    assert watch.tripped == ["daily_loss"]


def test_to_look_for_losses_at_their_limits_latches_nothing() -> None:
    watch = LossWatch()
    watch.mark(NOW, D("1000"))
    watch.mark(NOW + 1, D("800"))

    first = watch.crossed(daily_loss_max=D("0.05"), drawdown_max=D("0.1"))

    assert [trip.limit for trip in first] == ["daily_loss", "drawdown"]
    assert watch.crossed(daily_loss_max=D("0.05"), drawdown_max=D("0.1")) == first
    assert watch.crossed(daily_loss_max=D("0.5"), drawdown_max=D("0.5")) == []


def test_a_new_utc_day_opens_the_latch_of_the_day_and_measures_from_its_first_mark() -> None:
    watch = LossWatch()
    marked(watch, NOW, "1000")
    marked(watch, NOW + HOUR_MS, "940")

    assert marked(watch, NOW + DAY_MS - 1, "945") == []
    assert marked(watch, NOW + DAY_MS, "930") == [DayRolled(day=101, equity=D("930"), cleared=("daily_loss",))]
    assert watch.tripped == []
    assert watch.day_start_equity == 930


def test_a_drawdown_outlives_the_day_until_it_is_reset() -> None:
    watch = LossWatch()
    marked(watch, NOW, "1000")

    tripped = marked(watch, NOW + HOUR_MS, "890")
    rolled = marked(watch, NOW + DAY_MS, "1100")

    assert [change.limit for change in tripped if isinstance(change, Trip)] == ["daily_loss", "drawdown"]
    assert rolled == [DayRolled(day=101, equity=D("1100"), cleared=("daily_loss",))]
    assert watch.tripped == ["drawdown"]


@pytest.mark.parametrize("limit", ["daily_loss", "drawdown"])
def test_a_reset_measures_anew_and_so_does_not_trip_at_the_next_mark(limit: LossLimit) -> None:
    watch = LossWatch()
    marked(watch, NOW, "1000")
    marked(watch, NOW + HOUR_MS, "850")

    assert watch.reset(limit)
    assert not watch.reset(limit)
    assert marked(watch, NOW + 2 * HOUR_MS, "849") == []
    assert limit not in watch.tripped


def test_a_mark_from_an_earlier_day_does_not_roll_the_day_back() -> None:
    watch = LossWatch()
    marked(watch, NOW, "1000")

    assert marked(watch, NOW - DAY_MS, "990") == []
    assert watch.day == 100


def test_an_account_that_had_nothing_has_nothing_to_lose() -> None:
    watch = LossWatch()

    assert marked(watch, NOW, "0") == [DayRolled(day=100, equity=D("0"), cleared=())]
    assert marked(watch, NOW + 1, "-1") == []
    assert fall(D("0"), D("-5")) == 0
    assert fall(None, D("5")) == 0


def test_an_equity_that_is_no_number_is_refused() -> None:
    watch = LossWatch()

    with pytest.raises(ValueError, match="equity must be finite, was NaN"):
        marked(watch, NOW, "NaN")
    assert watch == LossWatch()


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5 * DAY_MS), st.decimals("1", "2000", places=2)), max_size=30), st.data())
def test_a_watch_saved_and_loaded_anywhere_trips_alike_and_never_lets_a_loss_by(
    marks: list[tuple[int, D]], data: st.DataObject
) -> None:
    kept, saved = LossWatch(), LossWatch()
    peak = D(0)
    for at, equity in sorted(marks):
        said = marked(kept, at, str(equity))
        if data.draw(st.booleans()):
            saved = msgspec.json.decode(msgspec.json.encode(saved), type=LossWatch)
        peak = max(peak, equity)

        assert marked(saved, at, str(equity)) == said
        assert msgspec.json.encode(saved) == msgspec.json.encode(kept)
        if (peak - equity) / peak >= D("0.1"):
            assert "drawdown" in kept.tripped


def test_before_the_first_mark_nothing_is_lost_and_then_the_fall_is_from_the_peak_that_was() -> None:
    watch = LossWatch()
    watch.go_on_from(D("1000"))
    before = fall(watch.peak_equity, watch.equity)

    changes = marked(watch, 0, "800")

    assert before == 0
    assert [change for change in changes if isinstance(change, Trip)] == [
        Trip(limit="drawdown", value=D("0.2"), allowed=D("0.1"))
    ]
