"""The example in the documentation does what is said of it."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "supervision.md"


def test_the_example_of_the_page_on_supervision_heals() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    there: dict[str, Any] = {}
    exec(example, there)
    system, reports = there["system"], there["reports"]

    def ask(value: int) -> Any:
        deadline = time.monotonic() + 5
        while not system.switchboard.is_up("divider") and time.monotonic() < deadline:
            time.sleep(0.005)
        return system.ask("divider", value, timeout_s=5.0)

    assert ask(3) == 4
    with pytest.raises(ZeroDivisionError):
        ask(0)
    assert ask(6) == 2
    assert any("ZeroDivisionError" in getattr(report, "stack", "") for report in reports)
    assert [child.name for child in system.supervisor("root").which_children()] == ["divider"]
    system.stop()
