"""Laws of performance: round trips, drawdown and ratios are what their formulas say, in bounded memory."""

import math
import random
import statistics
from decimal import Decimal
from typing import Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.imported import Counters
from domain.market import DAY_MS, HOUR_MS, MINUTE_MS
from domain.money import Money
from domain.order import Fill
from domain.performance import DAYS_MAX, RETURNS_MIN, Performance, daily_returns, sharpe, sortino

D = Decimal
START = 100 * DAY_MS


def a_fill(side: Literal["buy", "sell"], at: int, *, symbol: str = "BTC/USDT", fee: Money | None = None) -> Fill:
    return Fill(
        trade_id=f"t{at}",
        client_id="c",
        symbol=symbol,
        side=side,
        quantity=D("1"),
        price=D("100"),
        fee=fee or Money(D("0"), "USDT"),
        liquidity="taker",
        at=at,
    )


def travel(performance: Performance, made: str, *, at: int = START, strategy: str = "trend") -> None:
    """Make one round trip of an hour."""
    performance.fill(a_fill("buy", at), strategy=strategy, realised=D("0"), is_open=True)
    performance.fill(a_fill("sell", at + HOUR_MS), strategy=strategy, realised=D(made), is_open=False)


def test_nothing_traded_is_nothing_claimed() -> None:
    summary = Performance().summary()

    assert (summary.trades, summary.fills, summary.realised) == (0, 0, D("0"))
    claims = (summary.win_rate, summary.profit_factor, summary.best, summary.return_fraction, summary.exposure_time)
    assert claims == (None,) * 5
    assert summary.sharpe is None
    assert summary.sortino is None


def test_round_trips_make_win_rate_profit_factor_and_averages() -> None:
    performance = Performance()
    for number, made in enumerate(["30", "10", "-20", "-5", "0"]):
        travel(performance, made, at=START + number * DAY_MS)

    summary = performance.summary()

    assert (summary.trades, summary.wins, summary.losses, summary.fills) == (5, 2, 2, 10)
    assert summary.win_rate == 0.4
    assert summary.profit_factor == 1.6
    assert (summary.average_win, summary.average_loss) == (D("20"), D("-12.5"))
    assert (summary.best, summary.worst) == (D("30"), D("-20"))
    assert summary.realised == 15


def test_a_round_trip_of_many_fills_is_one_trade_with_all_that_it_realised() -> None:
    performance = Performance()
    performance.fill(a_fill("buy", START), strategy="trend", realised=D("-1"), is_open=True)
    performance.fill(a_fill("buy", START + 1), strategy="trend", realised=D("-1"), is_open=True)
    performance.fill(a_fill("sell", START + 2), strategy="trend", realised=D("10"), is_open=True)
    performance.fill(a_fill("sell", START + 3), strategy="trend", realised=D("-3"), is_open=False)

    summary = performance.summary()

    assert (summary.trades, summary.wins, summary.best) == (1, 1, D("5"))
    assert performance.trips == {"trend": {}}


def test_strategies_and_symbols_travel_apart() -> None:
    performance = Performance()
    performance.fill(a_fill("buy", START), strategy="trend", realised=D("0"), is_open=True)
    performance.fill(a_fill("buy", START), strategy="cross", realised=D("0"), is_open=True)
    performance.fill(a_fill("buy", START, symbol="ETH/USDT"), strategy="trend", realised=D("0"), is_open=True)

    performance.fill(a_fill("sell", START + 1), strategy="cross", realised=D("-4"), is_open=False)

    assert performance.summary().trades == 1
    assert performance.summary().worst == -4


def test_what_becomes_of_dust_is_realised_but_no_trade() -> None:
    performance = Performance()
    performance.fill(a_fill("sell", START), strategy="trend", realised=D("0.01"), is_open=False)

    summary = performance.summary()

    assert (summary.trades, summary.realised) == (0, D("0.01"))


def test_fees_are_listed_by_the_asset_they_were_paid_in() -> None:
    performance = Performance()
    for fee in (Money(D("1"), "USDT"), Money(D("0.2"), "BNB"), Money(D("2"), "USDT"), Money(D("0"), "BTC")):
        performance.fill(a_fill("buy", START, fee=fee), strategy="trend", realised=D("0"), is_open=True)

    assert performance.summary().fees == {"USDT": D("3"), "BNB": D("0.2")}


def test_counts_are_kept_by_name() -> None:
    performance = Performance()
    performance.count("signals")
    performance.count("signals", 4)
    performance.count("denied")

    assert performance.summary().counts == {"signals": 5, "denied": 1}


def test_return_and_drawdown_follow_the_marks() -> None:
    performance = Performance()
    for hour, equity in enumerate(["1000", "1200", "900", "1100"]):
        performance.mark(START + hour * HOUR_MS, D(equity))

    summary = performance.summary()

    assert summary.return_fraction == 0.1
    assert summary.drawdown_max == 0.25
    assert summary.drawdown == pytest.approx(100 / 1200)
    assert summary.equity == 1100


