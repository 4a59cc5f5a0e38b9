"""Laws of the generated market: the same everywhere, the same from any point, and worth a first run."""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.bars import Finding, FrameBuilder, judge_row, judge_step
from domain.market import DAY_MS, HOUR_MS, MINUTE_MS, TIMEFRAMES_MS, Bar, Instrument
from domain.proposal import Entry
from domain.sources import Step
from domain.strategies.base import Holding, Strategy, View
from domain.strategies.confidence import Confidence
from domain.strategies.ema_cross import EmaCross
from gateways.sample import SampleMarket
from gateways.sample_news import sample_headlines
from gateways.sample_plan import PLAN

PINNED = {
    "steps": "8041f566bdf44ec8",
    "history": "01d7d944196e97ca",
    "headlines": "9fff69080b6a04d7",
}
"""Whoever changes these changes what every recorded run of the sample rests on: raise the generator's VERSION."""


def hash_of(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:16]


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    market = SampleMarket()
    return list(market.steps(market.starts_at()))


def closes(steps: list[Step], symbol: str = "BTCUSDT") -> dict[int, float]:
    return {step.at: float(row.close) for step in steps for row in step.rows if row.symbol == symbol}


def test_the_same_seed_makes_the_same_market_on_every_machine(steps: list[Step]) -> None:
    market = SampleMarket()
    history = [market.history(symbol, frame) for symbol in market.symbols() for frame in ("15m", "1h")]

    found = {"steps": hash_of(steps), "history": hash_of(history), "headlines": hash_of(sample_headlines().load())}

    assert found == PINNED


def test_another_seed_makes_another_market(steps: list[Step]) -> None:
    other = SampleMarket(seed=8)

    assert next(other.steps(0)) != steps[0]
    assert other.history("BTCUSDT", "1h") != SampleMarket().history("BTCUSDT", "1h")


@settings(max_examples=15, deadline=None)
@given(minute=st.integers(-100, 14 * 24 * 60 + 10), odd=st.integers(0, 1))
def test_reading_from_any_point_gives_the_rest_of_reading_from_the_start(
    steps: list[Step], minute: int, odd: int
) -> None:
    market = SampleMarket()
    after = market.starts_at() + minute * MINUTE_MS + odd

    rest = market.steps(after)

    expected = [step for step in steps if step.at > after]
    assert [step for step, _ in zip(rest, range(3_000), strict=False)] == expected[:3_000]


def test_a_longer_market_begins_with_the_shorter_one_and_a_symbol_is_the_same_in_any_company(
    steps: list[Step],
) -> None:
    longer = SampleMarket(days=30, symbols=("SOLUSDT", "BTCUSDT"))
    day = steps[0].at + 5 * DAY_MS

    there = [row for row in next(longer.steps(day)).rows if row.symbol == "BTCUSDT"]

    assert there == [row for row in next(SampleMarket().steps(day)).rows if row.symbol == "BTCUSDT"]


def test_every_row_is_believed_and_only_the_outage_is_missing(steps: list[Step]) -> None:
    newest: dict[str, Bar] = {}
    market_at, count = 0, 0
    found: list[Finding] = []
    for step in steps:
        judged = judge_step(step, newest, market_at)
        newest.update((bar.symbol, bar) for bar in judged.bars)
        market_at, count = step.at, count + len(judged.bars)
        found += judged.findings

    assert count == 3 * SampleMarket().steps_total() == 3 * (14 * 24 * 60 - 40)
    assert [(finding.fault, finding.detail[:8]) for finding in found] == [("gap", "40 of 1m")] * 3


def test_each_bar_opens_where_the_one_before_closed_and_history_leads_up_to_the_first(steps: list[Step]) -> None:
    market = SampleMarket()
    last = {symbol: str(market.history(symbol, "1h")[-1].close) for symbol in market.symbols()}
    for step in steps[:3_000]:
        for row in step.rows:
            assert row.open == last[row.symbol]
            last[row.symbol] = row.close


def test_history_is_enough_to_warm_up_on_and_ends_where_trading_starts() -> None:
    market = SampleMarket()
    for symbol in market.symbols():
        for frame in ("15m", "1h"):
            bars = market.history(symbol, frame)

            assert len(bars) >= 120
            assert bars[-1].closed_at == market.starts_at()
            assert {after.opened_at - before.opened_at for before, after in pairwise(bars)} == {TIMEFRAMES_MS[frame]}


def test_frames_finer_than_its_history_begin_empty_and_frames_it_does_not_have_are_refused() -> None:
    market = SampleMarket(frames=("5m", "1h"))

    assert market.history("BTCUSDT", "5m") == ()
    with pytest.raises(ValueError, match="must be one of"):
        market.history("BTCUSDT", "15m")


def test_there_is_a_crash_within_hours_and_a_rebound(steps: list[Step]) -> None:
    day = next(day for day, plan in enumerate(PLAN) if plan.regime == "crash")
    begin = SampleMarket().starts_at() + day * DAY_MS
    prices = [price for at, price in closes(steps).items() if begin < at <= begin + DAY_MS]

    low = min(prices)
    before = prices[prices.index(low) - 4 * 60]
    after = max(prices[prices.index(low) : prices.index(low) + 4 * 60])
    assert low / before < 0.84
    assert after / low > 1.06


