"""Laws of rows and bars: what is believed, what is found, and how frames are built."""

import csv
import gzip
import os
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import bars as bars_module
from domain.bars import (
    Finding,
    FrameBuilder,
    chain_frames,
    count_missing,
    frames_of,
    gap_before,
    judge_row,
    judge_step,
    take_in,
)
from domain.market import HOUR_MS, MINUTE_MS, TIMEFRAMES_MS, Bar
from domain.sources import Row, Step
from messages import market as market_messages

DATA = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[2] / "../shared/data")) / "ohlcv"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded bars in {DATA}: set HOLDFAST_DATA")
T0 = 1_700_002_800_000


def a_row(minute: float = 0, price: str = "100", /, **changes: object) -> Row:
    row = Row("BTCUSDT", "1m", T0 + int(minute * MINUTE_MS), price, price, price, price, "1")
    return msgspec.structs.replace(row, **changes)


def a_bar(minute: int = 0, price: str = "100", /, **changes: object) -> Bar:
    bar = judge_row(a_row(minute, price), None)
    assert isinstance(bar, Bar)
    return msgspec.structs.replace(bar, **changes)


def fault_of(row: Row, previous: Bar | None = None) -> str | None:
    verdict = judge_row(row, previous)
    return verdict.fault if isinstance(verdict, Finding) else None


prices = st.decimals("0.00000001", "1000000", places=8)


@given(low=prices, rises=st.tuples(*[st.decimals(0, 1, places=4)] * 3), volume=st.decimals(0, 10**9, places=5))
def test_a_sound_row_becomes_the_bar_it_names_without_loss(
    low: Decimal, rises: tuple[Decimal, ...], volume: Decimal
) -> None:
    first, second, high = (low + rise * low for rise in sorted(rises))
    row = a_row(open=str(second), high=str(high), low=str(low), close=str(first), volume=str(volume))

    bar = judge_row(row, None)

    assert bar == Bar("BTCUSDT", "1m", T0, T0 + MINUTE_MS, second, high, low, first, volume)


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize("text", ["", "abc", "1,5", "NaN", "sNaN", "Infinity", "-inf", "1.2.3"])
def test_a_row_with_anything_but_finite_numbers_is_unreadable_and_says_where(name: str, text: str) -> None:
    verdict = judge_row(a_row(**{name: text}), None)

    assert isinstance(verdict, Finding)
    assert verdict.fault == "unreadable"
    assert verdict.detail == f"{name} must be a finite number, was {text!r}"


@pytest.mark.parametrize(
    "changes",
    [
        {"low": "0"},
        {"open": "-1", "high": "-1", "low": "-1", "close": "-1"},
        {"high": "99.9"},
        {"low": "100.1"},
        {"open": "101"},
        {"close": "99"},
        {"volume": "-0.1"},
        {"volume": "1e19"},
        {"high": "1e13"},
        {"low": "1e-13"},
    ],
)
def test_a_row_that_no_market_can_have_is_absurd(changes: dict[str, str]) -> None:
    assert fault_of(a_row(**changes)) == "absurd"


@pytest.mark.parametrize(
    ("price", "minute", "fault"),
    [
        ("300", 1, None),
        ("300.01", 1, "absurd"),
        ("33.34", 1, None),
        ("33.33", 1, "absurd"),
        ("300.01", 60, "absurd"),
        ("300.01", 61, None),
        ("1000", 61, None),
        ("1000.01", 61, "absurd"),
        ("1000.01", 24 * 60, "absurd"),
        ("1000.01", 24 * 60 + 1, None),
    ],
)
def test_a_price_may_leave_the_last_close_by_a_factor_that_grows_with_the_time_between(
    price: str, minute: int, fault: str | None
) -> None:
    assert fault_of(a_row(minute, price), a_bar(0)) == fault


