"""The quick way for plain questions: `holdfast ctl status --json`, asked every second by somebody's monitoring.

Building the whole command line takes longer than asking the node does; what is not plain goes the long way.
"""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from holdfast.cli.asking import HOME_VARIABLE, ask, default_home
from holdfast.cli.errors import guarded
from holdfast.secrets import install_excepthooks

QUESTIONS = frozenset({"status", "tree", "positions", "orders", "performance"})


def answer_quickly(tokens: Sequence[str]) -> int | None:
    """Ask a question with no options but --home and --json and return the exit code; None for everything else."""
    match tokens:
        case ["ctl", method, *options] if method in QUESTIONS:
            home = os.environ.get(HOME_VARIABLE, "")
            as_json = False
            while options:
                match options:
                    case ["--json", *options]:
                        as_json = True
                    case ["--home", home, *options] if home and not home.startswith("-"):
                        pass
                    case _:
                        return None
            folder = (Path(home) if home else default_home()).expanduser().absolute()
            install_excepthooks()
            return guarded(partial(ask, folder, method, {}, as_json=as_json), tokens)
        case _:
            return None
