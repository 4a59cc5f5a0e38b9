"""What a configuration asks for is there and makes sense, or nothing starts."""

from contextlib import closing
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from domain.limits import Account, Approved, judge
from domain.market import DAY_MS, MINUTE_MS, Bar
from domain.order import OrderType, Terms
from domain.proposal import Entry
from domain.venue import Answer, OrderSeen, Refused
from gateways.paper import PaperVenue, profile_of
from gateways.sample import SampleMarket
from holdfast.config.loading import load_settings
from holdfast.config.problems import ConfigurationError
from holdfast.config.settings import Feed, Settings, StrategySettings
from holdfast.parts import Parts, demand_strategies, gather, paper_settings
from holdfast.staging import StagedNode
from tests.endurance.nodes import ROOT, outcome_of
from tests.holdfast.test_backtest import RAISING


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("risk.price_collar_pct=100", "risk"),
        ("venue.fee_asset=BTC", "venue.fee_asset"),
        ('strategies.confidence.symbols=["DOGEUSDT"]', "strategies.confidence.symbols"),
        ("strategies.ema_cross.parameters.fast=50", "strategies.ema_cross"),
        ("strategies.mine.class=nowhere.py:Mine", "strategies.mine"),
        ("strategies.mine.class=benchmarks.surroundings:EveryBar", "strategies.mine"),
    ],
)
def test_what_cannot_be_is_named_before_anything_starts(override: str, key: str) -> None:
    settings = load_settings(None, environ={}, overrides=(override,)).settings

    with pytest.raises(ConfigurationError) as refused:
        gather(settings, folder=ROOT)

    assert [problem.key for problem in refused.value.problems] == [key]


@pytest.mark.parametrize("source", ["sample", "files", "venue"])
@pytest.mark.parametrize(
    ("timeframes", "found"),
    [(("7s",), "'7s'"), (("1m", "7m"), "'7m'"), ("1m", "'1m'"), ((), "none"), ((1,), "1")],
)
def test_time_frames_that_there_are_none_of_are_refused_wherever_the_bars_come_from(
    tmp_path: Path, source: str, timeframes: object, found: str
) -> None:
    (tmp_path / "odd.py").write_text(RAISING.replace('("1m",)', repr(timeframes)))
    (tmp_path / "BTCUSDT_1m.csv").write_text(f"ts,open,high,low,close,volume\n{DAY_MS * 18_000},1,1,1,1,1\n")
    given = {"odd": StrategySettings(implementation="odd.py:Raising")}
    feed = Feed(source=source, path=".", symbols=("BTCUSDT",))  # type: ignore[arg-type]

    with pytest.raises(ConfigurationError, match=f"timeframes must be a tuple of some of 1s, .*; found {found}"):
        (demand_strategies if source == "venue" else gathered)(Settings(feed=feed, strategies=given), tmp_path)


def gathered(settings: Settings, folder: Path) -> None:
    gather(settings, folder=folder)


@pytest.mark.parametrize(
    ("frames", "timeframe", "hint"),
    [(("1s",), "1m", '"15m", "1s"'), (("1h",), "1m", '"15m", "1h"'), (("15m", "1h"), "1h", "bars of 1h")],
)
def test_bars_that_a_venue_does_not_give_a_strategy_are_told_without_asking_it(
    frames: tuple[str, ...], timeframe: str, hint: str
) -> None:
    feed = Feed(source="venue", symbols=("BTCUSDT",), timeframe=timeframe, frames=frames)
    given = {"ema_cross": StrategySettings(implementation="ema_cross")}
    settings = Settings(feed=feed, strategies=given)

    with pytest.raises(ConfigurationError) as checked:
        demand_strategies(settings, ROOT)
    with pytest.raises(ConfigurationError) as started:
        gather(settings, folder=ROOT, source=OfVenue(timeframe), profile=profile_of(paper_settings(settings), "USDT"))

    assert str(checked.value) == str(started.value)
    assert hint in str(checked.value)


class OfVenue(SampleMarket):
    """A market with the bars of a time frame."""

    def __init__(self, timeframe: str) -> None:
        super().__init__(symbols=("BTCUSDT",), days=1)
        self._base = timeframe

    def base_timeframe(self, symbol: str) -> str:
        return self._base


def test_a_strategy_of_bars_that_the_market_is_opened_with_is_taken() -> None:
    overrides = ("strategies.mine.class=benchmarks.surroundings:EveryBar", 'feed.frames=["1m","15m","1h"]')
    settings = load_settings(None, environ={}, overrides=overrides).settings

    parts = gather(settings, folder=ROOT)

    # The generated past is drawn in steps of 15 minutes, and has no bars of one.
    of_symbol = {frame: parts.source.history("BTCUSDT", frame) for frame in parts.shape.frames}
    assert {frame: bool(bars) for frame, bars in of_symbol.items()} == {"1m": False, "15m": True, "1h": True}


