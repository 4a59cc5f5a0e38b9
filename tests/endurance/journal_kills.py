"""The journal alone, killed again and again: what was acknowledged is there, and nothing else is.

    python -m tests.endurance.journal_kills --kills 100000

forks writers that append in groups, keep snapshots and checkpoint, and kills each with SIGKILL: at a moment drawn from
the seed, or at the n-th time that it comes to a boundary of a commit.  The next writer opens the journal as a node
opens it and looks first: every record up to the last acknowledged one must be there and say what was written, the
watermark must say what is there, and the boot must be a later one.  A home lives through 400 deaths, and is then
checked whole.

First comes the control: a writer that acknowledges before it commits must be found out.
"""

import os
import random
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec

from messages.codec import encode
from messages.market import Offered
from persistence.errors import JournalDamaged
from persistence.journal import Journal
from persistence.reader import JournalReader
from persistence.records import Draft
from persistence.verify import verify
from persistence.watermark import read_mark
from tests.endurance.proof import Violated, conclude, parser_of

CUES = ("journal.before_commit", "journal.after_commit", "journal.after_watermark")
DEATHS_A_HOME = 400
CONTROL_KILLS_MAX = 3_000
GROUPS = (1, 1, 3, 40)
MOMENT_S_MAX = 0.04
"""A writer that nobody stops is killed within so long; the first records are there after about a third of it."""
SAID = struct.Struct(">cqq")
OPENED, ACKNOWLEDGED, BROKEN = b"o", b"a", b"!"
OVERLAP = 100
"""So many records before the last that was known are read again after each death."""


class Death(msgspec.Struct, frozen=True):
    """How a writer dies, and what it does until then."""

    group: int
    cue: str = ""
    nth: int = 0
    after_s: float = 0.0


def drafts(first: int, last: int) -> list[Draft]:
    """Return records that say which they are."""
    events = [(seq, *encode(Offered("confidence", seq, 1))) for seq in range(first, last + 1)]
    return [Draft(seq, seq, seq, kind, version, "feed", 1, seq - 1, 0, 0, body) for seq, kind, version, body in events]


def draw_death(chance: random.Random) -> Death:
    """Draw a moment, or a boundary."""
    group = chance.choice(GROUPS)
    if chance.random() < 0.5:
        return Death(group, cue=chance.choice(CUES), nth=chance.randint(1, 12))
    return Death(group, after_s=chance.uniform(0.0, MOMENT_S_MAX))


class Kept(msgspec.Struct):
    """How far a home's journal has come, as far as anybody was told."""

    seq: int = 0
    boot: int = 0


def live(home: Path, death: Death, kept: Kept, say: Callable[[bytes, int, int], None], *, too_early: bool) -> None:
    """Look at what the last death has left, then append until killed.

    `too_early`: what is not committed yet is acknowledged, which must be found out.
    """
    left = death.nth

    def cue(name: str) -> None:
        nonlocal left
        left -= name == death.cue
        if death.cue and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    journal = Journal.open(home, cue=cue)
    look(home, journal, kept)
    say(OPENED, journal.last_seq, journal.boot)
    while True:
        group = drafts(journal.last_seq + 1, journal.last_seq + death.group)
        if too_early:
            say(ACKNOWLEDGED, group[-1].seq, 0)
        journal.append(group)
        say(ACKNOWLEDGED, journal.last_seq, 0)
        if journal.last_seq % 5 == 0:
            journal.save_states(journal.last_seq, {"positions": (1, b"%d" % journal.last_seq)})
        if journal.last_seq % 7 == 0:
            journal.checkpoint()


def look(home: Path, journal: Journal, kept: Kept) -> None:
    """Check a journal that was opened against what is known of it.

    Raises:
        Violated: it says what does not hold.
    """
    seq, mark = journal.last_seq, read_mark(home / "journal.watermark")
    if seq < kept.seq:
        raise Violated(f"{kept.seq} was acknowledged, the journal ends at {seq}")
    if mark is not None and mark.seq != seq:
        raise Violated(f"the watermark says {mark.seq}, the journal ends at {seq}")
    if journal.boot <= kept.boot:
        raise Violated(f"boot {journal.boot} after boot {kept.boot}")
    with JournalReader(home) as reader:
        found = [(record.seq, record.payload) for record in reader.read(after=max(0, kept.seq - OVERLAP))]
    if found != [(draft.seq, draft.payload) for draft in drafts(max(0, kept.seq - OVERLAP) + 1, seq)]:
        raise Violated(f"records up to {seq} are not those that were written")


