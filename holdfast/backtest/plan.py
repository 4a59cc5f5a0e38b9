"""What a backtest is to run: a configuration as for paper, with recorded bars and one strategy."""

import json
import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from gateways.plugins import BUILT_IN
from holdfast.config.loading import load_settings
from holdfast.config.problems import ConfigurationError, Problem, show
from holdfast.config.settings import Settings, StrategySettings
from holdfast.parts import Parts, gather

NAME_MAX = 32
"""Characters of a strategy's name, as the configuration has it."""


class Plan(msgspec.Struct, frozen=True):
    """A backtest that can be run, as often as one likes."""

    settings: Settings
    folder: Path
    """Where relative paths of the configuration start."""
    name: str
    """Of the strategy, as its actor is called."""

    def parts(self) -> Parts:
        """Make the parts ready.

        Raises:
            ConfigurationError: with everything that the configuration names and is not there.
        """
        return gather(self.settings, folder=self.folder)

    def with_parameters(self, parameters: Mapping[str, object]) -> "Plan":
        """Return the same plan with other parameters of its strategy."""
        given = self.settings.strategies[self.name]
        changed = msgspec.structs.replace(given, parameters={**given.parameters, **parameters})
        return msgspec.structs.replace(
            self, settings=msgspec.structs.replace(self.settings, strategies={self.name: changed})
        )


def plan_backtest(
    data: Path, strategy: str, *, parameters: Sequence[str], config: Path | None, overrides: Sequence[str]
) -> Plan:
    """Return the plan: the configuration that the options, the environment and the file make, and these on top.

    `strategy` is one that ships with Holdfast (`ema-cross` or `ema_cross`), one of the configuration's by its name, a
    dotted path, or `file.py:Class`.  `parameters` are `KEY=VALUE`, laid over those the configuration gives it.

    Raises:
        ConfigurationError: with every mistake there is.
    """
    market = ("feed.source=files", f"feed.path={json.dumps(str(data.expanduser().absolute()))}", "feed.speed=max")
    loaded = load_settings(config, environ=os.environ, overrides=(*overrides, *market))
    given = read_parameters(parameters)
    name, chosen = _choose(strategy, loaded.settings.strategies)
    chosen = msgspec.structs.replace(chosen, enabled=True, parameters={**chosen.parameters, **given})
    settings = msgspec.structs.replace(loaded.settings, strategies={name: chosen})
    folder = loaded.file.parent if loaded.file is not None else Path()
    return Plan(settings=settings, folder=folder.absolute(), name=name)


def read_parameters(texts: Iterable[str], option: str = "--param", *, as_text: bool = False) -> dict[str, Any]:
    """Return `KEY=VALUE` texts as a table; a value is what TOML makes of it, else (or with `as_text`) the text itself.

    Raises:
        ConfigurationError: with every text that is none.
    """
    table, problems = {}, []
    for text in texts:
        key, equals, value = text.partition("=")
        if equals and key.strip():
            table[key.strip()] = value if as_text else read_value(value)
        else:
            problems.append(Problem("", "KEY=VALUE", show(text), option))
    if problems:
        raise ConfigurationError(problems)
    return table


def read_value(text: str) -> Any:
    """Return what TOML makes of a text, else the text itself."""
    try:
        table = tomllib.loads(f"value = {text}", parse_float=Decimal)
    except tomllib.TOMLDecodeError:
        return text
    return table["value"] if set(table) == {"value"} else text


def _choose(strategy: str, known: Mapping[str, StrategySettings]) -> tuple[str, StrategySettings]:
    """Return the strategy's name and settings: those of the configuration where it has one of that name."""
    for name in (strategy, strategy.replace("-", "_")):
        if name in known:
            return name, known[name]
        if name in BUILT_IN:
            return name, StrategySettings(implementation=name)
    place = strategy
    if ":" not in place and "." in place:  # A dotted path to the class itself, as Python writes it.
        module, _, kind = place.rpartition(".")
        place = f"{module}:{kind}"
    name = re.sub(r"[^a-z0-9_-]", "", place.rpartition(":")[2].lower())[:NAME_MAX].lstrip("0123456789_-")
    return name or "strategy", StrategySettings(implementation=place)
