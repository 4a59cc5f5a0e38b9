"""Laws of scenario files, of the operator's door, and of pointing ccxt at the exchange."""

import json
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from gateways.exchange.lies import KINDS, REQUESTS, places_of
from gateways.exchange.pointing import ccxt_settings, demand_loopback
from gateways.exchange.scenario import ScenarioBroken, lie_of, read_scenario, scenario_of
from gateways.exchange.server import Exchange
from holdfast.cli.main import run_command_line
from holdfast.exit_codes import ExitCode
from tests.gateways.exchange.support import SYMBOL, ccxt_class, lived, outcome_of

GOOD = """
seed = 3

[[fault]]
kind = "status"
where = "order.create"
strike = "after"
status = 503
code = -1007
probability = 0.05

[[fault]]
kind = "stuck"
where = "order"
seconds = [0, 60]
every = 10

[[fault]]
kind = "deposit"
asset = "USDT"
amount = "12.5"
begin_s = 30
every_s = 60
times = 2
"""
BAD = """
sed = 3
seed = "x"

[[fault]]
kind = "status"
where = "order.made"
strike = "between"
probability = 2
nth = 1
wher = "x"

[[fault]]
kind = "nope"

[[fault]]
kind = "stuck"
seconds = [5, 1]
strike = "after"

[[fault]]
kind = "deposit"
asset = "USDT"
amount = "-1"
where = "order"
"""


def test_a_scenario_is_read_with_its_defaults(tmp_path: Path) -> None:
    (path := tmp_path / "scenario.toml").write_text(GOOD)
    scenario = read_scenario(path)
    status, stuck, deposit = scenario.faults

    assert scenario.seed == 3
    assert (status.status, status.code, status.probability) == (503, -1007, 0.05)
    assert (stuck.strike, stuck.seconds) == ("before", (0, 60))
    assert str(deposit.amount) == "12.5" and deposit.every_s == 60


def test_every_mistake_is_found_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path := tmp_path / "scenario.toml").write_text(BAD)
    code = run_command_line(["venue", "scenario", "check", str(path), "--json"])
    said = json.loads(capsys.readouterr().out)

    assert code == ExitCode.CONFIGURATION
    assert [problem["path"] for problem in said["problems"]] == [
        "sed",
        "seed",
        "fault[0].wher",
        "fault[0].status",
        "fault[0].probability",
        "fault[0].where",
        "fault[0].strike",
        "fault[0]",
        "fault[1].kind",
        "fault[2].seconds",
        "fault[2].strike",
        "fault[3].where",
        "fault[3].amount",
    ]
    assert all(problem["expected"] and problem["found"] for problem in said["problems"])


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "resett"}, "fault.kind: expected one that there is, .*; did you mean reset\\?$"),
        ({"kind": "reset", "wher": "order"}, "fault.wher: .*; did you mean where\\?$"),
        ({"kind": "reset", "where": "order.craete"}, "fault.where: .*; did you mean order.create\\?$"),
        ({"kind": "reset", "where": "nowhere at all"}, "one of ping, .* my_trades, order, or \\* for a part of it"),
        ({"kind": "zzz"}, "fault.kind: expected one of hang, "),
    ],
)
def test_what_was_probably_meant_is_said_in_place_of_all_there_is(fault: dict[str, str], said: str) -> None:
    with pytest.raises(ScenarioBroken, match=said):
        lie_of(fault)


def test_a_good_scenario_is_said_to_be_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path := tmp_path / "scenario.toml").write_text(GOOD)

    assert run_command_line(["venue", "scenario", "check", str(path)]) == ExitCode.OK
    assert "3 faults, seed 3" in capsys.readouterr().out


def test_the_kinds_of_faults_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["venue", "scenario", "kinds", "--json"]) == ExitCode.OK
    assert [row["kind"] for row in json.loads(capsys.readouterr().out)] == list(KINDS)


@pytest.mark.parametrize("text", ["x", "[[fault]]\nkind = 5", "fault = 3", "fault = [1]", "\xff"])
def test_what_is_no_scenario_is_refused(tmp_path: Path, text: str) -> None:
    (path := tmp_path / "scenario.toml").write_bytes(text.encode("latin-1"))

    with pytest.raises(ScenarioBroken):
        read_scenario(path)


def test_every_kind_can_be_given_wherever_it_may_strike() -> None:
    values: dict[str, Any] = {"seconds": 1, "status": 500, "asset": "USDT", "amount": "1", "symbol": "BTCUSDT"}
    values |= {"side": "buy", "quantity": "1", "milliseconds": 5, "share": "0.5", "code": -1, "message": "x"}
    values |= {"retry_after": 1, "price": "1", "client_id": "x"}
    for name, kind in KINDS.items():
        table = {"kind": name} | {key: values[key] for key in (*kind.needs, *kind.takes)}
        assert lie_of(table).kind == name
        for place in places_of(kind):
            assert lie_of(table | {"where": place}).where == place
        for missing in kind.needs:
            with pytest.raises(ScenarioBroken, match=missing):
                lie_of({key: value for key, value in table.items() if key != missing})


def test_the_scenario_in_the_manual_is_a_good_one(tmp_path: Path) -> None:
    manual = (Path(__file__).resolve().parents[3] / "docs" / "venue.md").read_text()
    (shown,) = [block for block in manual.split("```")[1::2] if "[[fault]]" in block]
    (path := tmp_path / "scenario.toml").write_text(shown)

    assert len(read_scenario(path).faults) == 5
    assert not [kind for kind in KINDS if f"`{kind}`" not in manual]
    assert not [place for place in REQUESTS if f"`{place}`" not in manual]