def lose_a_writer(home: Path, death: Death, kept: Kept, *, too_early: bool = False) -> bool:
    """Run a writer until it dies; take in what it has told, and say whether it has acknowledged anything.

    Raises:
        Violated: what the writer before it has left is not what it acknowledged.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            live(home, death, kept, lambda *said: _say(writing, *said), too_early=too_early)
        except (Violated, JournalDamaged) as error:
            os.write(writing, BROKEN + str(error).encode())
        finally:
            os._exit(1)
    os.close(writing)
    if not death.cue:
        time.sleep(death.after_s)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return _take_in(told, kept)


def _take_in(told: bytes, kept: Kept) -> bool:
    has_acknowledged = False
    while told:
        if told[:1] == BROKEN:
            raise Violated(told[1:].decode())
        kind, seq, boot = SAID.unpack_from(told)
        kept.seq, kept.boot = max(kept.seq, seq), max(kept.boot, boot)
        has_acknowledged |= kind == ACKNOWLEDGED
        told = told[SAID.size :]
    return has_acknowledged


def _say(pipe: int, kind: bytes, seq: int, boot: int) -> None:
    os.write(pipe, SAID.pack(kind, seq, boot))


def run_home(home: Path, seed: int, deaths: int, tally: Counter[str], *, too_early: bool = False) -> None:
    """Let a home live through so many deaths, then check it whole.

    Raises:
        Violated: it says what does not hold, and after which death.
    """
    chance, kept = random.Random(seed), Kept()
    for number in range(deaths):
        death = draw_death(chance)
        try:
            has_acknowledged = lose_a_writer(home, death, kept, too_early=too_early)
        except Violated as error:
            raise Violated(f"home {seed}, death {number + 1} ({death}): {error}") from error
        tally["kills"] += 1
        tally[death.cue or "any moment"] += 1
        tally["after records of its own"] += has_acknowledged
    with closing(Journal.open(home)) as journal:
        look(home, journal, kept)
    found = verify(home)
    if not found.is_sound:
        raise Violated(f"home {seed}: not sound after {deaths} deaths: {found}")
    tally["records"] += kept.seq


def control(folder: Path, seed: int) -> int:
    """Return after how many kills a writer is found out that acknowledges too early; 0 where it is not."""
    tally: Counter[str] = Counter()
    while tally["kills"] < CONTROL_KILLS_MAX:
        try:
            run_home(folder / f"control-{tally['kills']}", seed, DEATHS_A_HOME, tally, too_early=True)
        except Violated:
            return tally["kills"] + 1
        seed += 1
    return 0


def main() -> int:
    """Run it from the command line."""
    parser = parser_of(__doc__)
    parser.add_argument("--kills", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first home")
    options = parser.parse_args()
    began, tally, violation = time.monotonic(), Counter[str](), ""
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found_after = control(Path(folder), options.seed)
        if not found_after:
            violation = f"the control: who acknowledges too early was not found out in {CONTROL_KILLS_MAX} kills"
        seed = options.seed
        try:
            while tally["kills"] < options.kills and not violation:
                deaths = min(DEATHS_A_HOME, options.kills - tally["kills"])
                run_home(Path(folder) / f"home-{seed}", seed, deaths, tally)
                _show(tally, began)
                seed += 1
        except Violated as error:
            violation = str(error)
    again = f"python -m tests.endurance.journal_kills --seed {seed} --kills {DEATHS_A_HOME}"
    report = {**tally, "control found after": found_after}
    return conclude(report, violation, again, began=began, as_json=options.json)


def _show(tally: Counter[str], began: float) -> None:
    if sys.stderr.isatty():
        pace = tally["kills"] / (time.monotonic() - began)
        print(f"\r{tally['kills']} kills, {pace:.0f} a second", end="", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
