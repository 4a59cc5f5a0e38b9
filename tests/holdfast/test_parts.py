"""What a configuration asks for is there and makes sense, or nothing starts."""

from pathlib import Path

import msgspec
import pytest

from gateways.sample import SampleMarket
from holdfast.config.loading import load_settings
from holdfast.config.problems import ConfigurationError
from holdfast.parts import gather
from holdfast.staging import StagedNode
from tests.endurance.nodes import ROOT, outcome_of


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("risk.price_collar_pct=100", "risk"),
        ("venue.fee_asset=BTC", "venue.fee_asset"),
        ('strategies.confidence.symbols=["DOGEUSDT"]', "strategies.confidence.symbols"),
        ("strategies.ema_cross.parameters.fast=50", "strategies.ema_cross"),
        ("strategies.mine.class=nowhere.py:Mine", "strategies.mine"),
    ],
)
def test_what_cannot_be_is_named_before_anything_starts(override: str, key: str) -> None:
    settings = load_settings(None, environ={}, overrides=(override,)).settings

    with pytest.raises(ConfigurationError) as refused:
        gather(settings, folder=ROOT)

    assert [problem.key for problem in refused.value.problems] == [key]


@pytest.mark.slow
def test_data_that_has_grown_since_it_ended_is_read_on(tmp_path: Path) -> None:
    settings = load_settings(None, environ={}, overrides=("feed.speed=max",)).settings
    parts = gather(settings, folder=ROOT)
    for home, lengths in (("grown", (1, 2)), ("whole", (2,))):
        for days in lengths:
            source = SampleMarket(days=days)
            with StagedNode(msgspec.structs.replace(parts, source=source), tmp_path / home, seed=1) as node:
                node.run()
                assert node.ended
                node.commit()

    assert outcome_of(tmp_path / "grown") == outcome_of(tmp_path / "whole")
