"""Indicators equal the plain formulas over all bars, and their state survives being written down."""

import json
import math
import statistics
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.indicators import Atr, Ema, Indicator, Rsi, Trend, Volatility
from domain.market import MINUTE_MS, Bar

FRAME = "15m"
FRAME_MS = 15 * MINUTE_MS
MAKERS: dict[str, Callable[[], Indicator]] = {
    "ema": lambda: Ema(5),
    "rsi": lambda: Rsi(5),
    "atr": lambda: Atr(5),
    "volatility": lambda: Volatility(5, FRAME),
    "trend": lambda: Trend(fast=2, slow=5, atr=5),
}
READY_AFTER = {"ema": 5, "rsi": 6, "atr": 5, "volatility": 6, "trend": 5}


def a_bar(place: int, high: int, low: int, close: int) -> Bar:
    """Make a bar; prices in cents."""
    top, bottom, last = (Decimal(price) / 100 for price in (high, low, close))
    opened_at = place * FRAME_MS
    return Bar("BTCUSDT", FRAME, opened_at, opened_at + FRAME_MS, last, top, bottom, last, Decimal(1))


@st.composite
def markets(draw: st.DrawFn, bars_min: int = 0) -> list[Bar]:
    """Draw bars with any jumps, still stretches and prices over eight orders of magnitude."""
    scale = draw(st.sampled_from([10, 10_000, 10**9]))
    shapes = draw(
        st.lists(st.tuples(*[st.integers(1, scale)] * 3) | st.just((7, 7, 7)), min_size=bars_min, max_size=40),
    )
    return [a_bar(place, *_ordered(shape)) for place, shape in enumerate(shapes)]


def _ordered(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    low, close, high = sorted(shape)
    return high, low, close


def feed(indicator: Indicator, bars: Sequence[Bar]) -> list[float | None]:
    values = []
    for bar in bars:
        indicator.update(bar)
        values.append(indicator.value)
    return values


def closes_of(bars: Sequence[Bar]) -> list[float]:
    return [float(bar.close) for bar in bars]


def smoothed(numbers: Sequence[float], period: int, weight: float) -> float:
    """Return the average that starts with the plain mean of `period` numbers."""
    average = statistics.fmean(numbers[:period])
    for number in numbers[period:]:
        average = weight * number + (1 - weight) * average
    return average


def ranges_of(bars: Sequence[Bar]) -> list[float]:
    first, *rest = bars
    return [float(first.high - first.low)] + [
        float(max(bar.high - bar.low, abs(bar.high - before.close), abs(bar.low - before.close)))
        for before, bar in zip(bars, rest, strict=False)
    ]


@settings(max_examples=30)
@given(markets(bars_min=5))
def test_an_ema_equals_the_formula_over_all_bars(bars: list[Bar]) -> None:
    value = feed(Ema(5), bars)[-1]

    assert value == pytest.approx(smoothed(closes_of(bars), 5, 2 / 6), rel=1e-9)


@settings(max_examples=30)
@given(markets(bars_min=6))
def test_an_rsi_equals_wilders_formula_over_all_bars(bars: list[Bar]) -> None:
    closes = closes_of(bars)
    changes = [after - before for before, after in pairwise(closes)]
    gain = smoothed([max(change, 0.0) for change in changes], 5, 1 / 5)
    loss = smoothed([max(-change, 0.0) for change in changes], 5, 1 / 5)

    value = feed(Rsi(5), bars)[-1]

    if gain + loss == 0:
        assert value == 50
    elif loss == 0:
        assert value == 100
    else:
        assert value == pytest.approx(100 - 100 / (1 + gain / loss), abs=1e-6)


@settings(max_examples=30)
@given(markets(bars_min=5))
def test_an_atr_equals_wilders_formula_over_all_bars(bars: list[Bar]) -> None:
    value = feed(Atr(5), bars)[-1]

    assert value == pytest.approx(smoothed(ranges_of(bars), 5, 1 / 5), rel=1e-9, abs=1e-12)


@settings(max_examples=30)
@given(markets(bars_min=6))
def test_volatility_equals_the_deviation_of_the_last_log_returns_scaled_to_an_hour(bars: list[Bar]) -> None:
    closes = closes_of(bars)[-6:]
    returns = [math.log(after / before) for before, after in pairwise(closes)]

    value = feed(Volatility(5, FRAME), bars)[-1]

    assert value == pytest.approx(statistics.stdev(returns) * 2, rel=1e-6, abs=1e-12)


@settings(max_examples=30)
@given(markets(bars_min=5))
def test_a_trend_is_the_squashed_way_between_the_averages_in_average_ranges(bars: list[Bar]) -> None:
    closes, atr = closes_of(bars), smoothed(ranges_of(bars), 5, 1 / 5)
    way = smoothed(closes, 2, 2 / 3) - smoothed(closes, 5, 2 / 6)

    value = feed(Trend(fast=2, slow=5, atr=5), bars)[-1]

    assert value == pytest.approx(math.tanh(way / atr) if atr > 1e-6 else 0, abs=1e-6)


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=15)
@given(bars=markets())
def test_a_value_is_there_once_enough_bars_came_in_and_is_always_finite(name: str, bars: list[Bar]) -> None:
    values = feed(MAKERS[name](), bars)

    assert all(value is None for value in values[: READY_AFTER[name] - 1])
    assert all(value is not None and math.isfinite(value) for value in values[READY_AFTER[name] - 1 :])