def test_days_rise_fall_and_rest_as_planned(steps: list[Step]) -> None:
    prices = closes(steps)
    begin = SampleMarket().starts_at()
    for day, plan in enumerate(PLAN[:-1]):
        opened, closed = prices[begin + day * DAY_MS + MINUTE_MS], prices[begin + (day + 1) * DAY_MS]
        change = closed / opened - 1
        match plan.regime:
            case "trend up":
                assert change > 0.02
            case "trend down":
                assert change < -0.02
            case "quiet":
                assert abs(change) < 0.015


def test_symbols_move_together_but_not_as_one(steps: list[Step]) -> None:
    paths = [list(closes(steps, symbol).values())[::60] for symbol in ("BTCUSDT", "SOLUSDT")]
    one, two = ([after / before - 1 for before, after in pairwise(path)] for path in paths)

    covariance = sum(a * b for a, b in zip(one, two, strict=True))
    correlation = covariance / (sum(a * a for a in one) * sum(b * b for b in two)) ** 0.5
    assert 0.7 < correlation < 0.995


@pytest.mark.parametrize("seed", [1, 7, 23])
@pytest.mark.parametrize("strategy_class", [Confidence, EmaCross])
def test_a_strategy_finds_an_entry_within_the_first_twenty_minutes(seed: int, strategy_class: type) -> None:
    market = SampleMarket(seed=seed)
    symbols = market.symbols()
    strategy: Strategy = strategy_class(symbols, {})
    for symbol in symbols:
        for frame in strategy.timeframes:
            for bar in market.history(symbol, frame):
                strategy.on_bar(bar)
    builders = {(symbol, frame): FrameBuilder(frame) for symbol in symbols for frame in strategy.timeframes}

    entries: list[Entry] = []
    for step in market.steps(market.starts_at()):
        if step.at > market.starts_at() + 20 * MINUTE_MS:
            break
        for row in step.rows:
            base = judge_row(row, None)
            assert isinstance(base, Bar)
            for frame in strategy.timeframes:
                for closed in builders[row.symbol, frame].add(base):
                    strategy.on_bar(closed)
        entries += [each for each in strategy.propose(a_view(symbols, step.at)) if isinstance(each, Entry)]

    assert entries


def a_view(names: Sequence[str], at: int) -> View:
    lot = Decimal("0.00001")
    return View(
        at=at,
        equity=Decimal(100_000),
        cash=Decimal(100_000),
        holdings={name: Holding() for name in names},
        instruments={name: Instrument(name, name[:-4], "USDT", Decimal("0.01"), lot) for name in names},
    )


def test_it_says_that_it_is_generated_and_from_which_seed() -> None:
    assert SampleMarket(seed=7).describe().startswith("generated market, seed 7")
    assert sample_headlines(seed=7).describe().startswith("generated headlines, seed 7")
    assert {headline.source for headline in sample_headlines().load()} == {"generated"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"days": 0}, r"days must be in 1\.\.365, was 0"),
        ({"days": 366}, r"days must be in 1\.\.365, was 366"),
        ({"symbols": ()}, "symbols must be one or more, each once, were none"),
        ({"symbols": ("A", "A")}, "symbols must be one or more, each once, were A, A"),
    ],
)
def test_a_market_that_cannot_be_is_refused(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SampleMarket(**changes)  # type: ignore[arg-type]


def test_any_symbol_has_a_market() -> None:
    market = SampleMarket(symbols=("XYZUSDT",), days=1)

    assert len(list(market.steps(0))) == market.steps_total() == 24 * 60
    assert len(market.history("XYZUSDT", "1h")) == 150


def test_headlines_come_in_order_within_the_market_with_some_before_it() -> None:
    headlines = sample_headlines().load()
    begin = SampleMarket().starts_at()
    instants = [headline.published_at for headline in headlines]

    assert 40 <= len(headlines) <= 80
    assert instants == sorted(instants)
    assert begin - 2 * DAY_MS < instants[0] < begin - HOUR_MS
    assert instants[-1] < begin + 14 * DAY_MS
    assert len({headline.title for headline in headlines}) == len(headlines)


def test_the_crash_has_more_headlines_than_any_other_day_and_none_of_it_comes_before_the_fall(
    steps: list[Step],
) -> None:
    day = next(day for day, plan in enumerate(PLAN) if plan.regime == "crash")
    begin = SampleMarket().starts_at() + day * DAY_MS
    counts: dict[int, int] = {}
    for headline in sample_headlines().load():
        place = (headline.published_at - SampleMarket().starts_at()) // DAY_MS
        counts[place] = counts.get(place, 0) + 1

    plunge = next(each for each in sample_headlines().load() if "plunges" in each.title)

    assert counts[day] == max(counts.values())
    assert closes(steps)[plunge.published_at] < closes(steps)[begin + 690 * MINUTE_MS] * 0.98
