"""A disk that takes its time delays orders, and never doubles them."""

from pathlib import Path

import msgspec
import pytest

from gateways.sample import SampleMarket
from holdfast.config.loading import load_settings
from holdfast.parts import Parts, gather
from holdfast.staging import StagedNode
from tests.endurance.nodes import ROOT, outcome_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def parts() -> Parts:
    settings = load_settings(None, environ={}, overrides=("feed.speed=max",)).settings
    return msgspec.structs.replace(gather(settings, folder=ROOT), source=SampleMarket(days=1))


def test_orders_that_wait_for_the_disk_longer_than_an_answer_may_take_are_sent_once(
    parts: Parts, tmp_path: Path
) -> None:
    with StagedNode(parts, tmp_path / "quick", seed=1) as node:
        node.run()
        node.commit()
    with StagedNode(parts, tmp_path / "slow", seed=1) as node:
        for orders in (3, 12, 20):
            node.run(lambda orders=orders: node.counted("OrderIntended") >= orders)  # type: ignore[misc]
            stalled_at = node.stage.clock.monotonic()
            node.stall_disk(is_stalled=True)
            node.run(lambda since=stalled_at: node.stage.clock.monotonic() >= since + 45)  # type: ignore[misc]
            node.stall_disk(is_stalled=False)
        node.run()
        node.commit()
        unresolved = node.counted("OrderUnresolved")

    assert unresolved > 0
    assert outcome_of(tmp_path / "slow") == outcome_of(tmp_path / "quick")
