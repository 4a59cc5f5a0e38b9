"""The socket's file: only its owner can reach it, at no instant anybody else."""

import os
import socket
import stat
from pathlib import Path

from holdfast.admin.address import address_of

BACKLOG = 16


class SocketRefused(Exception):
    """The socket cannot be where it should be: the sentence says what is in the way."""


class SocketFile:
    """A listening Unix socket at a path of its own, until it is closed.

    It is made under another name with mode 0600 and then renamed, so that it is never seen half-made.  The lock of the
    home must be held: what stands at the path is then left over from a node that is dead.

    Raises:
        SocketRefused: the folder is open to others, or something that is no socket is at the path.
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        _require_private_folder(path.parent)
        _require_replaceable(path)
        self.socket = _listen(path)
        self._identity = _identity_of(path)

    def close(self) -> None:
        """Stop listening, and remove the file if it is still this socket."""
        self.socket.close()
        if self._identity is not None and _identity_of(self.path) == self._identity:
            self.path.unlink(missing_ok=True)


def _require_private_folder(folder: Path) -> None:
    status = folder.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise SocketRefused(f"{folder} must be a folder")
    if status.st_uid != os.geteuid():
        raise SocketRefused(f"{folder} must belong to uid {os.geteuid()}, it belongs to {status.st_uid}")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise SocketRefused(f"{folder} must be closed to others (chmod 700), its mode is {mode:04o}")


def _require_replaceable(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise SocketRefused(f"{path} must be a socket or nothing; remove what is there")


def _listen(path: Path) -> socket.socket:
    making = path.with_name(f".{path.name}.{os.getpid()}")
    making.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Linux gives the file the mode of the unbound socket: no umask, which is the whole process's, has to change.
        os.fchmod(listening.fileno(), 0o600)
        with address_of(making) as address:
            listening.bind(address)
        if (mode := stat.S_IMODE(making.lstat().st_mode)) & ~0o600:
            raise SocketRefused(f"{making} must have mode 0600, the system gave it {mode:04o}")
        listening.listen(BACKLOG)
        listening.setblocking(False)
        making.rename(path)
    except BaseException:
        listening.close()
        making.unlink(missing_ok=True)
        raise
    return listening


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
