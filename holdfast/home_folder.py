"""The folder of a home, closed to others before anything is written to it."""

import os
import stat
from pathlib import Path


class HomeOpen(OSError):
    """The folder of a home is open to others, or somebody else's, and cannot be closed."""


def close_to_others(folder: Path) -> str | None:
    """Close a folder that is there to everybody but its owner; return the mode it had, None where it was closed.

    Raises:
        HomeOpen: it is somebody else's, is meant for many, or cannot be closed.
    """
    if not folder.exists():
        return None
    status = folder.stat()
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISDIR(status.st_mode):
        raise HomeOpen(f"{folder} must be a folder; use another --home")
    if status.st_uid != os.geteuid():
        raise HomeOpen(
            f"{folder} must belong to uid {os.geteuid()}, found {status.st_uid}; use another --home, or chown it"
        )
    if not mode & 0o077:
        return None
    if mode & stat.S_ISVTX or folder.resolve() in (Path("/"), Path.home().resolve()):
        raise HomeOpen(f"{folder} must be a folder for the node alone, it is one for others too; use another --home")
    try:
        folder.chmod(0o700)
    except OSError as error:
        raise HomeOpen(f"{folder} must be closed to others (chmod 700), its mode is {mode:04o}: {error}") from error
    return f"{mode:04o}"
