"""Laws of the account's key: one with which money could leave the account is not used unless somebody says so."""

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateways.exchange.server import Exchange
from gateways.live.connection import KeysRefused
from holdfast import live
from holdfast.config.problems import ConfigurationError
from holdfast.config.settings import Settings
from holdfast.exit_codes import ExitCode
from holdfast.live import LiveSide
from tests.gateways.live.liar import Liar, Request, answer
from tests.gateways.live.served import Served
from tests.holdfast.test_live_starts import start_at
from tests.holdfast.test_live_starts_again import Told, settings_for

pytestmark = pytest.mark.slow
UNKNOWN = "venue.key_permissions_unknown"


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PAUSES_S", (0.0, 0.0))


def serve(tmp_path: Path, *, key_may_withdraw: bool) -> Served:
    return Served(tmp_path / "exchange", key_may_withdraw=key_may_withdraw)


def ask(settings: Settings, home: Path) -> Told:
    """Have a start look at the key, and return what it said."""
    told = Told()
    with closing(LiveSide(settings, home, tell=told)) as side:
        side.demand_trading_only()
    return told


def settings_at(exchange: Exchange, folder: Path, *, allowed: bool = False) -> Settings:
    settings = settings_for(exchange.rest_url, folder, exchange.api_key, exchange.secret)
    if not allowed:
        return settings
    return msgspec.structs.replace(settings, venue=msgspec.structs.replace(settings.venue, allow_withdrawals=True))


def test_a_key_that_can_only_trade_is_used_without_a_word(tmp_path: Path) -> None:
    with closing(serve(tmp_path, key_may_withdraw=False)) as served:
        assert UNKNOWN not in ask(settings_at(served.exchange, tmp_path), tmp_path).events


def test_a_key_that_permits_withdrawals_is_used_where_the_configuration_says_that_it_may(tmp_path: Path) -> None:
    with closing(serve(tmp_path, key_may_withdraw=True)) as served:
        assert UNKNOWN not in ask(settings_at(served.exchange, tmp_path, allowed=True), tmp_path).events
        with pytest.raises(ConfigurationError, match="allow_withdrawals"):
            ask(settings_at(served.exchange, tmp_path), tmp_path)


@pytest.mark.parametrize("lie", ["reset", "html", "braces", "unknown_outcome"])
def test_two_lost_answers_hide_no_permission(tmp_path: Path, lie: str) -> None:
    with closing(serve(tmp_path, key_may_withdraw=True)) as served:
        served.do(lambda exchange: exchange.faults.add(kind=lie, where="key", strike="after", times=2))
        with pytest.raises(ConfigurationError, match="allow_withdrawals"):
            ask(settings_at(served.exchange, tmp_path), tmp_path)


def test_a_venue_that_never_answers_the_question_keeps_no_node_from_starting_and_a_person_is_told(
    tmp_path: Path,
) -> None:
    with closing(serve(tmp_path, key_may_withdraw=True)) as served:
        served.do(lambda exchange: exchange.faults.add(kind="html", where="key"))
        told = ask(settings_at(served.exchange, tmp_path), tmp_path)

    assert "enableWithdrawals" in told.events[UNKNOWN]["why"] or "JSON" in told.events[UNKNOWN]["why"]


def test_a_venue_that_does_not_serve_the_question_is_asked_once_and_a_person_is_told(tmp_path: Path) -> None:
    def behave(request: Request) -> bytes:
        is_time = request.path.endswith("/time")
        return answer({"serverTime": 1_700_000_000_000}) if is_time else answer(b"<html>", 404)

    with closing(Liar()) as liar:
        liar.behave = behave
        told = ask(settings_for(liar.url, tmp_path), tmp_path)

        assert liar.count("GET", "/sapi/v1/account/apiRestrictions") == 1
    assert told.events[UNKNOWN]["why"] == "it does not serve the question"


def test_a_key_that_is_refused_is_no_key_of_unknown_permissions(tmp_path: Path) -> None:
    with closing(serve(tmp_path, key_may_withdraw=False)) as served, pytest.raises(KeysRefused, match="-2015"):
        ask(settings_for(served.exchange.rest_url, tmp_path, key="k" * 64), tmp_path)


def test_a_node_does_not_start_with_a_key_that_permits_withdrawals(tmp_path: Path) -> None:
    with closing(serve(tmp_path, key_may_withdraw=True)) as served:
        exchange = served.exchange
        ended = start_at(exchange.rest_url, tmp_path / "home", exchange.api_key, exchange.secret)

    assert ended.returncode == ExitCode.CONFIGURATION, ended.stderr
    assert "venue.allow_withdrawals: expected true where the key permits withdrawals" in ended.stderr
    assert exchange.api_key not in ended.stderr
