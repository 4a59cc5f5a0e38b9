"""A state that is too large for a snapshot is done without: the node goes on, and starts from its whole past."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from gateways.sample import SampleMarket
from holdfast.config.loading import load_settings
from holdfast.parts import Parts, gather
from holdfast.recovery import JournalRecorder
from holdfast.replay import verify_everything
from holdfast.staging import StagedNode
from messages.codec import encode
from messages.node import StateMarked
from persistence.journal import Journal
from persistence.snapshots import STATE_BYTES_MAX
from supervision import CrashReport, Recorded

HOARDER = f'''
class Hoarder:
    """Remembers how many bars it was given, and far too much beside that."""

    timeframes = ("1h",)

    def __init__(self, symbols, parameters):
        self.bars = 0

    def on_bar(self, bar):
        self.bars += 1

    def on_score(self, score):
        pass

    def propose(self, view):
        return []

    def save(self):
        return {{"bars": self.bars, "hoard": "x" * {STATE_BYTES_MAX}}}

    def restore(self, state):
        self.bars = state["bars"]
'''


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    file, config = tmp_path / "hoarder.py", tmp_path / "config.toml"
    file.write_text(HOARDER)
    config.write_text(f'[strategies.ema_cross]\n[strategies.hoarder]\nclass = "{file}:Hoarder"\n')
    overrides = ("feed.speed=max", "journal.snapshot_every=1000")
    settings = load_settings(config, environ={}, overrides=overrides).settings
    return msgspec.structs.replace(gather(settings, folder=tmp_path), source=SampleMarket(days=2))


def kept_in(home: Path) -> set[str]:
    """Return the actors there are snapshots of."""
    with closing(sqlite3.connect(f"file:{home / 'journal.db'}?mode=ro", uri=True)) as connection:
        return {name for (name,) in connection.execute("SELECT actor FROM snapshots")}


@pytest.mark.slow
def test_a_node_goes_on_and_starts_again_without_a_snapshot_that_is_too_large(parts: Parts, tmp_path: Path) -> None:
    home, said = tmp_path / "home", list[str]()
    note = lambda level, event, **values: said.append(event)  # noqa: E731
    with StagedNode(parts, home, seed=1, log=note) as node:
        node.run(lambda: node.counted("StateHashed") >= 2)
        node.commit()
        reports = node.reports
    with StagedNode(parts, home, seed=1, log=note) as node:
        node.run()
        node.commit()
        reports += node.reports
        assert node.ended

    checks = {check.name: check for check in verify_everything(home)}
    assert [report for report in reports if isinstance(report, CrashReport)] == []
    assert "snapshot.left_out" in said
    assert "strategy.hoarder" not in kept_in(home)
    assert {"strategy.ema_cross", "positions", "executor", "feed"} <= kept_in(home)
    assert [problem for check in checks.values() for problem in check.problems] == []
    assert checks["states"].checked >= 3


def test_the_journals_writer_goes_on_after_a_state_that_it_could_not_keep(tmp_path: Path) -> None:
    failures: list[BaseException] = []
    with closing(Journal.open(tmp_path / "home")) as journal:
        recorder = JournalRecorder(journal, linger_s=0.001, on_failure=failures.append)
        recorder.enqueue([marked(1)])
        recorder.keep_states(1, {"feed": (1, b"x" * (STATE_BYTES_MAX + 1))})
        recorder.enqueue([marked(2)])
        written = recorder.wait(2, 30.0)
        closed = recorder.close()

    assert (written, closed, failures) == (True, True, [])
    assert kept_in(tmp_path / "home") == set()


def marked(seq: int) -> Recorded:
    event = StateMarked("a test")
    kind, version, payload = encode(event)
    return Recorded(seq, 0, 0, kind, version, "archivist", 1, 0, seq, 0, payload, event)
