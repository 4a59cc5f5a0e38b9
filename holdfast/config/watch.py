"""Tells when a configuration file has changed, from looks at it that somebody else takes."""

from pathlib import Path

import msgspec


class FileStamp(msgspec.Struct, frozen=True):
    """What a look at a file shows: enough to tell one version from the next, also after an atomic replace."""

    mtime_ns: int
    size: int
    inode: int


def look_at(path: Path) -> FileStamp | None:
    """Return a file's stamp; None while there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return FileStamp(mtime_ns=status.st_mtime_ns, size=status.st_size, inode=status.st_ino)


class ConfigWatcher:
    """Says once for each new version that it is there, and only when two looks in a row agree on it.

    A half-written file is TOML often enough; so a version counts when it has stood still from one look to the next.
    A file that is gone is an editor in the middle of replacing it.
    """

    def __init__(self, known: FileStamp | None) -> None:
        self._known = known
        self._seen = known

    def observe(self, stamp: FileStamp | None) -> bool:
        """Take in one look; say whether a new version should be loaded now."""
        is_still = stamp == self._seen
        self._seen = stamp
        if stamp is None or not is_still or stamp == self._known:
            return False
        self._known = stamp
        return True
