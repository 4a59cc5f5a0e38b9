"""What tests of imports share: a state that is whole, and the ways it is read."""

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.config.loading import load_settings
from holdfast.config.problems import ConfigurationError, Problem
from holdfast.imports.opening import Opening, read_opening
from holdfast.parts import Parts, gather
from tests.endurance.nodes import ROOT

POSITION: dict[str, Any] = {"symbol": "BTCUSDT", "quantity": "0.05", "average_price": "42000"}
TRADE: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "buy",
    "quantity": "0.05",
    "price": "42000",
    "at": "2023-12-31T20:00:00Z",
}


def parts_of(*overrides: str) -> Parts:
    """Return the parts of a configuration."""
    return gather(load_settings(None, environ={}, overrides=overrides).settings, folder=ROOT)


class Agent:
    """Another program's folder, and this node's reading of it."""

    def __init__(self, folder: Path, parts: Parts) -> None:
        self.folder = folder
        self.parts = parts

    def write(self, state: Any, name: str = "state.json") -> Path:
        """Write a file as it is given: bytes, text, or a tree that becomes JSON."""
        path = self.folder / name
        text = state if isinstance(state, str | bytes) else json.dumps(state)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def opened(self, state: Any = None, /, **files: Any) -> Opening:
        """Return what the account would be opened with; files are named without their `.json`."""
        named = {"state": state} if state is not None else files
        return read_opening([self.write(tree, f"{name}.json") for name, tree in named.items()], self.parts)

    def problems(self, state: Any = None, /, **files: Any) -> dict[str, Problem]:
        """Return the mistakes by path."""
        with pytest.raises(ConfigurationError) as refused:
            self.opened(state, **files)
        found = {problem.key: problem for problem in refused.value.problems}
        assert len(found) == len(refused.value.problems), "a mistake is told once"
        return found
