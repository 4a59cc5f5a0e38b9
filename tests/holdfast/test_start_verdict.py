"""The verdict of a start, with real nodes at a real exchange on loopback: what befell the account while none lived."""

import json
import queue
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.order import Terms
from domain.venue import Answer, OrderSeen
from gateways.live.venue import LiveVenue
from holdfast.exit_codes import ExitCode
from holdfast.replay import rebuild
from messages.codec import encode
from messages.orders import OrderIntended
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.records import Draft
from tests.gateways.live.served import Served
from tests.holdfast.test_whole_life import holdfast, living, recorded, told, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
D = Decimal
QUIET = """
[feed]
source = "venue"
symbols = ["BTCUSDT"]
timeframe = "1s"
frames = ["1s"]
warmup_bars = 5
[venue]
kind = "binance"
url = "{url}"
visibility_lag_s = 0.5
skew_s = 0.5
[venue.credentials]
api_key = "env:KEY_OF_A_TEST"
api_secret = "env:SECRET_OF_A_TEST"
[risk]
no_trade = true
[strategies.ema_cross.parameters]
timeframe = "1s"
fast = 3
slow = 8
"""


class World:
    """An exchange, a home on its account, and a configuration that trades nothing by itself."""

    def __init__(self, folder: Path) -> None:
        self.served = Served(folder / "exchange", speed=60.0, balances={"USDT": D(100_000), "BTC": D(2)})
        self.home, self.config = folder / "home", folder / "live.toml"
        self.config.write_text(QUIET.format(url=self.served.exchange.rest_url))
        exchange = self.served.exchange
        self.keys = {"KEY_OF_A_TEST": exchange.api_key, "SECRET_OF_A_TEST": exchange.secret}

    def close(self) -> None:
        self.served.close()

    def befall(self, **fault: Any) -> None:
        before = self.served.ledger()["movements"], self.served.ledger()["orders"]
        self.served.do(lambda exchange: exchange.faults.add(**fault))
        until = time.monotonic() + 20
        while (self.served.ledger()["movements"], self.served.ledger()["orders"]) == before:
            assert time.monotonic() < until, f"{fault} never happened"
            time.sleep(0.05)

    def live_once(self, *policies: str, then: Callable[[], object] = lambda: None) -> dict[str, Any]:
        """Let a node live until its verdict, kill it, and return the verdict."""
        more = [word for policy in policies for word in ("--set", f"reconcile.{policy}")]
        verdicts = len(recorded(self.home, "Reconciled"))
        with living(self.home, "--config", str(self.config), *more, environment=self.keys) as node:
            wait_for(node, "Reconciled", verdicts + 1)
            then()
            node.kill()
        return recorded(self.home, "Reconciled")[verdicts]

    def intend(self, number: str, *, good_for_ms: int = 20_000) -> Terms:
        """Write down the intent of an order, as the last thing that a process did."""
        namespace = rebuild(self.home)[0].executor.state.namespace
        connection = self.served.connect()
        connection.know_the_time()
        until = connection.clock.now_ms() + good_for_ms
        connection.close()
        client_id = f"h01{namespace}{number}e00"
        terms = Terms(
            client_id, "ema_cross", "BTCUSDT", "buy", "market", D("0.20"), "entry", valid_until=until, base="BTC"
        )
        kind, version, payload = encode(OrderIntended(terms, 1, 0))
        with closing(Journal.open(self.home)) as journal:
            seq = journal.last_seq + 1
            with JournalReader(self.home) as reader:
                (newest,) = reader.read_newest(["Reconciled"], 1)
            epoch = newest.epoch + 1_000_000
            journal.append(
                [Draft(seq, newest.at, newest.wall, kind, version, "executor", epoch, seq - 1, 0, 0, payload)]
            )
        return terms

    def kinds(self, verdict: dict[str, Any]) -> dict[str, str]:
        return {finding["kind"]: finding["policy"] for finding in verdict["findings"]}


