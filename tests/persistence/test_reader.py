"""The laws of reading a journal that somebody else may be writing."""

import io
import json
import os
import shutil
import threading
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messages.codec import encode
from messages.market import MarketEnded, Offered
from persistence.chain import GENESIS
from persistence.errors import JournalDamaged
from persistence.export import export_jsonl
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.records import Draft
from persistence.scan import CHUNK


def a_draft(seq: int, at: int | None = None) -> Draft:
    kind, version, payload = encode(MarketEnded(seq) if seq % 10 == 0 else Offered("cross", seq, 1))
    return Draft(seq, seq if at is None else at, 5, kind, version, "feed", 1, seq - 1, 1, seq - 1, payload)


def drafts(first: int, last: int) -> list[Draft]:
    return [a_draft(seq) for seq in range(first, last + 1)]


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("long") / "home"
    with closing(Journal.open(home)) as journal:
        journal.append(drafts(1, 2 * CHUNK + 5))
    return home


@given(st.integers(0, 2 * CHUNK + 5), st.integers(0, 2 * CHUNK + 9))
@settings(max_examples=25, deadline=None)
def test_reading_gives_all_records_after_one_up_to_and_with_another(long: Path, after: int, until: int) -> None:
    with JournalReader(long) as reader:
        found = [record.seq for record in reader.read(after, until)]

    assert found == list(range(after + 1, min(until, 2 * CHUNK + 5) + 1))


def test_reading_some_kinds_gives_only_those_in_sequence(long: Path) -> None:
    with JournalReader(long) as reader:
        found = [(record.seq, record.kind) for record in reader.read(5, 2_000, kinds={"MarketEnded"})]
        none = list(reader.read(kinds=[]))

    assert found == [(seq, "MarketEnded") for seq in range(10, 2_001, 10)]
    assert none == []


def test_reading_after_a_sequence_that_is_not_there_is_told(long: Path) -> None:
    with JournalReader(long) as reader, pytest.raises(JournalDamaged, match="expected a record of sequence 9999"):
        list(reader.read(9_999))


def test_a_reader_sees_what_is_appended_while_it_reads(tmp_path: Path) -> None:
    with closing(Journal.open(tmp_path)) as journal, JournalReader(tmp_path) as reader:
        assert reader.last() == (0, GENESIS)
        journal.append(drafts(1, 2))
        assert reader.last() == (2, journal.last_hash)
        records = reader.read()
        assert next(records).seq == 1
        journal.append(drafts(3, CHUNK + 3))

        assert [record.seq for record in records] == list(range(2, CHUNK + 4))


def test_a_reader_that_pauses_keeps_no_transaction_open(tmp_path: Path) -> None:
    with closing(Journal.open(tmp_path)) as journal, JournalReader(tmp_path) as reader:
        journal.append(drafts(1, 2 * CHUNK))
        records = reader.read()
        next(records)

        pages, copied = journal._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

        assert (pages, copied) == (0, 0)


def test_a_journal_that_nobody_has_open_is_read_with_its_log(tmp_path: Path) -> None:
    home, copy = tmp_path / "home", tmp_path / "copy"
    with closing(Journal.open(home)) as journal:
        journal.append(drafts(1, 7))
        shutil.copytree(home, copy)
        (copy / "journal.db-shm").unlink()

    with JournalReader(copy) as reader:
        assert [record.seq for record in reader.read()] == [1, 2, 3, 4, 5, 6, 7]
        assert (reader.generation, reader.boot) == (1, 1)


def test_another_process_reads_while_this_one_writes(tmp_path: Path) -> None:
    with closing(Journal.open(tmp_path)) as journal:
        journal.append(drafts(1, 7))
        child = os.fork()
        if child == 0:
            status = 1
            try:
                with JournalReader(tmp_path) as reader:
                    status = 42 if reader.last()[0] == 7 else 2
            finally:
                os._exit(status)

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
        journal.append(drafts(8, 8))


def test_readers_in_other_threads_see_whole_commits_only(tmp_path: Path) -> None:
    seen: list[int] = []
    stop = threading.Event()

    def follow() -> None:
        with JournalReader(tmp_path) as reader:
            after = 0
            while not stop.is_set() or after < 600:
                for record in reader.read(after):
                    after = record.seq
                    seen.append(after)
                if after != reader.last()[0]:
                    continue
                assert after % 6 == 0

    with closing(Journal.open(tmp_path)) as journal:
        journal.append(drafts(1, 6))
        thread = threading.Thread(target=follow)
        thread.start()
        for first in range(7, 601, 6):
            journal.append(drafts(first, first + 5))
        stop.set()
        thread.join(20)

    assert seen == list(range(1, 601))


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    Journal.open(tmp_path).close()

    with JournalReader(tmp_path) as reader, pytest.raises(apsw.ReadOnlyError):
        reader._connection.execute("DELETE FROM events")


def test_a_reader_that_comes_to_an_end_too_early_says_so(tmp_path: Path) -> None:
    with closing(Journal.open(tmp_path)) as journal:
        journal.append(drafts(1, 9))

    with JournalReader(tmp_path) as reader:
        with closing(apsw.Connection(str(tmp_path / "journal.db"))) as other:
            other.execute("DELETE FROM events WHERE seq > 7")

        assert len(list(reader.read(until=7))) == 7
        with pytest.raises(JournalDamaged, match="expected a record of sequence 8, found none"):
            list(reader.read())


def test_the_last_sequence_at_an_instant_is_found_though_instants_may_go_back(tmp_path: Path) -> None:
    instants = [10, 20, 20, 15, 30, 40]
    with closing(Journal.open(tmp_path)) as journal:
        journal.append([a_draft(seq, at) for seq, at in enumerate(instants, 1)])

    with JournalReader(tmp_path) as reader:
        found = {at: reader.seq_at(at) for at in (9, 10, 14, 15, 19, 20, 29, 30, 39, 40, 99)}
    assert found == {9: 0, 10: 1, 14: 1, 15: 4, 19: 4, 20: 4, 29: 4, 30: 5, 39: 5, 40: 6, 99: 6}


def test_an_export_is_one_json_object_a_line_with_the_payload_decoded(tmp_path: Path) -> None:
    with closing(Journal.open(tmp_path)) as journal:
        journal.append(drafts(1, 10))
        last_hash = journal.last_hash

    out = io.BytesIO()
    with JournalReader(tmp_path) as reader:
        count = export_jsonl(reader, out)

    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert count == len(lines) == 10
    assert [line["seq"] for line in lines] == list(range(1, 11))
    assert lines[2]["payload"] == {"strategy": "cross", "at": 3, "attempt": 1}
    assert lines[9]["kind"] == "MarketEnded"
    assert lines[9]["hash"] == last_hash.hex()


@given(st.integers(0, 300), st.integers(1, 700))
@settings(max_examples=25, deadline=None)
def test_the_newest_of_a_kind_come_first_and_no_more_than_were_asked_for(long: Path, limit: int, scanned: int) -> None:
    with JournalReader(long) as reader, pytest.MonkeyPatch.context() as patch:
        patch.setattr("persistence.reader.SCANNED", scanned)
        found = [(record.seq, record.kind) for record in reader.read_newest(["MarketEnded"], limit)]

    all_of_them = [(seq, "MarketEnded") for seq in range(2 * CHUNK, 0, -10)]
    assert found == all_of_them[:limit]