def test_a_wick_is_judged_like_a_close() -> None:
    previous = a_bar(0)

    assert fault_of(a_row(1, high="301"), previous) == "absurd"
    assert fault_of(a_row(1, low="33"), previous) == "absurd"


def test_a_level_that_lasts_is_believed_within_the_hour_after() -> None:
    previous = a_bar(0)
    believed = [minute for minute in range(1, 70) if fault_of(a_row(minute, "500"), previous) is None]

    assert believed[0] == 61


def test_a_bar_that_ranges_over_84_percent_of_its_price_in_an_hour_is_believed() -> None:
    hour = a_row(60, open="0.25", high="0.40", low="0.217", close="0.31", timeframe="1h")
    previous = a_bar(0, "0.25", timeframe="1h", closed_at=T0 + HOUR_MS)

    assert fault_of(hour, previous) is None


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (a_row(1), None),
        (a_row(0), "duplicate"),
        (a_row(-1), "out_of_order"),
        (a_row(1.5), "misaligned"),
        (a_row(0.5), "misaligned"),
        (a_row(0, open="x"), "unreadable"),
    ],
)
def test_a_row_must_follow_the_newest_bar_on_the_grid_of_its_time_frame(row: Row, fault: str | None) -> None:
    assert fault_of(row, a_bar(0)) == fault


def test_what_a_finding_quotes_has_a_limit() -> None:
    unreadable, absurd = judge_row(a_row(open="x" * 10_000), None), judge_row(a_row(high="9" * 10_000), None)

    assert isinstance(unreadable, Finding)
    assert isinstance(absurd, Finding)
    assert len(unreadable.detail) < 400
    assert len(absurd.detail) < 400


def test_the_faults_are_those_that_the_journal_records() -> None:
    assert get_args(bars_module.Fault) == get_args(market_messages.Fault)


def test_a_gap_names_the_first_missing_bar_and_how_many_are_missing() -> None:
    gap = gap_before(a_bar(5), a_bar(1))

    assert gap == Finding("BTCUSDT", T0 + 2 * MINUTE_MS, "gap", f"3 of 1m missing until {T0 + 5 * MINUTE_MS}")
    assert count_missing(a_bar(5), a_bar(1)) == 3
    assert gap_before(a_bar(2), a_bar(1)) is None
    assert gap_before(a_bar(2), None) is None


def test_the_bar_after_a_gap_is_traded_on_and_the_gap_is_found_beside_it() -> None:
    step = Step(T0 + 6 * MINUTE_MS, (a_row(5),))

    judged = judge_step(step, {"BTCUSDT": a_bar(1)}, T0 + 2 * MINUTE_MS)

    assert judged.bars == (a_bar(5),)
    assert [finding.fault for finding in judged.findings] == ["gap"]


def test_one_bad_row_of_a_step_leaves_the_others() -> None:
    step = Step(T0 + MINUTE_MS, (a_row(symbol="A", low="0"), a_row(symbol="B")))

    judged = judge_step(step, {}, 0)

    assert [bar.symbol for bar in judged.bars] == ["B"]
    assert [(finding.symbol, finding.fault) for finding in judged.findings] == [("A", "absurd")]


def test_a_bar_that_comes_twice_in_one_step_is_one_bar() -> None:
    step = Step(T0 + MINUTE_MS, (a_row(0), a_row(0, symbol="B"), a_row(0, "101")))

    judged = judge_step(step, {}, 0)

    assert judged.bars == (a_bar(0), a_bar(0, symbol="B"))
    assert [(finding.symbol, finding.fault) for finding in judged.findings] == [("BTCUSDT", "duplicate")]


@pytest.mark.parametrize(("at", "market_at"), [(2, 1), (1, 1), (1, 2)])
def test_a_sound_row_that_comes_after_its_time_is_not_traded_on(at: int, market_at: int) -> None:
    step = Step(T0 + at * MINUTE_MS, (a_row(0),))

    judged = judge_step(step, {}, T0 + market_at * MINUTE_MS)

    assert judged.bars == ()
    assert [finding.fault for finding in judged.findings] == ["out_of_order"]


