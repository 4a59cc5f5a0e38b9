"""Laws of the account's key: one with which money could leave the account is not used unless somebody says so."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateways.exchange import Exchange
from gateways.live import keys
from gateways.live.binance import Binance
from gateways.live.connection import Connection, KeysRefused
from gateways.live.keys import may_withdraw
from holdfast.exit_codes import ExitCode
from tests.gateways.live.liar import Liar, pointed_at
from tests.gateways.live.served import Served
from tests.holdfast.test_live_starts import start_at

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]


class Told:
    """What a person was told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, **values: Any) -> None:
        self.events.append((event, values))

    @property
    def of_keys(self) -> list[str]:
        return [values["why"] for event, values in self.events if event == "venue.key_permissions_unknown"]


@pytest.fixture(params=[False, True])
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    with closing(Served(tmp_path / "exchange", key_may_withdraw=request.param)) as served:
        yield served


def test_what_the_key_permits_is_what_the_venue_says(served: Served) -> None:
    told = Told()
    with closing(served.connect(tell=told)) as connection:
        connection.know_the_time()
        found = may_withdraw(connection)

    assert found is served.exchange._settings.key_may_withdraw
    assert not told.of_keys


@pytest.mark.parametrize("served", [True], indirect=True)
@pytest.mark.parametrize("lie", ["reset", "html", "braces", "unknown_outcome"])
def test_two_lost_answers_hide_no_permission(served: Served, lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "PAUSES_S", (0.0, 0.0))

    def lie_twice(exchange: Exchange) -> None:
        exchange.faults.add(kind=lie, where="key", strike="after", times=2)

    served.do(lie_twice)
    with closing(served.connect()) as connection:
        connection.know_the_time()
        assert may_withdraw(connection)


def test_a_venue_that_does_not_serve_the_question_is_asked_once_and_a_person_is_told() -> None:
    told = Told()
    with closing(Liar()) as liar:
        settings = pointed_at(liar.url)
        settings["urls"]["api"]["sapi"] = f"{liar.url}/sapi/v1"
        with closing(Connection(Binance(), settings, tell=told)) as connection:
            assert not may_withdraw(connection)

        assert liar.count("GET", "/sapi/v1/account/apiRestrictions") == 1
    assert told.of_keys == ["the venue does not serve the question"]


@pytest.mark.parametrize("served", [False], indirect=True)
def test_a_key_that_is_refused_is_no_key_of_unknown_permissions(served: Served) -> None:
    with closing(served.connect()) as connection:
        connection.client.exchange.apiKey = "k" * 64
        with pytest.raises(KeysRefused, match="-2015"):
            may_withdraw(connection)


@pytest.mark.parametrize("served", [True], indirect=True)
def test_a_node_does_not_start_with_a_key_that_permits_withdrawals(served: Served, tmp_path: Path) -> None:
    exchange = served.exchange
    ended = start_at(exchange.rest_url, tmp_path / "home", exchange.api_key, exchange.secret)

    assert ended.returncode == ExitCode.CONFIGURATION, ended.stderr
    assert "venue.allow_withdrawals: expected true where the key permits withdrawals" in ended.stderr
    assert exchange.api_key not in ended.stderr


@pytest.mark.parametrize("served", [True], indirect=True)
def test_a_node_starts_with_such_a_key_where_the_configuration_says_so(served: Served, tmp_path: Path) -> None:
    exchange = served.exchange
    config = tmp_path / "live.toml"
    config.write_text(
        '[feed]\nsource = "venue"\nsymbols = ["BTCUSDT"]\ntimeframe = "1m"\n'
        f'[venue]\nkind = "binance"\nurl = "{exchange.rest_url}"\nallow_withdrawals = true\n'
        '[venue.credentials]\napi_key = "env:KEY_OF_A_TEST"\napi_secret = "env:SECRET_OF_A_TEST"\n'
    )
    command = [sys.executable, "-m", "holdfast", "run", "--config", str(config), "--home", str(tmp_path / "home")]
    environ = {**os.environ, "KEY_OF_A_TEST": exchange.api_key, "SECRET_OF_A_TEST": exchange.secret}
    with (tmp_path / "log").open("wb") as log:
        node = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 40
        while b"node.ready" not in (said := (tmp_path / "log").read_bytes()):
            assert node.poll() is None, said.decode()
            assert time.monotonic() < until, said.decode()
            time.sleep(0.1)
    finally:
        node.send_signal(signal.SIGTERM)
        node.wait(30)
