"""`holdfast run`: the node itself."""

import resource
import sys
from typing import Annotated

from cyclopts import Parameter

from holdfast import require_own_packages
from holdfast.cli.configured import ConfigFile, Overrides, load
from holdfast.cli.options import HERE, At


def run(
    *,
    config: ConfigFile = None,
    overrides: Overrides = (),
    progress: Annotated[bool | None, Parameter(show_default=False)] = None,
    at: At = HERE,
) -> int:
    """Run the node until an operator stops it or the recorded data ends.

    Parameters
    ----------
    progress
        Show progress; as a rule where standard error is a terminal.
    """
    require_own_packages()
    loaded = load(config, overrides)
    # A core dump would hold the credentials.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    from holdfast.node import run_node

    return run_node(
        loaded.settings,
        at.folder,
        progress=sys.stderr.isatty() and not at.as_json if progress is None else progress,
        config_path=loaded.file,
        overrides=overrides,
        as_json=at.as_json,
    )
