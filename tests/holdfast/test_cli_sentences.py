"""Laws of what the command line tells a person: whole, about the right home, and before anything is lost."""

from pathlib import Path

import pytest

from gateways.exchange.home import ExchangeHome
from holdfast.backtest.grid import Cell
from holdfast.cli.backtest import _rows
from holdfast.cli.main import run_command_line
from holdfast.cli.tables import as_text
from holdfast.exit_codes import ExitCode
from holdfast.venue import keys_of

LONG = "x" * 100


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))


def test_a_home_that_does_not_exist_yet_has_no_state_to_take_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_command_line(["config", "check", "--home", str(tmp_path / "none" / "here")])

    assert (code, capsys.readouterr().err) == (ExitCode.OK, "")
    assert not (tmp_path / "none").exists()


def test_a_name_in_a_list_of_values_is_followed_by_the_whole_value(capsys: pytest.CaptureFixture[str]) -> None:
    home = Path("exchange").absolute()
    exchange = ExchangeHome(home)
    exchange.keys()
    exchange.release()

    assert run_command_line(["venue", "keys", "--home", "exchange"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert all(value in shown for value in keys_of(home).values())
    assert (
        as_text({"reasons": [LONG, LONG], "cash": {"USDT": LONG}}) == f"reasons  {LONG}, {LONG}\ncash     USDT {LONG}"
    )


def test_the_last_column_of_a_table_is_never_cut_and_others_are() -> None:
    head, line = as_text([{"name": LONG, "problem": LONG}]).splitlines()

    assert line == f"{LONG[:57]}...  {LONG}"
    assert head.split() == ["name", "problem"]


def test_what_went_wrong_with_a_backtest_of_a_grid_is_the_last_column() -> None:
    rows = _rows([Cell({"a": 1}, problem=LONG), Cell({"a": 2, "b": 3}, problem=LONG)])

    assert list(rows[0]) == ["a", "b", "problem"]
    assert as_text(rows).count(LONG) == 2
