"""Deaths of a node that trades at an exchange: no order lost, none doubled, no fill forgotten, books equal.

    python -m tests.endurance.live_kills --kills 30 [--honest]

The node is a real process that is killed with SIGKILL while it trades through ccxt over real sockets; the exchange goes
on meanwhile, lies in every way it can unless it is to be honest, and its own ledger is the judge.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from holdfast.rebuild import Rebuilt
from holdfast.replay import rebuild, verify_everything
from tests.endurance.nodes import NodeProcess, caused_events, durable_seq
from tests.gateways.live.served import Served

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
SETTLE_WITHIN_S = 60.0
CONFIGURATION = """
[feed]
source = "venue"
symbols = {symbols}
timeframe = "1s"
frames = ["1s"]
warmup_bars = 10
[venue]
kind = "binance"
url = "{url}"
deadline_s = 3
skew_s = 0.5
visibility_lag_s = 1
[venue.credentials]
api_key = "file:{folder}/api_key"
api_secret = "file:{folder}/api_secret"
[log]
level = "error"
[admin]
enabled = false
[risk]
daily_loss_max = 1
drawdown_max = 1
[strategies.hasty]
class = "tests.endurance.hasty:Hasty"
[strategies.hasty.parameters]
enter = 0.5
leave = 0.3
size = 0.05
cooldown_minutes = 0
"""
ANSWERS = ("reset", "close", "cut", "garbled", "gzip", "html", "braces", "null", "nothing", "redirect")
"""Ways to spoil an answer to a request that had its effect, or had none."""


def lies() -> list[dict[str, Any]]:
    """Return what the exchange lies about, and how often."""
    told: list[dict[str, Any]] = []
    for kind in ANSWERS:
        for strike in ("before", "after"):
            told.append({"kind": kind, "where": "order.create", "strike": strike, "probability": 0.01})
        told.append({"kind": kind, "where": "order.query", "probability": 0.01})
        told.append({"kind": kind, "where": "order.cancel", "probability": 0.01})
        told += [
            {"kind": kind, "where": where, "probability": 0.005} for where in ("my_trades", "all_orders", "klines")
        ]
    for status in (500, 502, 504, 520):
        told.append({"kind": "status", "where": "order.*", "status": status, "probability": 0.01})
    order = {"where": "order.create"}
    return [
        *told,
        order | {"kind": "unknown_outcome", "probability": 0.02},
        order | {"kind": "duplicate", "probability": 0.02},
        order | {"kind": "hang", "probability": 0.01, "seconds": 30},
        order | {"kind": "late", "probability": 0.3, "seconds": [0.05, 1.5]},
        # Past its deadline as often as not: then it must not be taken.
        order | {"kind": "stuck", "strike": "before", "probability": 0.05, "seconds": [0.5, 6.0]},
        order | {"kind": "hidden", "probability": 0.05, "seconds": [0.1, 0.8]},
        order | {"kind": "partial", "probability": 0.2},
        {"kind": "clock", "where": "order.create", "strike": "before", "probability": 0.01},
        {"kind": "fill_at_cancel", "where": "order.cancel", "probability": 0.2, "seconds": [0.0, 0.5]},
        {"kind": "too_many", "where": "klines", "probability": 0.005, "retry_after": 2},
        *({"kind": kind, "where": "stream.user.*", "probability": 0.1} for kind in ("drop", "twice", "garble")),
        {"kind": "delay", "where": "stream.user.*", "probability": 0.1, "seconds": [0.1, 2.0]},
        {"kind": "disconnect", "where": "stream.user.beat", "probability": 0.05},
        {"kind": "silent", "where": "stream.user.beat", "probability": 0.02, "seconds": 15},
    ]


class Tally(msgspec.Struct):
    """What was done, and what came of it."""

    kills: int = 0
    with_open_order: int = 0
    with_unproven_order: int = 0
    """Kills after which the journal did not know whether an order had arrived."""
    orders: int = 0
    fills: int = 0
    absent: int = 0
    faults: dict[str, int] = {}
    violations: list[str] = []


def configure(folder: Path, served: Served) -> Path:
    """Write a node's configuration and keys."""
    for name, text in (("api_key", served.exchange.api_key), ("api_secret", served.exchange.secret)):
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(text)
    file = folder / "live.toml"
    symbols = "[" + ", ".join(f'"{symbol}"' for symbol in SYMBOLS) + "]"
    file.write_text(CONFIGURATION.format(symbols=symbols, url=served.exchange.rest_url, folder=folder))
    return file


def kill_through(home: Path, arguments: Sequence[str], *, kills: int, seed: int) -> Tally:
    """Let a node live and die so many times, each time after new events of that life."""
    draw, tally = random.Random(seed), Tally()
    while tally.kills < kills:
        before = caused_events(home) if tally.kills else 0
        node = NodeProcess(home, arguments)
        if not node.wait_for_events(draw.randint(1, 60)):
            raise AssertionError(f"the node ended by itself: {node.end()[1][-3000:]}")
        time.sleep(draw.random() * 1.5)
        node.kill()
        tally.kills += 1
        orders = rebuild(home)[0].executor.state.orders.values()
        tally.with_open_order += any(order.state == "accepted" for order in orders)
        tally.with_unproven_order += any(order.state in ("intended", "unresolved") for order in orders)
        assert caused_events(home) >= before
    return tally


