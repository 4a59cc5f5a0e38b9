"""The one writer: it commits in groups what others enqueue, and says what is durable."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

from persistence.errors import JournalUnwritable
from persistence.journal import Journal
from persistence.records import Draft

Job = Callable[[Journal], None]

BATCH_MAX = 512
LINGER_S = 0.050
TABLES_LAG_S = 0.5
"""How long the tables for people and tools may tell less than the events, where nothing more is written."""


class Writer:
    """Commits when somebody waits, when enough has gathered, or a moment after the first of a group came.

    From its start on the journal belongs to the writer, until `close` has returned True.  One thread at a time has it
    in hand: the writer's own, or one that waits and commits for itself.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        on_durable: Callable[[int], None],
        on_failure: Callable[[BaseException], None],
        batch_max: int = BATCH_MAX,
        linger_s: float = LINGER_S,
    ) -> None:
        """Start the thread.

        `on_durable` hears the last sequence of each commit, in order; `on_failure` hears once why nothing more is
        written.  Both are called on the thread that committed, which then holds no lock.
        """
        self._journal = journal
        self._on_durable = on_durable
        self._on_failure = on_failure
        self._batch_max = batch_max
        self._linger_s = linger_s
        self._queue: deque[Draft] = deque()
        self._jobs: deque[tuple[int, Job]] = deque()
        self._enqueued_seq = self._durable_seq = self._wanted_seq = journal.last_seq
        self._first_at_s = 0.0
        self._is_asleep = False
        """The thread waits until it is woken."""
        self._has_time = False
        """The thread was not woken for a while."""
        self._is_busy = False
        """Somebody has the journal in hand."""
        self._closing = False
        self._failure: BaseException | None = None
        lock = threading.Lock()
        self._work = threading.Condition(lock)
        self._progress = threading.Condition(lock)
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    @property
    def durable_seq(self) -> int:
        """The last sequence that is on disk."""
        return self._durable_seq

    @property
    def backlog(self) -> int:
        """How many drafts wait to be committed."""
        return self._enqueued_seq - self._durable_seq

    def enqueue(self, drafts: Sequence[Draft]) -> None:
        """Take drafts that continue the sequence; returns before they are durable.

        Raises:
            JournalUnwritable: the writer has failed or was closed.
        """
        if not drafts:
            return
        with self._work:
            self._demand_open()
            if not self._queue:
                self._first_at_s = monotonic()
            self._queue.extend(drafts)
            self._enqueued_seq = drafts[-1].seq
            if self._is_asleep or len(self._queue) >= self._batch_max or drafts[0].seq <= self._wanted_seq:
                self._work.notify()

    def hurry(self, seq: int) -> None:
        """Have everything up to a sequence committed without lingering, also if it is enqueued only later."""
        with self._work:
            if seq > self._wanted_seq:
                self._wanted_seq = seq
                self._work.notify()

    def expect(self, seq: int) -> None:
        """As `hurry`, by who is about to `commit_here`: the writer's own thread is not woken for it."""
        with self._work:
            self._wanted_seq = max(self._wanted_seq, seq)

    def commit_here(self) -> None:
        """Commit on the caller's thread what somebody waits for; return at once where it is being done already.

        Where a send waits and its thread has nothing better to do, that saves two changes of threads.
        """
        with self._work:
            if self._is_busy or self._failure is not None or not self._is_waited_for():
                return
            batch = self._take()
        self._guarded(lambda: self._commit(batch, tables_follow=True))

    def run(self, job: Job) -> None:
        """Have a job done on the writer's thread, once all that is enqueued now is durable.

        Raises:
            JournalUnwritable: the writer has failed or was closed.
        """
        with self._work:
            self._demand_open()
            self._jobs.append((self._enqueued_seq, job))
            self._wanted_seq = max(self._wanted_seq, self._enqueued_seq)
            self._work.notify()

    def wait(self, seq: int, timeout_s: float) -> bool:
        """Wait until a sequence is durable; say whether it is."""
        self.hurry(seq)
        with self._progress:
            self._progress.wait_for(lambda: self._durable_seq >= seq or self._failure is not None, timeout_s)
            return self._durable_seq >= seq

    def close(self, timeout_s: float) -> bool:
        """Commit what is left, do the jobs, end the thread; say whether it has ended in time."""
        with self._work:
            self._closing = True
            self._work.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while self._guarded(self._do_next):
            pass

    def _guarded(self, work: Callable[[], bool]) -> bool:
        """Do something and return what it says, False where it failed: then nothing is written any more."""
        try:
            return work()
        except BaseException as failure:  # noqa: BLE001  # Whatever it is, it must be told.
            self._fail(failure)
            return False

    def _do_next(self) -> bool:
        """Commit the next group, or do the next job; say whether there may be more to do."""
        with self._work:
            while not self._is_due():
                if self._closing and not self._queue and not self._is_busy:
                    return False
                self._rest()
            job = self._next_job()
            batch = [] if job else self._take()
            self._is_busy = True
        return self._do(job) if job is not None else self._commit(batch)

    def _next_job(self) -> Job | None:
        """Return the job that is due; with nothing to commit, that is to let the tables follow."""
        if self._is_job_due():
            return self._jobs.popleft()[1]
        return None if self._queue else Journal.catch_up

    def _rest(self) -> None:
        """Wait for work; with a group that lingers, until it has, whatever else comes: who is awake is not woken."""
        patience_s = None if self._is_busy else self._patience_s()
        self._is_asleep = patience_s is None
        was_woken = self._work.wait(TABLES_LAG_S if self._is_asleep else patience_s)
        self._has_time = self._is_asleep and not was_woken
        self._is_asleep = False

    def _do(self, job: Job) -> bool:
        job(self._journal)
        self._let_go()
        return True

    def _take(self) -> list[Draft]:
        self._is_busy = True
        self._first_at_s = monotonic()
        return [self._queue.popleft() for _ in range(min(len(self._queue), self._batch_max))]

    def _commit(self, batch: list[Draft], *, tables_follow: bool = False) -> bool:
        self._journal.append(batch, tables_follow=tables_follow)
        with self._progress:
            self._durable_seq = batch[-1].seq
            self._progress.notify_all()
        self._on_durable(batch[-1].seq)
        self._journal.checkpoint_if_due()
        self._let_go()
        return True

    def _let_go(self) -> None:
        with self._work:
            self._is_busy = False
            if self._is_due() or self._closing:
                self._work.notify()

    def _is_job_due(self) -> bool:
        return bool(self._jobs) and self._jobs[0][0] <= self._durable_seq

    def _is_due(self) -> bool:
        if self._is_busy:
            return False
        if self._is_job_due() or self._is_waited_for():
            return True
        if not self._queue:
            return self._has_time and self._journal.tables_lag
        return self._closing or len(self._queue) >= self._batch_max or self._patience_s() == 0.0

    def _is_waited_for(self) -> bool:
        return bool(self._queue) and self._queue[0].seq <= self._wanted_seq

    def _patience_s(self) -> float | None:
        """Return how long a group may still gather; None while there is none."""
        return max(0.0, self._first_at_s + self._linger_s - monotonic()) if self._queue else None

    def _fail(self, failure: BaseException) -> None:
        with self._progress:
            self._failure = failure
            self._progress.notify_all()
        self._on_failure(failure)

    def _demand_open(self) -> None:
        if self._failure is not None:
            raise JournalUnwritable(f"expected a journal that is written, found that {self._failure}")
        if self._closing:
            raise JournalUnwritable("expected a journal that is written, found that its writer was closed")
