"""What a backup says of itself, in a file beside what was copied."""

import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path

import msgspec

from persistence.errors import JournalDamaged, JournalError, JournalMissing
from persistence.installing import sync_file, write_durably

MANIFEST = "backup.json"
RESTORED = "restored.jsonl"
"""Beside it: one line for each generation that was begun from this backup."""
FORMAT = 1
NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z-\d{12,}")
"""UTC time and last sequence."""


class Copied(msgspec.Struct, frozen=True):
    """One file of a backup."""

    bytes: int
    blake2b: str


class Manifest(msgspec.Struct, frozen=True):
    """What was copied, of which journal, and when."""

    format: int
    origin: str
    """Hash of the journal's first record: the same for all backups of one account."""
    home: str
    taken_at_ms: int
    sequence: int
    hash: str
    generation: int
    boot: int
    market_at: int
    version: str
    files: dict[str, Copied]
    checksum: str = ""
    """BLAKE2b-256 of all the rest."""

    def sealed(self) -> "Manifest":
        """Return it with its checksum."""
        bare = msgspec.structs.replace(self, checksum="")
        digest = hashlib.blake2b(msgspec.json.encode(bare), digest_size=32)
        return msgspec.structs.replace(self, checksum=digest.hexdigest())


class _Begun(msgspec.Struct, frozen=True):
    generation: int
    wall_ms: int = 0
    home: str = ""


def read_manifest(folder: Path) -> Manifest:
    """Return what a backup says of itself.

    Raises:
        JournalMissing: this is no backup.
        JournalDamaged: it cannot be read, or is of a format that this program does not know.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (FileNotFoundError, NotADirectoryError):
        raise JournalMissing(f"expected the folder of a backup with a {MANIFEST} in it, found {folder}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JournalDamaged(
            f"expected what a backup says of itself in {folder / MANIFEST}, found that {error}"
        ) from error
    if manifest != manifest.sealed():
        raise JournalDamaged(f"expected {folder / MANIFEST} as it was written, found that its checksum is another's")
    if manifest.format != FORMAT:
        raise JournalDamaged(f"expected a backup of format {FORMAT} in {folder}, found {manifest.format}")
    return manifest


def newest_taken_ms(place: Path, home: Path) -> int | None:
    """Return when the newest backup of a home was taken that is at a place; None where none is, or none can be read."""
    taken = []
    with suppress(OSError):
        for folder in place.iterdir():
            if NAME.fullmatch(folder.name):
                with suppress(JournalError, OSError):
                    manifest = read_manifest(folder)
                    taken += [manifest.taken_at_ms] if Path(manifest.home) == home.absolute() else []
    return max(taken, default=None)


def demand_files(folder: Path, manifest: Manifest) -> None:
    """Refuse a backup of which a file is not what was copied.

    Raises:
        JournalDamaged: it names the file.
    """
    for name, copied in manifest.files.items():
        if not (folder / name).is_file():
            raise JournalDamaged(f"expected {folder / name} of {copied.bytes} bytes, found no such file")
        if (found := hash_of(folder / name)) != copied.blake2b:
            raise JournalDamaged(f"expected {folder / name} with the hash {copied.blake2b}, found {found}")


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write down, durably, what a backup is."""
    write_durably(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest.sealed()), indent=2) + b"\n")


def copied(path: Path) -> Copied:
    """Return what a manifest says of a file, which is made durable."""
    sync_file(path)
    return Copied(path.stat().st_size, hash_of(path))


def hash_of(path: Path) -> str:
    """Return the BLAKE2b-256 of a file's bytes in hexadecimal."""
    digest = hashlib.blake2b(digest_size=32)
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def generations_begun(folder: Path) -> set[int]:
    """Return the generations that were begun from a backup before."""
    try:
        lines = (folder / RESTORED).read_bytes().splitlines()
    except FileNotFoundError:
        return set()
    found = set()
    for line in lines:
        try:
            found.add(msgspec.json.decode(line, type=_Begun).generation)
        except (msgspec.DecodeError, UnicodeDecodeError):  # Cut short by a death: that generation was never begun.
            continue
    return found


def note_generation(folder: Path, generation: int, *, wall_ms: int, home: Path) -> None:
    """Write down, durably, that a generation begins from this backup; raise OSError where that cannot be."""
    line = msgspec.json.encode(_Begun(generation, wall_ms, str(home)))
    write_durably(folder / RESTORED, b"\n" + line + b"\n", how=os.O_APPEND)
