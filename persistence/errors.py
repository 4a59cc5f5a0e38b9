"""What may be wrong with a journal.  Every sentence says what was expected, what was found, and where."""


class JournalError(Exception):
    """Something is wrong with a journal or with what was asked of it."""


class JournalMissing(JournalError):
    """There is no journal in this home."""


class JournalLocked(JournalError):
    """Another process holds the journal."""


class JournalTooNew(JournalError):
    """The journal was written by a newer program."""


class JournalDamaged(JournalError):
    """The journal is not what was written: a sequence is missing or changed, or a file cannot be read.

    `sequence` is the record concerned, where it is about one.
    """

    def __init__(self, sentence: str, *, sequence: int | None = None) -> None:
        super().__init__(sentence)
        self.sequence = sequence


class JournalUnwritable(JournalError):
    """The operating system or SQLite would not read or write; nothing more may be written to these files."""


class DraftRefused(JournalError):
    """What was to be appended cannot be: it is out of sequence, too large or malformed.  Nothing was written."""


class SqliteUnfit(JournalError):
    """The SQLite library in use is not one that a journal may be trusted to."""
