"""What books and account differed in, and what was done about it, from the journal alone."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from actors.reconciler import told
from domain.reconciliation import Finding
from messages.codec import decode
from messages.node import OperatorCommanded
from messages.reconciliation import Reconciled
from persistence.reader import JournalReader

DONE = {
    "report": "left alone",
    "adopt": "taken into the books",
    "protect": "taken into the books, and protected by a stop",
    "flatten": "taken into the books, and sold",
    "halt": "no entry until an operator resumes",
}
OVER = {
    "report": "no: left alone",
    "adopt": "no: adopted",
    "protect": "no: adopted, with a stop",
    "flatten": "no: adopted, and sold",
}
"""Whether a difference is still in force, by its policy; what halts is, until somebody resumes."""


def done_about(finding: Finding) -> str:
    """Say what becomes of a difference."""
    return "cancelled" if finding.policy == "flatten" and not finding.is_about_money else DONE[finding.policy]


def conflicts(home: Path, count: int) -> list[dict[str, Any]]:
    """Return the newest differences of this and of earlier processes, the newest first; instants in market time.

    Raises:
        JournalError: the journal cannot be read.
    """
    with JournalReader(home) as reader:
        return list(islice(_conflicts(reader), count))


def _conflicts(reader: JournalReader) -> Iterator[dict[str, Any]]:
    resumed = _newest_resume(reader)
    for record in reader.read_newest(["Reconciled"]):
        event = decode(record.kind, record.version, record.payload)
        assert isinstance(event, Reconciled)
        for finding in event.findings:
            told_of = {"at": record.at, "seq": record.seq, "why": event.why, "strategy": event.by} | told(finding)
            yield told_of | {"in_force": _in_force(finding, is_resumed=resumed > record.seq)}


def _in_force(finding: Finding, *, is_resumed: bool) -> str:
    if finding.policy == "halt":
        return "no: resumed" if is_resumed else "yes"
    return "no: cancelled" if finding.policy == "flatten" and not finding.is_about_money else OVER[finding.policy]


def _newest_resume(reader: JournalReader) -> int:
    """Return the sequence at which an operator has resumed for the last time; 0 where nobody has."""
    for record in reader.read_newest(["OperatorCommanded"]):
        command = decode(record.kind, record.version, record.payload)
        assert isinstance(command, OperatorCommanded)
        if command.command == "resume":
            return record.seq
    return 0
