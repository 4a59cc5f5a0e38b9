"""Laws of the log: whoever speaks, and however many at once, each line is written once and whole."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from holdfast import logs
from holdfast.config.settings import Log
from holdfast.logs import NodeLog

SPEAKERS = 6
LINES = 400


@pytest.fixture
def _hurried() -> Iterator[None]:
    """Let threads take turns far more often than they would."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hurried")
def test_no_line_is_lost_though_many_speak_while_the_file_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES_MAX", 10_000)
    monkeypatch.setattr(logs, "FILES_KEPT", 1_000)

    with closing(NodeLog(Log(), tmp_path)) as log:
        speakers = [threading.Thread(target=speak, args=(log, number)) for number in range(SPEAKERS)]
        for each in speakers:
            each.start()
        for each in speakers:
            each.join()

    files = list((tmp_path / "logs").iterdir())
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert {(line["speaker"], line["number"]) for line in lines} == {
        (speaker, number) for speaker in range(SPEAKERS) for number in range(LINES)
    }
    assert len(lines) == SPEAKERS * LINES
    assert "Logging error" not in capsys.readouterr().err


def speak(log: NodeLog, speaker: int) -> None:
    for number in range(LINES):
        log("info", "a.line", speaker=speaker, number=number)
