"""`holdfast journal restore`: a journal out of a backup, in a new generation, for a node that comes up halted.

The exchange does not go back in time when a journal does.  So a home's own book of the paper venue stays, where it is
of the same account and has all that the backup's book has; the backup's is only taken where there is none.  Orders
that the book has and the journal does not are named, and the executor cancels those that are open before anything else.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

from gateways.errors import SourceBroken
from holdfast.mending import manifest as kept
from holdfast.mending.books import BOOK, BOOK_FILES, find_strays, generations_in, goes_on_from
from holdfast.mending.errors import MendingRefused
from holdfast.mending.generations import next_generation, quarantined_books
from holdfast.mending.manifest import Manifest
from holdfast.mending.progress import Progress
from holdfast.mending.succession import succeed
from holdfast.mending.who import Mender, this_mender
from messages.node import Restored
from persistence.copying import copy_database
from persistence.home import Home, Lock
from persistence.installing import (
    JOURNAL_FILES,
    Plan,
    abandon_staging,
    begin_staging,
    commit,
    finish,
    present,
    quarantine_name,
)
from persistence.remains import Remains
from persistence.successor import demand_sound
from persistence.verify import verify
from persistence.watermark import Mark

Cue = Callable[[str], None]


class _Wish(NamedTuple):
    source: Path
    manifest: Manifest
    home: Home
    mender: Mender
    progress: Progress
    cue: Cue


def restore(source: Path, home: Path, *, replace: bool, progress: Progress, cue: Cue) -> dict[str, Any]:
    """Put the journal of a backup into a home, in a new generation; return what was done.

    Raises:
        MendingRefused: the home has a journal already, or the book of another account.
        JournalLocked: a node runs there.
        JournalError: the backup is damaged, or something cannot be written; the home is as it was.
    """
    manifest = kept.read_manifest(source)
    progress.show("checking the backup", 0, 0)
    kept.demand_files(source, manifest)
    demand_sound(verify(source), source)
    place = Home(home)
    place.create()
    lock = Lock(place.lock)
    try:
        finished = finish(place, cue=cue)
        if finished is not None and finished.said.get("hash") == manifest.hash:
            return _told(place, finished) | {"finished": True}
        _demand_room(place, replace=replace)
        plan = _prepare(_Wish(source, manifest, place, this_mender(), progress, cue), replace=replace)
        commit(place, plan, cue=cue)
        done = finish(place, cue=cue)
        assert done is not None
        return _told(place, done)
    finally:
        abandon_staging(place)
        progress.clear()
        lock.release()


def _demand_room(home: Home, *, replace: bool) -> None:
    found = present(home, ("journal.db", "journal.db-wal", "journal.watermark"))
    if found and not replace:
        raise MendingRefused(
            f"expected a home without a journal, found {', '.join(found)} in {home.folder}; "
            "--replace moves what is there to its quarantine"
        )


def _prepare(wish: _Wish, *, replace: bool) -> Plan:
    home, manifest = wish.home, wish.manifest
    book = _book_to_have(wish, replace=replace)
    generation = _generation_for(wish)
    notices = _note(wish, generation)
    staging = begin_staging(home)
    brings = {"journal.db": "journal.db", "journal.watermark": "journal.watermark"}
    if book == "backup":
        copy_database(wish.source / BOOK, staging / BOOK, progress=lambda done, total: None)
        brings[BOOK] = BOOK
    _write(wish, staging, generation)
    moves = present(home, JOURNAL_FILES) + (present(home, BOOK_FILES) if book == "backup" else ())
    said = {
        "source": str(wish.source),
        "generation": generation,
        "seq": manifest.sequence,
        "hash": manifest.hash,
        "taken_at_ms": manifest.taken_at_ms,
        "book": book,
        "notices": notices,
        "user": wish.mender.user,
        "wall_ms": wish.mender.wall_ms,
    }
    return Plan("restore", quarantine_name(home, wish.mender.stamp), moves, brings, said)


def _write(wish: _Wish, staging: Path, generation: int) -> None:
    manifest, mender = wish.manifest, wish.mender
    event = Restored(
        source=str(wish.source),
        generation=generation,
        last_sequence=manifest.sequence,
        last_hash=manifest.hash,
        user=mender.user,
        process=mender.process,
        wall_ms=mender.wall_ms,
    )
    succeed(
        wish.source,
        staging,
        event,
        keeps=Mark(manifest.sequence, bytes.fromhex(manifest.hash)),
        boot=manifest.boot,
        mender=mender,
        progress=wish.progress,
        doing="restoring",
    )
    wish.cue("restore.written")


def _book_to_have(wish: _Wish, *, replace: bool) -> Literal["home", "backup", "none"]:
    """Say which book stands beside the restored journal: the home's own, the backup's, or none."""
    mine, theirs = wish.home.folder / BOOK, wish.source / BOOK
    if not theirs.exists():
        return "home" if mine.exists() else "none"
    if not mine.exists():
        return "backup"
    if goes_on_from(mine, theirs):
        return "home"
    if not replace:
        raise MendingRefused(
            f"expected no {BOOK} in {wish.home.folder}, or one that goes on from the backup's, found one of another "
            "account; --replace moves it to the quarantine"
        )
    return "backup"


def _generation_for(wish: _Wish) -> int:
    known = {wish.manifest.generation, *kept.generations_begun(wish.source), *generations_in(wish.source / BOOK)}
    for book in quarantined_books(wish.home):
        known |= generations_in(book)
    return next_generation(wish.home, known)


def _note(wish: _Wish, generation: int) -> list[str]:
    """Leave word at the backup, so that whoever restores it again, anywhere, takes another generation."""
    try:
        kept.note_generation(wish.source, generation, wall_ms=wish.mender.wall_ms, home=wish.home.folder)
    except OSError as error:
        return [
            f"the backup's folder could not be written ({error.strerror}): a second restore of it into another home "
            f"would begin generation {generation} again; one account, one home"
        ]
    return []


def _told(home: Home, plan: Plan) -> dict[str, Any]:
    with Remains(home.folder) as remains:
        newest = remains.newest()
    strays: list[dict[str, Any]] = []
    with suppress(SourceBroken):
        strays = [stray._asdict() for stray in find_strays(home.folder, now=0 if newest is None else newest[1])]
    moved = plan.quarantine if plan.moves else ""
    return {**plan.said, "home": str(home.folder), "quarantine": moved, "unknown_orders": strays, "finished": False}
