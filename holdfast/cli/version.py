"""`holdfast version`: what is installed."""

import platform

from holdfast import __version__
from holdfast.cli.options import HERE, At
from holdfast.cli.output import say, say_json


def version(*, at: At = HERE) -> int:
    """Say which version of Holdfast this is, and on which Python it runs."""
    found = {"holdfast": __version__, "python": platform.python_version(), "system": platform.platform()}
    if at.as_json:
        say_json(found)
    else:
        say(f"holdfast {__version__}, Python {found['python']}, {found['system']}")
    return 0
