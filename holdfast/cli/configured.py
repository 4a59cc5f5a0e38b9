"""Options of the commands that load a configuration."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from holdfast.config.loading import Loaded

ConfigFile = Annotated[
    Path | None,
    Parameter(
        name="--config", help="Configuration file; ./config.toml if not given and there is one.", show_default=False
    ),
]
Overrides = Annotated[
    tuple[str, ...],
    Parameter(
        name="--set",
        negative=(),
        show_default=False,
        help="SECTION.KEY=VALUE, before file and environment; may be repeated.",
    ),
]


def load(config: Path | None, overrides: tuple[str, ...]) -> "Loaded":
    """Load the configuration that the options, the environment and the file make.

    Raises:
        ConfigurationError: with every mistake there is.
    """
    from holdfast.config.loading import load_settings

    return load_settings(config, environ=os.environ, overrides=overrides)
