"""Whole lives of real nodes, as their keepers see them: made, started, steered, stopped, removed; several at once."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from domain.order import namespace_of
from holdfast.exit_codes import ExitCode
from holdfast.replay import rebuild
from persistence.reader import JournalReader
from tests.endurance.nodes import NodeProcess, outcome_of, run_to_end
from tests.gateways.live.served import Served

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
WITHIN_S = 60.0
PATIENT = ("--set", "feed.speed=900")
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
LIVE = """
[feed]
source = "venue"
symbols = ["BTCUSDT", "ETHUSDT"]
timeframe = "1s"
frames = ["1s"]
warmup_bars = 30
[venue]
kind = "binance"
url = "{url}"
[venue.credentials]
api_key = "env:KEY_OF_A_TEST"
api_secret = "env:SECRET_OF_A_TEST"
[strategies.ema_cross.parameters]
timeframe = "1s"
fast = 3
slow = 8
"""


def holdfast(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Give a command, as its user does."""
    return subprocess.run(
        [sys.executable, "-m", "holdfast", *arguments, "--home", str(home)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )


def told(*arguments: str, home: Path) -> Any:
    """Return what a command answers."""
    done = holdfast(*arguments, "--json", home=home)
    assert done.returncode == ExitCode.OK, done.stderr
    return json.loads(done.stdout)


def recorded(home: Path, kind: str) -> list[dict[str, Any]]:
    """Return what the journal has of a kind, as plain values; nothing where there is no journal yet."""
    if not (home / "journal.watermark").exists():
        return []
    with JournalReader(home) as reader:
        return [json.loads(record.payload) for record in reader.read(kinds=[kind])]


def wait_for(node: NodeProcess, kind: str, count: int) -> None:
    """Wait until the journal of a living node has so many events of a kind."""
    until = time.monotonic() + WITHIN_S
    while len(recorded(node.home, kind)) < count:
        assert node.process.poll() is None, node.end()[1][-2_000:]
        assert time.monotonic() < until, f"{node.home} has fewer than {count} of {kind}"
        time.sleep(0.1)


@contextmanager
def living(home: Path, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[NodeProcess]:
    """Let a node live until the end of the block; it is killed where it lives on."""
    node = NodeProcess(home, arguments, environment=environment)
    try:
        yield node
    finally:
        if node.process.poll() is None:
            node.kill()


def test_a_node_that_was_removed_has_left_nothing_outside_of_its_home(tmp_path: Path) -> None:
    home, world = tmp_path / "home", tmp_path / "world"
    (world / "tmp").mkdir(parents=True)
    places = {
        "HOME": "",
        "XDG_STATE_HOME": "state",
        "XDG_CONFIG_HOME": "config",
        "XDG_RUNTIME_DIR": "run",
        "TMPDIR": "tmp",
    }
    environment = {name: str(world / place) for name, place in places.items()} | {"PYTHONDONTWRITEBYTECODE": "1"}
    with living(home, *PATIENT, environment=environment) as node:
        wait_for(node, "OrderFilled", 1)
        assert told("ctl", "status", home=home)["state"] == "active"
        assert holdfast("ctl", "stop", home=home).returncode == ExitCode.OK
        node.end()
        assert node.process.returncode == ExitCode.OK

    shutil.rmtree(home)
    assert [path for path in world.rglob("*") if path.is_file() or path.is_socket()] == []


def test_nodes_that_live_at_once_end_as_each_would_have_ended_alone(tmp_path: Path) -> None:
    markets = {symbol: ("--set", "feed.speed=max", "--set", f"feed.symbols={symbol}") for symbol in SYMBOLS}
    for symbol, arguments in markets.items():
        run_to_end(tmp_path / "alone" / symbol, arguments)
    nodes = [NodeProcess(tmp_path / "beside" / symbol, arguments) for symbol, arguments in markets.items()]
    for node in nodes:
        node.end()

    alone, beside = ({symbol: outcome_of(tmp_path / how / symbol) for symbol in SYMBOLS} for how in ("alone", "beside"))
    assert beside == alone
    assert {fill[0] for fill in alone["BTCUSDT"].fills} == {"BTCUSDT"}


def test_a_limit_that_was_hit_holds_through_a_restart_until_somebody_gives_a_reason(tmp_path: Path) -> None:
    home = tmp_path / "home"
    strict = (*PATIENT, "--set", "risk.drawdown_max=0.0001")
    with living(home, *strict) as node:
        wait_for(node, "BreakerTripped", 1)
        node.kill()
    entries = len([terms for terms in recorded(home, "OrderIntended") if terms["terms"]["leg"] == "entry"])

    with living(home, *PATIENT) as node:
        wait_for(node, "OfferAnswered", len(recorded(home, "OfferAnswered")) + 8)
        assert told("ctl", "status", home=home)["state"] != "active"
        assert len([each for each in recorded(home, "OrderIntended") if each["terms"]["leg"] == "entry"]) == entries
        assert holdfast("ctl", "resume", home=home).returncode != ExitCode.OK, "a reason is asked for"
        assert holdfast("ctl", "resume", "--reason", "looked at it", home=home).returncode == ExitCode.OK
        assert told("ctl", "status", home=home)["state"] == "active"


def test_a_home_on_the_account_of_one_that_was_deleted_knows_its_own_orders_only(tmp_path: Path) -> None:
    home, config = tmp_path / "home", tmp_path / "live.toml"
    namespaces, sent = set(), []
    with closing(Served(tmp_path / "exchange", speed=60.0)) as served:
        exchange = served.exchange
        # The keeper knows of the stops that the first home has left there: they are no reason to halt the second.
        left_alone = '[reconcile]\norder_foreign = "report"\n'
        config.write_text(LIVE.format(url=exchange.rest_url) + left_alone)
        keys = {"KEY_OF_A_TEST": exchange.api_key, "SECRET_OF_A_TEST": exchange.secret}
        for _ in range(2):
            with living(home, "--config", str(config), environment=keys) as node:
                wait_for(node, "OrderFilled", 2)
                assert holdfast("ctl", "stop", home=home).returncode == ExitCode.OK
                node.end()
            state = rebuild(home)[0].executor.state
            namespaces.add(state.namespace)
            ours = [each["terms"]["client_id"] for each in recorded(home, "OrderIntended")]
            assert {namespace_of(client_id) for client_id in ours} == {state.namespace}
            assert {each["fill"]["client_id"] for each in recorded(home, "OrderFilled")} <= set(ours)
            sent += ours
            shutil.rmtree(home)
        ledger = served.ledger()

    assert len(namespaces) == 2
    assert len(sent) == len(set(sent))
    taken = [order["client_id"] for order in ledger["orders"]]
    assert set(taken) <= set(sent)
    assert len(taken) == len(set(taken))
