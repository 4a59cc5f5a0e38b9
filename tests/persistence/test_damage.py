"""The laws of damage: it is detected, by sequence or by file, or it changes nothing that is read."""

import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from pathlib import Path

import apsw
import pytest

from domain.order import Terms
from messages.base import Event
from messages.codec import encode
from messages.market import Offered
from messages.orders import OrderIntended
from persistence import opening
from persistence.copying import copy_journal
from persistence.errors import JournalDamaged, JournalError, JournalMissing, JournalUnwritable
from persistence.home import Home
from persistence.journal import Journal
from persistence.opening import LOG_BYTES
from persistence.reader import JournalReader
from persistence.records import Draft, Record
from persistence.remains import Remains
from persistence.verify import verify
from persistence.watermark import FILE_BYTES, SLOT_BYTES, Mark, Watermark, read_mark

Output = tuple[list[Record], tuple[int, bytes], int, int]


def an_event(seq: int) -> Event:
    if seq % 3:
        return Offered("confidence", seq, 1)
    terms = Terms(f"h{seq}", "confidence", "BTCUSDT", "buy", "market", Decimal("0.1"), "entry")
    return OrderIntended(terms, ordered_by=seq, attempt=0)


def drafts(first: int, last: int) -> list[Draft]:
    events = [(seq, *encode(an_event(seq))) for seq in range(first, last + 1)]
    return [Draft(seq, seq, seq, kind, version, "feed", 1, seq - 1, 0, 0, body) for seq, kind, version, body in events]


