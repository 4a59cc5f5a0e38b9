"""Between the switchboard and the journal: records go in, a starting actor's past comes out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from msgspec.structs import astuple

from holdfast.routes import kinds_of
from messages.codec import decode
from persistence.errors import DraftRefused
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.records import Draft, Record
from persistence.writer import Writer
from supervision import Recorded, Recovered, SupervisionError

CATCH_UP_S = 60.0


class JournalRecorder:
    """The switchboard's recorder: the journal's one writer thread."""

    def __init__(self, journal: Journal, *, linger_s: float, on_failure: Callable[[BaseException], None]) -> None:
        self.on_durable: Callable[[int], None] = lambda seq: None
        self.ask_for_turn: Callable[[], bool] = lambda: False
        """Asks for a turn to `commit_here` on the thread that calls; says False where there is none to be had."""
        self._writer = Writer(journal, on_durable=self._tell_durable, on_failure=on_failure, linger_s=linger_s)

    @property
    def durable_seq(self) -> int:
        """Return the highest sequence on disk."""
        return self._writer.durable_seq

    def enqueue(self, records: Sequence[Recorded]) -> None:
        """Hand records to the writer."""
        self._writer.enqueue([draft_of(record) for record in records])

    def hurry(self, seq: int) -> None:
        """Have everything up to a sequence committed now, on the caller's thread if that takes turns."""
        if self.ask_for_turn():
            self._writer.expect(seq)
        else:
            self._writer.hurry(seq)

    def commit_here(self) -> None:
        """Commit on the caller's thread what somebody waits for."""
        self._writer.commit_here()

    def wait(self, seq: int, timeout_s: float) -> bool:
        """Wait until a sequence is on disk."""
        return self._writer.wait(seq, timeout_s)

    def keep_states(self, seq: int, states: Mapping[str, tuple[int, bytes]]) -> None:
        """Have snapshots written once everything before is."""
        self._writer.run(lambda journal: _save(journal, seq, states))

    def _tell_durable(self, seq: int) -> None:
        self.on_durable(seq)

    def close(self) -> bool:
        """Commit what is left; say whether that was done in time."""
        return self._writer.close(CATCH_UP_S)


class JournalRecovery:
    """Finds the past of a starting actor, each time with a reader of its own."""

    def __init__(self, home: Path, wait: Callable[[int, float], bool]) -> None:
        self._home = home
        self._wait = wait

    def __call__(self, name: str, *, version: int, upto: int) -> Recovered:
        """Return the newest snapshot and the records since; waits until they are on disk."""
        if not self._wait(upto, CATCH_UP_S):
            raise SupervisionError(f"the journal must reach {upto} within {CATCH_UP_S} s, did not")
        with ExitStack() as until_read:
            reader = until_read.enter_context(JournalReader(self._home))
            kept = reader.state_of(name, version=version, upto=upto)
            until_read.pop_all()
        seq, state = kept if kept is not None else (0, None)
        return Recovered(seq, state, self._records(reader, name, seq, upto))

    def _records(self, reader: JournalReader, name: str, after: int, upto: int) -> Iterator[Recorded]:
        with reader:
            # Thousands of them, and an actor is down until then: no step between the row and what is folded.
            for row in reader.read_rows(after, upto, kinds_of(name)):
                *columns, _hash = row
                yield Recorded._make((*columns, decode(columns[3], columns[4], columns[10])))


def _save(journal: Journal, seq: int, states: Mapping[str, tuple[int, bytes]]) -> None:
    # A snapshot only makes the next start quicker: one that is too large is gone without.
    with suppress(DraftRefused):
        journal.save_states(seq, states)


def draft_of(record: Recorded) -> Draft:
    """Return what the journal keeps of a record."""
    return Draft(*record)


def recorded_of(record: Record) -> Recorded:
    """Return a record of the journal as actors hear it."""
    return Recorded._make((*astuple(record)[:-1], decode(record.kind, record.version, record.payload)))
