"""Options that every command has."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

HOME_VARIABLE = "HOLDFAST_HOME"


def default_home() -> Path:
    """Return the folder a node lives in where nobody names one: the XDG state folder's `holdfast`."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (state if state.is_absolute() else Path.home() / ".local" / "state") / "holdfast"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class At:
    """Which node is meant, and how the answer is written."""

    home: Annotated[Path | None, Parameter(env_var=HOME_VARIABLE, show_default=False)] = None
    """Folder with the node's journal, socket, book and log; the XDG state folder if not given."""

    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False
    """Write JSON."""

    @property
    def folder(self) -> Path:
        """Return the home as an absolute path."""
        return (self.home or default_home()).expanduser().absolute()

    @property
    def socket(self) -> Path:
        """Return the path of the admin socket."""
        return self.folder / "admin.sock"


HERE = At()
