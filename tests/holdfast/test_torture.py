"""Torture: a real node is killed while it trades at an exchange that lies, and the judge sees what is wrong."""

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.torture.judge import judge
from holdfast.torture.report import Report, spread
from holdfast.torture.round import Round
from holdfast.torture.run import run_torture
from holdfast.torture.wanted import TAKES_IN, Wanted
from holdfast.venue import read_ledger
from tests.endurance.nodes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Ledger = dict[str, Any]
FORKED = "round-0002"
"""The round of which the lives are forked, and in which nobody else uses the account."""


def torture(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "holdfast", "torture", "--json", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)


@pytest.fixture(scope="module")
def tortured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("torture") / "kept"
    ended = torture("--kills", "6", "--real", "1", "--seed", "3", "--jobs", "2", "--keep", str(folder))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder, json.loads(ended.stdout)


def test_a_node_that_is_killed_again_and_again_loses_and_doubles_nothing(
    tortured: tuple[Path, dict[str, Any]],
) -> None:
    _folder, report = tortured

    assert report["violations"] == []
    assert report["kills"] == 6
    assert report["real_kills"] == 1
    assert sum(report["kills_by_moment"].values()) == 6
    assert report["orders"] >= 2
    assert report["fills"] >= 1
    assert report["forked_trading_s"]["p50"] >= report["forked_ready_s"]["p50"] > 0
    assert report["verdicts"] >= 2
    assert sum(report["faults"].values()) > 0


def double_a_request(ledger: Ledger) -> None:
    next(row for row in ledger["requests"] if row["kind"] == "order.create")["count"] += 1


def take_an_order_twice(ledger: Ledger) -> None:
    ledger["orders"].append(dict(ledger["orders"][0]))


def take_an_order_of_nobody(ledger: Ledger) -> None:
    ledger["orders"].append(ledger["orders"][0] | {"client_id": "h01zzzz0000e00"})


def forget_an_order(ledger: Ledger) -> None:
    del ledger["orders"][0]


def end_an_order_otherwise(ledger: Ledger) -> None:
    order = ledger["orders"][0]
    order["status"] = "expired" if order["status"] != "expired" else "filled"


def take_another_order_than_was_meant(ledger: Ledger) -> None:
    order = ledger["orders"][0]
    order["quantity"] = str(2 * float(order["quantity"]))


def trade_more(ledger: Ledger) -> None:
    ledger["trades"].append(ledger["trades"][0] | {"quantity": "0.00001"})


def forget_a_trade(ledger: Ledger) -> None:
    del ledger["trades"][0]


def charge_another_fee(ledger: Ledger) -> None:
    ledger["trades"][0]["fee"] = "0.5"


def hold_more(ledger: Ledger) -> None:
    ledger["balances"]["USDT"] = str(float(ledger["balances"]["USDT"]) + 1)


CRIMES = (
    double_a_request,
    take_an_order_twice,
    take_an_order_of_nobody,
    forget_an_order,
    end_an_order_otherwise,
    take_another_order_than_was_meant,
    trade_more,
    forget_a_trade,
    charge_another_fee,
    hold_more,
)


@pytest.mark.parametrize("commit", CRIMES, ids=lambda commit: commit.__name__)
def test_the_judge_sees_what_the_ledger_and_the_journal_do_not_agree_on(
    tortured: tuple[Path, dict[str, Any]], commit: Callable[[Ledger], None]
) -> None:
    folder, _report = tortured
    ledger = copy.deepcopy(read_ledger(folder / FORKED / "exchange"))
    assert judge(folder / FORKED / "node", ledger) == []

    commit(ledger)

    assert judge(folder / FORKED / "node", ledger)


def test_a_folder_with_files_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")

    ended = torture("--keep", str(tmp_path))

    assert ended.returncode == 78
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_what_breaks_off_tells_what_it_has_come_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Breaking(Round):
        def run(self) -> None:
            if self.tally.kills or self.folder.name != "round-0001":
                raise OSError("no port is left")
            self.tally.kills = 1

    monkeypatch.setattr("holdfast.torture.run.Round", Breaking)

    report = run_torture(Wanted(kills=80, real=0, seed=4, keep=tmp_path / "kept"), show=lambda *_: None)

    assert (report.kills, report.is_partial, report.broke) == (1, True, "OSError: no port is left")


def test_nothing_is_told_where_nothing_has_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Breaking(Round):
        def run(self) -> None:
            raise OSError("no port is left")

    monkeypatch.setattr("holdfast.torture.run.Round", Breaking)

    with pytest.raises(OSError, match="no port"):
        run_torture(Wanted(kills=80, real=0, seed=4, keep=tmp_path / "kept"), show=lambda *_: None)


def tortured_with(tmp_path: Path, bug: str, **wanted: Any) -> Report:
    """Torture nodes that have a bug, all of them forked."""
    program = (sys.executable, "-m", "tests.endurance.mutated", bug)
    given: dict[str, Any] = {"real": 0, "seed": 4, "settle_within_s": 15.0, "keep": tmp_path / "kept"} | wanted
    return run_torture(Wanted(**given, program=program, warm=(*program, "--warm")), show=lambda *_: None)


def test_what_is_wrong_is_told_with_the_command_that_does_it_again(tmp_path: Path) -> None:
    overrides = ("strategies.hasty.parameters.enter=1",)

    report = tortured_with(tmp_path, "fees_are_forgotten", kills=4, overrides=overrides)

    assert any("the journal does not know it" in each for each in report.violations), report
    again = "holdfast torture --seed 4 --kills 4 --real 0 --set strategies.hasty.parameters.enter=1"
    assert report.reproduce == [again]
    told = (tmp_path / "kept" / "round-0001" / "violations.txt").read_text().splitlines()
    assert told == [*report.violations, again]


def test_a_verdict_that_says_nothing_of_a_deposit_is_a_violation(tmp_path: Path) -> None:
    deposits = tmp_path / "deposits.toml"
    deposits.write_text('fault = [{ kind = "deposit", asset = "USDT", amount = "250", every_s = 2 }]\n')

    report = tortured_with(tmp_path, "a_verdict_names_nothing", kills=3, scenario=deposits, overrides=TAKES_IN)

    assert any("names 0 USDT by nobody here, and the ledger has" in each for each in report.violations)


def test_what_a_node_does_as_it_ends_in_order_is_judged_too(tmp_path: Path) -> None:
    report = tortured_with(tmp_path, "an_order_is_sent_at_the_end", kills=2)

    assert any("h01zzzz0000e00 is at the exchange" in each for each in report.violations), report.violations


def test_a_node_that_ends_by_itself_is_a_violation_that_says_what_it_said(tmp_path: Path) -> None:
    wanted = Wanted(kills=2, real=0, seed=4, keep=tmp_path / "kept", overrides=("risk.nonsense=1",))

    report = run_torture(wanted, show=lambda kills, violations: None)

    assert "it ended with 78" in report.violations[0]
    assert "nonsense" in report.violations[0]


def test_a_spread_has_the_middle_and_the_late() -> None:
    found = spread([float(number) for number in range(1, 101)])

    assert found is not None
    assert (found.p50, found.p99, found.most) == (51.0, 100.0, 100.0)
    assert spread([]) is None
