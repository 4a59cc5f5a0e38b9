"""What a torture says before its first round, and what it comes to where nothing was traded."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from holdfast.cli.main import run_command_line
from holdfast.torture.report import Report, Tally, report_of
from holdfast.torture.run import Torture

SELDOM = """
[feed]
source = "files"
path = "bars"
symbols = ["BTCUSDT"]

[strategies.ema_cross]
"""


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> Tally:
    """Stand in for what the rounds come to; nothing else of a torture is left out."""
    tally = Tally(kills=4)

    def run(_torture: Torture) -> Report:
        return report_of(tally, seed=7, seconds=1.0, is_partial=False, broke="", left_out=(), kept="")

    monkeypatch.setattr(Torture, "run", run)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return tally


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--set", "risk.foo=1"), "risk.foo: expected a known key"),
        (("--config", "nosuch.toml"), "expected a readable configuration file"),
        (("--set", "strategies.mine.class=nowhere.py:Mine"), "nowhere.py"),
        (("--set", "feed.symbols=what"), "instruments.WHAT"),
    ],
)
def test_what_no_node_could_start_with_is_refused_before_the_first_round(
    rounds: Tally, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    code = run_command_line(["torture", "--kills", "200", *words])

    assert code == 78
    assert says in capsys.readouterr().err


def test_a_torture_in_which_nothing_was_traded_proves_nothing_and_says_so(
    rounds: Tally, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_command_line(["torture", "--kills", "4", "--json"])

    told = capsys.readouterr()
    assert code == 2
    assert json.loads(told.out)["proves_nothing"] is True
    assert "this proves nothing" in told.err


@pytest.mark.parametrize(("violations", "code"), [([], 0), (["an order was sent twice"], 1)])
def test_one_order_is_enough_to_be_judged_by(
    rounds: Tally, capsys: pytest.CaptureFixture[str], violations: list[str], code: int
) -> None:
    rounds.intended, rounds.violations = 1, violations

    assert run_command_line(["torture", "--kills", "4", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["proves_nothing"] is False


def test_what_of_a_file_is_replaced_is_said(
    rounds: Tally, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("seldom.toml").write_text(SELDOM)
    rounds.intended = 1

    run_command_line(["torture", "--config", "seldom.toml", "--symbols", "BTCUSDT", "--json"])

    told = capsys.readouterr()
    report: dict[str, Any] = json.loads(told.out)
    assert report["replaced"] == ["feed.source of seldom.toml:3 is replaced by the torture's own, venue"]
    assert report["replaced"][0] in told.err
