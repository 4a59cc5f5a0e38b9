"""`holdfast run`: the node itself."""

from typing import Annotated

from cyclopts import Parameter

from holdfast.cli.configured import ConfigFile, Overrides
from holdfast.cli.options import HERE, At
from holdfast.cli.starting import start_node


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
    return start_node(at.folder, config=config, overrides=overrides, progress=progress, as_json=at.as_json)
