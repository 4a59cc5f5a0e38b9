"""What a start at a real venue knows from an earlier one: the rules of its symbols, and that it is to be left alone."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from domain.market import DAY_MS, HOUR_MS, Instrument
from gateways.exchange.server import Exchange
from gateways.live.connection import VenueSilent
from gateways.live.kept import NAME, VenueFile
from holdfast.config.loading import load_settings
from holdfast.config.problems import ConfigurationError
from holdfast.config.settings import Settings
from holdfast.live import HELD_S_MAX, LiveSide
from tests.gateways.live.liar import Liar, Request, answer
from tests.gateways.live.served import Served
from tests.holdfast.test_live_starts import start_at

KEY, SECRET = "key-of-a-test-0123456789", "secret-of-a-test-0123456789"
SYMBOLS = ("BTCUSDT", "ETHUSDT")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with closing(Served(tmp_path / "exchange", speed=60.0)) as served:
        yield served


def settings_for(url: str, folder: Path, key: str = KEY, secret: str = SECRET) -> Settings:
    config = folder / "live.toml"
    config.write_text(
        f'[feed]\nsource = "venue"\nsymbols = {json.dumps(SYMBOLS)}\ntimeframe = "1m"\n'
        f'[venue]\nkind = "binance"\nurl = "{url}"\n'
        '[venue.credentials]\napi_key = "env:KEY_OF_A_TEST"\napi_secret = "env:SECRET_OF_A_TEST"\n'
    )
    return load_settings(config, environ={"KEY_OF_A_TEST": key, "SECRET_OF_A_TEST": secret}).settings


class Told:
    """What a start had to say."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}

    def __call__(self, event: str, **values: Any) -> None:
        self.events[event] = values


def set_lot(exchange: Exchange, symbol: str, lot: Decimal) -> None:
    listing = exchange._market.listings[symbol]
    listing.instrument = msgspec.structs.replace(listing.instrument, lot=lot, quantity_min=lot)


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_rules_of_an_earlier_start_do_where_the_venue_does_not_tell_them(served: Served, tmp_path: Path) -> None:
    exchange = served.exchange
    settings = settings_for(exchange.rest_url, tmp_path, exchange.api_key, exchange.secret)
    with closing(LiveSide(settings, tmp_path, tell=Told())) as side:
        first = side.parts(tmp_path, None).shape.instruments
    served.do(lambda exchange: exchange.faults.add(kind="status", where="exchange_info", status=503))
    told = Told()
    with closing(LiveSide(settings, tmp_path, tell=told)) as side:
        second = side.parts(tmp_path, None).shape.instruments

    assert first == second
    assert set(first) == set(SYMBOLS)
    assert "503" in told.events["venue.rules_are_old"]["why"]


def delist(served: Served, symbol: str) -> None:
    served.do(lambda exchange: exchange.faults.add(kind="delist", symbol=symbol))
    wait_for(lambda: served.do(lambda exchange: exchange.status()["symbols"][symbol]) == "BREAK")


def test_a_symbol_that_the_venue_has_no_more_rests_while_others_are_traded(served: Served, tmp_path: Path) -> None:
    exchange = served.exchange
    settings = settings_for(exchange.rest_url, tmp_path, exchange.api_key, exchange.secret)
    with closing(LiveSide(settings, tmp_path, tell=Told())) as side:
        first = side.parts(tmp_path, None)
    delist(served, "ETHUSDT")
    told = Told()
    with closing(LiveSide(settings, tmp_path, tell=told)) as side:
        second = side.parts(tmp_path, None, first.settings.instruments)

    assert second.source.symbols() == ("BTCUSDT",)
    assert second.limits.symbols_allowed == ("BTCUSDT",)
    assert second.shape.instruments == first.shape.instruments
    assert (first.resting, second.resting) == ((), ("ETHUSDT",))
    assert {part.symbols for part in second.shape.strategies} == {("BTCUSDT",)}
    assert told.events["venue.symbols_are_gone"]["symbols"] == ["ETHUSDT"]


def test_a_symbol_that_the_venue_never_had_is_a_mistake_of_the_configuration(served: Served, tmp_path: Path) -> None:
    exchange = served.exchange
    settings = settings_for(exchange.rest_url, tmp_path, exchange.api_key, exchange.secret)
    delist(served, "ETHUSDT")
    refused = pytest.raises(ConfigurationError, match="expected symbols that binance has, found ETHUSDT")
    with closing(LiveSide(settings, tmp_path, tell=Told())) as side, refused:
        side.parts(tmp_path, None)


def test_a_symbol_that_the_venue_does_not_have_is_told_with_the_one_that_was_meant(
    served: Served, tmp_path: Path
) -> None:
    exchange = served.exchange
    settings = settings_for(exchange.rest_url, tmp_path, exchange.api_key, exchange.secret)
    mistyped = replace(settings, feed=replace(settings.feed, symbols=("BTCUSD",)))
    refused = pytest.raises(ConfigurationError, match=r"found BTCUSD \(the venue\); did you mean BTCUSDT\?")
    with closing(LiveSide(mistyped, tmp_path, tell=Told())) as side, refused:
        side.parts(tmp_path, None)


def test_two_lost_answers_end_no_start(served: Served, tmp_path: Path) -> None:
    exchange = served.exchange
    settings = settings_for(exchange.rest_url, tmp_path, exchange.api_key, exchange.secret)
    served.do(lambda exchange: exchange.faults.add(kind="reset", where="exchange_info", strike="after", times=2))
    served.do(lambda exchange: exchange.faults.add(kind="html", where="time", times=2))
    told = Told()
    with closing(LiveSide(settings, tmp_path, tell=told)) as side:
        assert set(side.parts(tmp_path, None).shape.instruments) == set(SYMBOLS)
    assert "venue.rules_are_old" not in told.events