@pytest.mark.parametrize("name", MAKERS)
@settings(max_examples=15)
@given(bars=markets(), cut=st.integers(0, 40))
def test_a_state_written_as_json_goes_on_exactly_where_it_was(name: str, bars: list[Bar], cut: int) -> None:
    before, after = MAKERS[name](), MAKERS[name]()
    feed(before, bars[:cut])

    after.restore(json.loads(json.dumps(before.save(), allow_nan=False)))

    assert after.save() == before.save()
    assert feed(after, bars[cut:]) == feed(before, bars[cut:])


@pytest.mark.parametrize("name", MAKERS)
def test_a_state_does_not_grow_with_the_market(name: str) -> None:
    indicator = MAKERS[name]()
    bars = [a_bar(place, 103, 99, 100 + place % 3) for place in range(2_000)]
    feed(indicator, bars[:50])
    items_before = _count(indicator.save())

    feed(indicator, bars[50:])

    assert _count(indicator.save()) == items_before


def _count(state: object) -> int:
    match state:
        case dict():
            return sum(map(_count, state.values()))
        case list():
            return sum(map(_count, state))
        case _:
            return 1


def test_a_market_that_stopped_has_no_trend_however_long_it_stands_still() -> None:
    trend = Trend(fast=2, slow=50, atr=2)
    moving = [a_bar(place, 10_000 + 10 * place, 9_000, 10_000 + 10 * place) for place in range(60)]
    still = [a_bar(place, 10_590, 10_590, 10_590) for place in range(60, 3_000)]

    values = feed(trend, [*moving, *still])

    assert values[-1] == 0


def test_a_longer_period_takes_over_the_state_of_a_shorter_one_and_goes_on_warming_up() -> None:
    bars = [a_bar(place, 110, 90, 100 + place) for place in range(9)]
    short, long = Ema(3), Ema(9)
    feed(short, bars[:3])

    long.restore(short.save())

    assert feed(long, bars[3:])[:-1] == [None] * 5
    assert long.value == pytest.approx(statistics.fmean(closes_of(bars)))


def test_a_volatility_window_that_shrank_keeps_the_newest_closes() -> None:
    bars = [a_bar(place, 900, 90, 100 + 37 * place % 11) for place in range(9)]
    long, short = Volatility(8, FRAME), Volatility(4, FRAME)
    feed(long, bars)

    short.restore(long.save())

    assert short.value == feed(Volatility(4, FRAME), bars)[-1]


@pytest.mark.parametrize("make", [lambda: Ema(0), lambda: Volatility(1, FRAME), lambda: Trend(fast=5, slow=5, atr=5)])
def test_periods_that_make_no_sense_are_refused(make: Callable[[], Indicator]) -> None:
    with pytest.raises(ValueError, match="must be"):
        make()


def test_a_close_without_a_logarithm_is_refused() -> None:
    with pytest.raises(ValueError, match="a close must be above 0, was 0"):
        Volatility(5, FRAME).update(a_bar(0, 1, 0, 0))