@given(st.lists(st.tuples(st.integers(-3, 30), st.integers(-3, 30), st.sampled_from(["100", "x", "0", "1e9"]))))
def test_whatever_comes_only_bars_in_order_on_time_and_in_bounds_get_through(
    arrivals: list[tuple[int, int, str]],
) -> None:
    newest: dict[str, Bar] = {}
    market_at = 0
    for at, minute, price in arrivals:
        step = Step(T0 + (at + 1) * MINUTE_MS, (a_row(minute, price),))
        judged = judge_step(step, newest, market_at)

        for bar in judged.bars:
            before = newest.get(bar.symbol)
            assert bar.closed_at == step.at > market_at
            assert before is None or bar.opened_at >= before.closed_at
            assert before is None or before.close / 3 <= bar.close <= before.close * 3
            newest[bar.symbol], market_at = bar, step.at


def plainly_built(bars: Sequence[Bar], frame: str) -> list[Bar]:
    span = TIMEFRAMES_MS[frame]
    built = []
    for opened_at, group in groupby(bars, key=lambda bar: bar.opened_at // span * span):
        part = list(group)
        high, low = max(bar.high for bar in part), min(bar.low for bar in part)
        volume = sum((bar.volume for bar in part), Decimal(0))
        ends = (part[0].open, high, low, part[-1].close, volume)
        built.append(Bar(part[0].symbol, frame, opened_at, opened_at + span, *ends))
    return built


@st.composite
def minutes_with_holes(draw: st.DrawFn) -> list[Bar]:
    places = sorted(draw(st.sets(st.integers(0, 200), min_size=1, max_size=120)))
    numbers = draw(st.lists(st.integers(50, 150), min_size=4 * len(places), max_size=4 * len(places)))
    bars = []
    for index, place in enumerate(places):
        one, two, three, volume = map(Decimal, numbers[4 * index : 4 * index + 4])
        low, middle, high = sorted((one, two, three))
        bars.append(a_bar(place, open=middle, high=high, low=low, close=one, volume=volume))
    return bars


@settings(max_examples=60)
@given(bars=minutes_with_holes(), frame=st.sampled_from(["1m", "5m", "15m", "1h"]))
def test_frames_hold_what_their_bars_hold_whichever_bars_are_missing(bars: list[Bar], frame: str) -> None:
    builder = FrameBuilder(frame)
    closed = [each for bar in bars for each in builder.add(bar)]
    rest = [builder.partial] if builder.partial is not None else []

    assert closed + rest == plainly_built(bars, frame)


@settings(max_examples=60)
@given(bars=minutes_with_holes())
def test_a_frame_is_told_with_its_last_bar_or_with_the_first_that_comes_after(bars: list[Bar]) -> None:
    builder = FrameBuilder("15m")
    told = {each.opened_at: bar for bar in bars for each in builder.add(bar)}

    for opened_at, bar in told.items():
        closed_at = opened_at + TIMEFRAMES_MS["15m"]
        follower = next((each for each in bars if each.closed_at >= closed_at), None)
        assert bar is follower


@settings(max_examples=30)
@given(bars=minutes_with_holes(), data=st.data())
def test_a_builder_that_was_saved_anywhere_goes_on_as_if_it_had_not_been(bars: list[Bar], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(bars)))
    whole, saved = FrameBuilder("1h"), FrameBuilder("1h")
    before = [each for bar in bars[:cut] for each in saved.add(bar)]

    restored = msgspec.json.decode(msgspec.json.encode(saved), type=FrameBuilder)
    after = [each for bar in bars[cut:] for each in restored.add(bar)]

    assert before + after == [each for bar in bars for each in whole.add(bar)]
    assert restored == whole


