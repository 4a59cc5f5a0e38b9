"""The laws of snapshots: a cache that is never trusted further than it can be proven."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from messages.codec import encode
from messages.market import Offered
from persistence.errors import DraftRefused
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.records import Draft
from persistence.snapshots import STATE_BYTES_MAX


def drafts(first: int, last: int) -> list[Draft]:
    events = [(seq, *encode(Offered("confidence", seq, 1))) for seq in range(first, last + 1)]
    return [Draft(seq, seq, seq, kind, version, "feed", 1, seq - 1, 0, 0, body) for seq, kind, version, body in events]


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


def test_two_snapshots_of_an_actor_are_kept(journal: Journal, home: Path) -> None:
    journal.append(drafts(1, 9))
    for seq in (2, 5, 7):
        journal.save_states(seq, {"positions": (1, b"p%d" % seq), "breaker": (4, b"b%d" % seq)})

    with JournalReader(home) as reader:
        assert reader.state_of("positions", version=1) == (7, b"p7")
        assert reader.state_of("positions", version=1, upto=6) == (5, b"p5")
        assert reader.state_of("positions", version=1, upto=4) is None
        assert reader.state_of("breaker", version=4) == (7, b"b7")
        assert reader.state_of("breaker", version=5) is None
        assert reader.state_of("executor", version=1) is None


@pytest.mark.parametrize("seq", [0, 4, -1])
def test_a_state_as_of_a_sequence_that_is_not_there_is_refused(journal: Journal, seq: int) -> None:
    journal.append(drafts(1, 3))

    with pytest.raises(DraftRefused, match=f"expected a sequence from 1 to 3 to save states of, found {seq}"):
        journal.save_states(seq, {"positions": (1, b"")})


def test_a_state_above_the_limit_is_refused(journal: Journal) -> None:
    journal.append(drafts(1, 1))

    with pytest.raises(DraftRefused, match="the state of positions must have at most"):
        journal.save_states(1, {"positions": (1, bytes(STATE_BYTES_MAX + 1))})


def test_a_snapshot_that_was_changed_is_passed_over_for_the_older_one(home: Path) -> None:
    with closing(Journal.open(home)) as journal:
        journal.append(drafts(1, 9))
        journal.save_states(3, {"positions": (1, b"old")})
        journal.save_states(6, {"positions": (1, b"new")})
    raw(home, "UPDATE snapshots SET state = ? WHERE seq = 6", b"neW")

    with closing(Journal.open(home)), JournalReader(home) as reader:
        assert reader.state_of("positions", version=1) == (3, b"old")


def test_a_snapshot_of_another_history_is_passed_over(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for place, kind in ((home, "Offered"), (other, "MarketEnded")):
        with closing(Journal.open(place)) as journal:
            journal.append([Draft(1, 1, 1, kind, 1, "feed", 1, 0, 0, 0, b"{}")])
            journal.save_states(1, {"positions": (1, b"state")})
    ((checksum,),) = raw(other, "SELECT checksum FROM snapshots")
    raw(home, "UPDATE snapshots SET checksum = ?", checksum)

    with JournalReader(home) as reader:
        assert reader.state_of("positions", version=1) is None
