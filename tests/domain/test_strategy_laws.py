"""What holds for every strategy that ships with Holdfast, on random markets and on recorded ones."""

import copy
import csv
import gzip
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market import HOUR_MS, MINUTE_MS, TIMEFRAMES_MS, Bar, Instant, Instrument
from domain.money import floor_to
from domain.proposal import Entry, Exit, Proposal
from domain.strategies import Holding, Score, Strategy, View
from domain.strategies.confidence import Confidence
from domain.strategies.ema_cross import EmaCross

DATA = Path(os.environ.get("HOLDFAST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "ohlcv"
FRAMES = ("15m", "1h")
STRATEGIES: dict[str, type[Confidence] | type[EmaCross]] = {"confidence": Confidence, "ema_cross": EmaCross}
COOLDOWN_MS = {"confidence": 120 * MINUTE_MS, "ema_cross": 60 * MINUTE_MS}
FEE = Decimal("0.001")

Step = tuple[Instant, list[Bar]]

every_strategy = pytest.mark.parametrize("name", STRATEGIES)
any_seed = st.integers(0, 2**32 - 1)
few = settings(max_examples=8, deadline=None)


def an_instrument(symbol: str, tick: str, lot: str) -> Instrument:
    return Instrument(
        symbol=symbol, base=symbol[:-4], quote="USDT", tick=Decimal(tick), lot=Decimal(lot), notional_min=Decimal(10)
    )


INSTRUMENTS = {
    "BTCUSDT": an_instrument("BTCUSDT", "0.01", "0.00001"),
    "ETHUSDT": an_instrument("ETHUSDT", "0.01", "0.0001"),
    "DOGEUSDT": an_instrument("DOGEUSDT", "0.00001", "1"),
}


class Desk:
    """Fills entries and exits at once at the close, stops and targets at their price, fees in the base asset."""

    def __init__(self, strategy: Strategy, instruments: Mapping[str, Instrument] = INSTRUMENTS) -> None:
        self.strategy = strategy
        self.instruments = instruments
        self.cash = Decimal(10_000)
        self.holdings = {symbol: Holding() for symbol in instruments}
        self.entries: dict[str, Entry] = {}
        self.marks: dict[str, Decimal] = {}
        self.seen = self.view(0)

    def take(self, step: Step) -> list[Proposal]:
        """Show a step to the strategy, do what it proposes, and return that."""
        at, bars = step
        for bar in bars:
            self._trade_through(bar)
            if bar.timeframe in self.strategy.timeframes:
                self.strategy.on_bar(bar)
        self.seen = self.view(at)
        proposals = list(self.strategy.propose(self.seen))
        for proposal in proposals:
            self._fill(proposal, at)
        return proposals

    def view(self, at: Instant) -> View:
        worth = sum(holding.quantity * self.marks.get(symbol, Decimal(0)) for symbol, holding in self.holdings.items())
        return View(at, self.cash + worth, self.cash, dict(self.holdings), self.instruments)

    def _trade_through(self, bar: Bar) -> None:
        self.marks[bar.symbol] = bar.close
        entry = self.entries.get(bar.symbol)
        if bar.timeframe != FRAMES[0] or entry is None or entry.stop_price is None or entry.take_profit is None:
            return
        if bar.low <= entry.stop_price:
            self._sell(bar.symbol, entry.stop_price)
        elif bar.high >= entry.take_profit:
            self._sell(bar.symbol, entry.take_profit)

    def _fill(self, proposal: Proposal, at: Instant) -> None:
        if isinstance(proposal, Exit):
            self._sell(proposal.symbol, self.marks[proposal.symbol])
            return
        self.cash -= proposal.quantity * proposal.price
        held = self.holdings[proposal.symbol].quantity + proposal.quantity * (1 - FEE)
        self.holdings[proposal.symbol] = Holding(held, proposal.price, entered_at=at)
        self.entries[proposal.symbol] = proposal

    def _sell(self, symbol: str, price: Decimal) -> None:
        holding = self.holdings[symbol]
        sold = floor_to(holding.quantity, self.instruments[symbol].lot)
        self.cash += sold * price * (1 - FEE)
        self.holdings[symbol] = Holding(holding.quantity - sold, holding.average_price, entered_at=holding.entered_at)
        self.entries.pop(symbol, None)


def a_strategy(name: str) -> Strategy:
    return STRATEGIES[name](tuple(INSTRUMENTS), {})


def a_market(seed: int, steps: int = 240) -> list[Step]:
    """Make a market of quarter hours with changing trends, and the hours they add up to."""
    random = Random(seed)
    quarters: dict[str, list[Bar]] = {symbol: [] for symbol in INSTRUMENTS}
    market = []
    for place in range(1, steps + 1):
        at = place * TIMEFRAMES_MS["15m"]
        bars = []
        for symbol, past in quarters.items():
            drift = 0.0015 * ((place // 37 + len(symbol)) % 3 - 1)
            past.append(_next_bar(random, past[-1] if past else None, symbol, at, drift))
            bars.append(past[-1])
            if at % HOUR_MS == 0:
                bars.append(merge(past[-4:], "1h"))
        market.append((at, bars))
    return market


def _next_bar(random: Random, before: Bar | None, symbol: str, at: Instant, drift: float) -> Bar:
    tick = INSTRUMENTS[symbol].tick
    opened = before.close if before else 10_000 * tick
    closed = max(tick * 1_000, floor_to(opened * Decimal(str(1 + drift + random.gauss(0, 0.004))), tick))
    reach = tick * random.randrange(30)
    high, low = max(opened, closed) + reach, min(opened, closed) - reach
    return Bar(symbol, "15m", at - TIMEFRAMES_MS["15m"], at, opened, high, low, closed, Decimal(1))


def merge(bars: Sequence[Bar], timeframe: str) -> Bar:
    return Bar(
        symbol=bars[0].symbol,
        timeframe=timeframe,
        opened_at=bars[0].opened_at,
        closed_at=bars[-1].closed_at,
        open=bars[0].open,
        high=max(bar.high for bar in bars),
        low=min(bar.low for bar in bars),
        close=bars[-1].close,
        volume=sum((bar.volume for bar in bars), Decimal(0)),
    )


def a_score(seed: int, at: Instant) -> Score:
    random = Random(seed * 1_000_003 + at)
    value = random.uniform(-1, 1)
    return Score(
        source=random.choice("abc"),
        text_hash=f"{seed}.{at}",
        model="lexicon-1",
        value=value,
        half_life_ms=HOUR_MS,
        published_at=at,
        arrived_at=at,
        symbols=random.choice([(), ("BTCUSDT",)]),
    )


def run(desk: Desk, market: Sequence[Step], seed: int) -> list[list[Proposal]]:
    """Take all steps, with a headline now and then."""
    taken = []
    for step in market:
        if step[0] % (7 * TIMEFRAMES_MS["15m"]) == 0:
            desk.strategy.on_score(a_score(seed, step[0]))
        taken.append(desk.take(step))
    return taken


def through_json(state: dict[str, Any]) -> dict[str, Any]:
    restored: dict[str, Any] = json.loads(json.dumps(state, allow_nan=False))
    return restored


@every_strategy
@few
@given(seed=any_seed, cut=st.integers(0, 240))
def test_a_strategy_restored_at_any_bar_proposes_what_it_would_have_proposed(name: str, seed: int, cut: int) -> None:
    market = a_market(seed)
    uninterrupted = Desk(a_strategy(name))
    run(uninterrupted, market[:cut], seed)
    restarted = copy.copy(uninterrupted)
    restarted.holdings, restarted.entries = dict(uninterrupted.holdings), dict(uninterrupted.entries)
    restarted.marks = dict(uninterrupted.marks)
    restarted.strategy = a_strategy(name)

    restarted.strategy.restore(through_json(uninterrupted.strategy.save()))

    assert restarted.strategy.save() == uninterrupted.strategy.save()
    assert run(restarted, market[cut:], seed) == run(uninterrupted, market[cut:], seed)
    assert restarted.strategy.save() == uninterrupted.strategy.save()


@every_strategy
@few
@given(seed=any_seed)
def test_asked_twice_a_strategy_says_the_same_and_is_the_same(name: str, seed: int) -> None:
    desk = Desk(a_strategy(name))
    for place, step in enumerate(a_market(seed)):
        first = desk.take(step)
        state = json.dumps(desk.strategy.save()) if place % 10 == 0 else ""

        second = desk.strategy.propose(desk.seen)

        assert second == first
        assert not state or json.dumps(desk.strategy.save()) == state


@every_strategy
@few
@given(seed=any_seed)
def test_an_entry_fits_venue_and_cash_has_its_stop_below_its_target_above_and_waits_for_the_cooldown(
    name: str, seed: int
) -> None:
    desk = Desk(a_strategy(name))
    entered: dict[str, Instant] = {}
    for step in a_market(seed):
        entries = [proposal for proposal in desk.take(step) if isinstance(proposal, Entry)]

        assert sum(entry.quantity * entry.price for entry in entries) <= desk.seen.cash
        for entry in entries:
            check_entry(entry, desk.seen)
            assert step[0] - entered.get(entry.symbol, -(10**12)) >= COOLDOWN_MS[name]
            entered[entry.symbol] = step[0]


def check_entry(entry: Entry, view: View) -> None:
    instrument = view.instruments[entry.symbol]
    assert entry.stop_price is not None
    assert entry.take_profit is not None
    assert 0 < entry.stop_price < entry.price < entry.take_profit
    assert entry.stop_price % instrument.tick == entry.take_profit % instrument.tick == 0
    assert entry.quantity % instrument.lot == 0
    assert entry.quantity * entry.price >= instrument.notional_min
    assert entry.good_until > view.at
    assert 0 <= entry.confidence <= 1


@every_strategy
def test_a_random_market_is_traded_in_and_out_again_and_again(name: str) -> None:
    proposals = [each for taken in run(Desk(a_strategy(name)), a_market(1, steps=320), seed=1) for each in taken]

    assert sum(isinstance(proposal, Entry) for proposal in proposals) >= 10
    assert sum(isinstance(proposal, Exit) for proposal in proposals) >= 2


@every_strategy
def test_a_symbol_whose_bar_did_not_come_is_left_alone(name: str) -> None:
    desk = Desk(a_strategy(name))
    for at, bars in a_market(seed=1):
        silent = at % HOUR_MS == 30 * MINUTE_MS

        proposals = desk.take((at, [bar for bar in bars if not (silent and bar.symbol == "BTCUSDT")]))

        assert not (silent and "BTCUSDT" in [proposal.symbol for proposal in proposals])


@every_strategy
def test_a_symbol_that_is_new_since_the_state_was_saved_starts_from_nothing(name: str) -> None:
    market = a_market(seed=1)
    old = STRATEGIES[name](("BTCUSDT", "DOGEUSDT"), {})
    for _, bars in market:
        for bar in bars:
            if bar.timeframe in old.timeframes and bar.symbol != "ETHUSDT":
                old.on_bar(bar)
    new = STRATEGIES[name](("BTCUSDT", "ETHUSDT"), {})

    new.restore(through_json(old.save()))

    saved = new.save()
    by_symbol = saved.get("frames") or saved["pairs"]
    assert by_symbol["BTCUSDT"] == (old.save().get("frames") or old.save()["pairs"])["BTCUSDT"]
    assert set(by_symbol) == {"BTCUSDT", "ETHUSDT"}


def recorded(symbol: str) -> Iterator[Bar]:
    with gzip.open(DATA / f"binance_{symbol}_1m_20210610_20210710.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            opened_at = int(row["ts"])
            prices = [Decimal(row[key]) for key in ("open", "high", "low", "close")]
            yield Bar(symbol, "1m", opened_at, opened_at + MINUTE_MS, *prices, Decimal(row["volume"]))  # type: ignore[call-arg]


@cache
def recorded_market() -> tuple[Step, ...]:
    """Read 30 days of minutes and add them up to whole quarters and hours."""
    steps: dict[Instant, list[Bar]] = {}
    for symbol in INSTRUMENTS:
        gathered: dict[str, list[Bar]] = {timeframe: [] for timeframe in FRAMES}
        for minute in recorded(symbol):
            for timeframe, bars in gathered.items():
                bars.append(minute)
                if minute.closed_at % TIMEFRAMES_MS[timeframe] == 0:
                    if len(bars) * MINUTE_MS == TIMEFRAMES_MS[timeframe]:
                        steps.setdefault(minute.closed_at, []).append(merge(bars, timeframe))
                    bars.clear()
    return tuple(sorted(steps.items()))


with_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no recorded bars at {DATA}")


def entries_on_recorded_market(name: str) -> list[Entry]:
    """Trade 30 days from the 101st hour on; what is proposed before serves as history."""
    desk, market = Desk(a_strategy(name)), recorded_market()
    starts_at = market[0][0] + 100 * HOUR_MS
    for _, bars in (step for step in market if step[0] <= starts_at):
        for bar in bars:
            if bar.timeframe in desk.strategy.timeframes:
                desk.strategy.on_bar(bar)
    taken = [desk.take(step) for step in market if step[0] > starts_at]
    return [proposal for proposals in taken for proposal in proposals if isinstance(proposal, Entry)]


@with_data
def test_both_trade_every_symbol_of_a_recorded_month_regularly() -> None:
    entries = {name: entries_on_recorded_market(name) for name in STRATEGIES}

    counts = {
        name: {symbol: sum(entry.symbol == symbol for entry in made) for symbol in INSTRUMENTS}
        for name, made in entries.items()
    }
    print(counts)
    assert sum(map(len, entries.values())) >= 150, counts
    assert min(count for made in counts.values() for count in made.values()) >= 15, counts
