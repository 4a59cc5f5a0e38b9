"""Laws of the exchange's market: ticks, klines, depths, and a tape without end."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.market import MINUTE_MS, Bar, Instant
from domain.sources import Row, Step
from gateways.exchange.clock import VenueClock
from gateways.exchange.depth import depth_around
from gateways.exchange.klines import flat, joined, opening_of
from gateways.exchange.ledger import Ledger
from gateways.exchange.listing import instrument_of
from gateways.exchange.market import Listing
from gateways.exchange.opening import open_market
from gateways.exchange.settings import ExchangeSettings
from gateways.exchange.tape import Tape
from gateways.exchange.ticks import Tick, count_of, ticks_of
from tests.gateways.exchange.support import bars_file

NAME = "BTCUSDT"
RULES = instrument_of(NAME, Decimal(42_000))
CENTS = st.integers(1_000_000, 5_000_000).map(lambda cents: Decimal(cents) / 100)


@given(prices=st.lists(CENTS, min_size=4, max_size=4), lots=st.integers(1_000, 10**8), count=st.integers(4, 60))
def test_the_ticks_of_a_bar_are_the_bar(prices: list[Decimal], lots: int, count: int) -> None:
    opened, closed, *rest = prices
    volume = lots * RULES.lot
    bar = Bar(NAME, "1m", 0, MINUTE_MS, opened, max(prices), min(prices), closed, volume)
    ticks = list(ticks_of(bar, RULES, count=count, draws=Random(1)))
    traded = [price for _, price, _ in ticks]

    assert (traded[0], max(traded), min(traded), traded[-1]) == (bar.open, bar.high, bar.low, bar.close)
    assert sum(quantity for _, _, quantity in ticks) == volume
    assert [moment for moment, _, _ in ticks] == sorted(moment for moment, _, _ in ticks)
    assert all(price % RULES.tick == 0 and quantity % RULES.lot == 0 for _, price, quantity in ticks)
    assert rest


def test_a_bar_has_ticks_enough_for_its_time_and_not_more() -> None:
    assert count_of(MINUTE_MS, 1) == 120
    assert count_of(MINUTE_MS, 10_000) == 4
    assert count_of(60 * MINUTE_MS, 1) == 240


def test_rules_follow_from_the_price() -> None:
    assert (RULES.base, RULES.quote, RULES.tick, RULES.lot) == ("BTC", "USDT", Decimal("0.01"), Decimal("0.00001"))
    assert instrument_of("DOGEUSDT", Decimal("0.3")).lot == 1
    with pytest.raises(ValueError, match="quote asset"):
        instrument_of("USDT", Decimal(1))


@given(price=CENTS, seed=st.integers(0, 9))
def test_a_book_has_levels_on_the_tick_that_do_not_cross(price: Decimal, seed: int) -> None:
    depth = depth_around(price, RULES, unit=Decimal("0.5"), draws=Random(seed))
    bids, asks = [level.price for level in depth.bids], [level.price for level in depth.asks]

    assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0]
    assert all(level.price % RULES.tick == 0 and level.quantity >= RULES.lot for level in (*depth.bids, *depth.asks))
    assert bids[0] <= price <= asks[0]
    assert depth == depth_around(price, RULES, unit=Decimal("0.5"), draws=Random(seed))


def a_listing() -> Listing:
    """Return a symbol with a minute of history."""
    return Listing(RULES, seed=1, klines=[flat(0, MINUTE_MS, Decimal(100))], first_number=0)


def test_seconds_and_minutes_without_a_trade_stand_still() -> None:
    listing = a_listing()
    listing.take(Tick(NAME, MINUTE_MS + 100, Decimal(101), Decimal(1), False))
    listing.roll(MINUTE_MS + 5_300)
    seconds = listing.klines("1s", begin=0, end=2**60, limit=100)

    assert [kline.opened_at for kline in seconds] == [MINUTE_MS + 1_000 * place for place in range(6)]
    assert {kline.close for kline in seconds} == {Decimal(101)}
    assert [kline.trades for kline in seconds] == [1, 0, 0, 0, 0, 0]


def test_a_minute_is_told_as_closed_once() -> None:
    listing = a_listing()
    for second in range(150):
        listing.take(Tick(NAME, MINUTE_MS + second * 1_000, Decimal(100 + second), Decimal(1), second % 2 == 0))

    assert [(kline.opened_at, kline.trades, int(kline.open), int(kline.close)) for kline in listing.closed] == [
        (MINUTE_MS, 60, 100, 159),
        (2 * MINUTE_MS, 60, 160, 219),
    ]
    assert listing.closed[0].bought == 30


def test_klines_are_cut_from_the_front_where_a_beginning_is_given_and_else_from_the_end() -> None:
    klines = [flat(place * MINUTE_MS, MINUTE_MS, Decimal(100 + place)) for place in range(60)]
    listing = Listing(RULES, seed=1, klines=klines, first_number=0)
    fives = listing.klines("5m", begin=7 * MINUTE_MS, end=10**9, limit=3)
    last = listing.klines("5m", begin=0, end=60 * MINUTE_MS, limit=3)

    assert [kline.opened_at // MINUTE_MS for kline in fives] == [10, 15, 20]
    assert [kline.opened_at // MINUTE_MS for kline in last] == [45, 50, 55]
    assert [fives[0].open, fives[0].high, fives[0].close] == [110, 114, 114]


def test_weeks_begin_on_monday() -> None:
    assert opening_of(1_700_000_000_000, 7 * 24 * 60 * MINUTE_MS) == 1_699_833_600_000


@given(st.lists(st.integers(1, 1_000), min_size=1, max_size=40))
def test_joining_klines_in_two_steps_is_joining_them_in_one(prices: list[int]) -> None:
    klines = [flat(place * MINUTE_MS, MINUTE_MS, Decimal(price)) for place, price in enumerate(prices)]
    quarter, hour = 15 * MINUTE_MS, 60 * MINUTE_MS

    assert list(joined(joined(klines, quarter), hour)) == list(joined(klines, hour))


def test_a_quiet_minute_does_not_empty_the_book() -> None:
    busy = flat(0, MINUTE_MS, Decimal(100))
    busy.volume = Decimal(50)
    listing = Listing(RULES, seed=1, klines=[busy], first_number=0)
    listing.roll(MINUTE_MS)
    before = sum(level.quantity for level in listing.depth().asks)
    listing.roll(2 * MINUTE_MS)
    listing.take(Tick(NAME, 2 * MINUTE_MS, Decimal(100), Decimal(1), False))

    assert sum(level.quantity for level in listing.depth().asks) > before / 2


def test_what_is_taken_out_of_the_book_is_gone_until_the_next_tick() -> None:
    listing = a_listing()
    listing.take(Tick(NAME, MINUTE_MS, Decimal(100), Decimal(1), False))
    first, second = listing.depth().asks[:2]
    listing.consume(first, first.quantity, buys=True)
    listing.consume(second, RULES.lot, buys=True)

    assert listing.depth().asks[0] == (second.price, second.quantity - RULES.lot)
    listing.take(Tick(NAME, MINUTE_MS + 1, Decimal(100), Decimal(1), False))
    assert len(listing.depth().asks) == 20


class Short:
    """A source of three bars."""

    def steps(self, after: Instant) -> Iterator[Step]:
        """Read them."""
        for place, (opened, closed) in enumerate((("10", "12"), ("12", "11"), ("11", "20"))):
            row = Row(NAME, "1m", place * MINUTE_MS, opened, max(opened, closed), min(opened, closed), closed, "5")
            yield Step((place + 1) * MINUTE_MS, (row,))

    def describe(self) -> str:
        """Name it."""
        return "three bars"

    def symbols(self) -> Sequence[str]:
        """Return its symbol."""
        return (NAME,)

    def base_timeframe(self, symbol: str) -> str:
        """Return its time frame."""
        return "1m"

    def starts_at(self) -> Instant:
        """Return the first instant."""
        return 0

    def history(self, symbol: str, timeframe: str) -> Sequence[Bar]:
        """Return none."""
        return ()

    def steps_total(self) -> int | None:
        """Return how many there are."""
        return 3


def test_a_tape_goes_on_from_where_its_source_ends() -> None:
    closings = list(islice(Tape(Short(), (NAME,)).closings(), 9))
    bars = [bar for _, (bar,) in closings]

    assert [at for at, _ in closings] == [place * MINUTE_MS for place in range(1, 10)]
    assert all(before.closed_at == after.opened_at for before, after in pairwise(bars))
    assert all(before.close == after.open for before, after in pairwise(bars))


def opened(folder: Path, data: Path) -> tuple[Ledger, Any]:
    """Open a market over a recorded file."""
    settings = ExchangeSettings(home=folder, data=data, history_bars=20)
    ledger = Ledger(folder / "ledger.db")
    return ledger, open_market(settings, ledger, VenueClock())


def test_recorded_bars_are_history_up_to_now_and_the_market_goes_on_from_them(tmp_path: Path) -> None:
    data = bars_file(tmp_path, [100.0 + place for place in range(60)])
    ledger, market = opened(tmp_path, data)
    now = VenueClock().now()
    klines = market.listings[NAME].klines("1m", begin=0, end=now, limit=100)

    assert [kline.close for kline in klines[:20]] == [101 + place for place in range(20)]
    assert klines[-1].opened_at == opening_of(now, MINUTE_MS)
    assert all(after.opened_at == before.closed_at for before, after in pairwise(klines))
    assert next(market.due(now + 30_000, most=1)).price in (Decimal(120), Decimal(121))
    ledger.close()


def test_a_market_that_was_down_has_gone_on_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bars_file(tmp_path, [100.0 + place for place in range(60)])
    ledger, market = opened(tmp_path, data)
    before = market.listings[NAME].klines("1m", begin=1, end=2**60, limit=100)
    ledger.close()
    begin = VenueClock().now()
    monkeypatch.setattr("time.time", lambda: begin / 1_000 + 600)
    ledger, market = opened(tmp_path, data)
    after = market.listings[NAME].klines("1m", begin=before[0].opened_at, end=2**60, limit=100)

    assert after[: len(before) - 1] == before[:-1]
    assert len(after) in (len(before) + 10, len(before) + 9)
    assert abs(market.listings[NAME].last - 130) <= 2
    ledger.close()


def test_symbols_of_two_time_frames_are_no_market(tmp_path: Path) -> None:
    folder = tmp_path / "bars"
    folder.mkdir()
    bars_file(folder, [100.0, 101.0, 102.0])
    (folder / "ETHUSDT_1h.csv").write_text(
        "ts,open,high,low,close,volume\n1699999200000,1,2,1,2,5\n1700002800000,2,2,1,1,5\n"
    )

    with pytest.raises(ValueError, match="one time frame"):
        opened(tmp_path, folder)
