"""Options of the commands that load a configuration."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

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
        help="SECTION.KEY=VALUE; goes before what environment and file say; may be repeated.",
    ),
]
