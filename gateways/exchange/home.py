"""The exchange's folder: keys that only its owner can read, and the lock of the one exchange that may use it."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from gateways.exchange.errors import ExchangeFailed, HomeTaken

KEYS, LOCK = "keys.json", "exchange.lock"
KEY_BYTES = 48


class Keys(msgspec.Struct, frozen=True):
    """What the account's owner signs with, and what the exchange's own operator shows."""

    api_key: str
    secret: str
    admin_token: str

    def __repr__(self) -> str:
        return "Keys(***)"


class ExchangeHome:
    """The folder of one exchange, held until it is released or the process ends.

    Raises:
        HomeTaken: another exchange holds it.
        OSError: it cannot be made or read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise HomeTaken(f"expected {folder} to be free, found that another exchange runs on it") from error
        for path in (self.book, self.ledger):
            # SQLite gives the files that it makes beside one the same mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    @property
    def book(self) -> Path:
        """The paper venue's book."""
        return self.folder / "book.db"

    @property
    def ledger(self) -> Path:
        """What the exchange remembers beside the book: requests, orders and trades by its own numbers, prices."""
        return self.folder / "ledger.db"

    def keys(self) -> Keys:
        """Return the keys, which are made where there are none."""
        path = self.folder / KEYS
        return read_keys(self.folder) if path.exists() else _make_keys(path)

    def release(self) -> None:
        """Let others have the home."""
        os.close(self._lock)


def demand_free(folder: Path) -> None:
    """Refuse a home that another exchange holds; where there is none, none is made.

    Raises:
        HomeTaken: another exchange holds it.
    """
    if (folder / LOCK).exists():
        ExchangeHome(folder).release()


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """Read a home's book and ledger within this.

    Raises:
        ExchangeFailed: they cannot be read as such.
    """
    try:
        yield
    except apsw.Error as error:
        raise ExchangeFailed(f"expected a book and a ledger in {folder}, found {error}") from error


def read_keys(folder: Path) -> Keys:
    """Return the keys of a home.

    Raises:
        OSError: there are none, or they are open to others.
        ValueError: the file is not one of keys.
    """
    path = folder / KEYS
    if not path.exists():
        raise FileNotFoundError(f"expected an exchange's home in {folder}, found no {KEYS}")
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise PermissionError(f"{path} must be closed to others (chmod 600), its mode is {mode:04o}")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Keys)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: expected api_key, secret and admin_token, found that {error}") from error


def _make_keys(path: Path) -> Keys:
    keys = Keys(*(secrets.token_urlsafe(KEY_BYTES) for _ in range(3)))
    making = path.with_name(f".{path.name}.{os.getpid()}")
    file = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, msgspec.json.encode(keys))
        os.fsync(file)
    finally:
        os.close(file)
    making.rename(path)
    return keys
