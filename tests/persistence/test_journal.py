"""The laws of the journal as its writer has it."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from messages.codec import PAYLOAD_BYTES_MAX, CodecError, encode
from messages.market import Offered
from persistence import connection, opening, projections, schema
from persistence.chain import GENESIS, seal
from persistence.errors import (
    DraftRefused,
    JournalDamaged,
    JournalLocked,
    JournalTooNew,
    JournalUnwritable,
    SqliteUnfit,
)
from persistence.journal import Journal
from persistence.opening import LOG_BYTES
from persistence.reader import JournalReader
from persistence.records import Draft, Record


def a_draft(seq: int, payload: bytes | None = None, kind: str = "Offered") -> Draft:
    content = encode(Offered("confidence", seq, 1))[2] if payload is None else payload
    return Draft(seq, 1_000 * seq, 2_000 * seq, kind, 1, "feed", 3, seq - 1, 7, seq - 1, content)


def drafts(first: int, last: int) -> list[Draft]:
    return [a_draft(seq) for seq in range(first, last + 1)]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def journal(home: Path) -> Iterator[Journal]:
    with closing(Journal.open(home)) as journal:
        yield journal


def raw(home: Path, sql: str, *values: object) -> list[tuple[object, ...]]:
    with closing(apsw.Connection(str(home / "journal.db"))) as database:
        return database.execute(sql, values).fetchall()


def test_a_new_journal_is_empty_and_its_first_boot_is_one(journal: Journal) -> None:
    assert (journal.last_seq, journal.last_hash) == (0, GENESIS)
    assert (journal.generation, journal.boot) == (1, 1)


def test_what_was_appended_is_there_after_reopening_and_the_boot_is_counted(home: Path) -> None:
    with closing(Journal.open(home)) as journal:
        journal.append(drafts(1, 3))
        journal.append(drafts(4, 4))
        last_hash = journal.last_hash

    with closing(Journal.open(home)) as again, JournalReader(home) as reader:
        assert (again.last_seq, again.last_hash, again.boot) == (4, last_hash, 2)
        assert [record.seq for record in reader.read()] == [1, 2, 3, 4]


def test_a_record_has_every_column_of_its_draft(journal: Journal, home: Path) -> None:
    draft = a_draft(1)

    journal.append([draft])

    with JournalReader(home) as reader:
        (record,) = reader.read()
    columns = Record.__struct_fields__[:-1]
    assert [getattr(record, name) for name in columns] == [getattr(draft, name) for name in columns]


def test_the_hash_of_a_record_never_changes_its_recipe() -> None:
    first, second = seal(
        [
            Draft(1, 2, 3, "Offered", 1, "feed", 4, 0, 5, 6, b"{}"),
            Draft(2, -1, 2**40, "X", 2, "y", 0, 1, 1, 1, b"\x00"),
        ],
        after=0,
        previous=GENESIS,
    )

    assert first[-1].hex() == "0a16bda56bdc5af3f1254f37c5f8cd00"
    assert second[-1].hex() == "15654ccb78ae019702a627045a1fdaef"


def test_a_column_cannot_move_into_the_next_one_unnoticed() -> None:
    def hash_of(kind: str, actor: str) -> object:
        return seal([Draft(1, 0, 0, kind, 1, actor, 0, 0, 0, 0, b"")], after=0, previous=GENESIS)[0][-1]

    assert hash_of("ab", "c") != hash_of("a", "bc")


@pytest.mark.parametrize("first", [1, 3, 5, 6])
def test_a_draft_that_does_not_continue_the_sequence_is_refused(journal: Journal, first: int) -> None:
    journal.append(drafts(1, 3))

    with pytest.raises(DraftRefused, match=f"expected a draft with sequence 4, found {first}"):
        journal.append(drafts(first, 7))
    with pytest.raises(DraftRefused, match="expected a draft with sequence 5, found 6"):
        journal.append([a_draft(4), a_draft(6)])
    journal.append(drafts(4, 4))
    assert journal.last_seq == 4


def test_a_payload_above_the_limit_is_refused_and_nothing_of_its_batch_is_written(journal: Journal) -> None:
    largest = b'"' + b"x" * (PAYLOAD_BYTES_MAX - 2) + b'"'

    with pytest.raises(DraftRefused, match="must have 4194304 bytes or less, had 4194305"):
        journal.append([a_draft(1), a_draft(2, largest + b" ")])
    journal.append([a_draft(1, largest)])
    assert journal.last_seq == 1


@pytest.mark.parametrize("odd", [{"at": 2**63}, {"at": 2**64}, {"actor": "\ud800"}])
def test_a_draft_with_a_column_that_cannot_be_kept_is_refused_and_the_journal_goes_on(
    journal: Journal, odd: dict[str, object]
) -> None:
    values = {name: getattr(a_draft(1), name) for name in Draft.__struct_fields__} | odd

    with pytest.raises(DraftRefused):
        journal.append([Draft(**values)])
    journal.append([a_draft(1)])
    assert journal.last_seq == 1


def test_a_projected_kind_that_cannot_be_decoded_is_refused_before_it_is_written(journal: Journal) -> None:
    with pytest.raises(CodecError):
        journal.append([a_draft(1, b"{}", "OrderFilled")])
    journal.append([a_draft(1)])
    assert journal.last_seq == 1


def test_a_second_writer_is_refused_in_this_process_and_in_another(journal: Journal, home: Path) -> None:
    journal.append(drafts(1, 1))

    with pytest.raises(JournalLocked, match="another process holds it"):
        Journal.open(home)
    child = os.fork()
    if child == 0:
        try:
            Journal.open(home)
        except JournalLocked:
            os._exit(75)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 75
    journal.append(drafts(2, 2))


def test_the_home_and_its_files_are_for_the_owner_only(home: Path) -> None:
    before = os.umask(0)
    try:
        with closing(Journal.open(home)) as journal:
            journal.append(drafts(1, 1))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    finally:
        os.umask(before)

    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert set(modes) >= {"journal.db", "journal.db-wal", "journal.db-shm", "journal.lock", "journal.watermark"}
    assert set(modes.values()) == {0o600}


def test_the_tables_are_strict(journal: Journal, home: Path) -> None:
    definitions = raw(home, "SELECT sql FROM sqlite_schema WHERE type = 'table'")

    assert definitions
    assert all("STRICT" in str(sql) for (sql,) in definitions)


def test_the_settings_that_durability_rests_on_are_what_they_must_be(journal: Journal) -> None:
    settings = ("synchronous", "journal_mode", "wal_autocheckpoint", "trusted_schema", "cell_size_check", "mmap_size")

    found = {name: journal._connection.pragma(name) for name in settings}

    assert found == {
        "synchronous": 3,
        "journal_mode": "wal",
        "wal_autocheckpoint": 0,
        "trusted_schema": 0,
        "cell_size_check": 1,
        "mmap_size": 0,
    }
    assert journal._connection.limit(apsw.SQLITE_LIMIT_LENGTH) == connection.VALUE_BYTES_MAX


def test_a_setting_that_does_not_take_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection._WRITING, "journal_mode", ("DELETE", "wal"))

    with pytest.raises(JournalUnwritable, match="expected journal_mode to be wal after setting it, found delete"):
        Journal.open(home)


@pytest.mark.parametrize(
    ("version", "is_fit"), [("3.51.3", True), ("3.54.1", True), ("3.51.2", False), ("3.40.1", False)]
)
def test_a_sqlite_library_that_may_corrupt_a_log_is_refused(version: str, is_fit: bool) -> None:
    if is_fit:
        connection.demand_fit_sqlite(version)
    else:
        with pytest.raises(SqliteUnfit, match=f"expected SQLite 3.51.3 or newer, .* found {version}"):
            connection.demand_fit_sqlite(version)


def test_a_newer_schema_is_refused(home: Path) -> None:
    Journal.open(home).close()
    version = projections.PROJECTIONS_VERSION
    newer = schema.Identity(schema_version=99, projections_version=version, generation=1, boot=1)
    raw(home, "UPDATE identity SET schema_version = 99, checksum = ?", newer.checksum)

    for open_ in (Journal.open, JournalReader):
        with pytest.raises(JournalTooNew, match="expected a journal of schema version 1 at most, found 99"):
            open_(home)


def test_an_older_schema_is_brought_up_to_date_one_step_after_the_other(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Journal.open(home)) as journal:
        journal.append(drafts(1, 2))
    steps = (
        lambda database: database.execute("CREATE TABLE notes (a TEXT) STRICT"),
        lambda database: database.execute("ALTER TABLE notes RENAME COLUMN a TO b"),
    )
    monkeypatch.setattr(opening, "MIGRATIONS", steps)

    for boot in (2, 3):
        with closing(Journal.open(home)) as migrated:
            assert (migrated.last_seq, migrated.boot) == (2, boot)
            assert migrated._connection.execute("SELECT b FROM notes").fetchall() == []
    assert raw(home, "SELECT schema_version FROM identity") == [(3,)]


def test_a_changed_identity_is_damage(home: Path) -> None:
    Journal.open(home).close()
    raw(home, "UPDATE identity SET generation = 2")

    for open_ in (Journal.open, JournalReader):
        with pytest.raises(JournalDamaged, match="table identity"):
            open_(home)


def test_the_log_is_copied_into_the_database_when_it_has_grown_long(journal: Journal, home: Path) -> None:
    payload = b'"' + b"x" * 1_000_000 + b'"'
    log = home / "journal.db-wal"

    for seq in range(1, 41):
        journal.append([a_draft(seq, payload)])

    assert log.stat().st_size < LOG_BYTES + 2 * len(payload)
    assert (home / "journal.db").stat().st_size > 20 * len(payload)


def test_a_reader_that_holds_the_log_back_is_not_asked_at_every_commit(
    journal: Journal, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    payload = b'"' + b"x" * 1_000_000 + b'"'
    attempts = []

    def counted(self: Journal, checkpoint: Callable[[Journal], None] = Journal.checkpoint) -> None:
        attempts.append(self.last_seq)
        checkpoint(self)

    monkeypatch.setattr(Journal, "checkpoint", counted)
    journal.append(drafts(1, 1))
    with closing(apsw.Connection(str(home / "journal.db"), flags=apsw.SQLITE_OPEN_READONLY)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchall()
        for seq in range(2, 35):
            journal.append([a_draft(seq, payload)])

    assert 3 <= len(attempts) <= 4


def test_closing_copies_the_log_and_leaves_the_database_alone(journal: Journal, home: Path) -> None:
    journal.append(drafts(1, 5))

    journal.close()

    assert sorted(path.name for path in home.iterdir()) == ["journal.db", "journal.lock", "journal.watermark"]
    assert raw(home, "SELECT count(*) FROM events") == [(5,)]


def test_after_a_failed_write_nothing_more_is_written(home: Path) -> None:
    plugged = ["in"]

    def pull(cue: str) -> None:
        if cue == "journal.before_commit" and not plugged:
            raise apsw.IOError("disk I/O error")

    with closing(Journal.open(home, cue=pull)) as journal:
        journal.append(drafts(1, 2))
        plugged.clear()

        with pytest.raises(JournalUnwritable, match="disk I/O error"):
            journal.append(drafts(3, 3))
        plugged.append("in")
        attempts: list[Callable[[], None]] = [
            lambda: journal.append(drafts(3, 3)),
            lambda: journal.save_states(1, {"positions": (1, b"")}),
            journal.checkpoint,
            journal.rebuild_projections,
        ]
        for attempt in attempts:
            with pytest.raises(
                JournalUnwritable, match="expected a journal that could be written, found that expected to write"
            ):
                attempt()
    with closing(Journal.open(home)) as again:
        assert again.last_seq == 2


def test_a_full_disk_is_told_as_unwritable_and_what_was_acknowledged_stays(home: Path) -> None:
    payload = b'"' + b"x" * 100_000 + b'"'
    with closing(Journal.open(home)) as journal:
        journal._connection.execute("PRAGMA max_page_count = 100").fetchall()
        acknowledged = 0
        with pytest.raises(JournalUnwritable, match="full"):
            for seq in range(1, 100):
                journal.append([a_draft(seq, payload)])
                acknowledged = seq

    with closing(Journal.open(home)) as again:
        assert again.last_seq == acknowledged >= 1


def test_a_home_that_cannot_be_made_is_told_as_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(JournalUnwritable, match="expected to make the folder"):
        Journal.open(tmp_path / "file" / "home")


def test_closing_twice_is_closing_once(home: Path) -> None:
    journal = Journal.open(home)
    journal.close()
    other = (home / "other").open("w")

    journal.close()

    other.write("still open")
    other.close()


def test_a_lock_whose_file_was_removed_is_held_all_the_same(home: Path) -> None:
    with closing(Journal.open(home)) as journal:
        (home / "journal.lock").unlink()

        with pytest.raises(JournalLocked):
            Journal.open(home)
        journal.append(drafts(1, 2))

    with closing(Journal.open(home)) as again:
        assert (again.boot, again.last_seq) == (2, 2)


def test_opening_that_failed_lets_go_of_the_lock(home: Path) -> None:
    Journal.open(home).close()
    watermark = (home / "journal.watermark").read_bytes()
    (home / "journal.watermark").write_bytes(b"x" * 4096)
    with pytest.raises(JournalDamaged):
        Journal.open(home)

    (home / "journal.watermark").write_bytes(watermark)

    Journal.open(home).close()


@pytest.mark.parametrize("moment", ["journal.before_commit", "journal.after_commit"])
def test_after_an_append_that_ran_out_of_memory_nothing_more_is_written(home: Path, moment: str) -> None:
    def starve(cue: str) -> None:
        if cue == moment:
            raise MemoryError

    with closing(Journal.open(home, cue=starve)) as journal:
        for _ in range(2):
            with pytest.raises(JournalUnwritable):
                journal.append(drafts(journal.last_seq + 1, journal.last_seq + 2))

    with closing(Journal.open(home)) as journal:
        assert journal.last_seq == (2 if moment == "journal.after_commit" else 0)
