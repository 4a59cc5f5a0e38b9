"""A part that does not come to life is on record, and people are shown it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from domain.strategies.ema_cross import EmaCross
from gateways.sample import SampleMarket
from holdfast.config.loading import load_settings
from holdfast.crashes import crashes
from holdfast.parts import Parts, gather
from holdfast.staging import StagedNode
from messages.codec import decode
from messages.parts import SupervisorReported
from persistence.reader import JournalReader
from tests.endurance.nodes import ROOT

pytestmark = pytest.mark.slow


class Unwilling(EmaCross):
    """Cannot be made while it is told so."""

    is_willing = True

    def __init__(self, symbols: Any, parameters: Any) -> None:
        if not Unwilling.is_willing:
            raise ValueError("it will not be made")
        super().__init__(symbols, parameters)


@pytest.fixture
def parts() -> Parts:
    settings = load_settings(None, environ={}, overrides=("feed.speed=max", "supervision.strategies.intensity=2"))
    gathered = gather(settings.settings, folder=ROOT)
    strategies = tuple(
        msgspec.structs.replace(each, kind=Unwilling) if each.name == "ema_cross" else each
        for each in gathered.shape.strategies
    )
    shape = msgspec.structs.replace(gathered.shape, strategies=strategies)
    return msgspec.structs.replace(gathered, shape=shape, source=SampleMarket(days=1))


def test_a_strategy_that_cannot_be_made_again_is_shown_for_each_try(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StagedNode(parts, tmp_path / "home", seed=1) as node:
        node.run(lambda: node.counted("OfferAnswered") >= 2)
        monkeypatch.setattr(Unwilling, "is_willing", False)
        node.crash("strategy.ema_cross")
        node.run(lambda: not node.switchboard.is_up("strategies"))
        node.commit()

    shown = [each for each in crashes(tmp_path / "home", 9) if each["actor"] == "strategy.ema_cross"]
    assert [each["reason"].partition(":")[0] for each in shown] == [
        "init(ValueError",
        "init(ValueError",
        "crash(Crashed",
    ]
    assert "it will not be made" in shown[0]["reason"]
    assert list(shown[0]["ancestors"]) == ["strategies", "trading", "root"]
    with JournalReader(tmp_path / "home") as reader:
        told = [decode(each.kind, each.version, each.payload) for each in reader.read(kinds=["SupervisorReported"])]
    failed = [each for each in told if isinstance(each, SupervisorReported) and each.context == "start_error"]
    assert [(each.supervisor, each.part) for each in failed] == [("strategies", "strategy.ema_cross")] * 2


def test_a_strategy_that_cannot_be_made_at_the_first_start_is_shown_too(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Unwilling, "is_willing", False)
    with StagedNode(parts, tmp_path / "home", seed=1) as node:
        node.run(lambda: node.root_exit is not None)
        node.commit()

    newest = crashes(tmp_path / "home", 1)[0]
    assert newest["actor"] == "strategy.ema_cross"
    assert newest["reason"] == "init(ValueError: it will not be made)"
