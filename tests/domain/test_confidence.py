"""The confidence engine: what lifts and lowers confidence, and what it does with it."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from domain.market import HOUR_MS, MINUTE_MS, TIMEFRAMES_MS, Bar, Instant, Instrument
from domain.proposal import Entry, Exit, Proposal
from domain.strategies import Holding, Score, View
from domain.strategies.confidence import Confidence, Reading

BTC, ETH = "BTCUSDT", "ETHUSDT"
START = 1_000 * HOUR_MS
WARM_UP = 100
NEVER = Holding()


def an_engine(symbols: tuple[str, ...] = (BTC,), **parameters: Any) -> Confidence:
    return Confidence(symbols, parameters)


def bars_of(
    timeframe: str,
    drift: float,
    *,
    symbol: str = BTC,
    count: int = WARM_UP,
    wobble: float = 0.001,
    ends_at: Instant = START,
) -> list[Bar]:
    """Make bars up to an instant, whose close drifts by a fraction per bar and wobbles around that."""
    length = TIMEFRAMES_MS[timeframe]
    bars, price = [], 1000.0
    for place in range(count):
        opened_at = ends_at - (count - place) * length
        before, price = price, price * (1 + drift + (wobble if place % 2 else -wobble))
        high, low = max(before, price) * 1.001, min(before, price) * 0.999
        opened, top, bottom, closed = (Decimal(f"{each:.2f}") for each in (before, high, low, price))
        bars.append(Bar(symbol, timeframe, opened_at, opened_at + length, opened, top, bottom, closed, Decimal(1)))
    return bars


def feed(engine: Confidence, *streams: Iterable[Bar]) -> Confidence:
    for stream in streams:
        for bar in stream:
            engine.on_bar(bar)
    return engine


def rising(engine: Confidence, symbol: str = BTC) -> Confidence:
    return feed(engine, bars_of("15m", 0.001, symbol=symbol), bars_of("1h", 0.002, symbol=symbol))


def falling(engine: Confidence) -> Confidence:
    return feed(engine, bars_of("15m", -0.001), bars_of("1h", -0.002))


def read(engine: Confidence, at: Instant = START) -> Reading:
    reading = engine.read(BTC, at)
    assert reading is not None
    return reading


def a_view(
    holdings: dict[str, Holding] | None = None, *, at: Instant = START, cash: str = "10000", notional_min: str = "10"
) -> View:
    held = holdings or {BTC: NEVER, ETH: NEVER}
    instruments = {
        symbol: Instrument(
            symbol=symbol,
            base=symbol[:3],
            quote="USDT",
            tick=Decimal("0.01"),
            lot=Decimal("0.0001"),
            notional_min=Decimal(notional_min),
        )
        for symbol in held
    }
    return View(at, Decimal(10_000), Decimal(cash), held, instruments)


def a_holding(quantity: str, **fields: Any) -> Holding:
    return Holding(quantity=Decimal(quantity), average_price=Decimal(1000), **fields)


def only(proposals: Iterable[Proposal]) -> Proposal:
    (proposal,) = proposals
    return proposal


def headlines(engine: Confidence, value: float, *, at: Instant = START) -> Confidence:
    """Let three sources say the same about every symbol."""
    for source in "abc":
        engine.on_score(
            Score(
                source=source,
                text_hash=f"{source}{at}",
                model="lexicon-1",
                value=value,
                half_life_ms=HOUR_MS,
                published_at=at,
                arrived_at=at,
            )
        )
    return engine


def test_a_hundred_bars_of_each_time_frame_are_enough_to_be_ready() -> None:
    engine = feed(an_engine(), bars_of("15m", 0.001)[1:], bars_of("1h", 0.001))

    assert engine.read(BTC, START) is not None


def test_without_the_hourly_trend_there_is_no_confidence_yet() -> None:
    engine = feed(an_engine(), bars_of("15m", 0.001), bars_of("1h", 0.002, count=20))

    assert engine.read(BTC, START) is None
    assert engine.propose(a_view()) == []


def test_confidence_is_the_documented_formula() -> None:
    engine = headlines(
        feed(
            an_engine(weight_15m=1, weight_1h=2, weight_sentiment=3, volatility_calm=0.001),
            bars_of("15m", 0.001),
            bars_of("1h", -0.001),
        ),
        0.5,
    )

    reading = read(engine)

    direction = (reading.trend_15m + 2 * reading.trend_1h + 3 * reading.sentiment) / 6
    assert reading.trend_15m > 0 > reading.trend_1h
    assert reading.sentiment == pytest.approx(0.5)
    assert 0 < reading.calm < 1
    assert reading.confidence == pytest.approx(reading.calm * (1 + direction) / 2, abs=0.00005)


def test_a_market_without_direction_is_half_confident() -> None:
    engine = feed(an_engine(), bars_of("15m", 0, wobble=0), bars_of("1h", 0, wobble=0))

    assert read(engine).confidence == 0.5


def test_volatility_damps_confidence_by_how_far_it_is_above_calm() -> None:
    calm = read(rising(an_engine(volatility_calm=1)))
    damped = read(rising(an_engine(volatility_calm=0.001)))

    volatility = 0.001 / damped.calm
    assert calm.calm == 1
    assert volatility == pytest.approx(0.002, rel=0.05)  # the wobble of 0.001 per bar, four bars an hour
    assert damped.confidence == pytest.approx(calm.confidence * damped.calm, abs=0.0001)


def test_good_news_lift_confidence_and_bad_news_lower_it() -> None:
    neutral = read(rising(an_engine())).confidence

    assert read(headlines(rising(an_engine()), 0.8)).confidence > neutral
    assert read(headlines(rising(an_engine()), -0.8)).confidence < neutral


def test_stale_news_are_neutral() -> None:
    engine = headlines(rising(an_engine()), -0.8, at=START - 48 * HOUR_MS)

    assert read(engine) == read(rising(an_engine()))


def test_hourly_bars_stand_in_where_there_are_no_quarters() -> None:
    engine = feed(an_engine(), bars_of("1h", 0.002))

    reading, entry = read(engine), only(engine.propose(a_view()))

    assert reading.trend_15m == reading.trend_1h > 0
    assert isinstance(entry, Entry)


def test_quarters_decide_where_there_are_any_and_hours_alone_ask_for_nothing() -> None:
    engine = feed(an_engine(), bars_of("15m", 0.001, ends_at=START - 15 * MINUTE_MS), bars_of("1h", 0.002))

    assert engine.propose(a_view()) == []


def test_confidence_enters_at_the_close_with_a_bracket_and_says_why() -> None:
    engine = rising(an_engine())
    close = bars_of("15m", 0.001)[-1].close

    entry = only(engine.propose(a_view()))

    assert isinstance(entry, Entry)
    assert (entry.symbol, entry.side, entry.price, entry.limit_price) == (BTC, "buy", close, None)
    assert entry.stop_price is not None and entry.take_profit is not None
    assert entry.stop_price < close < entry.take_profit
    assert (entry.take_profit - close) / (close - entry.stop_price) == pytest.approx(
        Decimal("1.6"), rel=Decimal("0.01")
    )
    assert entry.confidence == read(engine).confidence >= 0.6
    assert entry.why == read(engine).explain()
    assert entry.good_until == START + 300_000


def test_a_falling_market_is_not_entered() -> None:
    assert falling(an_engine()).propose(a_view()) == []


def test_more_volatility_buys_less() -> None:
    quiet = only(rising(an_engine(position_fraction_max=1)).propose(a_view()))
    restless = feed(an_engine(position_fraction_max=1), bars_of("15m", 0.001, wobble=0.002), bars_of("1h", 0.002))
    loud = only(restless.propose(a_view()))

    assert isinstance(quiet, Entry) and isinstance(loud, Entry)
    assert loud.quantity < quiet.quantity


def test_more_confidence_buys_more() -> None:
    neutral = only(rising(an_engine(position_fraction_max=1)).propose(a_view()))
    hopeful = only(headlines(rising(an_engine(position_fraction_max=1)), 0.9).propose(a_view()))

    assert isinstance(neutral, Entry) and isinstance(hopeful, Entry)
    ratio = hopeful.quantity / neutral.quantity
    assert ratio == pytest.approx(Decimal(hopeful.confidence / neutral.confidence), rel=Decimal("0.01"))
    assert ratio > 1


def test_two_entries_at_once_share_the_cash() -> None:
    engine = rising(rising(an_engine((BTC, ETH), risk_fraction=1, position_fraction_max=1)), ETH)

    entries = [proposal for proposal in engine.propose(a_view()) if isinstance(proposal, Entry)]

    assert [entry.symbol for entry in entries] == [BTC, ETH]
    assert sum(entry.quantity * entry.price for entry in entries) <= 10_000


def test_what_is_too_small_for_the_venue_is_not_proposed() -> None:
    assert rising(an_engine()).propose(a_view(cash="9")) == []


@pytest.mark.parametrize(("minutes_ago", "proposed"), [(0, False), (119, False), (120, True), (1_000, True)], ids=str)
def test_the_cooldown_counts_from_the_last_entry_that_filled(minutes_ago: int, *, proposed: bool) -> None:
    holding = a_holding("0", entered_at=START - minutes_ago * MINUTE_MS)

    proposals = rising(an_engine(cooldown_minutes=120)).propose(a_view({BTC: holding}))

    assert bool(proposals) is proposed


def test_where_there_never_was_an_entry_nothing_cools_down() -> None:
    engine = feed(
        an_engine(cooldown_minutes=525_600), bars_of("15m", 0.001, ends_at=0), bars_of("1h", 0.002, ends_at=0)
    )

    assert len(engine.propose(a_view({BTC: NEVER}, at=0))) == 1


def test_an_entry_in_flight_is_waited_for() -> None:
    assert rising(an_engine()).propose(a_view({BTC: a_holding("0", entry_in_flight=True)})) == []


def test_what_is_held_is_not_added_to() -> None:
    assert rising(an_engine()).propose(a_view({BTC: a_holding("1")})) == []


def test_lost_confidence_leaves_and_says_why() -> None:
    engine = falling(an_engine())

    proposal = only(engine.propose(a_view({BTC: a_holding("1")})))

    assert proposal == Exit(symbol=BTC, good_until=START + 300_000, quantity=None, why=read(engine).explain())


def test_between_the_thresholds_it_stays() -> None:
    engine = feed(an_engine(leave_below=0.49), bars_of("15m", 0, wobble=0), bars_of("1h", 0, wobble=0))

    assert engine.propose(a_view({BTC: a_holding("1")})) == []
    assert engine.propose(a_view({BTC: NEVER})) == []


def test_dust_that_cannot_be_sold_is_neither_left_nor_in_the_way_of_an_entry() -> None:
    dust = {BTC: a_holding("0.00005")}

    assert falling(an_engine()).propose(a_view(dust)) == []
    assert isinstance(only(rising(an_engine()).propose(a_view(dust))), Entry)


@pytest.mark.parametrize("late_ms", [-1, 15 * MINUTE_MS])
def test_a_bar_that_is_not_the_newest_there_can_be_is_not_acted_on(late_ms: int) -> None:
    assert rising(an_engine()).propose(a_view(at=START + late_ms)) == []


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"fast": 30}, "fast must be below slow, which is 21, was 30"),
        ({"fast": 0}, "fast must be a whole number of bars from 1 to 1000, was 0"),
        ({"slow": 12.5}, "slow must be a whole number of bars from 1 to 1000, was 12.5"),
        ({"enter_from": Decimal("1.1")}, "enter_from must be a number from 0 to 1, was 1.1"),
        ({"leave_below": 0.7}, "leave_below must be below enter_from, which is 0.6, was 0.7"),
        ({"risk_fraction": float("nan")}, "risk_fraction must be a number above 0 and at most 1, was nan"),
        ({"stop_atr": "wide"}, "stop_atr must be a number above 0 and at most 1000, was 'wide'"),
        (
            {"weight_15m": 0, "weight_1h": 0, "weight_sentiment": 0},
            "weight_15m must be above 0 where the other weights are 0, was 0",
        ),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else "",
)
def test_a_setting_that_cannot_be_is_refused_with_a_sentence(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        Confidence((BTC,), parameters)

    assert str(refused.value) == sentence


def test_all_mistakes_are_named_at_once_unknown_keys_too() -> None:
    with pytest.raises(ValueError) as refused:
        Confidence((BTC,), {"speed": 3, "fast": "x", "atr": True})

    assert [line.split(" must be ")[0] for line in str(refused.value).splitlines()] == ["fast", "atr", "speed"]
    assert "speed must be one of the settings fast, slow, atr," in str(refused.value)


def test_settings_may_come_as_toml_reads_them() -> None:
    parameters = {"fast": 5, "enter_from": Decimal("0.61"), "stop_atr": 2, "weight_1h": "0.5", "risk_fraction": 0.01}

    assert Confidence((BTC,), parameters).propose(a_view()) == []