def test_exposure_time_is_the_share_with_a_lot_held_overlaps_counted_once() -> None:
    performance = Performance()
    performance.mark(START, D("1000"))
    performance.fill(a_fill("buy", START + HOUR_MS), strategy="trend", realised=D("0"), is_open=True)
    performance.fill(a_fill("buy", START + 2 * HOUR_MS), strategy="cross", realised=D("0"), is_open=True)
    performance.fill(a_fill("sell", START + 3 * HOUR_MS), strategy="trend", realised=D("0"), is_open=False)
    performance.fill(a_fill("sell", START + 4 * HOUR_MS), strategy="cross", realised=D("0"), is_open=False)
    performance.mark(START + 6 * HOUR_MS, D("1000"))

    assert performance.summary().exposure_time == 0.5


def test_a_lot_still_held_counts_as_exposed_until_now() -> None:
    performance = Performance()
    performance.mark(START, D("1000"))
    performance.fill(a_fill("buy", START + HOUR_MS), strategy="trend", realised=D("0"), is_open=True)
    performance.mark(START + 4 * HOUR_MS, D("1000"))

    assert performance.summary().exposure_time == 0.75


def test_the_mark_at_midnight_closes_the_day_before() -> None:
    performance = Performance()
    performance.mark(START + 13 * HOUR_MS, D("1000"))
    performance.mark(START + 23 * HOUR_MS, D("1010"))
    performance.mark(START + DAY_MS, D("1020"))
    assert performance.closes == [1020.0]

    performance.mark(START + DAY_MS + HOUR_MS, D("1030"))
    performance.mark(START + 2 * DAY_MS, D("1040"))

    assert performance.closes == [1020.0, 1040.0]


def test_a_day_without_its_midnight_mark_closes_at_its_last_one() -> None:
    performance = Performance()
    performance.mark(START + HOUR_MS, D("1000"))
    performance.mark(START + 20 * HOUR_MS, D("1010"))
    performance.mark(START + 3 * DAY_MS + HOUR_MS, D("900"))

    assert performance.closes == [1010.0]


def test_the_kept_closes_are_the_newest_and_no_more_than_their_limit() -> None:
    performance = Performance(closes=[float(number) for number in range(DAYS_MAX)])
    performance.mark(START, D("5000"))

    assert len(performance.closes) == DAYS_MAX
    assert (performance.closes[0], performance.closes[-1]) == (1.0, 5000.0)


RETURNS = [0.01, -0.02, 0.03, 0.0, -0.01, 0.02, 0.015, -0.005]


def test_the_sharpe_ratio_is_mean_over_sample_deviation_by_the_root_of_365() -> None:
    expected = statistics.mean(RETURNS) / statistics.stdev(RETURNS) * math.sqrt(365)

    assert sharpe(RETURNS) == pytest.approx(expected, rel=1e-12)


def test_the_sortino_ratio_is_mean_over_downside_deviation_by_the_root_of_365() -> None:
    downside = math.sqrt((0.02**2 + 0.01**2 + 0.005**2) / 8)

    assert sortino(RETURNS) == pytest.approx(0.005 / downside * math.sqrt(365), rel=1e-12)


def test_too_few_returns_have_no_ratio() -> None:
    assert sharpe(RETURNS[: RETURNS_MIN - 1]) is None
    assert sortino(RETURNS[: RETURNS_MIN - 1]) is None
    assert sharpe(RETURNS[:RETURNS_MIN]) is not None


def test_returns_that_never_differ_or_never_lose_have_no_ratio() -> None:
    assert sharpe([0.01] * 30) is None
    assert sharpe(daily_returns([1000 * 1.001**day for day in range(30)])) is None
    assert sortino([0.01, 0.02] * 15) is None


def test_a_close_of_nothing_has_no_return_after_it() -> None:
    assert daily_returns([100.0, 110.0, 0.0, 50.0, 100.0]) == [pytest.approx(0.1), -1.0, 1.0]


def test_the_summary_rests_on_the_closes_of_its_days() -> None:
    performance = Performance()
    equity = D("1000")
    performance.mark(START, equity)
    for day, each in enumerate(RETURNS, start=1):
        equity *= D(str(1 + each))
        performance.mark(START + day * DAY_MS, equity)

    summary = performance.summary()

    assert summary.days == len(RETURNS)
    assert summary.sharpe == pytest.approx(sharpe(RETURNS), rel=1e-9)
    assert summary.sortino == pytest.approx(sortino(RETURNS), rel=1e-9)


@pytest.mark.parametrize("seed", range(60))
def test_marks_that_follow_each_other_come_to_the_same_together_and_one_by_one(seed: int) -> None:
    draw = random.Random(seed)
    together, apart = Performance(), Performance()
    at = DAY_MS - draw.randrange(60) * MINUTE_MS
    for _ in range(6):
        step = draw.choice((MINUTE_MS, HOUR_MS, DAY_MS))
        marks = [(at + place * step, D(draw.randrange(90, 110))) for place in range(draw.randint(1, 40))]
        at = marks[-1][0] + step

        together.mark_all(marks)

        for each in marks:
            apart.mark(*each)
        assert msgspec.json.encode(together) == msgspec.json.encode(apart)