def test_a_bar_after_a_hole_can_close_two_frames_at_once() -> None:
    builder = FrameBuilder("15m")
    builder.add(a_bar(3))

    closed = builder.add(a_bar(29))

    assert [bar.opened_at for bar in closed] == [T0, T0 + 15 * MINUTE_MS]


def test_a_bar_of_a_frame_that_is_past_is_refused_by_the_builder() -> None:
    builder = FrameBuilder("15m")
    builder.add(a_bar(20))

    with pytest.raises(ValueError, match="must open at or after"):
        builder.add(a_bar(3))


@pytest.mark.parametrize(
    ("base", "wanted", "frames"),
    [
        ("1m", ("15m", "1h"), ("15m", "1h")),
        ("15m", ("15m", "1h"), ("15m", "1h")),
        ("1h", ("15m", "1h"), ("1h",)),
        ("4h", ("15m", "1h"), ("4h",)),
        ("4h", ("6h", "8h"), ("8h",)),
    ],
)
def test_a_symbol_has_the_wanted_frames_that_whole_base_bars_make(
    base: str, wanted: tuple[str, ...], frames: tuple[str, ...]
) -> None:
    assert frames_of(base, wanted) == frames


def recorded(path: Path, timeframe: str) -> Iterator[Row]:
    with gzip.open(path, "rt") as file:
        for row in csv.DictReader(file):
            numbers = (row["open"], row["high"], row["low"], row["close"], row["volume"])
            yield Row("X", timeframe, int(row["ts"]), *numbers)


@needs_data
@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "DOGEUSDT", "LUNAUSDT"])
def test_recorded_minutes_make_the_recorded_hours(symbol: str) -> None:
    hours = {row.opened_at: row for row in recorded(next(DATA.glob(f"*_{symbol}_1h_20210411_*")), "1h")}
    builder, previous, minutes = FrameBuilder("1h"), None, dict[int, int]()
    built = []
    for row in recorded(next(DATA.glob(f"*_{symbol}_1m_*")), "1m"):
        bar = judge_row(row, previous)
        assert isinstance(bar, Bar)
        previous = bar
        hour = bar.opened_at // HOUR_MS * HOUR_MS
        minutes[hour] = minutes.get(hour, 0) + 1
        built += builder.add(bar)

    full = [bar for bar in built if minutes[bar.opened_at] == 60 and bar.opened_at in hours]
    equal = [bar for bar in full if bar == judge_row(hours[bar.opened_at], None)]
    assert len(full) > 700
    assert len(equal) >= 0.998 * len(full)


@needs_data
@pytest.mark.parametrize(
    "path", sorted(DATA.glob("*_1h_*")), ids=lambda path: path.name.split("_")[1] + path.name[-23:]
)
def test_every_recorded_hour_is_believed_crashes_and_outages_included(path: Path) -> None:
    previous, refused = None, []
    for row in recorded(path, "1h"):
        verdict = judge_row(row, previous)
        if isinstance(verdict, Finding):
            refused.append(verdict)
        else:
            previous = verdict

    assert refused == []


@settings(max_examples=60, deadline=None)
@given(minutes=st.sets(st.integers(0, 400), min_size=1, max_size=200))
def test_a_chain_of_builders_closes_what_each_builder_would_close_by_itself(minutes: set[int]) -> None:
    chain = chain_frames([FrameBuilder("1h"), FrameBuilder("15m"), FrameBuilder("2h")])
    alone = [FrameBuilder("15m"), FrameBuilder("1h"), FrameBuilder("2h")]
    bars = [minute_bar(minute) for minute in sorted(minutes)]

    for bar in bars:
        assert take_in(chain[0], bar) == [closed for builder in alone for closed in builder.add(bar)]


def minute_bar(minute: int) -> Bar:
    price = Decimal(100 + minute % 7)
    opened_at = minute * 60_000
    return Bar(
        "COIN",
        "1m",
        opened_at,
        opened_at + 60_000,
        price,
        price + minute % 3,
        price - minute % 5,
        price,
        Decimal(minute),
    )
