"""What can be said of a torture's nodes before the first of them lives: whether one could start, and with what."""

import os
from pathlib import Path
from typing import Any

from holdfast.config.layers import lay
from holdfast.config.loading import load_settings
from holdfast.parts import demand_strategies, strategy_problems
from holdfast.torture.wanted import Wanted, market_settings, plans_for, settings_for

URL = "http://127.0.0.1:1"
"""In place of the exchange that is not there yet: nobody is asked."""
KEY = "TORTURE_KEY_TO_COME"


def demand_configuration(wanted: Wanted) -> None:
    """Refuse a configuration with which no node of the torture could start.

    Raises:
        ConfigurationError: with every mistake that is seen without an exchange.
    """
    environ = {**os.environ, KEY: "a key that the exchange of a round will make"}
    keys = (f"env:{KEY}", f"env:{KEY}")
    # Lives with real bounds and those with scaled ones are told different things.
    for plan in {plan.is_real: plan for plan in plans_for(wanted)}.values():
        settings = settings_for(wanted, plan, URL, keys)
        loaded = load_settings(wanted.config, environ=environ, overrides=settings, look_on=strategy_problems)
        demand_strategies(loaded.settings, loaded.file.parent if loaded.file else Path())


def replaced_by_torture(wanted: Wanted) -> list[str]:
    """Return what the file says of the market and the torture does not go by, a sentence for each."""
    if wanted.config is None:
        return []
    layers = lay(wanted.config, {}, (), [])
    told = []
    for setting in market_settings(wanted):
        key, _, value = setting.partition("=")
        section, name = key.split(".")
        given = layers.tree.get(section)
        if isinstance(given, dict) and name in given and _as_text(given[name]) != value:
            told.append(f"{key} of {layers.origin((section, name))} is replaced by the torture's own, {value}")
    return told


def _as_text(given: Any) -> str:
    return ",".join(map(str, given)) if isinstance(given, list) else str(given)
