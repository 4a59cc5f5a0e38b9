"""A configuration that is changed while the node starts is the one that holds once it runs."""

from pathlib import Path

import pytest

from tests.holdfast.test_processes import ROOT, Node, journal_of

pytestmark = pytest.mark.slow

SLOW = """
import time
from pathlib import Path

(Path(__file__).parent / "starting").touch()
time.sleep(2)
"""
CONFIGURATION = """
[risk]
exposure_max = {exposure}

[strategies.slow]
class = "slow.py:Breakout"
"""


def test_what_is_changed_after_it_was_read_and_before_the_node_is_up_is_applied(tmp_path: Path) -> None:
    breakout = (ROOT / "examples" / "breakout.py").read_text()
    (tmp_path / "slow.py").write_text(breakout + SLOW)
    file = tmp_path / "config.toml"
    file.write_text(CONFIGURATION.format(exposure="0.9"))
    node = Node(tmp_path / "home", "--config", file)
    try:
        node.wait_until((tmp_path / "starting").exists, "a node that starts")
        file.write_text(CONFIGURATION.format(exposure="0.6"))
        node.wait_until_trading()

        node.wait_until(lambda: journal_of(node.home, "ConfigurationChanged"), "the change")
    finally:
        node.process.kill()
        node.process.wait()

    (changed,) = journal_of(node.home, "ConfigurationChanged")
    assert changed["applied"]
    assert changed["changes"]["applied"] == {"risk.exposure_max": ["0.9", "0.6"]}
