"""The tables that are the journal itself, and how an older schema is brought up to date."""

from collections.abc import Callable
from typing import Any

import apsw
import msgspec
from peewee import BlobField, CompositeKey, IntegerField, Model, SchemaManager, TextField
from playhouse.apsw_ext import APSWDatabase

from persistence.chain import digest
from persistence.errors import JournalDamaged, JournalTooNew
from persistence.records import COLUMNS, PLACES

Migration = Callable[[apsw.Connection], None]
"""Turns the schema of one version into that of the next, in the caller's transaction."""

MIGRATIONS: tuple[Migration, ...] = ()
"""From version 1 on; the current version is one more than there are steps."""

INSERT_EVENT = f"INSERT INTO events ({COLUMNS}) VALUES ({PLACES})"


class EventRow(Model):
    """One record.  Rows are only ever added."""

    seq = IntegerField(primary_key=True)
    at = IntegerField()
    wall = IntegerField()
    kind = TextField()
    version = IntegerField()
    actor = TextField()
    epoch = IntegerField()
    seen = IntegerField()
    correlation = IntegerField()
    causation = IntegerField()
    payload = BlobField()
    hash = BlobField()

    class Meta:
        table_name = "events"
        strict_tables = True


class SnapshotRow(Model):
    """An actor's state as of a sequence.  A cache: it can always be folded again from the events."""

    actor = TextField()
    seq = IntegerField()
    version = IntegerField()
    state = BlobField()
    checksum = BlobField()

    class Meta:
        table_name = "snapshots"
        primary_key = CompositeKey("actor", "seq")
        strict_tables = True


class IdentityRow(Model):
    """The one row that says which journal this is."""

    id = IntegerField(primary_key=True)
    schema_version = IntegerField()
    projections_version = IntegerField()
    generation = IntegerField()
    boot = IntegerField()
    checksum = BlobField()

    class Meta:
        table_name = "identity"
        strict_tables = True


TABLES = (EventRow, SnapshotRow, IdentityRow)


class Identity(msgspec.Struct, frozen=True):
    """Which journal this is: its schema, its generation, and how often it was opened for writing in all of them."""

    schema_version: int
    projections_version: int
    generation: int
    boot: int

    @property
    def checksum(self) -> bytes:
        """Return the hash that guards the row."""
        return digest(msgspec.msgpack.encode(self))


def is_empty(connection: apsw.Connection) -> bool:
    """Say whether a database has no tables yet."""
    return bool(connection.execute("SELECT count(*) FROM sqlite_schema").get == 0)


def create_tables(database: APSWDatabase, models: tuple[type[Model], ...]) -> None:
    """Make tables, in the caller's transaction."""
    for model in models:
        SchemaManager(model, database=database).create_all(safe=False)


def read_identity(connection: apsw.Connection, *, schema_version: int) -> Identity:
    """Return which journal this is.

    Raises:
        JournalTooNew: its schema is newer than `schema_version`.
        JournalDamaged: the row is missing or was changed.
    """
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT schema_version, projections_version, generation, boot, checksum FROM identity LIMIT 2"
    ).fetchall()
    if len(rows) != 1:
        raise JournalDamaged(f"expected one row in the table identity, found {len(rows)}")
    *values, checksum = rows[0]
    identity = Identity(*values)
    if identity.checksum != checksum:
        raise JournalDamaged("the row in the table identity does not have the checksum that it was written with")
    if identity.schema_version > schema_version:
        raise JournalTooNew(
            f"expected a journal of schema version {schema_version} at most, found {identity.schema_version}"
        )
    return identity


def write_identity(connection: apsw.Connection, identity: Identity) -> None:
    """Write which journal this is, in the caller's transaction."""
    connection.execute(
        "INSERT OR REPLACE INTO identity "
        "(id, schema_version, projections_version, generation, boot, checksum) VALUES (1, ?, ?, ?, ?, ?)",
        (*msgspec.structs.astuple(identity), identity.checksum),
    )


def migrate(connection: apsw.Connection, identity: Identity, migrations: tuple[Migration, ...]) -> Identity:
    """Bring an older schema up to date, one step at a time, each in a transaction of its own."""
    for step in migrations[identity.schema_version - 1 :]:
        identity = msgspec.structs.replace(identity, schema_version=identity.schema_version + 1)
        with connection:
            step(connection)
            write_identity(connection, identity)
    return identity
