"""`holdfast journal backup`: a proven copy of the journal and of the paper venue's book, while the node runs.

The journal is copied first and the book after it.  So whatever the journal of a backup says the venue has done is in
the book beside it; the book may know of a moment more, and a restored node asks for that before anything else.  The
other way round there would be fills in the journal that no venue has ever made.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from holdfast import __version__
from holdfast.mending import manifest as kept
from holdfast.mending.books import BOOK, accepted_in, demand_knows
from holdfast.mending.errors import MendingRefused
from holdfast.mending.manifest import NAME, Manifest
from holdfast.mending.progress import Progress
from holdfast.mending.who import Mender, stamp_of, this_mender
from persistence.copying import copy_database, copy_journal
from persistence.errors import JournalError, JournalUnwritable
from persistence.home import Home, Lock, sync_folder
from persistence.reader import JournalReader
from persistence.successor import demand_sound
from persistence.verify import verify
from persistence.watermark import Mark

KEPT = 7
UNFINISHED = ".unfinished-"
LOCK = ".backup.lock"
JOURNAL = ("journal.db", "journal.watermark")

Cue = Callable[[str], None]


def back_up(home: Path, to: Path, *, keep: int, progress: Progress, cue: Cue) -> dict[str, Any]:
    """Copy the journal of a home into a folder of its own below `to`, prove the copy, and drop the oldest ones.

    Raises:
        MendingRefused: `to` is a place where no backup may be.
        JournalError: there is no journal, it is damaged, or the copy is not what it should be; nothing new is there.
    """
    _demand_apart(home, to)
    try:
        to.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        found = error.strerror or str(error)
        raise JournalUnwritable(f"expected to make the folder {to}, found: {found}; use another one") from error
    lock = Lock(to / LOCK)
    try:
        _clear(to)
        folder, manifest = _copy(home, to, this_mender(), progress, cue)
        dropped, left = _rotate(to, manifest.origin, keep, made=folder)
    finally:
        progress.clear()
        lock.release()
    return {
        "backup": str(folder),
        "seq": manifest.sequence,
        "hash": manifest.hash,
        "generation": manifest.generation,
        "bytes": sum(file.bytes for file in manifest.files.values()),
        "files": sorted(manifest.files),
        "kept": keep,
        "dropped": dropped,
        "not_understood": left,
    }


def _demand_apart(home: Path, to: Path) -> None:
    inside, outside = to.resolve(), home.resolve()
    if inside == outside or outside in inside.parents:
        raise MendingRefused(f"expected a folder outside of the home {home} for its backups, found {to} in it")


def _copy(home: Path, to: Path, mender: Mender, progress: Progress, cue: Cue) -> tuple[Path, Manifest]:
    folder = to / f"{UNFINISHED}{mender.stamp}"
    with _removed_on_failure(folder):
        folder.mkdir(mode=0o700)
        last = copy_journal(Home(home), folder, progress=lambda done, total: progress.show("journal", done, total))
        cue("backup.journal_copied")
        _prove(folder, last, progress)
        if (home / BOOK).exists():
            _copy_book(home, folder, progress)
        cue("backup.proven")
        manifest = _manifest(home, folder, last, mender.wall_ms)
        kept.write_manifest(folder, manifest)
        sync_folder(folder)
        cue("backup.written")
        place = to / f"{stamp_of(mender.wall_ms)}-{last.seq:012d}"
        folder.rename(place)
        sync_folder(to)
    cue("backup.in_place")
    return place, manifest


def _prove(folder: Path, last: Mark, progress: Progress) -> None:
    done = 0

    def watch(record: object) -> None:
        nonlocal done
        done += 1
        progress.show("checking", done, last.seq)

    demand_sound(verify(folder, watch=watch), folder)


def _copy_book(home: Path, folder: Path, progress: Progress) -> None:
    copy_database(home / BOOK, folder / BOOK, progress=lambda done, total: progress.show("book", done, total))
    with JournalReader(folder) as reader:
        accepted = accepted_in(reader)
    demand_knows(folder / BOOK, accepted)


def _manifest(home: Path, folder: Path, last: Mark, wall_ms: int) -> Manifest:
    with JournalReader(folder) as reader:
        first = next(iter(reader.read(until=1)))
        newest = next(iter(reader.read(after=last.seq - 1)))
        generation, boot = reader.generation, reader.boot
    names = [name for name in (*JOURNAL, BOOK) if (folder / name).exists()]
    return Manifest(
        format=kept.FORMAT,
        origin=first.hash.hex(),
        home=str(home.absolute()),
        taken_at_ms=wall_ms,
        sequence=last.seq,
        hash=last.hash.hex(),
        generation=generation,
        boot=boot,
        market_at=newest.at,
        version=__version__,
        files={name: kept.copied(folder / name) for name in names},
    )


def _rotate(to: Path, origin: str, keep: int, *, made: Path) -> tuple[list[str], list[str]]:
    """Drop all but the newest backups of this journal; return which went, and which say nothing of themselves.

    The newest are those that tell most, and first of all the one just made.  Names tell what the clock said: where that
    was wrong for a while, the newest backup has the oldest name.
    """
    mine: list[tuple[bool, int, int, str, Path]] = []
    strange = []
    for folder in sorted(path for path in to.iterdir() if NAME.fullmatch(path.name)):
        try:
            found = kept.read_manifest(folder)
        except (JournalError, OSError):
            strange.append(folder.name)
            continue
        if found.origin == origin:
            mine.append((folder == made, found.generation, found.sequence, folder.name, folder))
    dropped = [folder for *_, folder in sorted(mine)[:-keep]]
    for folder in dropped:
        gone = to / f"{UNFINISHED}{folder.name}"
        folder.rename(gone)
        shutil.rmtree(gone)
    if dropped:
        sync_folder(to)
    return [folder.name for folder in dropped], strange


def _clear(to: Path) -> None:
    """Remove what attempts that were killed have left; whoever copies holds the lock."""
    for folder in to.glob(f"{UNFINISHED}*"):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise JournalUnwritable(f"expected to write a backup into {folder}, found that {error}") from error
    except (JournalError, KeyboardInterrupt):
        shutil.rmtree(folder, ignore_errors=True)
        raise
