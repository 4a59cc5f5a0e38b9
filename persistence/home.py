"""The journal's files in a home: where they are, who may read them, and who holds them."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from persistence.errors import JournalLocked, JournalUnwritable


class Home(msgspec.Struct, frozen=True):
    """The folder of a journal and the paths in it."""

    folder: Path

    @property
    def database(self) -> Path:
        """The SQLite database; SQLite keeps a write-ahead log and an index of it beside it."""
        return self.folder / "journal.db"

    @property
    def watermark(self) -> Path:
        """The file that says how far the journal had come."""
        return self.folder / "journal.watermark"

    @property
    def lock(self) -> Path:
        """The file whose lock the one writer holds."""
        return self.folder / "journal.lock"

    @property
    def mending(self) -> Path:
        """The folder of what is about to take the journal's place; it is there only while that is under way."""
        return self.folder / "journal.mending"

    @property
    def quarantine(self) -> Path:
        """The folder that files go to which gave their place up."""
        return self.folder / "quarantine"

    def create(self) -> None:
        """Make the folder, for its owner only, where there is none.

        Raises:
            JournalUnwritable: it cannot be made.
        """
        try:
            if not self.folder.is_dir():
                self.folder.parent.mkdir(parents=True, exist_ok=True)
                self.folder.mkdir(mode=0o700, exist_ok=True)
                sync_folder(self.folder.parent)
        except OSError as error:
            found = error.strerror or str(error)
            raise JournalUnwritable(f"expected to make the folder {self.folder}, found: {found}") from error


class Lock:
    """The right to write a journal.  Ends with the process at the latest, however that ends.

    The folder is locked beside the file: where somebody removes that while it is held, as one left over, the next would
    make and lock another.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock at once or not at all.

        Raises:
            JournalLocked: another process, or another journal of this one, has it.
            JournalUnwritable: the lock file cannot be opened.
        """
        self._files: list[int] = []
        try:
            self._take(path, os.O_RDWR | os.O_CREAT)
            with suppress(JournalUnwritable):  # Network file systems lock no folders.
                self._take(path.parent, os.O_RDONLY | os.O_DIRECTORY, named=path)
        except (JournalLocked, JournalUnwritable):
            self.release()
            raise

    def release(self) -> None:
        """Let others take it."""
        while self._files:
            os.close(self._files.pop())

    def _take(self, path: Path, flags: int, *, named: Path | None = None) -> None:
        named = named or path
        try:
            file = os.open(path, flags | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalUnwritable(f"expected to open {path}, found that {error}") from error
        self._files.append(file)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise JournalLocked(
                f"expected {named} to be free, found that another process holds it{_whose(path)}"
            ) from error
        except OSError as error:
            raise JournalUnwritable(f"expected to lock {path}, found that {error}") from error


def _whose(path: Path) -> str:
    """Return which process holds a lock, as far as Linux tells."""
    try:
        inode = path.stat().st_ino
        locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
        holders = [each[4] for each in locks if each[1] == "FLOCK" and each[5].rpartition(":")[2] == str(inode)]
    except (OSError, IndexError):
        return ""
    return f" (process {holders[0]})" if holders and int(holders[0]) > 0 else ""


def create_private(path: Path) -> None:
    """Make an empty file that only its owner may read, where there is none."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