def test_without_rules_that_were_told_once_a_silent_venue_ends_the_start(served: Served, tmp_path: Path) -> None:
    exchange = served.exchange
    settings = settings_for(exchange.rest_url, tmp_path, exchange.api_key, exchange.secret)
    served.do(lambda exchange: exchange.faults.add(kind="status", where="exchange_info", status=503))
    with closing(LiveSide(settings, tmp_path, tell=Told())) as side, pytest.raises(VenueSilent, match="503"):
        side.parts(tmp_path, None)


def test_rules_that_change_while_a_node_runs_are_told_once_and_hold_from_the_next_start(
    served: Served, tmp_path: Path
) -> None:
    exchange = served.exchange
    settings = settings_for(exchange.rest_url, tmp_path, exchange.api_key, exchange.secret)
    told: list[tuple[str, dict[str, Any]]] = []
    with closing(
        LiveSide(settings, tmp_path, tell=lambda event, **values: told.append((event, values)), look_every_s=0.1)
    ) as side:
        first = side.parts(tmp_path, None).shape.instruments
        time.sleep(0.5)
        assert told == []
        served.do(lambda exchange: exchange.faults.add(kind="garbled", where="exchange_info", times=2))
        served.do(lambda exchange: set_lot(exchange, "ETHUSDT", 100 * first["ETHUSDT"].lot))
        wait_for(lambda: "venue.rules_changed" in dict(told))
        time.sleep(0.5)
    assert "venue.error" in dict(told)
    changes = [values for event, values in told if event == "venue.rules_changed"]
    assert changes == [{"symbols": ["ETHUSDT"], "hold_from": "the next start"}]

    with closing(LiveSide(settings, tmp_path, tell=Told())) as side:
        second = side.parts(tmp_path, None).shape.instruments
    assert second["ETHUSDT"].lot == 100 * first["ETHUSDT"].lot
    assert second["BTCUSDT"] == first["BTCUSDT"]


def test_a_node_that_is_started_while_it_is_banned_asks_nothing_and_says_until_when(tmp_path: Path) -> None:
    with closing(Liar()) as liar:

        def behave(request: Request) -> bytes:
            if request.path.endswith("/time"):
                return answer({"serverTime": time.time_ns() // 1_000_000})
            return answer({"code": -1003, "msg": "Way too many requests; IP banned."}, 418, "Retry-After: 600")

        liar.behave = behave
        banned = start_at(liar.url, tmp_path / "home", KEY, SECRET)
        asked = len(liar.requests)
        again = start_at(liar.url, tmp_path / "home", KEY, SECRET)

        assert banned.returncode == again.returncode == 74, again.stderr
        assert "asked to be left alone until" in again.stderr
        assert len(liar.requests) == asked


def test_a_short_pause_is_waited_out(served: Served, tmp_path: Path) -> None:
    exchange = served.exchange
    VenueFile(tmp_path, exchange.rest_url).hold(2.0, time.time_ns() // 1_000_000)
    told = Told()
    begun = time.monotonic()
    with closing(LiveSide(settings_for(exchange.rest_url, tmp_path), tmp_path, tell=told)):
        assert time.monotonic() - begun >= 1.5
    assert 0 < told.events["venue.asks_for_a_pause"]["seconds"] <= HELD_S_MAX


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"\xff", b'{"url": 7}', json.dumps({"url": "u", "held_until_ms": 10**15}).encode()],
)
def test_a_file_that_makes_no_sense_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    file = VenueFile(tmp_path, "u")

    assert file.held_for_s(1_000) == 0
    assert file.rules_of(("BTCUSDT",)) is None


def test_what_was_kept_is_of_one_venue_and_a_shorter_pause_ends_no_longer_one(tmp_path: Path) -> None:
    file = VenueFile(tmp_path, "u")
    file.hold(3_600, 0)
    file.hold(1, 0)

    assert VenueFile(tmp_path, "u").held_for_s(0) == HOUR_MS / 1000
    assert VenueFile(tmp_path, "another").held_for_s(0) == 0
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_a_pause_that_a_clock_ahead_has_noted_lasts_no_longer_for_that(tmp_path: Path) -> None:
    tomorrow_ms, minute_s = DAY_MS, 60.0
    VenueFile(tmp_path, "u").hold(minute_s, tomorrow_ms)

    assert VenueFile(tmp_path, "u").held_for_s(tomorrow_ms + 1_000) == minute_s - 1
    assert VenueFile(tmp_path, "u").held_for_s(0) == minute_s
    assert VenueFile(tmp_path, "u").held_for_s(1_000) == minute_s - 1
    assert VenueFile(tmp_path, "u").held_for_s(61_000) == 0


def test_that_the_most_of_one_order_rose_is_no_news_and_kept_all_the_same(tmp_path: Path) -> None:
    def of_at_most(quantity: str | None, tick: str = "0.01") -> dict[str, Instrument]:
        most = None if quantity is None else Decimal(quantity)
        rule = Instrument("BTCUSDT", "BTC", "USDT", Decimal(tick), Decimal("0.001"), quantity_max=most)
        return {"BTCUSDT": rule}

    file = VenueFile(tmp_path, "u")
    told = [file.keep_rules(of_at_most(most), 0) for most in ("70", "90", "80", "80", None, "60")]
    told.append(file.keep_rules(of_at_most("61", tick="0.1"), 0))

    assert told == [[], [], ["BTCUSDT"], [], [], ["BTCUSDT"], ["BTCUSDT"]]
    assert VenueFile(tmp_path, "u").rules_of(("BTCUSDT",)) == (of_at_most("61", tick="0.1"), 0)
