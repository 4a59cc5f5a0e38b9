"""The laws of the one thread that writes."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import apsw
import pytest

from messages.codec import encode
from messages.market import Offered
from messages.positions import EquityMarked
from persistence import writer as writer_module
from persistence.errors import JournalUnwritable
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.records import Draft
from persistence.writer import Writer

LONG_S = 30.0
"""Longer than any test waits: what happens in a test was not caused by lingering."""


def drafts(first: int, last: int) -> list[Draft]:
    events = [(seq, *encode(Offered("confidence", seq, 1))) for seq in range(first, last + 1)]
    return [Draft(seq, seq, seq, kind, version, "feed", 1, seq - 1, 0, 0, body) for seq, kind, version, body in events]


class Desk:
    """A journal with a writer, and what was heard of it."""

    def __init__(self, home: Path, cue: Callable[[str], None] = lambda _: None) -> None:
        self.journal = Journal.open(home, cue=cue)
        self.durable: list[int] = []
        self.failures: list[BaseException] = []
        self.failed = threading.Event()

    def writer(self, *, batch_max: int = 512, linger_s: float = LONG_S) -> Writer:
        return Writer(
            self.journal,
            on_durable=self.durable.append,
            on_failure=self._on_failure,
            batch_max=batch_max,
            linger_s=linger_s,
        )

    def _on_failure(self, failure: BaseException) -> None:
        self.failures.append(failure)
        self.failed.set()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    with closing(desk.journal):
        yield desk


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.001)


def until_it_sleeps(writer: Writer) -> None:
    """Wait until the thread waits, so that only being woken can make it do anything."""
    until(lambda: len(writer._work._waiters) == 1)  # type: ignore[attr-defined]


def test_nothing_is_committed_while_nobody_waits_and_the_group_is_small(desk: Desk) -> None:
    writer = desk.writer()

    writer.enqueue(drafts(1, 511))
    time.sleep(0.1)

    assert writer.durable_seq == 0
    assert writer.backlog == 511
    assert writer.close(5.0)


def test_a_group_that_is_full_is_committed(desk: Desk) -> None:
    writer = desk.writer(batch_max=16)

    writer.enqueue(drafts(1, 15))
    until_it_sleeps(writer)
    writer.enqueue(drafts(16, 17))

    until(lambda: writer.durable_seq == 16)
    assert desk.durable == [16]
    assert writer.close(5.0)
    assert desk.durable == [16, 17]


def test_a_group_is_committed_when_it_has_lingered(desk: Desk) -> None:
    writer = desk.writer(linger_s=0.02)

    for seq in (1, 2):
        writer.enqueue(drafts(seq, seq))
        until(lambda seq=seq: writer.durable_seq == seq)  # type: ignore[misc]

    assert desk.durable == [1, 2]
    assert writer.close(5.0)


def test_hurry_commits_what_is_enqueued_in_one_group(desk: Desk) -> None:
    writer = desk.writer()
    writer.enqueue(drafts(1, 3))
    until_it_sleeps(writer)
    writer.enqueue(drafts(4, 9))
    until_it_sleeps(writer)

    writer.hurry(5)

    until(lambda: writer.durable_seq == 9)
    assert desk.durable == [9]
    assert writer.close(5.0)


def test_a_sequence_may_be_hurried_before_it_is_enqueued(desk: Desk) -> None:
    writer = desk.writer()
    writer.hurry(2)
    until_it_sleeps(writer)

    writer.enqueue(drafts(1, 2))
    until(lambda: writer.durable_seq == 2)

    writer.enqueue(drafts(3, 3))
    time.sleep(0.05)
    assert writer.durable_seq == 2
    assert writer.close(5.0)


def test_a_hurried_sequence_is_not_overtaken_by_the_size_of_a_group(desk: Desk) -> None:
    writer = desk.writer(batch_max=4)
    writer.enqueue(drafts(1, 3))

    writer.hurry(11)
    writer.enqueue(drafts(4, 6))
    until(lambda: writer.durable_seq == 6)
    until_it_sleeps(writer)
    writer.enqueue(drafts(7, 11))

    until(lambda: writer.durable_seq == 11)
    assert desk.durable[-1] == 11
    assert desk.durable == sorted(desk.durable)
    assert writer.close(5.0)


def test_waiting_hurries_and_says_whether_it_is_durable(desk: Desk) -> None:
    writer = desk.writer()
    writer.enqueue(drafts(1, 3))

    assert writer.wait(3, LONG_S)
    assert writer.wait(1, 0.0)
    assert not writer.wait(4, 0.01)
    assert desk.durable == [3]
    assert writer.close(5.0)


def test_what_is_told_durable_is_on_disk_when_it_is_told(tmp_path: Path) -> None:
    seen = []
    with closing(Journal.open(tmp_path)) as journal, JournalReader(tmp_path) as reader:

        def check(seq: int) -> None:
            seen.append((seq, reader.last()[0]))

        writer = Writer(journal, on_durable=check, on_failure=lambda _: None)
        for seq in range(1, 31):
            writer.enqueue(drafts(seq, seq))
            assert writer.wait(seq, LONG_S)
        assert writer.close(5.0)

    assert seen == [(seq, seq) for seq in range(1, 31)]


def test_no_wake_up_is_lost_however_threads_interleave(desk: Desk) -> None:
    writer = desk.writer()
    lock = threading.Lock()
    last = [0]
    problems: list[str] = []

    def work() -> None:
        for _ in range(60):
            with lock:
                first = last[0] + 1
                last[0] += 1 + first % 3
                mine = last[0]
                writer.enqueue(drafts(first, mine))
            if not writer.wait(mine, 10.0):
                problems.append(f"{mine} was not durable in time")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)

    assert problems == []
    assert writer.durable_seq == last[0]
    assert desk.durable == sorted(set(desk.durable))
    assert writer.close(5.0)


def test_a_job_runs_on_the_writers_thread_after_what_was_enqueued_before_it(desk: Desk) -> None:
    writer = desk.writer()
    ran: list[tuple[str, int]] = []
    writer.enqueue(drafts(1, 5))

    until_it_sleeps(writer)
    writer.run(lambda journal: ran.append((threading.current_thread().name, journal.last_seq)))
    writer.run(lambda journal: journal.save_states(5, {"positions": (1, b"state")}))

    until(lambda: bool(ran))
    assert ran == [("journal-writer", 5)]
    assert writer.close(5.0)
    with JournalReader(desk.journal._home.folder) as reader:
        assert reader.state_of("positions", version=1) == (5, b"state")


def test_closing_commits_what_is_left_and_does_the_jobs(desk: Desk) -> None:
    writer = desk.writer(batch_max=2)
    ran: list[int] = []
    writer.enqueue(drafts(1, 5))
    writer.run(lambda journal: ran.append(journal.last_seq))

    assert writer.close(5.0)

    assert (writer.durable_seq, desk.journal.last_seq, ran) == (5, 5, [5])
    assert writer.close(5.0)
    with pytest.raises(JournalUnwritable, match="its writer was closed"):
        writer.enqueue(drafts(6, 6))
    with pytest.raises(JournalUnwritable, match="its writer was closed"):
        writer.run(lambda journal: None)


def test_closing_says_so_when_it_was_not_done_in_time(tmp_path: Path) -> None:
    stuck = threading.Event()
    desk = Desk(tmp_path, lambda cue: None if cue != "journal.before_commit" else (stuck.wait(20.0), None)[1])
    writer = desk.writer()
    writer.enqueue(drafts(1, 1))

    assert not writer.close(0.05)
    stuck.set()
    assert writer.close(5.0)
    desk.journal.close()


def test_after_a_failure_it_is_told_once_and_nothing_more_is_taken(tmp_path: Path) -> None:
    commits = []

    def pull(cue: str) -> None:
        if cue == "journal.before_commit":
            commits.append(cue)
            if len(commits) == 2:
                raise apsw.IOError("disk I/O error")

    desk = Desk(tmp_path, pull)
    writer = desk.writer()
    writer.enqueue(drafts(1, 2))
    assert writer.wait(2, LONG_S)
    writer.enqueue(drafts(3, 4))

    began_at_s = time.monotonic()
    assert not writer.wait(4, LONG_S)
    assert time.monotonic() - began_at_s < LONG_S / 2

    assert desk.failed.wait(5.0)
    attempts: list[Callable[[], None]] = [lambda: writer.enqueue(drafts(5, 5)), lambda: writer.run(lambda _: None)]
    for attempt in attempts:
        with pytest.raises(JournalUnwritable, match="disk I/O error"):
            attempt()
    assert writer.close(5.0)
    assert [type(failure) for failure in desk.failures] == [JournalUnwritable]
    assert (desk.durable, writer.durable_seq, len(commits)) == ([2], 2, 2)
    desk.journal.close()


@pytest.mark.parametrize("place", ["job", "listener"])
def test_an_error_of_a_job_or_a_listener_is_a_failure_too(tmp_path: Path, place: str) -> None:
    desk = Desk(tmp_path)

    def fail(_: object) -> None:
        raise KeyError(place)

    on_durable = fail if place == "listener" else desk.durable.append
    writer = Writer(desk.journal, on_durable=on_durable, on_failure=desk._on_failure)
    writer.enqueue(drafts(1, 1))
    if place == "job":
        writer.run(fail)
    writer.hurry(1)

    assert desk.failed.wait(5.0)

    assert [type(failure) for failure in desk.failures] == [KeyError]
    assert writer.close(5.0)
    desk.journal.close()


def test_who_waits_does_not_wait_for_the_tables_which_follow_when_there_is_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "TABLES_LAG_S", 0.2)
    mark = EquityMarked(60, Decimal(10), Decimal(9), Decimal(1), Decimal(0), Decimal(0))
    writer = desk.writer()
    until_it_sleeps(writer)

    writer.expect(1)
    writer.enqueue([Draft(1, 1, 1, *encode(mark)[:2], "positions", 1, 0, 0, 0, encode(mark)[2])])
    writer.commit_here()

    assert writer.durable_seq == 1
    assert desk.journal.tables_lag
    until(lambda: not desk.journal.tables_lag)
    assert desk.journal._connection.execute("SELECT seq FROM equity").fetchall() == [(1,)]
    assert writer.close(5.0)
    assert not desk.failures
