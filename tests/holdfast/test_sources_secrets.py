"""What a source raises may hold a secret, or be endless: neither comes into the journal, or out of the node."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from domain.market import Bar
from domain.sources import Headline, SourceUnavailable
from gateways.sample import SampleMarket
from holdfast.config.loading import load_settings
from holdfast.ground import run_job
from holdfast.parts import gather
from holdfast.reports import CUT_CHARS, TEXT_CHARS_MAX, events_of, line_of
from holdfast.secrets import MASK, Secret
from holdfast.staging import StagedNode
from messages.codec import decode, encode
from messages.parts import PartCrashed
from messages.sentiment import HeadlinesUnavailable
from persistence.reader import JournalReader
from supervision import CrashReport
from supervision.errors import SAID_CHARS_MAX, said_of
from supervision.signals import STACK_CHARS_MAX as REPORT_CHARS_MAX
from tests.endurance.nodes import ROOT

PLANTED = "planted-secret-19f3aa7c"
TEXTS = {
    "alone": f"401 for https://news.example/?key={PLANTED}",
    "endless": "x" * 100_000 + PLANTED,
    "at the edge": "x" * (TEXT_CHARS_MAX - len("OSError: ") - 5) + PLANTED,
    "again and again": f"{PLANTED}, " * 10_000,
    "no characters": f"\ud800 {PLANTED}",
}


class Wordless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def failing(error: Exception) -> Callable[[], object]:
    def job() -> object:
        raise error

    return job


def said_by(error: Exception) -> str:
    """Return what who asked is told of an error."""
    found: list[object] = []
    run_job(failing(error), found.append)
    (said,) = found
    assert isinstance(said, SourceUnavailable)
    return str(said)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_who_asked_a_source_is_told_why_it_failed_in_bounds_and_without_secrets(text: str) -> None:
    Secret(PLANTED)

    said = said_by(OSError(text))

    assert said.startswith("OSError: ")
    assert len(said.replace("\\ud800", "?")) <= TEXT_CHARS_MAX
    assert PLANTED[:5] not in said
    said.encode()


def test_of_a_secret_that_the_cut_of_a_report_goes_through_no_piece_is_remembered() -> None:
    Secret(PLANTED)
    reason = f"crash({said_of(ValueError('x' * (SAID_CHARS_MAX - len('ValueError: ') - 5) + PLANTED))})"
    stack = (PLANTED + "x" * (REPORT_CHARS_MAX - 5))[-REPORT_CHARS_MAX:]
    report = a_crash(reason=reason, stack=stack)

    (crash,) = events_of(report)

    assert isinstance(crash, PartCrashed)
    assert PLANTED[:5] in reason and PLANTED[-5:] in stack
    assert PLANTED[:5] not in crash.reason and PLANTED[-5:] not in crash.stack
    assert (len(crash.reason), len(crash.stack)) == (TEXT_CHARS_MAX, REPORT_CHARS_MAX - CUT_CHARS)


def test_of_a_secret_that_a_cut_goes_through_no_piece_is_logged_however_often_it_is_there_whole() -> None:
    Secret(PLANTED)
    many = f"{PLANTED} " * 200
    stack = (PLANTED + many + "x" * (REPORT_CHARS_MAX - len(many) - 5))[-REPORT_CHARS_MAX:]
    report = a_crash(reason="x" * (SAID_CHARS_MAX - 5) + PLANTED[:5], stack=stack)

    (crash,) = events_of(report)
    _level, _name, said = line_of(report)

    assert isinstance(crash, PartCrashed)
    assert stack.startswith(PLANTED[-5:])
    for told in (crash.stack, said["stack"]):
        assert PLANTED[-5:] not in told
    assert PLANTED[:5] not in crash.reason + said["reason"]


def test_a_crash_over_a_text_with_half_a_character_is_remembered_and_logged() -> None:
    report = a_crash(reason="crash(OSError: \udcff)", stack="OSError: no such file: \udcff.csv")

    (crash,) = events_of(report)
    _level, _name, said = line_of(report)

    assert isinstance(crash, PartCrashed)
    kind, version, payload = encode(crash)
    assert decode(kind, version, payload) == crash
    assert crash.stack == said["stack"] == "OSError: no such file: \\udcff.csv"


def a_crash(*, reason: str, stack: str) -> CrashReport:
    return CrashReport(
        name="feed",
        epoch=1,
        reason=reason,
        stack=stack,
        message="",
        mailbox_depth=0,
        mailbox_types=(),
        last_messages=(),
        uptime_s=0.0,
        ancestors=(),
    )


def test_an_error_without_words_is_told_by_its_type() -> None:
    assert said_by(Wordless()) == "Wordless: it has no text"


class LockedWire:
    """A source of headlines that tells its secret when it fails."""

    def describe(self) -> str:
        return "a wire"

    def load(self) -> Sequence[Headline]:
        raise ConnectionError(f"401 for ?key={PLANTED}, {'and so on ' * 10_000}")


class LockedHistory(SampleMarket):
    """A market whose history tells its secret when it cannot be had."""

    def history(self, symbol: str, timeframe: str) -> Sequence[Bar]:
        raise ConnectionError(f"401 for ?key={PLANTED}")


def bytes_of(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


@pytest.mark.slow
def test_no_secret_of_a_source_of_headlines_comes_into_the_journal(tmp_path: Path) -> None:
    Secret(PLANTED)
    settings = load_settings(None, environ={}, overrides=("feed.speed=max",)).settings
    parts = msgspec.structs.replace(gather(settings, folder=ROOT), source=SampleMarket(days=1), headlines=LockedWire())

    with StagedNode(parts, tmp_path, seed=1) as node:
        node.run()
        node.commit()

    with JournalReader(tmp_path) as reader:
        (record,) = reader.read(kinds=["HeadlinesUnavailable"])
    told = decode(record.kind, record.version, record.payload)
    assert isinstance(told, HeadlinesUnavailable)
    assert told.detail.startswith(f"ConnectionError: 401 for ?key={MASK}, and so on")
    assert len(told.detail) <= TEXT_CHARS_MAX
    assert PLANTED.encode() not in bytes_of(tmp_path)


@pytest.mark.slow
def test_no_secret_of_a_market_whose_history_cannot_be_read_comes_into_the_journal(tmp_path: Path) -> None:
    Secret(PLANTED)
    settings = load_settings(None, environ={}, overrides=("feed.speed=max", "supervision.market.intensity=1")).settings
    parts = msgspec.structs.replace(gather(settings, folder=ROOT), source=LockedHistory(days=1))

    with StagedNode(parts, tmp_path, seed=1) as node:
        node.run(lambda: node.counted("PartGaveUp") > 0)
        node.commit()

    assert f"cannot be read: ConnectionError: 401 for ?key={MASK}".encode() in bytes_of(tmp_path)
    assert PLANTED.encode() not in bytes_of(tmp_path)
