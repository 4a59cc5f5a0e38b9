"""Options that every command has."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from holdfast.cli.asking import HOME_VARIABLE, default_home


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


HERE = At()
