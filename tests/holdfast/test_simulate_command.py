"""`holdfast simulate`: what it reports, and how a seed that fails is named."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from domain.order import Order
from holdfast.simulation.command import blocks_of, simulate_command
from holdfast.simulation.report import command_for
from holdfast.simulation.run import SEEDS_PER_WORLD, simulate_seed
from persistence.errors import JournalDamaged
from persistence.journal import Journal
from tests.endurance.mutants import a_send_does_not_wait_for_the_disk
from tests.endurance.mutation import Mutated
from tests.endurance.nodes import ROOT

pytestmark = pytest.mark.slow


def simulated(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "holdfast", "simulate", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_report_adds_up_what_the_seeds_came_to() -> None:
    done = simulated("--seeds", "3", "--from", "5", "--hours", "0.5", "--json", "--jobs", "1")
    report = json.loads(done.stdout)
    results = [simulate_seed(seed, hours=0.5) for seed in (5, 6, 7)]

    assert done.returncode == 0, done.stderr
    assert (report["first_seed"], report["seeds"], report["simulated_hours"]) == (5, 3, 1.5)
    assert report["orders"] == sum(result.orders for result in results)
    assert report["fills"] == sum(result.fills for result in results)
    assert sum(report["faults"].values()) == sum(sum(result.faults.values()) for result in results)
    assert sum(report["commands"].values()) == sum(sum(result.commands.values()) for result in results)
    assert report["broken"] == []
    assert not report["is_partial"]


def test_side_by_side_comes_to_the_same() -> None:
    alone, together = (
        json.loads(simulated("--seeds", "12", "--hours", "0.2", "--json", "--jobs", jobs).stdout) for jobs in ("1", "2")
    )
    for report in (alone, together):
        del report["cpu_s"]

    assert alone == together


def test_a_seed_that_fails_is_named_with_the_command_that_shows_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    with Mutated(a_send_does_not_wait_for_the_disk):
        code = simulate_command(first=3, seeds=1, hours=0.5, jobs=1, as_json=False, trace=False)
    said = capsys.readouterr().out

    assert code == 1
    assert "holdfast simulate --from 3 --seeds 1 --hours 0.5 --trace" in said
    assert command_for(3, hours=0.5) in said
    assert "intent-before-send" in said


def test_whatever_ends_a_run_is_a_finding_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_: object, **__: object) -> None:
        raise JournalDamaged("expected another hash")

    monkeypatch.setattr(Journal, "open", damaged)
    result = simulate_seed(3, hours=0.2)

    assert [violation.found for violation in result.violations] == ["JournalDamaged: expected another hash"]


def test_a_trace_shows_every_record_that_becomes_durable_and_every_fault() -> None:
    done = simulated("--seeds", "1", "--from", "1", "--hours", "0.2", "--trace")
    result = simulate_seed(1, hours=0.2)

    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" fault: ") == sum(result.faults.values())
    assert done.stdout.count(" OrderIntended(") == result.orders


def test_an_interrupted_run_reports_what_it_has_done() -> None:
    command = [sys.executable, "-m", "holdfast", "simulate", "--seeds", "100000", "--hours", "0.1", "--json"]
    for wait_s in (5.0, 15.0, 45.0):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(wait_s)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
        report = json.loads(out)

        assert process.returncode == 130, err
        assert report["is_partial"]
        # On a busy machine it may not have come so far.
        if report["seeds"]:
            break
    assert 0 < report["seeds"] < 100_000


def test_a_second_interrupt_ends_it_as_one_does() -> None:
    command = [sys.executable, "-m", "holdfast", "simulate", "--seeds", "100000", "--json"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        time.sleep(8.0)
        for _ in range(2):
            os.kill(process.pid, signal.SIGINT)
            time.sleep(0.02)
        out, err = process.communicate(timeout=40)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise

    assert process.returncode == 130, err
    assert json.loads(out)["is_partial"]


@pytest.mark.parametrize("seed", [4, 27])
def test_a_market_that_is_over_before_all_faults_were_due_is_over(seed: int) -> None:
    result = simulate_seed(seed, hours=0.2)

    assert not result.violations
    assert result.lives < 20


def test_blocks_share_a_world_and_leave_no_seed_out() -> None:
    blocks = list(blocks_of(7, 3 * SEEDS_PER_WORLD))

    assert [seed for block in blocks for seed in block] == list(range(7, 7 + 3 * SEEDS_PER_WORLD))
    assert all(len({seed // SEEDS_PER_WORLD for seed in block}) == 1 for block in blocks)


def test_a_bug_is_gone_once_it_is_taken_out_again() -> None:
    take = Order.take
    with Mutated(lambda put: put(Order, "take", lambda self, fill: False)):
        assert Order.take is not take

    assert Order.take is take