def wait_until(happened: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with closing(World(tmp_path)) as world:
        for name, value in world.keys.items():
            monkeypatch.setenv(name, value)
        assert world.live_once()["findings"] == []
        yield world


def test_a_deposit_halts_the_node_until_an_operator_resumes_and_is_in_the_books_then(world: World) -> None:
    world.befall(kind="deposit", asset="USDT", amount="500")

    def resume() -> None:
        assert told("ctl", "status", home=world.home)["state"] == "halted"
        assert holdfast("ctl", "resume", "--reason", "it was me", home=world.home).returncode == ExitCode.OK
        until = time.monotonic() + 30
        while not recorded(world.home, "AccountAdopted"):
            assert time.monotonic() < until
            time.sleep(0.1)

    verdict = world.live_once(then=resume)

    assert world.kinds(verdict) == {"deposit": "halt"}
    (adopted,) = recorded(world.home, "AccountAdopted")
    assert (adopted["asset"], D(adopted["amount"]), adopted["holder"]) == ("USDT", D(500), "")
    assert world.live_once()["findings"] == []


def test_a_trade_by_hand_is_adopted_where_that_is_the_policy_and_is_no_strategys(world: World) -> None:
    world.befall(kind="manual_order", symbol="BTCUSDT", side="buy", quantity="0.5")

    verdict = world.live_once("position_extra=adopt", "withdrawal=adopt")

    assert world.kinds(verdict) == {"position_extra": "adopt", "withdrawal": "adopt"}
    book = rebuild(world.home)[0].positions.state.book
    ledger = {asset: D(amount) for asset, amount in world.served.ledger()["balances"].items()}
    assert {asset: amount for asset, amount in book.cash.items() if amount} == ledger
    assert book.position("external", "BTCUSDT").quantity == book.cash["BTC"] - 2 > D("0.4")
    assert world.live_once()["findings"] == []


def test_what_was_bought_by_hand_is_sold_again_where_that_is_the_policy(world: World) -> None:
    world.befall(kind="manual_order", symbol="BTCUSDT", side="buy", quantity="0.5")

    def wait() -> None:
        until = time.monotonic() + 60
        while rebuild(world.home)[0].positions.state.book.position("external", "BTCUSDT").quantity:
            assert time.monotonic() < until
            time.sleep(0.3)

    world.live_once("position_extra=flatten", "withdrawal=adopt", then=wait)

    assert {fill["fill"]["side"] for fill in recorded(world.home, "OrderFilled")} == {"sell"}
    assert world.live_once()["findings"] == []


def test_an_order_of_our_name_is_cancelled_and_one_of_somebody_else_is_left_alone(world: World) -> None:
    namespace = rebuild(world.home)[0].executor.state.namespace
    world.befall(kind="manual_order", symbol="BTCUSDT", side="buy", quantity="0.20", price="100.00")
    connection = world.served.connect()
    connection.know_the_time()
    answers: queue.Queue[Answer] = queue.Queue()
    client_id = f"h01{namespace}00009999e00"
    until = connection.clock.now_ms() + 20_000
    terms = Terms(client_id, "one", "BTCUSDT", "buy", "limit", D("0.20"), "entry", D("100.00"), valid_until=until)
    LiveVenue(connection).submit(terms, answers.put)
    assert isinstance(answers.get(timeout=20), OrderSeen)
    connection.close()

    def wait() -> None:
        until = time.monotonic() + 30
        while {order["client_id"]: order["status"] for order in world.served.ledger()["orders"]}[client_id] == "new":
            assert time.monotonic() < until
            time.sleep(0.1)

    verdict = world.live_once(then=wait)

    assert world.kinds(verdict) == {"order_unknown": "flatten", "order_manual": "report"}
    statuses = {order["client_id"]: order["status"] for order in world.served.ledger()["orders"]}
    assert statuses.pop(client_id) == "canceled"
    assert list(statuses.values()) == ["new"]


def test_a_question_that_failed_is_no_empty_account(world: World) -> None:
    world.served.do(lambda exchange: exchange.faults.add(kind="status", where="open_orders", status=503, times=2))

    assert world.live_once()["findings"] == []

    world.served.do(lambda exchange: exchange.faults.add(kind="braces", where="open_orders"))
    plan = holdfast("reconcile", "--plan", "--config", str(world.config), home=world.home)
    assert plan.returncode == ExitCode.IO_ERROR, plan.stdout
    assert "the account must be told" in plan.stderr


def test_a_plan_shows_the_verdict_and_changes_nothing(world: World) -> None:
    agreed = holdfast("reconcile", "--plan", "--config", str(world.config), home=world.home)
    assert agreed.returncode == ExitCode.OK, agreed.stderr
    world.befall(kind="withdraw", asset="BTC", amount="0.75")
    before = {path: path.read_bytes() for path in world.home.iterdir() if path.is_file() and path.suffix != ".db-shm"}

    plan = holdfast("reconcile", "--plan", "--config", str(world.config), "--json", home=world.home)

    assert plan.returncode == ExitCode.FAILED, plan.stderr
    (finding,) = json.loads(plan.stdout)["findings"]
    assert (finding["kind"], D(finding["journal"]), D(finding["venue"])) == ("position_missing", D(2), D("1.25"))
    assert before == {path: path.read_bytes() for path in before}
    assert world.kinds(world.live_once()) == {"position_missing": "halt"}


def test_a_plan_asks_for_orders_of_unknown_fate_before_it_compares_as_a_start_does(world: World) -> None:
    order = world.intend("00000100")
    connection = world.served.connect()
    connection.know_the_time()
    answers: queue.Queue[Answer] = queue.Queue()
    LiveVenue(connection).submit(order, answers.put)
    assert isinstance(answers.get(timeout=20), OrderSeen)
    connection.close()

    plan = holdfast("reconcile", "--plan", "--config", str(world.config), "--json", home=world.home)

    assert plan.returncode == ExitCode.OK, plan.stdout
    assert (json.loads(plan.stdout)["findings"], json.loads(plan.stdout)["uncertain"]) == ([], [])
    assert recorded(world.home, "OrderFilled") == []
    assert world.live_once()["findings"] == []


def test_what_a_plan_finds_beside_an_order_that_may_still_arrive_is_not_certain(world: World) -> None:
    order = world.intend("00000200", good_for_ms=50_000)
    world.befall(kind="withdraw", asset="BTC", amount="0.75")

    plan = holdfast("reconcile", "--plan", "--config", str(world.config), "--json", home=world.home)

    assert plan.returncode == ExitCode.FAILED, plan.stderr
    found = json.loads(plan.stdout)
    assert found["uncertain"] == [order.client_id]
    (finding,) = found["findings"]
    assert finding["would"] == (
        f"nothing before it is certain what became of {order.client_id}; if it is the same then: "
        "no entry until an operator resumes"
    )


def test_a_journal_that_was_put_back_orders_nothing_for_what_it_holds_before_the_verdict(world: World) -> None:
    world.befall(kind="manual_order", symbol="BTCUSDT", side="buy", quantity="0.5")

    def sell_what_the_backup_holds() -> None:
        wait_until(lambda: recorded(world.home, "OrderAccepted"))
        saved = holdfast("journal", "backup", "--to", str(world.home.with_name("backups")), home=world.home)
        assert saved.returncode == ExitCode.OK, saved.stderr
        assert holdfast("ctl", "flatten", home=world.home).returncode == ExitCode.OK
        wait_until(lambda: recorded(world.home, "OrderFilled"))

    world.live_once("position_extra=protect", "withdrawal=adopt", then=sell_what_the_backup_holds)
    (backup,) = (each for each in world.home.with_name("backups").iterdir() if each.is_dir())
    done = holdfast("journal", "restore", str(backup), "--replace", home=world.home)
    assert done.returncode == ExitCode.OK, done.stderr

    verdict = world.live_once("position_missing=adopt", "deposit=adopt", then=lambda: time.sleep(3))

    assert world.kinds(verdict) == {"position_missing": "adopt", "deposit": "adopt"}
    with JournalReader(world.home) as reader:
        (since,) = (record.seq for record in reader.read_newest(["Restored"], 1))
        kinds = [record.kind for record in reader.read(after=since, kinds=["OrderIntended", "Reconciled"])]
    assert kinds[0] == "Reconciled"
    assert world.live_once()["findings"] == []


def test_commands_say_what_they_have_led_to(world: World) -> None:
    world.befall(kind="manual_order", symbol="BTCUSDT", side="buy", quantity="0.5")
    said: dict[str, str] = {}

    def command() -> None:
        wait_until(lambda: recorded(world.home, "OrderAccepted"))
        (stop,) = recorded(world.home, "OrderAccepted")
        for words in (["reconcile"], ["settle", stop["client_id"], "--reason", "gone"], ["resume", "--reason", "mine"]):
            done = holdfast("ctl", *words, home=world.home)
            said[words[0]] = f"{done.returncode} {(done.stdout or done.stderr).strip()}"
        said["stop"] = stop["client_id"]

    world.live_once("position_extra=protect", "withdrawal=halt", then=command)

    assert said["reconcile"].startswith("0 reconcile: ")
    assert "withdrawal: expected 100000.00000000 USDT, found " in said["reconcile"] or "counts" in said["reconcile"]
    assert said["settle"] == (
        f"1 holdfast: the venue shows {said['stop']}: accepted; `holdfast ctl cancel-all` or `flatten` end what is open"
    )
    assert "settle" not in [each["command"] for each in recorded(world.home, "OperatorCommanded")]
    assert said["resume"].startswith("0 resume: done; ")
