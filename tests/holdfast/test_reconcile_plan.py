"""Laws of `holdfast reconcile --plan` at the command line: what it asks of whom, before it compares."""

from pathlib import Path
from typing import Any

import pytest

from domain.order import Terms
from domain.venue import Reply, Venue
from gateways.paper import PaperVenue
from holdfast.cli.main import run_command_line
from holdfast.config.loading import load_settings
from holdfast.config.view import public_view
from holdfast.exit_codes import ExitCode
from holdfast.reconciling import plan_verdict
from holdfast.staging import StagedNode
from messages.node import NodeStarted
from persistence.reader import JournalReader
from supervision.stage import Stage
from tests.endurance.nodes import ROOT
from tests.holdfast.mended import parts
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


class Mute:
    """A venue that takes orders and answers no longer, from the first order on."""

    def __init__(self, venue: PaperVenue) -> None:
        self._venue = venue
        self.sent: list[Terms] = []

    def submit(self, terms: Terms, reply: Reply) -> None:
        self.sent.append(terms)
        self._venue.submit(terms, lambda answer: None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)


def test_an_order_whose_answer_a_death_took_is_asked_for_before_a_plan_compares(tmp_path: Path) -> None:
    mute: list[Mute] = []

    def around(venue: PaperVenue, _stage: Stage) -> Venue:
        mute.append(Mute(venue))
        return mute[0]

    with StagedNode(parts(), tmp_path, seed=1, around_venue=around) as node:
        node.run(lambda: bool(mute[0].sent))
        node.commit()
        node.kill()
    with JournalReader(tmp_path) as reader:
        before = reader.last()

    plan = plan_verdict(parts().settings, tmp_path, folder=ROOT)

    assert (plan["agrees"], plan["uncertain"], plan["findings"]) == (True, [], [])
    with JournalReader(tmp_path) as reader:
        assert reader.last() == before
