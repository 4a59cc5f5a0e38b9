"""The disk of a home under torture: where this machine lets us, a small one that can be full, or read-only."""

import ctypes
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

SIZE_MB = 64
_CHUNKS = (1024 * 1024, 4096)
_NEW_MOUNTS = 0x00020000
"""`CLONE_NEWNS` of unshare(2): what is mounted from now on is seen by this process and its children only."""


def can_mount(folder: Path) -> bool:
    """Keep the mounts of this process to itself, and say whether it can have a small disk.

    It is to be asked before there are other threads: they would go on to share the machine's mounts.
    """
    if os.geteuid() != 0 or ctypes.CDLL(None, use_errno=True).unshare(_NEW_MOUNTS) != 0:
        return False
    if not _run("mount", "--make-rprivate", "/"):
        return False
    with suppress(OSError):
        disk = Disk(folder / "trial", is_small=True)
        disk.give_up()
        return True
    return False


class Disk:
    """Where a home is."""

    def __init__(self, folder: Path, *, is_small: bool) -> None:
        """Make it in a folder of its own.

        Raises:
            OSError: it cannot be mounted.
        """
        self._folder = folder
        self._mount = folder / "disk" if is_small else None
        self.home = (self._mount or folder) / "node"
        (self._mount or folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._mount is not None and not _run(
            *("mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=0700", "tmpfs", str(self._mount))
        ):
            raise OSError(f"expected to mount a small disk at {self._mount}, found that it cannot be done")

    @property
    def is_small(self) -> bool:
        """Say whether it can be filled up and made read-only."""
        return self._mount is not None

    def fill(self) -> None:
        """Leave no room on it."""
        assert self._mount is not None
        with (self._mount / "ballast").open("ab", buffering=0) as ballast:
            for size in _CHUNKS:
                with suppress(OSError):
                    while ballast.write(bytes(size)) == size:
                        pass

    def empty(self) -> None:
        """Give the room back."""
        assert self._mount is not None
        (self._mount / "ballast").unlink(missing_ok=True)

    def set_read_only(self, *, is_wanted: bool) -> bool:
        """Let nobody write to it, or everybody again; say whether that could be done."""
        return _run("mount", "-o", f"remount,{'ro' if is_wanted else 'rw'}", str(self._mount))

    def give_up(self) -> None:
        """Forget it, with the home."""
        if self._mount is not None:
            _run("umount", "-l", str(self._mount))
        shutil.rmtree(self._folder, ignore_errors=True)

    def keep(self) -> Path:
        """Put the home where it stays when this process has ended; return where that is."""
        if self._mount is not None:
            if self.home.exists():
                shutil.copytree(self.home, self._folder / "node", dirs_exist_ok=True)
            _run("umount", "-l", str(self._mount))
            with suppress(OSError):
                self._mount.rmdir()
            self._mount, self.home = None, self._folder / "node"
        return self.home


def _run(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
