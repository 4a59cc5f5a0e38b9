"""Starting the node, with the configuration that the command line makes."""

import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast import require_own_packages

if TYPE_CHECKING:
    from holdfast.config.loading import Loaded
    from holdfast.config.problems import Problem
    from holdfast.config.settings import Settings


def load(config: Path | None, overrides: tuple[str, ...]) -> "Loaded":
    """Load the configuration that the options, the environment and the file make.

    Raises:
        ConfigurationError: with every mistake there is.
    """
    from holdfast.config.loading import load_settings

    return load_settings(config, environ=os.environ, overrides=overrides, look_on=_look_at_strategies)


def _look_at_strategies(settings: "Settings", folder: Path) -> "list[Problem]":
    # Only where something is wrong already: a start looks at them anyway, with the market's symbols.
    from holdfast.parts import strategy_problems

    return strategy_problems(settings, folder)


def start_node(
    home: Path, *, config: Path | None, overrides: tuple[str, ...], progress: bool | None, as_json: bool
) -> int:
    """Run a node until its end and return its exit code; progress is shown on a terminal if not said otherwise.

    Raises:
        ConfigurationError, ForeignPackage: the configuration or the installation is not right; nothing was started.
    """
    require_own_packages()
    loaded = load(config, overrides)
    # A core dump would hold the credentials.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    from holdfast.node import run_node

    return run_node(
        loaded.settings,
        home,
        progress=sys.stderr.isatty() and not as_json if progress is None else progress,
        config_path=loaded.file,
        config_seen=loaded.seen,
        overrides=overrides,
        as_json=as_json,
    )
