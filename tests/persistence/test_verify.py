"""The laws of verification: what is sound is called sound, and what is not is named."""

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from messages.codec import encode
from messages.market import Offered
from persistence.errors import JournalMissing
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.records import Draft, Record
from persistence.verify import FINDINGS_MAX, verify

LAST = 2_500


def drafts(first: int, last: int) -> list[Draft]:
    events = [(seq, *encode(Offered("confidence", seq, 1))) for seq in range(first, last + 1)]
    return [Draft(seq, seq, seq, kind, version, "feed", 1, seq - 1, 0, 0, body) for seq, kind, version, body in events]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with closing(Journal.open(tmp_path)) as journal:
        journal.append(drafts(1, LAST))
        journal.save_states(2_000, {"positions": (1, b"state"), "breaker": (1, b"state")})
    return tmp_path


def change(home: Path, statement: str) -> None:
    with closing(apsw.Connection(str(home / "journal.db"))) as database:
        database.execute(statement).fetchall()


def places(home: Path) -> list[tuple[str, int | None]]:
    return [(finding.place, finding.sequence) for finding in verify(home).findings]


def test_a_sound_journal_is_called_sound_with_its_end(home: Path) -> None:
    with JournalReader(home) as reader:
        last = reader.last()

    found = verify(home)

    assert found.is_sound
    assert (found.events, found.last_seq, found.last_hash) == (LAST, *last)


def test_a_journal_is_verified_while_it_is_written(home: Path) -> None:
    with closing(Journal.open(home)) as journal:
        journal.append(drafts(LAST + 1, LAST + 5))

        def append_now_and_then(record: Record) -> None:
            if record.seq % 250 == 0:
                journal.append(drafts(journal.last_seq + 1, journal.last_seq + 1))

        found = verify(home, watch=append_now_and_then)

        assert found.is_sound
        assert found.last_seq == LAST + 5
        assert journal.last_seq == LAST + 15


def test_every_break_of_the_chain_is_named_once(home: Path) -> None:
    change(home, "UPDATE events SET payload = x'00' WHERE seq IN (3, 1000, 1001)")
    change(home, "DELETE FROM events WHERE seq IN (50, 2000)")

    assert places(home) == [
        ("chain", 3),
        ("chain", 50),
        ("chain", 1000),
        ("chain", 1001),
        ("chain", 2000),
        ("snapshots", 2000),
        ("snapshots", 2000),
    ]


def test_a_hash_that_was_changed_breaks_its_own_record_and_the_next(home: Path) -> None:
    change(home, "UPDATE events SET hash = x'00112233445566778899aabbccddeeff' WHERE seq = 7")

    assert places(home) == [("chain", 7), ("chain", 8)]


def test_a_watermark_that_was_not_reached_is_named(home: Path) -> None:
    change(home, f"DELETE FROM events WHERE seq > {LAST - 2}")

    assert places(home) == [("watermark", LAST - 1)]


def test_a_snapshot_that_was_changed_is_named(home: Path) -> None:
    change(home, "UPDATE snapshots SET version = 2 WHERE actor = 'breaker'")

    found = verify(home)

    assert [(finding.place, finding.sequence) for finding in found.findings] == [("snapshots", 2_000)]
    assert "breaker" in found.findings[0].sentence


def test_findings_end_at_their_limit(home: Path) -> None:
    change(home, "UPDATE events SET payload = x'00'")

    assert len(verify(home).findings) == FINDINGS_MAX


def test_the_watcher_is_shown_every_record_up_to_the_first_break(home: Path) -> None:
    seen: list[Record] = []
    verify(home, watch=seen.append)
    assert [record.seq for record in seen] == list(range(1, LAST + 1))

    change(home, "UPDATE events SET payload = x'00' WHERE seq = 1500")
    seen.clear()
    verify(home, watch=seen.append)
    assert [record.seq for record in seen] == list(range(1, 1_500))


def test_a_home_without_a_journal_has_nothing_to_verify(tmp_path: Path) -> None:
    with pytest.raises(JournalMissing):
        verify(tmp_path / "nowhere")


def test_a_journal_that_is_gone_is_a_finding(home: Path) -> None:
    (home / "journal.db").unlink()

    assert places(home) == [("watermark", None)]