def settle(home: Path, arguments: Sequence[str]) -> None:
    """Let a node live until every order it was ever unsure of is proven, and end it in order."""
    node = NodeProcess(home, [*arguments, "--set", "risk.no_trade=true"])
    deadline = time.monotonic() + SETTLE_WITHIN_S
    quiet_since = 0.0
    while time.monotonic() < deadline:
        time.sleep(1.0)
        orders = rebuild(home)[0].executor.state.orders.values()
        if any(order.state != "accepted" for order in orders) or not durable_seq(home):
            quiet_since = 0.0
        elif not quiet_since:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > 5.0:
            break
    node.process.terminate()
    out, err = node.end()
    if node.process.returncode != 0:
        raise AssertionError(f"expected exit code 0, found {node.process.returncode}\n{out[-500:]}\n{err[-3000:]}")


def judge(home: Path, ledger: dict[str, Any]) -> list[str]:
    """Return what the exchange's ledger and the journal do not agree on."""
    rebuilt, _ = rebuild(home)
    found = [f"journal: {problem}" for check in verify_everything(home) for problem in check.problems]
    found += _doubled(ledger) + _orders(rebuilt, ledger) + _fills(rebuilt, ledger) + _cash(rebuilt, ledger)
    return found


def _doubled(ledger: dict[str, Any]) -> list[str]:
    sent = Counter({row["client_id"]: row["count"] for row in ledger["requests"] if row["kind"] == "order.create"})
    taken = Counter(order["client_id"] for order in ledger["orders"])
    return [f"{name} was sent {count} times" for name, count in sent.items() if count > 1] + [
        f"{name} was taken {count} times" for name, count in taken.items() if count > 1
    ]


def _orders(rebuilt: Rebuilt, ledger: dict[str, Any]) -> list[str]:
    known, found = rebuilt.history.orders, []
    for order in ledger["orders"]:
        ours = known.get(order["client_id"])
        if ours is None:
            found.append(f"{order['client_id']} is at the exchange and not in the journal")
            continue
        theirs = {"new": "accepted", "partially_filled": "accepted"}.get(order["status"], order["status"])
        if ours.state != theirs:
            found.append(f"{order['client_id']} is {order['status']} at the exchange and {ours.state} in the journal")
    at_exchange = {order["client_id"] for order in ledger["orders"]}
    found += [
        f"{name} is {order.state} in the journal and not at the exchange"
        for name, order in known.items()
        if name not in at_exchange and order.state not in ("absent", "rejected")
    ]
    return found


def _fills(rebuilt: Rebuilt, ledger: dict[str, Any]) -> list[str]:
    ours = Counter(
        (event.fill.client_id, event.fill.quantity, event.fill.price, event.fill.fee.amount, event.fill.fee.asset)
        for event in rebuilt.history.fills
    )
    theirs = Counter(
        (
            trade["client_id"],
            Decimal(trade["quantity"]),
            Decimal(trade["price"]),
            Decimal(trade["fee"]),
            trade["fee_asset"],
        )
        for trade in ledger["trades"]
    )
    return [f"a fill that only the exchange has: {fill}" for fill in theirs - ours] + [
        f"a fill that only the journal has: {fill}" for fill in ours - theirs
    ]


def _cash(rebuilt: Rebuilt, ledger: dict[str, Any]) -> list[str]:
    ours = {asset: amount for asset, amount in rebuilt.positions.state.book.cash.items() if amount}
    theirs = {asset: Decimal(amount) for asset, amount in ledger["balances"].items() if Decimal(amount)}
    return [] if ours == theirs else [f"the journal has {ours}, the exchange {theirs}"]


def run(folder: Path, *, kills: int, seed: int, is_honest: bool) -> Tally:
    """Run all of it in a folder."""
    (folder / "exchange").mkdir()
    served = Served(folder / "exchange", speed=60.0, balances={"USDT": Decimal(100_000)})
    try:
        if not is_honest:
            served.do(lambda exchange: [exchange.faults.add(**lie) for lie in lies()])
        arguments = ["--config", str(configure(folder, served))]
        home = folder / "node"
        tally = kill_through(home, arguments, kills=kills, seed=seed)
        served.do(lambda exchange: exchange.faults.clear())
        settle(home, arguments)
        ledger = served.ledger()
        tally.faults = dict(served.do(lambda exchange: exchange.faults.counts))
    finally:
        served.close()
    tally.violations = judge(home, ledger)
    tally.orders, tally.fills = len(ledger["orders"]), len(ledger["trades"])
    tally.absent = sum(order.state == "absent" for order in rebuild(home)[0].history.orders.values())
    return tally


def main() -> int:
    """Kill, and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--honest", action="store_true", help="let the exchange tell no lie")
    parser.add_argument("--folder", type=Path, help="an empty folder to keep everything in")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        tally = run(wanted.folder or Path(folder), kills=wanted.kills, seed=wanted.seed, is_honest=wanted.honest)
        print(msgspec.json.encode(tally).decode(), f"seed {wanted.seed}, {time.monotonic() - began:.0f} s")
    return 1 if tally.violations else 0


if __name__ == "__main__":
    sys.exit(main())