def test_an_equity_that_is_no_number_is_refused() -> None:
    performance = Performance()

    with pytest.raises(ValueError, match="equity must be finite, was NaN"):
        performance.mark(START, D("NaN"))
    assert performance == Performance()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["fill", "mark", "count"]),
        st.integers(0, 9 * HOUR_MS),
        st.decimals("-500", "500", places=6),
        st.booleans(),
        st.sampled_from(["trend", "cross"]),
    ),
    max_size=40,
)


def take(performance: Performance, step: tuple[str, int, D, bool, str], at: int) -> None:
    kind, _, number, is_open, strategy = step
    if kind == "fill":
        performance.fill(
            a_fill("buy", at, fee=Money(D("0.1"), "BNB")), strategy=strategy, realised=number, is_open=is_open
        )
    elif kind == "mark":
        performance.mark(at, 1000 + number)
    else:
        performance.count(strategy)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.data())
def test_a_performance_saved_and_loaded_anywhere_says_the_same_and_its_trades_add_up(
    steps: list[tuple[str, int, D, bool, str]], data: st.DataObject
) -> None:
    kept, saved = Performance(), Performance()
    at = START
    marks: list[D] = []
    for step in steps:
        at += step[1]
        take(kept, step, at)
        if data.draw(st.booleans()):
            saved = msgspec.json.decode(msgspec.json.encode(saved), type=Performance)
        take(saved, step, at)
        marks += [1000 + step[2]] if step[0] == "mark" else []

    assert msgspec.json.encode(saved) == msgspec.json.encode(kept)
    assert saved.summary() == kept.summary()
    summary = kept.summary()
    assert summary.trades >= summary.wins + summary.losses
    falls = (float((high - low) / high) for i, high in enumerate(marks) for low in marks[i:])
    assert summary.drawdown_max == pytest.approx(max(falls, default=0.0))
    assert summary.exposure_time is None or 0 <= summary.exposure_time <= 1


BEFORE = Counters(
    wins=9, losses=5, draws=1, realised=D("100.5"), fees={"USDT": D("7"), "BNB": D("1")}, peak_equity=D("2000")
)


def test_sums_and_counts_go_on_from_an_imported_state_and_it_is_said_what_rests_on_it() -> None:
    performance = Performance()
    performance.go_on_from(BEFORE)
    travel(performance, "30")
    performance.fill(a_fill("buy", START, fee=Money(D("2"), "USDT")), strategy="t", realised=D("-2"), is_open=False)

    summary = performance.summary()

    assert (summary.trades, summary.wins, summary.losses) == (16, 10, 5)
    assert summary.win_rate == 10 / 16
    assert summary.realised == D("128.5")
    assert summary.fees == {"USDT": D("9"), "BNB": D("1")}
    assert summary.fills == 3
    assert summary.imported == BEFORE


def test_what_needs_each_trip_is_told_of_our_own_alone() -> None:
    performance = Performance()
    performance.go_on_from(BEFORE)
    nothing = performance.summary()
    travel(performance, "30")
    travel(performance, "-10", at=START + DAY_MS)

    summary = performance.summary()

    own = ("average_win", "average_loss", "profit_factor", "best", "worst")
    assert [getattr(nothing, name) for name in own] == [None] * 5
    assert [getattr(summary, name) for name in own] == [D("30"), D("-10"), 3.0, D("30"), D("-10")]


def test_a_fall_is_measured_from_the_highest_worth_there_ever_was() -> None:
    performance = Performance()
    performance.go_on_from(BEFORE)
    performance.mark(START, D("1500"))
    first = performance.summary()
    performance.mark(START + HOUR_MS, D("2500"))
    performance.mark(START + 2 * HOUR_MS, D("2250"))

    assert (first.drawdown, first.return_fraction) == (0.25, 0.0)
    assert performance.summary().drawdown == 0.1


def test_a_trip_that_was_under_way_counts_when_it_ends_and_exposes_from_the_first_thing_seen() -> None:
    performance = Performance()
    performance.take_over("trend", "BTC/USDT")
    performance.mark(START, D("1000"))
    performance.mark(START + 3 * HOUR_MS, D("1000"))
    under_way = performance.summary()
    performance.fill(a_fill("sell", START + 3 * HOUR_MS), strategy="trend", realised=D("5"), is_open=False)
    performance.mark(START + 4 * HOUR_MS, D("1005"))

    summary = performance.summary()

    assert (under_way.trades, under_way.exposure_time) == (0, 1.0)
    assert (summary.trades, summary.wins, summary.exposure_time) == (1, 1, 0.75)