def make(home: Path, last: int, *, groups: int = 1) -> Path:
    with closing(Journal.open(home)) as journal:
        while journal.last_seq < last:
            first = journal.last_seq + 1
            journal.append(drafts(first, min(last, first + last // groups - 1)))
    return home


def read(home: Path) -> Output:
    with JournalReader(home) as reader:
        return list(reader.read()), reader.last(), reader.generation, reader.boot


def change(home: Path, *statements: str) -> None:
    with closing(apsw.Connection(str(home / "journal.db"))) as database:
        for statement in statements:
            database.execute(statement).fetchall()


def flipped(path: Path, places: Iterator[int] | range) -> Iterator[int]:
    """Flip one bit of one byte after the other, putting each right before the next."""
    file = os.open(path, os.O_RDWR)
    try:
        for place in places:
            byte = os.pread(file, 1, place)
            os.pwrite(file, bytes([byte[0] ^ (1 << place % 8)]), place)
            yield place
            os.pwrite(file, byte, place)
    finally:
        os.close(file)


def is_detected_or_harmless(home: Path, sound: Output) -> bool:
    """Say whether a read told of damage (True), or came to the same (False); anything else fails the test."""
    try:
        found = read(home)
    except JournalError as error:
        assert any(word in str(error) for word in ("sequence", "journal.db", "journal.watermark", "identity"))
        return True
    assert found == sound
    return False


def copied(home: Path) -> None:
    (home / "copied").mkdir()
    copy_journal(Home(home), home / "copied", progress=lambda done, pages: None)


@contextmanager
def a_running_journal(home: Path, last: int) -> Iterator[Path]:
    """Give a copy of a journal as a process that is killed now would leave it, its log not yet copied."""
    copy = home.parent / "copy"
    with closing(Journal.open(home)) as journal:
        for seq in range(1, last + 1):
            journal.append(drafts(seq, seq))
        shutil.copytree(home, copy)
        (copy / "journal.db-shm").unlink()
        os.truncate(copy / "journal.db-wal", written(copy / "journal.db-wal"))
        yield copy


def written(log: Path) -> int:
    """Return how many bytes of a log are written; the rest is there to be written over.

    The header has the size of a page at 8 and the salt at 16, each frame the salt at 8: https://sqlite.org/walformat.html
    """
    content = log.read_bytes()
    frame = 24 + int.from_bytes(content[8:12], "big")
    end = 32
    while content[end + 8 : end + 16] == content[16:24]:
        end += frame
    return end


def test_any_flipped_byte_of_the_database_is_detected_or_changes_nothing(tmp_path: Path) -> None:
    home = make(tmp_path / "home", 6)
    for table in ("orders", "fills", "positions", "equity", "sentiment"):
        change(home, f"DROP TABLE {table}")
    # Small pages make a small database, of which every byte can be tried.
    change(home, "PRAGMA journal_mode=DELETE", "PRAGMA page_size=512", "VACUUM", "PRAGMA journal_mode=WAL")
    sound = read(home)
    size = (home / "journal.db").stat().st_size

    found = [is_detected_or_harmless(home, sound) for _ in flipped(home / "journal.db", range(size))]

    assert len(found) == size > 4_000
    assert sum(found) > size / 8


def test_any_flipped_byte_of_the_watermark_is_detected_or_changes_nothing(tmp_path: Path) -> None:
    home = make(tmp_path / "home", 6, groups=3)
    sound = read(home)
    marks = {read_mark(home / "journal.watermark") for _ in flipped(home / "journal.watermark", range(FILE_BYTES))}

    found = [
        is_detected_or_harmless(home, sound)
        for slot in (0, SLOT_BYTES)
        for _ in flipped(home / "journal.watermark", range(slot, slot + 30))
    ]

    assert {mark.seq for mark in marks if mark is not None} == {4, 6}
    assert not any(found)


def test_any_flipped_byte_of_the_log_is_detected_or_changes_nothing(tmp_path: Path) -> None:
    with a_running_journal(tmp_path / "home", 12) as copy:
        sound = read(copy)
        (copy / "journal.db-shm").unlink(missing_ok=True)
        log = (copy / "journal.db-wal").read_bytes()
        places = sorted(random.Random(7).sample(range(len(log)), 300))

        found = []
        for place in places:
            (copy / "journal.db-wal").write_bytes(log[:place] + bytes([log[place] ^ 255]) + log[place + 1 :])
            found.append(is_detected_or_harmless(copy, sound))
            (copy / "journal.db-shm").unlink(missing_ok=True)

    assert sum(found) > len(places) / 2


def test_what_lies_behind_the_end_of_the_log_changes_nothing(tmp_path: Path) -> None:
    with a_running_journal(tmp_path / "home", 5) as copy:
        sound, end = read(copy), (copy / "journal.db-wal").stat().st_size
        log = (copy / "journal.db-wal").read_bytes()
        whole = (tmp_path / "home" / "journal.db-wal").read_bytes()
        assert whole == log + bytes(LOG_BYTES - end)

        for behind in (bytes(4_119), bytes(10_000), b"\xff" * 10_000, log[32:], log[32:9_000]):
            (copy / "journal.db-shm").unlink(missing_ok=True)
            (copy / "journal.db-wal").write_bytes(log + behind)
            assert read(copy) == sound


def test_a_disk_without_room_for_a_long_log_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "home", 2)

    pwrite = os.pwrite

    def nearly_full(file: int, content: bytes, place: int) -> int:
        if len(content) > 100_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(file, content, place)

    monkeypatch.setattr(os, "pwrite", nearly_full)
    with closing(Journal.open(tmp_path / "home")) as journal:
        journal.append(drafts(3, 3))

    with closing(Journal.open(tmp_path / "home")) as journal:
        assert journal.last_seq == 3


def test_a_log_that_was_cut_anywhere_is_detected_by_the_watermark(tmp_path: Path) -> None:
    with a_running_journal(tmp_path / "home", 5) as copy:
        size = (copy / "journal.db-wal").stat().st_size
        for length in range(size - 1, 0, -4096):
            os.truncate(copy / "journal.db-wal", length)

            with pytest.raises(JournalDamaged, match=r"to reach sequence 5|no such table: identity"):
                Journal.open(copy)


def test_opening_a_damaged_journal_leaves_every_byte_of_it_as_it_was(tmp_path: Path) -> None:
    with a_running_journal(tmp_path / "home", 5) as copy:
        log = copy / "journal.db-wal"
        os.truncate(log, log.stat().st_size - 1)
        before = {path.name: path.read_bytes() for path in copy.iterdir()}

        with pytest.raises(JournalDamaged):
            Journal.open(copy)

        after = {path.name: path.read_bytes() for path in copy.iterdir() if path.name != "journal.db-shm"}
        assert after == before


def test_any_flipped_byte_is_found_by_verify_or_changes_nothing_in_any_table(tmp_path: Path) -> None:
    home = make(tmp_path / "home", 9)
    change(home, "PRAGMA journal_mode=DELETE", "PRAGMA page_size=1024", "VACUUM", "PRAGMA journal_mode=WAL")
    size = (home / "journal.db").stat().st_size
    places = sorted(random.Random(11).sample(range(size), 250))

    def content() -> list[object]:
        with closing(apsw.Connection(str(home / "journal.db"), flags=apsw.SQLITE_OPEN_READONLY)) as database:
            orders = database.execute("SELECT * FROM orders ORDER BY client_id").fetchall()
        return [read(home), orders]

    sound = content()
    found = []
    for _ in flipped(home / "journal.db", iter(places)):
        is_sound = verify_is_sound(home)
        found.append(not is_sound)
        if is_sound:
            assert content() == sound

    assert sum(found) > 25


def verify_is_sound(home: Path) -> bool:
    try:
        return verify(home).is_sound
    except JournalError:
        return False


@pytest.mark.parametrize("attempt", [Journal.open, read])
def test_rows_missing_from_the_end_are_detected_by_the_watermark(
    tmp_path: Path, attempt: Callable[[Path], object]
) -> None:
    home = make(tmp_path / "home", 9)
    change(home, "DELETE FROM events WHERE seq > 7")

    with pytest.raises(JournalDamaged, match=r"expected the journal to reach sequence 9, .* ends at 7") as caught:
        attempt(home)
    assert caught.value.sequence == 8


@pytest.mark.parametrize("attempt", [Journal.open, read])
def test_another_history_of_the_same_length_is_detected_by_the_watermark(
    tmp_path: Path, attempt: Callable[[Path], object]
) -> None:
    home, other = make(tmp_path / "home", 9), tmp_path / "other"
    with closing(Journal.open(other)) as journal:
        journal.append([*drafts(1, 8), Draft(9, 0, 0, "Offered", 1, "feed", 1, 0, 0, 0, b"{}")])
    shutil.copy(other / "journal.db", home / "journal.db")

    with pytest.raises(JournalDamaged, match=r"expected the hash of sequence 9 to be as .*watermark says"):
        attempt(home)


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("DELETE FROM events WHERE seq = 4", 4),
        ("UPDATE events SET payload = '' WHERE seq = 5", 5),
        ("UPDATE events SET wall = wall + 1 WHERE seq = 6", 6),
        ("UPDATE events SET actor = 'x' WHERE seq = 1", 1),
        ("UPDATE events SET hash = x'00112233445566778899aabbccddeeff' WHERE seq = 2", 2),
        ("UPDATE events SET kind = CAST(x'ff' AS TEXT) WHERE seq = 3", 3),
    ],
)
def test_a_record_that_was_changed_is_named_by_its_sequence(tmp_path: Path, statement: str, place: int) -> None:
    home = make(tmp_path / "home", 9)
    change(home, statement.replace("''", "x''"))

    for attempt in (Journal.open, read):
        with pytest.raises(JournalDamaged, match=f"sequence {place}") as caught:
            attempt(home)
        assert caught.value.sequence == place
    assert place in {finding.sequence for finding in verify(home).findings}


