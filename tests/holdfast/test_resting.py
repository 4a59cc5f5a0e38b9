"""The laws of symbols that a journal knows and the configuration or the market has no more."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gateways.sample import SampleMarket
from holdfast.config.loading import load_settings
from holdfast.config.problems import ConfigurationError
from holdfast.ground import demand_fitting, look_at_home
from holdfast.parts import Parts, gather
from holdfast.reconciling import plan_verdict
from holdfast.replay import rebuild, verify_everything
from holdfast.staging import StagedNode
from messages.positions import PositionChanged
from supervision import Recorded
from tests.endurance.nodes import ROOT

BOTH, ONE = ("ETHUSDT", "BTCUSDT"), ("BTCUSDT",)


def parts_of(symbols: tuple[str, ...], *more: str) -> Parts:
    overrides = ("feed.speed=max", "strategies.confidence.enabled=false", f"feed.symbols={','.join(symbols)}", *more)
    settings = load_settings(None, environ={}, overrides=overrides).settings
    return gather(settings, folder=ROOT, source=SampleMarket(frames=settings.feed.frames, symbols=symbols, days=2))


def live(home: Path, parts: Parts, is_enough: Callable[[PositionChanged], bool], *, seed: int = 1) -> None:
    """Let a node live until a position has changed so that it is enough, and die."""
    seen: list[bool] = []

    def hear(records: Sequence[Recorded]) -> None:
        for record in records:
            if isinstance(record.event, PositionChanged) and is_enough(record.event):
                seen.append(True)

    with StagedNode(parts, home, seed=seed, hear=hear) as node:
        node.run(lambda: bool(seen))
        node.commit()
    assert seen


def live_on(home: Path, parts: Parts) -> StagedNode:
    """Let another process live in a home to the end of its data."""
    with StagedNode(parts, home, seed=2) as node:
        node.run()
        node.commit()
    return node


def is_left(event: PositionChanged) -> bool:
    return event.symbol == "ETHUSDT" and event.quantity == 0


def is_held(event: PositionChanged) -> bool:
    return event.symbol == "ETHUSDT" and event.quantity > 0


@pytest.mark.parametrize("snapshots", ["journal.snapshot_every=100000", "journal.snapshot_every=300"])
def test_a_symbol_that_is_configured_no_more_rests_and_nothing_of_its_past_is_lost(
    tmp_path: Path, snapshots: str
) -> None:
    live(tmp_path, parts_of(BOTH, snapshots), is_left)
    realised = rebuild(tmp_path)[0].positions.state.book.net("ETHUSDT").realised
    parts = parts_of(ONE, snapshots)

    demand_fitting(look_at_home(tmp_path), parts, tmp_path)
    node = live_on(tmp_path, parts)

    assert node.ended and not node.poisoned and not node.gave_up
    rebuilt, _ = rebuild(tmp_path)
    assert rebuilt.positions.state.book.net("ETHUSDT").realised == realised != 0
    assert not [check for check in verify_everything(tmp_path) if check.problems]
    assert plan_verdict(parts.settings, tmp_path, folder=ROOT)["agrees"]


def test_a_configuration_without_a_symbol_that_is_held_is_refused_with_what_is_held(tmp_path: Path) -> None:
    live(tmp_path, parts_of(BOTH), is_held)

    with pytest.raises(ConfigurationError, match=r"none of ETHUSDT \(held \d\.\d+, open orders \d\)"):
        demand_fitting(look_at_home(tmp_path), parts_of(ONE), tmp_path)
    demand_fitting(look_at_home(tmp_path), parts_of(BOTH), tmp_path)
