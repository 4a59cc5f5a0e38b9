"""The cross of averages: in on the way up, out while below, and never twice on one cross."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from domain.market import HOUR_MS, MINUTE_MS, TIMEFRAMES_MS, Bar, Instant, Instrument
from domain.proposal import Entry, Exit, Proposal
from domain.strategies import Holding, Score, View
from domain.strategies.ema_cross import EmaCross

BTC, ETH = "BTCUSDT", "ETHUSDT"
NEVER = Holding()
FALL = [1000 - each for each in range(100)]
RISE = [900 + 3 * each for each in range(100)]


def a_cross(symbols: tuple[str, ...] = (BTC,), **parameters: Any) -> EmaCross:
    return EmaCross(symbols, parameters)


def bars_of(closes: Sequence[float], *, symbol: str = BTC, timeframe: str = "15m", first: int = 0) -> list[Bar]:
    """Make bars that close at these prices, the `first` one at that place since the epoch."""
    length = TIMEFRAMES_MS[timeframe]
    bars = []
    for place, price in enumerate(closes, start=first):
        close = Decimal(str(price))
        high, low = close + 2, close - 2
        bars.append(Bar(symbol, timeframe, place * length, (place + 1) * length, close, high, low, close, Decimal(1)))
    return bars


def a_view(at: Instant, holding: Holding = NEVER, *, cash: str = "10000") -> View:
    instruments = {
        symbol: Instrument(
            symbol=symbol,
            base=symbol[:3],
            quote="USDT",
            tick=Decimal("0.01"),
            lot=Decimal("0.0001"),
            notional_min=Decimal(10),
        )
        for symbol in (BTC, ETH)
    }
    return View(at, Decimal(10_000), Decimal(cash), {BTC: holding, ETH: holding}, instruments)


def answers(cross: EmaCross, bars: Sequence[Bar], holding: Holding = NEVER) -> list[tuple[int, Proposal]]:
    """Show bars one by one; return what was proposed at which of them."""
    made = []
    for place, bar in enumerate(bars):
        cross.on_bar(bar)
        made += [(place, proposal) for proposal in cross.propose(a_view(bar.closed_at, holding))]
    return made


def held(**fields: Any) -> Holding:
    return Holding(quantity=Decimal(1), average_price=Decimal(900), **fields)


def test_a_cross_up_after_a_hundred_bars_is_entered_once_with_a_bracket_and_a_fixed_share() -> None:
    cross = a_cross(position_fraction=0.1)
    answers(cross, bars_of(FALL))

    made = answers(cross, bars_of(RISE, first=100))

    ((_, entry),) = made
    assert isinstance(entry, Entry)
    assert entry.stop_price is not None and entry.take_profit is not None
    assert entry.stop_price < entry.price < entry.take_profit
    assert (entry.take_profit - entry.price) / (entry.price - entry.stop_price) == pytest.approx(2, rel=0.01)
    assert Decimal(999) < entry.quantity * entry.price <= 1000
    assert entry.why.endswith("is above slow average " + entry.why.split()[-1])


def test_the_entry_comes_on_the_very_bar_of_the_cross() -> None:
    closes = [*FALL, *RISE]
    cross = a_cross(fast=2, slow=4)
    fast, slow = _averages(closes, 2), _averages(closes, 4)
    crossed = [place for place in range(4, 200) if fast[place - 1] < slow[place - 1] and fast[place] > slow[place]]

    made = answers(cross, bars_of(closes))

    assert [place for place, _ in made] == crossed
    assert len(crossed) == 1


def _averages(closes: Sequence[float], period: int) -> list[float]:
    average, averages = sum(closes[:period]) / period, [float("nan")] * (period - 1)
    averages.append(average)
    for close in closes[period:]:
        average += (close - average) * 2 / (period + 1)
        averages.append(average)
    return averages


def test_a_market_that_only_rises_has_no_cross() -> None:
    assert answers(a_cross(), bars_of(RISE)) == []


def test_averages_that_touch_and_part_again_have_not_crossed() -> None:
    cross = a_cross(fast=1, slow=2)
    still = [500.0] * 60

    touched = answers(cross, bars_of([510, 505, *still]))
    parted = answers(cross, bars_of([495, 490], first=62))
    crossed = answers(cross, bars_of([*still, 501], first=64))

    assert _averages([510, 505, *still], 2)[-1] == 500  # so near that they are equal
    assert touched == parted == []
    assert [place for place, _ in crossed] == [0]


def test_what_is_held_is_left_on_every_bar_below_until_it_is_gone() -> None:
    cross = a_cross()
    answers(cross, bars_of(RISE))

    made = answers(cross, bars_of(FALL, first=100), held())

    places = [place for place, _ in made]
    assert all(isinstance(proposal, Exit) and proposal.quantity is None for _, proposal in made)
    assert places == list(range(places[0], 100))
    assert places[0] < 10


def test_nothing_held_is_nothing_to_leave() -> None:
    assert answers(a_cross(), bars_of([*RISE, *FALL])) == []


@pytest.mark.parametrize(("ago_minutes", "proposed"), [(59, False), (60, True)])
def test_a_cross_within_the_cooldown_is_let_go(ago_minutes: int, *, proposed: bool) -> None:
    cross = a_cross(cooldown_minutes=60)
    answers(cross, bars_of(FALL))
    made: list[Proposal] = []
    for bar in bars_of(RISE, first=100):
        cross.on_bar(bar)
        made += cross.propose(a_view(bar.closed_at, Holding(entered_at=bar.closed_at - ago_minutes * MINUTE_MS)))

    assert bool(made) is proposed


@pytest.mark.parametrize("holding", [held(), Holding(entry_in_flight=True)], ids=["held", "in flight"])
def test_a_cross_while_in_or_on_the_way_in_is_not_entered(holding: Holding) -> None:
    made = answers(a_cross(), bars_of([*FALL, *RISE]), holding)

    assert not [proposal for _, proposal in made if isinstance(proposal, Entry)]


def test_a_state_restored_on_the_bar_of_the_cross_still_enters() -> None:
    cross, restored = a_cross(), a_cross()
    bars = bars_of([*FALL, *RISE])
    ((place, entry),) = answers(a_cross(), bars)
    for bar in bars[: place + 1]:
        cross.on_bar(bar)

    restored.restore(json.loads(json.dumps(cross.save())))

    assert restored.propose(a_view(bars[place].closed_at)) == [entry]


def test_a_state_restored_before_the_cross_knows_that_it_was_below() -> None:
    cross, restored = a_cross(), a_cross()
    answers(cross, bars_of(FALL))

    restored.restore(json.loads(json.dumps(cross.save())))

    assert answers(restored, bars_of(RISE, first=100)) == answers(cross, bars_of(RISE, first=100)) != []


def test_another_time_frame_starts_from_nothing() -> None:
    quarters, hours = a_cross(), a_cross(timeframe="1h")
    answers(quarters, bars_of(FALL))

    hours.restore(json.loads(json.dumps(quarters.save())))

    assert hours.timeframes == ("1h",)
    assert hours.save() == a_cross(timeframe="1h").save()


def test_any_time_frame_will_do() -> None:
    made = answers(a_cross(timeframe="4h"), bars_of([*FALL, *RISE], timeframe="4h"))

    assert len(made) == 1


def test_two_crosses_at_once_share_the_cash() -> None:
    cross = a_cross((BTC, ETH), position_fraction=1)
    made: list[Proposal] = []
    for pair in zip(bars_of([*FALL, *RISE]), bars_of([*FALL, *RISE], symbol=ETH), strict=True):
        for bar in pair:
            cross.on_bar(bar)
        made += cross.propose(a_view(pair[0].closed_at))

    assert [proposal.symbol for proposal in made] == [BTC, ETH]
    assert sum(proposal.quantity * proposal.price for proposal in made if isinstance(proposal, Entry)) <= 10_000


def test_news_change_nothing() -> None:
    cross = a_cross()
    answers(cross, bars_of(FALL))
    before = cross.save()

    cross.on_score(
        Score(source="a", text_hash="h", model="m", value=1.0, half_life_ms=HOUR_MS, published_at=0, arrived_at=0)
    )

    assert cross.save() == before


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"fast": 21}, "fast must be below slow, which is 21, was 21"),
        (
            {"timeframe": "7m"},
            "timeframe must be one of 1s, 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 8h, 12h, 1d, was '7m'",
        ),
        ({"timeframe": 15}, "timeframe must be a time frame such as 15m, was 15"),
        ({"position_fraction": 0}, "position_fraction must be a number above 0 and at most 1, was 0"),
        ({"cooldown_minutes": -1}, "cooldown_minutes must be a whole number of minutes from 0 to 525600, was -1"),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else "",
)
def test_a_setting_that_cannot_be_is_refused_with_a_sentence(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        EmaCross((BTC,), parameters)

    assert str(refused.value) == sentence
