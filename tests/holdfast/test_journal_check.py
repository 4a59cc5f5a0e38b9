"""Laws of the check of a long journal beside a node's work: what it cannot prove ends the node, with the right code."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from holdfast import node
from holdfast.exit_codes import ExitCode
from holdfast.node import Node
from persistence.errors import JournalDamaged, JournalUnwritable
from persistence.opening import CHECKED_WHOLE_MAX


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (JournalDamaged("record 7 is another", sequence=7), ExitCode.DAMAGED),
        (JournalUnwritable("found that IOError: disk I/O error"), ExitCode.IO_ERROR),
        (OSError(5, "Input/output error"), ExitCode.IO_ERROR),
    ],
)
def test_a_long_journal_that_cannot_be_proven_ends_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Exception, code: ExitCode
) -> None:
    def check(*_what: object, **_how: object) -> None:
        raise found

    monkeypatch.setattr(node, "check_chain", check)
    ends: list[tuple[str, ExitCode]] = []
    living: Any = SimpleNamespace(
        _past=SimpleNamespace(last_seq=CHECKED_WHOLE_MAX + 1),
        _home=tmp_path,
        _over=threading.Event(),
        _log=lambda *_said, **_values: None,
        _end=lambda why, with_code: ends.append((why, with_code)),
    )

    Node._check_whole_journal(cast("Node", living))

    assert [with_code for _why, with_code in ends] == [code]
    assert str(found) in ends[0][0]