@pytest.mark.parametrize("limit_price", [None, "99.5"])
@pytest.mark.parametrize("fee_asset", ["quote", "received", "BNB"])
@pytest.mark.parametrize("fee_taker_bps", ["0", "7.5", "400"])
def test_an_entry_that_the_breaker_has_cut_to_the_cash_is_taken_by_the_venue(
    fee_taker_bps: str, fee_asset: str, limit_price: str | None, tmp_path: Path
) -> None:
    """The breaker sets aside what the venue holds back, to the last lot."""
    terms = (f"venue.fee_taker_bps={fee_taker_bps}", f"venue.fee_asset={fee_asset}", "risk.order_notional_max=1000000")
    settings = load_settings(None, environ={}, overrides=terms).settings
    parts = gather(settings, folder=ROOT)
    cash, limit = Decimal(1_234), None if limit_price is None else Decimal(limit_price)
    entry = Entry("SOLUSDT", Decimal(1_000), Decimal(100), good_until=SOL.closed_at, limit_price=limit)

    verdict = judge(entry, account=account_with(cash, parts), limits=parts.limits)

    assert isinstance(verdict, Approved)
    assert verdict.reduced_by == "NOT_ENOUGH_CASH"
    with closing(paper_venue(tmp_path, parts, cash)) as venue:
        answers: list[Answer] = []
        one_lot_more = verdict.quantity + parts.shape.instruments["SOLUSDT"].lot
        venue.submit(buy("h2", one_lot_more, limit), answers.append)
        venue.submit(buy("h1", verdict.quantity, limit), answers.append)
    assert [type(answer) for answer in answers] == [Refused, OrderSeen]


SOL = Bar("SOLUSDT", "1m", DAY_MS, DAY_MS + MINUTE_MS, *map(Decimal, (100, 100, 100, 100, 1_000)))


def account_with(cash: Decimal, parts: Parts) -> Account:
    """Return an account that is worth far more than its cash."""
    worth = 100 * cash
    return Account(
        now=SOL.closed_at,
        mode="active",
        instrument=parts.shape.instruments["SOLUSDT"],
        mark=SOL.close,
        mark_at=SOL.closed_at,
        equity=worth,
        day_start_equity=worth,
        peak_equity=worth,
        cash_free=cash,
        exposure=Decimal(0),
        symbol_exposure=Decimal(0),
    )


def paper_venue(folder: Path, parts: Parts, cash: Decimal) -> PaperVenue:
    venue = PaperVenue.open(
        folder / "venue.db",
        instruments=parts.shape.instruments,
        deposit={"USDT": cash},
        settings=paper_settings(parts.settings),
    )
    venue.show(SOL.closed_at, [SOL])
    return venue


def buy(client_id: str, quantity: Decimal, limit: Decimal | None) -> Terms:
    type_: OrderType = "market" if limit is None else "limit"
    return Terms(client_id, "one", "SOLUSDT", "buy", type_, quantity, "entry", limit_price=limit, base="SOL")


@pytest.mark.slow
def test_a_node_whose_headlines_cannot_be_read_trades_without_them(tmp_path: Path) -> None:
    news = tmp_path / "news.csv"
    news.write_text("ts,title\n")
    told = ("feed.speed=max", "sentiment.source=files", f"sentiment.path={news}")
    settings = load_settings(None, environ={}, overrides=told).settings
    parts = msgspec.structs.replace(gather(settings, folder=ROOT), source=SampleMarket(days=1))
    news.unlink()

    with StagedNode(parts, tmp_path / "home", seed=1) as node:
        node.run()

        assert node.ended
        assert node.counted("HeadlinesUnavailable") == 1
        assert node.counted("OrderFilled") > 0


@pytest.mark.slow
def test_data_that_has_grown_since_it_ended_is_read_on(tmp_path: Path) -> None:
    settings = load_settings(None, environ={}, overrides=("feed.speed=max",)).settings
    parts = gather(settings, folder=ROOT)
    for home, lengths in (("grown", (1, 2)), ("whole", (2,))):
        for days in lengths:
            source = SampleMarket(days=days)
            with StagedNode(msgspec.structs.replace(parts, source=source), tmp_path / home, seed=1) as node:
                node.run()
                assert node.ended
                node.commit()

    assert outcome_of(tmp_path / "grown") == outcome_of(tmp_path / "whole")
