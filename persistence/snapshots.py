"""Snapshots: an actor's state as of a sequence, so that recovery folds only what came after."""

from collections.abc import Iterator, Mapping

import apsw
import msgspec
from playhouse.apsw_ext import APSWDatabase

from persistence.chain import digest
from persistence.errors import DraftRefused
from persistence.schema import SnapshotRow

KEPT = 2
"""How many snapshots of an actor stay: the newest, and one to fall back on."""

STATE_BYTES_MAX = 15 * 1024 * 1024

_SOUND = """
SELECT snapshots.seq, snapshots.version, snapshots.state, snapshots.checksum, events.hash
FROM snapshots JOIN events ON events.seq = snapshots.seq
WHERE snapshots.actor = ? AND snapshots.seq <= ? ORDER BY snapshots.seq DESC
"""

_PRUNE = """
DELETE FROM snapshots WHERE actor = ?
AND seq NOT IN (SELECT seq FROM snapshots WHERE actor = ? ORDER BY seq DESC LIMIT ?)
"""


def save(database: APSWDatabase, seq: int, chained: bytes, states: Mapping[str, tuple[int, bytes]]) -> None:
    """Keep the states of actors as of a sequence whose record has the hash `chained`; drop those no longer needed.

    Raises:
        DraftRefused: a state is too large to be kept.
    """
    rows = [_row(actor, seq, chained, version, state) for actor, (version, state) in states.items()]
    with database.atomic():
        SnapshotRow.insert_many(rows).on_conflict_replace().execute(database)
        database.connection().executemany(_PRUNE, [(actor, actor, KEPT) for actor in states])


def newest(connection: apsw.Connection, actor: str, *, version: int | None, upto: int) -> tuple[int, bytes] | None:
    """Return the sequence and state of an actor's newest sound snapshot, of a version where one is asked for."""
    for seq, found, state, checksum, chained in connection.execute(_SOUND, (actor, upto)):
        if version in (None, found) and checksum == _checksum(actor, seq, chained, found, state):
            return seq, state
    return None


def actors_newest_first(connection: apsw.Connection) -> list[str]:
    """Return the actors there are snapshots of, those with the newest one first."""
    newest_first = "SELECT actor FROM snapshots GROUP BY actor ORDER BY max(seq) DESC, actor"
    return [actor for (actor,) in connection.execute(newest_first)]


def sound(connection: apsw.Connection, *, upto: int) -> Iterator[tuple[int, str, int, bytes]]:
    """Find the sequence, actor, version and state of the sound snapshots at or before a sequence, oldest first."""
    for actor, seq, version, state, checksum, chained in connection.execute(
        "SELECT snapshots.actor, snapshots.seq, snapshots.version, state, checksum, events.hash "
        "FROM snapshots JOIN events ON events.seq = snapshots.seq WHERE snapshots.seq <= ? ORDER BY snapshots.seq",
        (upto,),
    ):
        if checksum == _checksum(actor, seq, chained, version, state):
            yield seq, actor, version, state


def unsound(connection: apsw.Connection) -> Iterator[tuple[str, int]]:
    """Find the snapshots, by actor and sequence, that are not what was written or belong to no record."""
    for actor, seq, version, state, checksum, chained in connection.execute(
        "SELECT snapshots.actor, snapshots.seq, snapshots.version, state, checksum, events.hash "
        "FROM snapshots LEFT JOIN events ON events.seq = snapshots.seq ORDER BY snapshots.actor, snapshots.seq"
    ):
        if chained is None or checksum != _checksum(actor, seq, chained, version, state):
            yield actor, seq


def drop_unsound(database: APSWDatabase) -> int:
    """Drop the snapshots that are not what was written; return how many."""
    connection: apsw.Connection = database.connection()
    found = list(unsound(connection))
    with database.atomic():
        connection.executemany("DELETE FROM snapshots WHERE actor = ? AND seq = ?", found)
    return len(found)


def _row(actor: str, seq: int, chained: bytes, version: int, state: bytes) -> dict[str, object]:
    if len(state) > STATE_BYTES_MAX:
        raise DraftRefused(f"the state of {actor} must have at most {STATE_BYTES_MAX} bytes, had {len(state)}")
    checksum = _checksum(actor, seq, chained, version, state)
    return {"actor": actor, "seq": seq, "version": version, "state": state, "checksum": checksum}


def _checksum(actor: str, seq: int, chained: bytes, version: int, state: bytes) -> bytes:
    """Guard a snapshot, and bind it to the history it was folded from."""
    return digest(msgspec.msgpack.encode((actor, seq, chained, version, state)))
