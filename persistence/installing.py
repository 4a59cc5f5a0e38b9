"""Putting a prepared journal in the place of another, all or nothing, whenever the process is killed.

All that comes new is made in a folder of its own beside the journal.  Renaming that folder is the moment from which on
the exchange is under way: from then on nobody opens the journal, and whoever mends next finishes it first.  What gave
its place up lies in the quarantine; nothing is ever deleted but what was never used.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from persistence.errors import JournalDamaged, JournalUnwritable
from persistence.home import Home, sync_folder

Kind = Literal["restore", "salvage"]
PLAN = "plan.json"
JOURNAL_FILES = ("journal.db", "journal.db-wal", "journal.db-shm", "journal.watermark")
"""All files that are a journal, by their names in a home."""

Cue = Callable[[str], None]


class Plan(msgspec.Struct, frozen=True):
    """What moves out of its place, and what comes in."""

    kind: Kind
    quarantine: str
    """Folder in the home that files go to."""
    moves: tuple[str, ...]
    """Files of the home, by name, that go there."""
    brings: dict[str, str]
    """Where each prepared file goes, relative to the home."""
    said: dict[str, Any]
    """What was found and done, for people."""


def is_under_way(home: Home) -> bool:
    """Say whether a journal is to take this one's place, and that is not finished."""
    return (home.mending / PLAN).exists()


def demand_in_place(home: Home) -> None:
    """Refuse a home whose journal is being exchanged.

    Raises:
        JournalDamaged: it is.
    """
    if is_under_way(home):
        raise JournalDamaged(
            f"expected the journal of {home.folder} in its place, found in {home.mending} that its mending was cut "
            "short; `holdfast journal salvage` finishes it"
        )


def begin_staging(home: Home) -> Path:
    """Return an empty folder, for its owner only, to prepare files in; what another attempt has left there is gone.

    Raises:
        JournalUnwritable: it cannot be made.
    """
    return _empty(_staging(home))


def begin_copies(home: Home) -> Path:
    """Return an empty folder, for its owner only, for copies that are only looked at.

    Raises:
        JournalUnwritable: it cannot be made.
    """
    return _empty(_copies(home))


def abandon_staging(home: Home) -> None:
    """Remove what was prepared or copied and is not used, and what an exchange that was finished has left."""
    shutil.rmtree(_staging(home), ignore_errors=True)
    shutil.rmtree(_copies(home), ignore_errors=True)
    if not is_under_way(home):
        shutil.rmtree(home.mending, ignore_errors=True)


def quarantine_name(home: Home, stamp: str) -> str:
    """Return the name of a folder in the home for files of this moment, which is not there yet."""
    taken = {path.name for path in home.quarantine.iterdir()} if home.quarantine.is_dir() else set()
    names = (stamp if number == 1 else f"{stamp}-{number}" for number in range(1, len(taken) + 2))
    return f"{home.quarantine.name}/{next(name for name in names if name not in taken)}"


def present(home: Home, names: Sequence[str]) -> tuple[str, ...]:
    """Return which of these files a home has."""
    return tuple(name for name in names if (home.folder / name).exists())


def commit(home: Home, plan: Plan, *, cue: Cue) -> None:
    """Begin the exchange that a plan describes, durably, with what was prepared in the staging folder.

    Raises:
        JournalUnwritable: it could not begin; the journal is as it was.
    """
    staging = _staging(home)
    try:
        for name in plan.brings:
            sync_file(staging / name)
        write_durably(staging / PLAN, msgspec.json.encode(plan))
        sync_folder(staging)
        shutil.rmtree(home.mending, ignore_errors=True)  # An empty one, left by an exchange that was finished.
        cue("mending.prepared")
        staging.rename(home.mending)
        sync_folder(home.folder)
    except OSError as error:
        raise JournalUnwritable(f"expected to prepare {staging}, found that {error}") from error
    cue("mending.begun")


def finish(home: Home, *, cue: Cue) -> Plan | None:
    """Finish the exchange that is under way; None where none is.  May be cut short and called again.

    Raises:
        JournalDamaged: its plan cannot be read.
        JournalUnwritable: a file cannot be moved; it stays under way.
    """
    if not is_under_way(home):
        return None
    plan = _read(home)
    quarantine = home.folder / plan.quarantine
    try:
        home.quarantine.mkdir(mode=0o700, exist_ok=True)
        quarantine.mkdir(mode=0o700, exist_ok=True)
        sync_folder(home.quarantine)
        for name in _to_move(home, plan):
            _move_once(home.folder / name, quarantine / name)
            cue("mending.moved")
        sync_folder(quarantine)
        for name, place in plan.brings.items():
            if (home.mending / name).exists():
                (home.mending / name).replace(home.folder / place)
            cue("mending.placed")
        sync_folder(home.folder)
        sync_folder(quarantine)
        (home.mending / PLAN).replace(quarantine / f"{plan.kind}.json")
        cue("mending.finished")
        sync_folder(quarantine)
        shutil.rmtree(home.mending, ignore_errors=True)
        sync_folder(home.folder)
    except OSError as error:
        raise JournalUnwritable(f"expected to exchange the journal of {home.folder}, found that {error}") from error
    return plan


def plans_of(home: Home) -> list[Plan]:
    """Return what was exchanged in a home before, as far as its quarantine tells."""
    found = []
    for file in sorted(home.quarantine.glob("*/*.json")) if home.quarantine.is_dir() else ():
        try:
            found.append(msgspec.json.decode(file.read_bytes(), type=Plan))
        except (msgspec.DecodeError, UnicodeDecodeError, OSError):  # Somebody else's file.
            continue
    return found


def _staging(home: Home) -> Path:
    return home.folder / f"{home.mending.name}.new"


def _copies(home: Home) -> Path:
    return home.folder / f"{home.mending.name}.copy"


def _empty(folder: Path) -> Path:
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise JournalUnwritable(f"expected to make the folder {folder}, found that {error}") from error
    return folder


def _read(home: Home) -> Plan:
    file = home.mending / PLAN
    try:
        return msgspec.json.decode(file.read_bytes(), type=Plan)
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise JournalDamaged(f"expected the plan of an exchange in {file}, found that {error}") from error


def _to_move(home: Home, plan: Plan) -> tuple[str, ...]:
    """Return what has to go; a log that somebody's look at the journal has left must never lie beside the new one."""
    if not (home.mending / home.database.name).exists():
        return plan.moves
    return tuple(dict.fromkeys((*plan.moves, *present(home, JOURNAL_FILES[1:3]))))


def _move_once(source: Path, target: Path) -> None:
    # What stands at the target went there before: what is at the source now has come since.
    if not target.exists() and source.exists():
        source.rename(target)


def write_durably(path: Path, content: bytes, *, how: int = os.O_TRUNC) -> None:
    """Write a file, for its owner only, or append to it (`os.O_APPEND`): durably, and all of it or an error.

    A disk that fills up takes part of what it is given, and says so only of the next part.

    Raises:
        OSError: it cannot be written.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_file(path: Path) -> None:
    """Make a file durable as it is.

    Raises:
        OSError: it cannot be.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
