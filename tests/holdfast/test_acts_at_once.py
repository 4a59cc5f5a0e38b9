"""Two reloads at once end as one after the other: what the file says last is what holds."""

import threading
from pathlib import Path
from typing import Any

import pytest

from holdfast import acts as module
from holdfast.acts import Acts
from holdfast.config.loading import Loaded, load_settings
from holdfast.staging import StagedNode
from tests.holdfast.test_acts import acts, config, home, node, parts, said

__all__ = ["acts", "config", "home", "node", "parts", "said"]

pytestmark = pytest.mark.slow
WAIT_S = 10.0


def test_a_text_that_was_read_earlier_does_not_take_the_place_of_a_later_one(
    node: StagedNode, acts: Acts, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_read, goes_on = threading.Event(), threading.Event()

    def load(*what: Any, **how: Any) -> Loaded:
        loaded = load_settings(*what, **how)
        if not has_read.is_set():
            has_read.set()
            goes_on.wait(WAIT_S)
        return loaded

    monkeypatch.setattr(module, "load_settings", load)
    config.write_text("[risk]\nexposure_max = 0.7\n")
    early = threading.Thread(target=acts.reload, args=({},))
    early.start()
    assert has_read.wait(WAIT_S)
    config.write_text("[risk]\nexposure_max = 0.6\n")
    late = threading.Thread(target=acts.reload, args=({},))
    late.start()
    late.join(1.0)
    goes_on.set()
    early.join(WAIT_S)
    late.join(WAIT_S)

    assert str(node.current.parts.settings.risk.exposure_max) == "0.6"
