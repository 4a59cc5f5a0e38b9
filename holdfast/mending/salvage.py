"""`holdfast journal salvage`: what is proven of a damaged journal, in a new generation; the node comes up halted.

What was damaged lies in the quarantine, with whatever could be read behind the damage; nothing is deleted.  A journal
whose caches alone are damaged (snapshots, tables for people) is mended where it is: nothing of it was lost.
"""

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from gateways.errors import SourceBroken
from holdfast.mending.books import find_strays
from holdfast.mending.examination import Examination, examine, write_beyond
from holdfast.mending.generations import next_generation
from holdfast.mending.manifest import hash_of
from holdfast.mending.progress import Progress
from holdfast.mending.succession import succeed
from holdfast.mending.who import Mender, this_mender
from messages.node import Salvaged
from persistence.errors import JournalDamaged, JournalUnwritable
from persistence.home import Home, Lock
from persistence.installing import (
    JOURNAL_FILES,
    Plan,
    abandon_staging,
    begin_staging,
    commit,
    finish,
    is_under_way,
    present,
    quarantine_name,
)
from persistence.journal import Journal
from persistence.remains import Remains
from persistence.verify import Verification, verify

_Done = TypeVar("_Done")
BEYOND = "beyond.jsonl"
Cue = Callable[[str], None]


class _Wish(NamedTuple):
    home: Home
    mender: Mender
    progress: Progress
    cue: Cue


def salvage(home: Path, *, only_plan: bool, progress: Progress, cue: Cue) -> dict[str, Any]:
    """Mend the journal of a home, or say only what would be done; return what was.

    Raises:
        JournalMissing: there is none.
        JournalLocked: a node runs there.
        JournalDamaged: nothing of it can be salvaged; it is as it was.
        JournalUnwritable: the disk does not give something back, or does not take it; the home is as it was, or the
            next call finishes.
    """
    place = Home(home)
    if not place.folder.is_dir():
        verify(home)  # Says that there is none.
    wish = _Wish(place, this_mender(), progress, cue)
    try:
        found = _with_lock(wish, lambda: _look(wish, only_plan=only_plan))
        if isinstance(found, dict):
            return found
        if _is_about_caches(found) and (mended := _mend_caches(wish, found, only_plan=only_plan)) is not None:
            return mended
        return _with_lock(wish, lambda: _salvage(wish, only_plan=only_plan))
    finally:
        progress.clear()


def _with_lock(wish: _Wish, work: Callable[[], _Done]) -> _Done:
    lock = Lock(wish.home.lock)
    try:
        return work()
    finally:
        abandon_staging(wish.home)
        lock.release()


def _look(wish: _Wish, *, only_plan: bool) -> dict[str, Any] | Verification:
    """Finish what was begun before, or see what is damaged; return what there is to say, or what was found."""
    home = wish.home
    if only_plan and is_under_way(home):
        return {"outcome": "unfinished", "would": f"finish what was begun in {home.mending}"}
    finished = finish(home, cue=wish.cue)
    if finished is not None:
        return _told(home, finished) | {"outcome": "finished"}
    wish.progress.show("checking the journal", 0, 0)
    found = verify(home.folder)
    return _sound(found) if found.is_sound else found


def _sound(found: Verification) -> dict[str, Any]:
    return {"outcome": "sound", "seq": found.last_seq, "hash": found.last_hash.hex()}


def _salvage(wish: _Wish, *, only_plan: bool) -> dict[str, Any]:
    home = wish.home
    found = verify(home.folder)
    if found.is_sound:
        return _sound(found)
    files = _hashes(home)
    examined = examine(home, found, progress=wish.progress)
    if only_plan:
        return {"outcome": "damaged", **examined.view(), "would": examined.would()}
    plan = _prepare(wish, examined, files)
    commit(home, plan, cue=wish.cue)
    done = finish(home, cue=wish.cue)
    assert done is not None
    return _told(home, done)


def _hashes(home: Home) -> dict[str, str]:
    """Return the hashes of a journal's files, all of which are read for it.

    SQLite calls a page damaged that the disk does not give back; a file that cannot be read is not salvaged in place.
    """
    found = {}
    for name in present(home, JOURNAL_FILES):
        if not name.endswith("-shm"):
            try:
                found[name] = hash_of(home.folder / name)
            except OSError as error:
                raise JournalUnwritable(
                    f"expected {home.folder / name} to be read whole, found that {error}; nothing was changed: copy "
                    "the home to another disk, and salvage the copy"
                ) from error
    return found


def _is_about_caches(found: Verification) -> bool:
    return all(finding.place.split()[0] in ("snapshots", "projection", "projections") for finding in found.findings)


def _mend_caches(wish: _Wish, found: Verification, *, only_plan: bool) -> dict[str, Any] | None:
    """Drop unsound snapshots and make the tables anew, where they are; None where the file does not let them."""
    told = {
        "seq": found.last_seq,
        "hash": found.last_hash.hex(),
        "reason": "; ".join(finding.sentence for finding in found.findings[:3]),
    }
    if only_plan:
        return {
            "outcome": "caches",
            **told,
            "would": "drop unsound snapshots and make the tables anew; no event is lost",
        }
    with suppress(JournalDamaged, JournalUnwritable):
        with closing(Journal.open(wish.home.folder, cue=wish.cue)) as journal:
            dropped = journal.drop_unsound_states()
            journal.rebuild_projections()
        if verify(wish.home.folder).is_sound:
            return {"outcome": "caches", **told, "dropped_snapshots": dropped}
    return None


def _prepare(wish: _Wish, examined: Examination, files: dict[str, str]) -> Plan:
    home, mender = wish.home, wish.mender
    staging = begin_staging(home)
    generation = next_generation(home, examined.generations)
    quarantine = quarantine_name(home, mender.stamp)
    readable = write_beyond(examined.source, staging / BEYOND, kept=examined.kept, progress=wish.progress)
    event = Salvaged(
        generation=generation,
        kept=examined.kept.seq,
        lost_from=examined.lost_from,
        lost_to=examined.lost_to,
        readable_beyond=readable,
        reason=examined.reason,
        files=files,
        quarantine=quarantine,
        user=mender.user,
        process=mender.process,
        wall_ms=mender.wall_ms,
    )
    succeed(
        examined.source,
        staging,
        event,
        keeps=examined.kept,
        boot=examined.boot,
        mender=mender,
        progress=wish.progress,
        doing="salvaging",
    )
    wish.cue("salvage.written")
    brings = {"journal.db": "journal.db", "journal.watermark": "journal.watermark", BEYOND: f"{quarantine}/{BEYOND}"}
    said = examined.view() | {
        "generation": generation,
        "hash": examined.kept.hash.hex(),
        "readable_beyond": readable,
        "files": files,
        "user": mender.user,
        "wall_ms": mender.wall_ms,
    }
    return Plan("salvage", quarantine, present(home, JOURNAL_FILES), brings, said)


def _told(home: Home, plan: Plan) -> dict[str, Any]:
    strays: list[dict[str, Any]] = []
    with Remains(home.folder) as remains:
        newest = remains.newest()
    with suppress(SourceBroken):
        strays = [stray._asdict() for stray in find_strays(home.folder, now=0 if newest is None else newest[1])]
    return {
        "outcome": "salvaged" if plan.kind == "salvage" else "restored",
        **plan.said,
        "quarantine": plan.quarantine,
        "unknown_orders": strays,
    }