# -- the operator's door -------------------------------------------------------------------------------------------


def operator(exchange: Exchange, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
    """Send a request to the operator's door."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{exchange.rest_url}/holdfast/{path}", method=method, data=data)
    request.add_header("Authorization", f"Bearer {token or exchange.admin_token}")
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.loads(response.read())
    except HTTPError as error:
        with error:
            body = error.read()
            return error.code, json.loads(body) if body.startswith(b"{") else body


def test_the_operator_adds_faults_and_reads_what_they_did() -> None:
    import asyncio

    async def law(exchange: Exchange, bot: Any) -> None:
        async def ask(*words: Any) -> tuple[int, Any]:
            return await asyncio.to_thread(operator, exchange, *words)

        status, added = await ask("POST", "faults", {"kind": "too_many", "where": "time", "times": 1})
        assert (status, added["numbers"]) == (200, [1])
        assert await outcome_of(bot.fetch_time()) == "DDoSProtection"
        assert (await ask("GET", "faults"))[1]["counts"] == {"too_many": 1}
        scenario = {"seed": 1, "fault": [{"kind": "deposit", "asset": "ETH", "amount": "3"}, {"kind": "hang"}]}
        assert (await ask("POST", "faults", scenario))[1] == {"numbers": [2], "refused": []}
        assert (await ask("GET", "ledger"))[1]["balances"]["ETH"] == "3"
        assert (await ask("DELETE", "faults/2"))[0] == 200 and (await ask("DELETE", "faults/2"))[0] == 404
        assert (await ask("POST", "faults", {"kind": "withdraw", "asset": "ETH", "amount": "9"}))[1]["refused"]
        assert (await ask("GET", "status"))[1]["symbols"]["BTCUSDT"] == "TRADING"
        await ask("DELETE", "faults")
        assert (await ask("GET", "faults"))[1]["faults"] == []

    lived(law)


def test_a_scenario_that_an_operator_sends_lies_by_its_own_seed_whatever_was_sent_before() -> None:
    import asyncio

    patterns: dict[int, list[list[str]]] = {1: [], 2: []}

    async def law(exchange: Exchange, bot: Any) -> None:
        for seed in (1, 2, 1, 2):
            table = {"kind": "status", "where": "ping", "status": 503, "probability": 0.5}
            scenario = {"seed": seed, "fault": [table]}
            assert (await asyncio.to_thread(operator, exchange, "POST", "faults", scenario))[0] == 200
            patterns[seed].append([await outcome_of(bot.public_get_ping()) for _ in range(20)])
            await asyncio.to_thread(operator, exchange, "DELETE", "faults")

    lived(law)

    assert patterns[1][0] == patterns[1][1] != patterns[2][0] == patterns[2][1]


def test_what_befalls_the_exchange_at_once_lasts_for_anything_between_two_numbers() -> None:
    import asyncio

    async def law(exchange: Exchange, bot: Any) -> None:
        fault = {"kind": "maintenance", "seconds": [30, 60]}
        await asyncio.to_thread(operator, exchange, "POST", "faults", fault)

        assert await outcome_of(bot.fetch_time()) == "OnMaintenance"

    lived(law)


def test_nobody_without_the_token_is_the_operator() -> None:
    import asyncio

    async def law(exchange: Exchange, bot: Any) -> None:
        for method, path in (("GET", "ledger"), ("GET", "status"), ("POST", "faults"), ("DELETE", "faults/1")):
            assert (await asyncio.to_thread(operator, exchange, method, path, None, exchange.api_key))[0] == 401
        status, said = await asyncio.to_thread(operator, exchange, "POST", "faults", {"kind": "x"})
        assert status == 400 and said["problems"][0]["path"] == "fault.kind"
        assert (await asyncio.to_thread(operator, exchange, "POST", "faults", "x" * 100_000))[0] == 413

    lived(law)


# -- pointing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sync", "async", "pro"])
def test_every_address_that_ccxt_has_then_is_on_this_machine(kind: str) -> None:
    bot = ccxt_class(kind)(ccxt_settings("http://127.0.0.1:1", "ws://127.0.0.1:1", "k", "s"))

    demand_loopback(bot.urls["api"])
    assert SYMBOL


@pytest.mark.parametrize("place", ["public", "ws-api", "fapiData"])
def test_an_address_elsewhere_is_refused_wherever_it_hides(place: str) -> None:
    urls = {"public": "http://127.0.0.1/api", "ws": {"ws-api": {"spot": "ws://127.0.0.1"}}, "fapiData": "http://[::1]/"}
    demand_loopback(urls)
    if place == "ws-api":
        urls["ws"] = {"ws-api": {"spot": "wss://ws-api.example.com"}}
    else:
        urls[place] = "https://127.0.0.1.example.com/api"

    with pytest.raises(ValueError, match="loopback"):
        demand_loopback(urls)


def test_an_exchange_elsewhere_cannot_be_pointed_at() -> None:
    with pytest.raises(ValueError, match="loopback"):
        ccxt_settings("https://api.example.com", "ws://127.0.0.1:1", "k", "s")


def test_a_scenario_may_be_empty() -> None:
    assert scenario_of({}).faults == ()
