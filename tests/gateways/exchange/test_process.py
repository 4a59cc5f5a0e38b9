"""Laws of the exchange as a process: its first line, its end, its keys, and what survives its death."""

import asyncio
import contextlib
import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateways.exchange.pointing import ccxt_settings
from holdfast.exit_codes import ExitCode
from tests.gateways.exchange.support import SYMBOL, ccxt_class

pytestmark = pytest.mark.slow

WAIT_S = 15.0


def command(home: Path, *words: str) -> list[str]:
    """Return a command line about an exchange's home."""
    return [sys.executable, "-m", "holdfast", "venue", *words, "--home", str(home)]


def ask(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(command(home, *words), capture_output=True, text=True, timeout=WAIT_S, check=False)


@contextmanager
def running(home: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run an exchange, and give its process and its first line."""
    process = subprocess.Popen(command(home, "--json", *words), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def bot_of(home: Path, ready: dict[str, Any]) -> Any:
    """Return an unmodified, synchronous ccxt that speaks to a process."""
    keys = msgspec.json.decode((home / "keys.json").read_bytes())
    bot = ccxt_class("sync")(ccxt_settings(ready["rest_url"], ready["ws_url"], keys["api_key"], keys["secret"]))
    bot.number = str
    return bot


def test_it_says_where_it_is_and_ends_on_a_signal(tmp_path: Path) -> None:
    with running(tmp_path / "venue", "--speed", "60") as (process, ready):
        assert ready["event"] == "ready" and ready["rest_url"].startswith("http://127.0.0.1:")
        assert ready["symbols"] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
        process.send_signal(signal.SIGTERM)

        assert process.wait(WAIT_S) == ExitCode.OK


def test_a_second_one_on_the_same_home_is_turned_away(tmp_path: Path) -> None:
    with running(tmp_path / "venue"):
        second = ask(tmp_path / "venue")

    assert second.returncode == ExitCode.LOCKED
    assert "another exchange" in second.stderr and not second.stdout


def test_an_address_that_is_taken_is_said_with_what_to_do_and_leaves_no_home(tmp_path: Path) -> None:
    with running(tmp_path / "venue") as (_, ready):
        port = ready["rest_url"].rpartition(":")[2]
        other, same = ask(tmp_path / "other", "--port", port), ask(tmp_path / "venue", "--port", port)

    said = f"holdfast: expected to listen on 127.0.0.1:{port}, found that somebody else does; port 0 takes any that"
    assert other.returncode == ExitCode.IO_ERROR and other.stderr == said + " is free\n"
    assert not (tmp_path / "other").exists()
    assert same.returncode == ExitCode.LOCKED


@pytest.mark.parametrize("api", ["binance", "bybit"])
def test_a_key_that_may_withdraw_is_refused_by_a_node_that_may_not_have_one(tmp_path: Path, api: str) -> None:
    with running(tmp_path / "venue", "--key-may-withdraw") as (_, ready):
        keys = json.loads(ask(tmp_path / "venue", "keys", "--json").stdout)
        settings = ["feed.source=venue", "feed.symbols=BTCUSDT", f"venue.kind={api}", f"venue.url={ready['rest_url']}"]
        settings += ["venue.credentials.api_key=env:KEY", "venue.credentials.api_secret=env:SECRET"]
        words = [word for each in settings for word in ("--set", each)]
        done = subprocess.run(
            [sys.executable, "-m", "holdfast", "run", "--home", str(tmp_path / "node"), *words],
            env={**os.environ, "KEY": keys["api_key"], "SECRET": keys["secret"]},
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )

    assert (done.returncode, "venue.allow_withdrawals" in done.stderr) == (ExitCode.CONFIGURATION, True), done.stderr


def test_a_line_for_people_has_its_time_and_a_fault_says_what_it_did(tmp_path: Path) -> None:
    file, home = tmp_path / "scenario.toml", tmp_path / "venue"
    file.write_text('fault = [{ kind = "deposit", asset = "USDT", amount = "250", times = 1 }]')
    with subprocess.Popen(command(home, "--scenario", str(file)), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGTERM)

    assert said[0].startswith("ready: ")
    assert re.fullmatch(r"\S+T\S+Z fault kind=deposit asset=USDT amount=250\n", said[1]), said
    assert "requests (kinds of request by client id; " in ask(home, "ledger").stdout


def test_keys_are_for_their_owner_and_told_when_asked_only(tmp_path: Path) -> None:
    home = tmp_path / "venue"
    with running(home) as (process, ready):
        process.send_signal(signal.SIGINT)
        said = json.dumps(ready) + (process.stdout.read() if process.stdout else "")
    keys = json.loads(ask(home, "keys", "--json").stdout)

    assert set(keys) == {"api_key", "secret", "admin_token"}
    assert not [value for value in keys.values() if value in said]
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()} == {0o600}
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    (home / "keys.json").chmod(0o644)
    assert ask(home, "keys").returncode == ExitCode.IO_ERROR


def test_it_does_not_listen_beyond_this_machine_unless_told_twice(tmp_path: Path) -> None:
    refused = ask(tmp_path / "venue", "--host", "0.0.0.0")

    assert refused.returncode == ExitCode.USAGE and "--expose" in refused.stderr
    with running(tmp_path / "venue", "--host", "0.0.0.0", "--expose") as (_, ready):
        assert ready["event"] == "ready"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--data", "no-such-file"), ExitCode.CONFIGURATION, "no-such-file"),
        (("--balance", "USDT"), ExitCode.USAGE, "USDT=10000"),
        (("--balance", "USDT=-4"), ExitCode.USAGE, "USDT=-4"),
        (("--symbols", "NOQUOTE"), ExitCode.CONFIGURATION, "NOQUOTE"),
        (("--scenario", "no-such-file"), ExitCode.CONFIGURATION, "no-such-file: expected a file of faults"),
        (("--speed", "0"), ExitCode.USAGE, "0"),
        (("ledger",), ExitCode.IO_ERROR, "expected an exchange's home in"),
        (("keys",), ExitCode.IO_ERROR, "expected an exchange's home in"),
    ],
)
def test_what_cannot_be_is_said_with_a_code(tmp_path: Path, words: tuple[str, ...], code: int, says: str) -> None:
    done = ask(tmp_path / "venue", *words)

    assert (done.returncode, says in done.stderr) == (code, True), done.stderr
    assert "Errno" not in done.stderr


@pytest.mark.parametrize("said", ["", "no database"])
@pytest.mark.parametrize("words", [("--json",), ("ledger",)])
def test_a_home_that_cannot_be_read_is_said_to_be_so(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    with running(tmp_path / "venue") as (process, _):
        process.kill()
        process.wait()
    for file in (tmp_path / "venue").glob("*.db*"):
        file.unlink()
    for name in ("book.db", "ledger.db"):
        (tmp_path / "venue" / name).write_text(said)
    if not said and words != ("ledger",):
        with running(tmp_path / "venue"):
            return
    done = ask(tmp_path / "venue", *words)

    assert done.returncode == ExitCode.IO_ERROR
    assert "Traceback" not in done.stderr and str(tmp_path / "venue") in done.stdout + done.stderr


def test_an_exchange_that_is_killed_keeps_its_book_its_ledger_and_its_market(tmp_path: Path) -> None:
    home = tmp_path / "venue"
    with running(home, "--speed", "60") as (process, ready):
        bot = bot_of(home, ready)
        bot.load_markets()
        bought = bot.create_order(SYMBOL, "market", "buy", "0.01", None, {"clientOrderId": "one"})
        bot.create_order(SYMBOL, "limit", "buy", "0.01", "30000", {"clientOrderId": "two"})
        bot.create_order(SYMBOL, "STOP_LOSS", "sell", "0.005", None, {"stopPrice": "20000", "clientOrderId": "three"})
        candles = bot.fetch_ohlcv(SYMBOL, "1m", limit=50)
        balance, trades, last = bot.fetch_balance(), bot.fetch_my_trades(SYMBOL), bot.fetch_ticker(SYMBOL)["last"]
        process.kill()
        process.wait()
    beside = json.loads(ask(home, "ledger", "--json").stdout)
    with running(home, "--speed", "60") as (_, ready):
        bot = bot_of(home, ready)
        again = bot.fetch_balance()
        assert {order["clientOrderId"] for order in bot.fetch_open_orders(SYMBOL)} == {"two", "three"}
        assert [trade["id"] for trade in bot.fetch_my_trades(SYMBOL)] == [trade["id"] for trade in trades]
        assert bot.fetch_order(None, SYMBOL, {"clientOrderId": "one"})["id"] == bought["id"]
        assert (again["total"], again["used"]) == (balance["total"], balance["used"])
        assert [row for row in candles[:-1] if row not in bot.fetch_ohlcv(SYMBOL, "1m", limit=60)] == []
        assert abs(float(bot.fetch_ticker(SYMBOL)["last"]) / float(last) - 1) < 0.03
        later = bot.create_order(SYMBOL, "market", "buy", "0.01")
        assert int(later["id"]) > int(bought["id"]) and later["status"] == "closed"

    assert [order["client_id"] for order in beside["orders"]] == ["one", "two", "three"]
    assert len(beside["trades"]) == 1


def test_an_exchange_that_nobody_listens_to_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "venue"
    with running(home, "--speed", "60") as (process, ready):
        assert process.stdout is not None
        process.stdout.close()
        bot = bot_of(home, ready)
        bot.load_markets()
        for _ in range(3):
            assert bot.create_order(SYMBOL, "market", "buy", "0.001")["status"] == "closed"
        process.send_signal(signal.SIGTERM)

        assert process.wait(WAIT_S) == ExitCode.OK


def test_an_exchange_that_cannot_write_leaves(tmp_path: Path) -> None:
    home = tmp_path / "venue"
    with running(home, "--history", "10", "--orders-max", "10000") as (process, ready):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (400_000, 400_000))
        bot = bot_of(home, ready)
        bot.load_markets()
        acknowledged = 0
        with contextlib.suppress(Exception):
            for _ in range(500):
                bot.create_order(SYMBOL, "market", "buy", "0.0002")
                acknowledged += 1

        assert process.wait(WAIT_S) == ExitCode.IO_ERROR
    with running(home, "--history", "10"):
        pass
    taken = json.loads(ask(home, "ledger", "--json").stdout)["orders"]
    assert 0 < acknowledged <= sum(order["status"] == "filled" for order in taken) <= acknowledged + 1


def test_what_happens_is_told_in_lines_of_json(tmp_path: Path) -> None:
    (scenario := tmp_path / "scenario.toml").write_text('[[fault]]\nkind = "too_many"\nwhere = "time"\n')
    home = tmp_path / "venue"
    with running(home, "--scenario", str(scenario), "--symbols", "BTCUSDT") as (process, ready):
        bot = bot_of(home, ready)
        bot.load_markets()
        bot.create_order(SYMBOL, "market", "buy", "0.001", None, {"clientOrderId": "one"})
        with contextlib.suppress(Exception):
            bot.fetch_time()
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        events = [json.loads(line) for line in process.stdout]

    assert ready["symbols"] == ["BTCUSDT"]
    assert [event["event"] for event in events] == ["order.new", "order.trade", "fault", "stopped"]
    assert (events[0]["client_id"], events[2]["kind"]) == ("one", "too_many")


def test_no_kill_loses_or_doubles_an_order_that_was_asked_for(tmp_path: Path) -> None:
    """Orders are sent while the exchange is killed; each is in the ledger once if it is anywhere, and money agrees."""
    home = tmp_path / "venue"
    acknowledged: list[str] = []
    for life in range(4):
        with running(home, "--symbols", "BTCUSDT") as (process, ready):
            bot = bot_of(home, ready)
            bot.timeout = 2_000
            bot.load_markets()
            asyncio.run(_send_until_killed(bot, process, life, acknowledged))
    with running(home, "--symbols", "BTCUSDT"):
        pass
    ledger = json.loads(ask(home, "ledger", "--json").stdout)
    taken = [order["client_id"] for order in ledger["orders"] if order["status"] != "lost"]

    assert len(taken) == len(set(taken))
    assert set(acknowledged) <= set(taken)
    assert not [order for order in ledger["orders"] if order["status"] in ("pending", "new")]
    moved = sum(1 for row in ledger["movements"] if row["asset"] == "BTC" and float(row["amount"]) > 0)
    assert moved == len(ledger["trades"])


async def _send_until_killed(bot: Any, process: subprocess.Popen[str], life: int, acknowledged: list[str]) -> None:
    async def kill_soon() -> None:
        await asyncio.sleep(0.25 + 0.04 * life)
        process.send_signal(signal.SIGKILL)

    def send() -> None:
        for number in range(200):
            client_id = f"l{life}x{number}"
            try:
                bot.create_order(SYMBOL, "market", "buy", "0.0002", None, {"clientOrderId": client_id})
            except Exception:  # noqa: BLE001 - whatever ccxt makes of a dead exchange
                if process.poll() is not None:
                    return
                time.sleep(0.01)
            else:
                acknowledged.append(client_id)

    await asyncio.gather(kill_soon(), asyncio.to_thread(send))
