"""The name of a Unix socket for `bind` and `connect`, however long its path is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUN_PATH_MAX = 107
"""Bytes the kernel has for the name of a socket."""


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """Give a name for a socket's path that the kernel takes; good while the context lasts.

    Raises:
        OSError: the folder cannot be opened.
    """
    if len(os.fsencode(path)) <= SUN_PATH_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