def test_a_record_that_is_missing_is_told_from_one_that_was_changed(tmp_path: Path) -> None:
    home = make(tmp_path / "home", 9)
    change(home, "DELETE FROM events WHERE seq = 4")

    with pytest.raises(JournalDamaged, match="expected sequence 4 in the journal, found 5"):
        Journal.open(home)


def test_opening_checks_a_short_journal_whole(tmp_path: Path) -> None:
    home = make(tmp_path / "home", 9)
    with closing(Journal.open(home)) as journal:
        journal.save_states(6, {"positions": (1, b"state")})
    change(home, "UPDATE events SET wall = 0 WHERE seq = 2")

    with pytest.raises(JournalDamaged, match="sequence 2"):
        Journal.open(home)


def test_opening_checks_of_a_long_journal_what_no_sound_snapshot_vouches_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "CHECKED_WHOLE_MAX", 8)
    home = make(tmp_path / "home", 9)
    with closing(Journal.open(home)) as journal:
        journal.save_states(3, {"positions": (1, b"state")})
        journal.save_states(6, {"positions": (1, b"state")})
    change(home, "UPDATE events SET wall = 0 WHERE seq = 5")

    Journal.open(home).close()
    change(home, "UPDATE snapshots SET state = x'00' WHERE seq = 6")
    with pytest.raises(JournalDamaged, match="sequence 5"):
        Journal.open(home)


def test_a_tail_that_was_never_acknowledged_may_be_cut(tmp_path: Path) -> None:
    with a_running_journal(tmp_path / "home", 4) as copy:
        mark = Mark(3, read(copy)[0][2].hash)
        (copy / "journal.watermark").unlink()
        with closing(Watermark(copy / "journal.watermark")) as watermark:
            watermark.write(mark)
        log = copy / "journal.db-wal"
        os.truncate(log, log.stat().st_size - 1)

        with closing(Journal.open(copy)) as journal:
            assert journal.last_seq == 3


@pytest.mark.parametrize("name", ["journal.db", "journal.watermark"])
@pytest.mark.parametrize("attempt", [Journal.open, read])
def test_a_file_that_is_gone_is_named(tmp_path: Path, name: str, attempt: Callable[[Path], object]) -> None:
    home = make(tmp_path / "home", 3)
    (home / name).unlink()

    with pytest.raises(JournalDamaged, match=f"expected .*{name}.* found no such file"):
        attempt(home)


