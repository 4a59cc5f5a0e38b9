"""Opening a journal for writing: locked, brought up to date, and checked before anything is written."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import apsw
import msgspec
from peewee import PeeweeException

from persistence import projections, schema, snapshots
from persistence.connection import JournalDatabase, connect, lengthen_log, reading, unwritable
from persistence.errors import JournalDamaged
from persistence.home import Home, Lock, create_private, sync_folder
from persistence.installing import demand_in_place
from persistence.scan import END, check_chain, hash_at, last_mark
from persistence.schema import MIGRATIONS, Identity
from persistence.watermark import START, Mark, Watermark, read_mark

LOG_BYTES = 8 * 1024 * 1024
"""The size to which the write-ahead log is written in place; when it has grown by so much, it is copied."""
CHECKED_WHOLE_MAX = 100_000
"""Records of a journal that is checked whole when it is opened, which takes a fraction of a second."""


class OpenFiles(msgspec.Struct, frozen=True):
    """All that an open journal holds, and where it stands."""

    lock: Lock
    database: JournalDatabase
    watermark: Watermark
    identity: Identity
    last: Mark


def open_files(home: Home) -> OpenFiles:
    """Open the files of the journal in a home, made where there are none; closes them again if one is not sound.

    Raises:
        JournalError: as `Journal.open` says.
    """
    home.create()
    with ExitStack() as opened:
        lock = Lock(home.lock)
        opened.callback(lock.release)
        mark = mark_of(home)
        with _writing(home):
            create_private(home.database)
        database = connect(home.database, read_only=False)
        opened.callback(database.close)
        identity = _identify(home, database)
        last = _check(home, database.connection(), mark)
        with _writing(home):
            identity = _begin_boot(database, identity)
            watermark = Watermark(home.watermark)
            opened.callback(watermark.close)
            watermark.write(last)
            watermark.sync()
            lengthen_log(home.database, LOG_BYTES)
            sync_folder(home.folder)
        opened.pop_all()
    return OpenFiles(lock=lock, database=database, watermark=watermark, identity=identity, last=last)


def mark_of(home: Home) -> Mark | None:
    """Return the watermark of a home, None where there never was a journal.

    Raises:
        JournalDamaged: it cannot be read, or says that there was a journal that is no longer there; or another journal
            is just taking its place.
    """
    demand_in_place(home)
    with reading(str(home.watermark)):
        mark = read_mark(home.watermark)
    if mark is not None and mark.seq > 0 and not home.database.exists():
        raise JournalDamaged(f"expected {home.database} with {mark.seq} records, found no such file")
    return mark


def demand_reached(home: Home, connection: apsw.Connection, last: Mark, mark: Mark | None) -> None:
    """Check that a journal that ends at `last` has lost nothing that its watermark has seen.

    Raises:
        JournalDamaged: rows are missing from the end, or are of another history.
    """
    if mark is None:
        if last.seq > 0:
            raise JournalDamaged(f"expected {home.watermark} beside {last.seq} records, found no such file")
    elif last.seq < mark.seq:
        raise JournalDamaged(
            f"expected the journal to reach sequence {mark.seq}, as {home.watermark} says, "
            f"found that it ends at {last.seq}",
            sequence=last.seq + 1,
        )
    elif hash_at(connection, mark.seq) != mark.hash:
        raise JournalDamaged(
            f"expected the hash of sequence {mark.seq} to be as {home.watermark} says, found another",
            sequence=mark.seq,
        )


def _identify(home: Home, database: JournalDatabase) -> Identity:
    connection: apsw.Connection = database.connection()
    with reading(str(home.database)):
        is_empty = schema.is_empty(connection)
    if is_empty:
        with _writing(home), database.atomic():
            return _create(database)
    with reading(str(home.database)):
        identity = schema.read_identity(connection, schema_version=1 + len(MIGRATIONS))
    with _writing(home):
        return schema.migrate(connection, identity, MIGRATIONS)


def _create(database: JournalDatabase) -> Identity:
    schema.create_tables(database, schema.TABLES)
    projections.create_projections(database)
    identity = Identity(
        schema_version=1 + len(MIGRATIONS),
        projections_version=projections.PROJECTIONS_VERSION,
        generation=1,
        boot=0,
    )
    schema.write_identity(database.connection(), identity)
    return identity


def _check(home: Home, connection: apsw.Connection, mark: Mark | None) -> Mark:
    """Return where the journal ends, having checked what no snapshot vouches for."""
    with reading(str(home.database)):
        last = check_chain(connection, _vouched_for(connection))
        demand_reached(home, connection, last, mark)
    return last


def _vouched_for(connection: apsw.Connection) -> Mark:
    """Return from where on the chain is checked before anything starts.

    A short journal is checked whole.  Of a long one that is the newest record that a sound snapshot was taken at, for
    it holds that record's hash; whoever opens it checks the rest beside its work.
    """
    if last_mark(connection).seq <= CHECKED_WHOLE_MAX:
        return START
    for actor in snapshots.actors_newest_first(connection):
        if (found := snapshots.newest(connection, actor, version=None, upto=END)) is not None:
            return Mark(found[0], hash_at(connection, found[0]))
    return START


def _begin_boot(database: JournalDatabase, identity: Identity) -> Identity:
    """Count the boot, durably; rebuild the projections if this program has other ones, or they cannot be."""
    if identity.projections_version != projections.PROJECTIONS_VERSION:
        projections.rebuild(database)
    else:
        try:
            projections.catch_up(database)
        except JournalDamaged:
            projections.rebuild(database)
    begun = msgspec.structs.replace(
        identity, boot=identity.boot + 1, projections_version=projections.PROJECTIONS_VERSION
    )
    with database.atomic():
        schema.write_identity(database.connection(), begun)
    return begun


@contextmanager
def _writing(home: Home) -> Iterator[None]:
    try:
        yield
    except (apsw.Error, PeeweeException, OSError) as error:
        raise unwritable(str(home.database), error) from error
