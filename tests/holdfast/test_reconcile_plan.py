"""Laws of `holdfast reconcile --plan` at the command line: it is asked about the venue that a home's orders went to."""

from pathlib import Path

import pytest

from holdfast.cli.main import run_command_line
from holdfast.config.loading import load_settings
from holdfast.config.view import public_view
from holdfast.exit_codes import ExitCode
from messages.node import NodeStarted
from tests.holdfast.test_torture_verdicts import a_journal

PLAN = ["reconcile", "--plan", "--home"]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def started_at(venue: str, home: Path) -> Path:
    configuration = public_view(load_settings(None, environ={}, overrides=()).settings) | {"venue": {"kind": venue}}
    return a_journal(home, NodeStarted(1, "1", configuration, "a test"))


def test_a_home_whose_orders_went_to_another_venue_asks_for_its_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = started_at("binance", tmp_path / "home")

    assert run_command_line([*PLAN, str(home)]) == ExitCode.CONFIGURATION
    assert capsys.readouterr().err == (
        "holdfast: venue.kind: expected binance, where this home's orders went, found paper "
        f"(for {home}); name its configuration with --config\n"
    )


def test_a_book_that_cannot_be_read_is_74_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = started_at("paper", tmp_path / "home")

    assert run_command_line([*PLAN, str(home)]) == ExitCode.IO_ERROR
    assert f"holdfast: {home / 'venue.db'}: expected the book of a paper venue, found " in capsys.readouterr().err
