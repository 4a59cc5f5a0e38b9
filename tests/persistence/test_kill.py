"""The law of sudden death: what was acknowledged is there, in sequence, whenever the process was killed."""

import os
import random
import signal
import struct
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from messages.codec import encode
from messages.market import Offered
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.records import Draft
from persistence.verify import verify
from persistence.watermark import read_mark

CUES = ("journal.before_commit", "journal.after_commit", "journal.after_watermark")


def drafts(first: int, last: int) -> list[Draft]:
    events = [(seq, *encode(Offered("confidence", seq, 1))) for seq in range(first, last + 1)]
    return [Draft(seq, seq, seq, kind, version, "feed", 1, seq - 1, 0, 0, body) for seq, kind, version, body in events]


def live_and_die(home: Path, acknowledged: int, cue: Callable[[str], None], group: int) -> None:
    """Append in groups until killed, and say over a pipe what is durable."""
    journal = Journal.open(home, cue=cue)
    while True:
        journal.append(drafts(journal.last_seq + 1, journal.last_seq + group))
        os.write(acknowledged, struct.pack(">q", journal.last_seq))
        if journal.last_seq % 5 == 0:
            journal.save_states(journal.last_seq, {"positions": (1, b"%d" % journal.last_seq)})
        if journal.last_seq % 7 == 0:
            journal.checkpoint()


def dying(
    home: Path,
    *,
    cue: Callable[[str], None],
    group: int,
    kill_after_s: float | None = None,
    once_acknowledged: bool = False,
) -> int:
    """Run a process that dies, and return the last sequence that it acknowledged; 0 if none.

    `kill_after_s` counts from its beginning, or from its first acknowledgement.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            live_and_die(home, writing, cue, group)
        finally:
            os._exit(1)
    os.close(writing)
    told = os.read(reading, 8) if once_acknowledged else b""
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, "rb") as pipe:
        told += pipe.read()
    status = os.waitpid(child, 0)[1]
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    return int(struct.unpack(">q", told[len(told) // 8 * 8 - 8 :][:8])[0]) if len(told) >= 8 else 0


def kill_at(wanted: str, nth: int) -> Callable[[str], None]:
    left = [nth]

    def cue(name: str) -> None:
        left[0] -= name == wanted
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return cue


@pytest.mark.parametrize("cue", CUES)
def test_a_death_at_any_boundary_of_a_commit_loses_nothing_acknowledged(tmp_path: Path, cue: str) -> None:
    home = tmp_path / "home"
    before = 0
    for nth, group in ((1, 1), (2, 3), (1, 7), (4, 2), (3, 1), (5, 4)):
        acknowledged = dying(home, cue=kill_at(cue, nth), group=group)

        committed = nth if cue != "journal.before_commit" else nth - 1
        with JournalReader(home) as reader:
            recovered = len(list(reader.read()))
        assert recovered == before + committed * group
        assert recovered >= acknowledged
        before = recovered
    assert verify(home).is_sound


def test_a_death_before_the_watermark_leaves_it_behind_and_the_next_boot_brings_it_up(tmp_path: Path) -> None:
    home = tmp_path / "home"
    dying(home, cue=kill_at("journal.after_commit", 3), group=2)

    behind = read_mark(home / "journal.watermark")
    Journal.open(home).close()
    level = read_mark(home / "journal.watermark")

    assert behind is not None
    assert level is not None
    assert (behind.seq, level.seq) == (4, 6)


def test_a_death_at_any_moment_loses_nothing_acknowledged(tmp_path: Path) -> None:
    home = tmp_path / "home"
    chance = random.Random(3)
    boots, highest = 0, 0
    for life in range(25):
        acknowledged = dying(
            home,
            cue=lambda _: None,
            group=chance.choice((1, 3, 40)),
            kill_after_s=chance.uniform(0.0, chance.choice((0.06, 0.3))),
            # A machine that is busy takes longer than that to begin.
            once_acknowledged=life % 2 == 1,
        )
        assert acknowledged or life % 2 == 0
        highest = max(highest, acknowledged)

        with closing(Journal.open(home)) as journal:
            assert journal.last_seq >= highest
            assert journal.boot > boots
            boots = journal.boot
            highest = journal.last_seq
    assert verify(home).is_sound
