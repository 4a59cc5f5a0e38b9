"""The tree of a node as it is wired: who ends with whom, and how long an end may take."""

import re
from pathlib import Path

import msgspec
import pytest

from gateways.sample import SampleMarket
from holdfast.config.loading import load_settings
from holdfast.node import STOP_S
from holdfast.parts import gather
from holdfast.staging import StagedNode
from supervision import ChildSpec
from tests.endurance.nodes import ROOT


@pytest.fixture
def specs(tmp_path: Path) -> dict[str, ChildSpec]:
    settings = load_settings(None, environ={}).settings
    parts = msgspec.structs.replace(gather(settings, folder=ROOT), source=SampleMarket(days=1))
    with StagedNode(parts, tmp_path / "home", seed=1) as node:
        node.run(lambda: node.switchboard.is_up("feed"))
        return {name: node.system.tree.spec_of(name) for name in node.system.names()}


def test_the_longest_stop_is_shorter_than_the_service_manager_waits(specs: dict[str, ChildSpec]) -> None:
    # One after another, each with all the time that it has; a supervisor takes none of its own.
    longest_s = sum(spec.shutdown_s or 0.0 for spec in specs.values())
    unit = (ROOT / "docs" / "systemd.md").read_text(encoding="utf-8")
    waits_s = [int(found) for found in re.findall(r"TimeoutStopSec=(\d+)", unit)]

    assert all(spec.shutdown_s is None for spec in specs.values() if spec.supervises is not None)
    assert waits_s
    assert 0 < longest_s <= STOP_S < min(waits_s)


def test_the_guard_takes_trading_and_the_root_along_and_nobody_else_does(specs: dict[str, ChildSpec]) -> None:
    ending = {name for name, spec in specs.items() if spec.supervises and spec.supervises.auto_shutdown != "never"}

    assert {name for name, spec in specs.items() if spec.significant} == {"trading", "guard"}
    assert ending == {"root", "trading"}
