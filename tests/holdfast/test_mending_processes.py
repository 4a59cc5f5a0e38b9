"""Whole lives of real processes: backed up while they trade, killed, restored, damaged, salvaged, and traded on."""

import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from holdfast.exit_codes import ExitCode
from holdfast.torture.lives import durable_seq
from persistence.reader import JournalReader
from persistence.verify import verify
from tests.endurance.nodes import NodeProcess
from tests.holdfast.mended import book_of, client_ids, generations_of, hashes, rebuilt
from tests.holdfast.test_processes import ROOT, Node, command, holdfast

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PACE = ("--set", "feed.speed=6000")


def told(*arguments: object) -> Any:
    """Return what a command that must succeed says as JSON."""
    done = holdfast(*arguments, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def goes_on_after_an_operator(home: Path, why: str) -> None:
    """Start a node in a home whose journal was mended, and see it halted, resumed and trading."""
    node = Node(home, *PACE)
    try:
        node.wait_until_trading()
        # Until the breaker has come up and says more, a node takes in what reduces only.
        node.wait_until(lambda: node.status()["state"] != "reduce_only", "a breaker that is up")
        status = node.status()
        assert status["state"] == "halted"
        assert why in status["reasons"]["halted"]
        before = status["seq"]
        node.wait_until(lambda: node.status()["seq"] > before + 100, "a market that goes on")
        assert node.status()["state"] == "halted"
        assert generations_of(client_ids(home)[-1:]) <= {1, 2}
        assert node.order("resume", reason="")["ok"] is False
        assert node.order("resume", reason="looked into it")["ok"] is True
        node.wait_until(lambda: node.status()["state"] == "active", "a node that is resumed")
        known = len(client_ids(home))
        node.wait_until(lambda: len(client_ids(home)) > known + 4, "new orders")
    finally:
        assert node.end(signal.SIGTERM) == ExitCode.OK, node.said()[-3000:]


def demand_whole(home: Path) -> None:
    """Check what must hold of a mended journal and of the book beside it, after its node has traded on."""
    ids, (states, balances) = client_ids(home), book_of(home)
    assert len(ids) == len(set(ids))
    assert generations_of(ids) == {1, 2}
    assert set(ids) <= states.keys()
    assert {states[client_id] for client_id in states.keys() - set(ids)} <= {"canceled", "rejected"}
    cash = rebuilt(home).positions.state.book.cash
    assert {asset: amount for asset, amount in cash.items() if amount} == balances
    assert verify(home).is_sound
    assert holdfast("replay", "--verify", "--home", home).returncode == 0
    rerun = holdfast("replay", "--rerun", "--home", home)
    # What was on its way when the journal was backed up, and met the halt of the restored one, cannot be told.
    assert rerun.returncode == 0 or rerun.stdout.startswith("CANNOT BE TOLD"), rerun.stdout
    for client_id in (ids[0], ids[-1]):
        assert holdfast("why", client_id, "--home", home).returncode == 0
    shown = told("replay", "--home", home)
    assert [mend["generation"] for mend in shown["mended"]] == [2]


def test_a_node_that_trades_is_backed_up_killed_and_restored_elsewhere(tmp_path: Path) -> None:
    home, to, elsewhere = tmp_path / "home", tmp_path / "backups", tmp_path / "elsewhere"
    node = NodeProcess(home, ["--set", "feed.speed=40000"])
    assert node.wait_for_events(800)
    made = [told("journal", "backup", "--home", home, "--to", to, "--keep", 2) for _ in range(3)]
    assert node.process.poll() is None
    refused = holdfast("journal", "restore", made[-1]["backup"], "--home", home, "--replace")
    assert refused.returncode == ExitCode.LOCKED
    assert node.wait_for_events(made[-1]["seq"] + 200)
    node.kill()

    assert [each["dropped"] for each in made] == [[], [], [Path(made[0]["backup"]).name]]
    backup = Path(made[1]["backup"])
    seq = made[1]["seq"]
    done = told("journal", "restore", backup, "--home", elsewhere)
    assert (done["seq"], done["generation"]) == (seq, 2)
    assert hashes(elsewhere, seq) == hashes(home, seq)
    ours, theirs = (told("replay", "--to", seq, "--home", where) for where in (elsewhere, home))
    assert ours["state_hash"] == theirs["state_hash"]
    assert told("replay", "--home", elsewhere)["state"] == "halted"
    goes_on_after_an_operator(elsewhere, f"restored up to sequence {seq}")
    demand_whole(elsewhere)


def test_a_damaged_journal_stops_the_start_with_65_is_salvaged_and_traded_on(tmp_path: Path) -> None:
    home = tmp_path / "home"
    node = NodeProcess(home, ["--set", "feed.speed=40000"])
    assert node.wait_for_events(1_500)
    node.kill()
    log = bytearray((home / "journal.db-wal").read_bytes())
    written = len(log.rstrip(b"\0"))
    for _ in range(20):
        log[random.Random(1).randrange(written // 2, written)] ^= 0xFF
    (home / "journal.db-wal").write_bytes(log[: written - 9_000])

    start = holdfast("run", "--home", home)
    assert start.returncode == ExitCode.DAMAGED, start.stderr
    planned = told("journal", "salvage", "--plan", "--home", home)
    assert holdfast("run", "--home", home).returncode == ExitCode.DAMAGED
    done = told("journal", "salvage", "--home", home)

    assert done["kept"] == planned["kept"] < done["lost_to"]
    goes_on_after_an_operator(home, f"salvaged up to sequence {done['kept']}")
    demand_whole(home)


@pytest.mark.parametrize("what", ["salvage", "backup"])
def test_commands_that_are_killed_at_random_moments_leave_a_home_that_is_mended_or_as_it_was(
    tmp_path: Path, what: str
) -> None:
    home, to = tmp_path / "home", tmp_path / "backups"
    node = NodeProcess(home, ["--set", "feed.speed=max"])
    assert node.wait_for_events(3_000)
    node.kill()
    with JournalReader(home) as reader:
        last = reader.last()[0]
    arguments = ["journal", what, "--home", home, *(["--to", to] if what == "backup" else [])]
    draw, deaths = random.Random(2), 0
    for _ in range(10):
        if what == "salvage":
            (home / "journal.watermark").unlink(missing_ok=True)
        deaths += killed_after(draw.uniform(0.08, 0.35), *arguments)
        if what == "backup":
            assert verify(home).is_sound
            whole = [path for path in to.iterdir() if not path.name.startswith(".")] if to.exists() else []
            assert all(verify(path).is_sound for path in whole)
        else:
            assert holdfast("journal", "salvage", "--home", home).returncode == 0
            assert verify(home).is_sound
            assert durable_seq(home) > last
    assert deaths > 0
    assert holdfast(*arguments).returncode == 0
    if what == "backup":
        assert [path.name for path in to.iterdir() if path.name.startswith(".")] == [".backup.lock"]


def killed_after(seconds: float, *arguments: object) -> bool:
    """Run a command and kill it after a while; say whether it was killed."""
    process = subprocess.Popen(command(*arguments), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    process.kill()
    return process.wait() == -signal.SIGKILL