@pytest.mark.parametrize("name", ["journal.db", "journal.watermark"])
@pytest.mark.parametrize("content", [b"nothing of ours" * 400, b"\xff" * 8192])
@pytest.mark.parametrize("attempt", [Journal.open, read])
def test_a_file_that_is_something_else_is_named(
    tmp_path: Path, name: str, content: bytes, attempt: Callable[[Path], object]
) -> None:
    home = make(tmp_path / "home", 3)
    (home / name).write_bytes(content)

    with pytest.raises(JournalDamaged, match=name):
        attempt(home)


def test_an_empty_database_where_there_was_a_journal_is_damage(tmp_path: Path) -> None:
    home = make(tmp_path / "home", 3)
    (home / "journal.db").write_bytes(b"")

    for attempt in (Journal.open, read):
        with pytest.raises(JournalDamaged):
            attempt(home)


@pytest.mark.parametrize("content", [b"", b"S"])
@pytest.mark.parametrize("attempt", [Journal.open, read, verify, copied])
def test_the_log_of_an_empty_database_is_left_as_it_is_by_whoever_looks(
    tmp_path: Path, content: bytes, attempt: Callable[[Path], object]
) -> None:
    with a_running_journal(tmp_path / "home", 20) as home:
        (home / "journal.db").write_bytes(content)
        log = (home / "journal.db-wal").read_bytes()

        with suppress(JournalDamaged):
            assert not getattr(attempt(home), "is_sound", True)
        assert (home / "journal.db-wal").read_bytes() == log


def test_a_home_without_a_journal_has_nothing_to_read(tmp_path: Path) -> None:
    (tmp_path / "journal.db").touch()

    for home in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(JournalMissing, match="expected a journal"):
            read(home)


def test_a_database_that_may_not_be_written_is_told_as_unwritable(tmp_path: Path) -> None:
    home = make(tmp_path / "home", 3)
    content = bytearray((home / "journal.db").read_bytes())
    content[18] = 3  # SQLite's sign that a newer version must not be written by an older one.
    (home / "journal.db").write_bytes(content)

    with pytest.raises(JournalUnwritable, match="journal"):
        Journal.open(home)


# -- a log that has lost a page --------------------------------------------------------------------------------------


@pytest.fixture
def log_without_root(tmp_path: Path) -> Iterator[Journal]:
    """A journal of which the log has lost what was written of the page that all records are found by."""
    make(tmp_path, 500)
    journal = Journal.open(tmp_path)
    journal.append(drafts(501, 550))
    journal.append(drafts(551, 900))
    lose_root(tmp_path)
    yield journal
    with suppress(JournalError):
        journal.close()


def lose_root(home: Path) -> None:
    with closing(apsw.Connection(str(home / "journal.db"), flags=apsw.SQLITE_OPEN_READONLY)) as database:
        root = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").get
        size = int(database.pragma("page_size"))
    log = home / "journal.db-wal"
    content = bytearray(log.read_bytes())
    for place in range(32, len(content) - size, 24 + size):
        if int.from_bytes(content[place : place + 4], "big") == root:
            content[place + 24 : place + 24 + size] = bytes(size)
    with log.open("r+b") as file:
        file.write(content)


@pytest.mark.parametrize("copy", [Journal.checkpoint, Journal.close])
def test_what_the_log_has_lost_takes_no_sound_pages_place(
    tmp_path: Path, log_without_root: Journal, copy: Callable[[Journal], None]
) -> None:
    before = (tmp_path / "journal.db").read_bytes()

    with pytest.raises(JournalDamaged):
        copy(log_without_root)

    assert (tmp_path / "journal.db").read_bytes() == before
    log_without_root.close()
    with Remains(tmp_path) as remains:
        assert sum(len(rows) for rows in remains.proven()) >= 500


@pytest.mark.parametrize("last", [30, 40, 30_000_000_030])
def test_what_lies_between_records_that_cannot_be_read_is_come_to_however_far_off_their_numbers_are(
    tmp_path: Path, last: int
) -> None:
    home = make(tmp_path / "home", 30)
    unreadable = "kind = CAST(x'ff' AS TEXT)"
    change(home, f"UPDATE events SET {unreadable} WHERE seq IN (10, 20)")
    change(home, f"UPDATE events SET {unreadable}, seq = {last} WHERE seq = 30")

    with Remains(home) as remains:
        assert sum(len(rows) for rows in remains.proven()) == 9
        assert [row[0] for row in remains.beyond()] == [*range(11, 20), *range(21, 30)]


def test_nothing_is_written_after_a_log_that_was_found_damaged(log_without_root: Journal) -> None:
    with pytest.raises(JournalDamaged):
        log_without_root.checkpoint()

    with pytest.raises(JournalUnwritable):
        log_without_root.append(drafts(901, 901))
