"""A disk that lies: a write of the journal is lost, and whoever wrote is told that it was done.

Nobody can prevent that.  What can be had is that it is not passed over in silence: either the next start refuses the
journal, and a salvage keeps what is proven, or nothing is missing that anybody was told.  Where the lie has hit what
every proof begins with, the salvage says so, and a backup is restored, as it asks for.
"""

import random
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from holdfast.exit_codes import ExitCode
from holdfast.torture.exchange import ExchangeProcess
from holdfast.torture.judge import doubled, unproven
from holdfast.torture.lives import Life, durable_seq
from holdfast.torture.moments import Injection, Moment, Tampering
from messages.codec import decode
from messages.node import Restored, Salvaged
from messages.orders import OrderIntended
from persistence.reader import JournalReader

CALLS_MAX = 60
EVENTS = (25, 80)
LIFE_S_MAX = 15.0
SIGN_WITHIN_S = 60.0
HALTED_FOR_S = 3.0
MENDED_WITHIN_S = 120.0
MAY_NOTICE = (ExitCode.DAMAGED, ExitCode.GAVE_UP, ExitCode.IO_ERROR)
"""What the process may end with that was lied to: it may come across it."""


class Liar:
    """Lies to a node once, and sees what the next start says."""

    def __init__(
        self,
        home: Path,
        *,
        draw: random.Random,
        begin: Callable[[Moment], tuple[Life, Tampering | None]],
        settle: Callable[[], None],
        violate: Callable[[str], None],
    ) -> None:
        """`begin` starts a life, `settle` has journal and ledger agree again or tells a violation."""
        self._home = home
        self._draw = draw
        self._begin = begin
        self._settle = settle
        self._violate = violate
        self._safe_seq = 0
        """What was in the journal when the lie was told: its log had been copied, so that no lie can be about it."""

    def lie(self, exchange: ExchangeProcess, program: Sequence[str]) -> str:
        """Lie, and return what came of it in a word or two."""
        backup = self._back_up(program)
        self._safe_seq = durable_seq(self._home)
        injection = Injection("pwrite64", "retval=4096", self._draw.randint(3, CALLS_MAX))
        life, tampering = self._begin(Moment("a lying disk", injection=injection))
        life.wait_for_events(self._draw.randint(*EVENTS), limit_s=LIFE_S_MAX)
        life.kill()
        assert tampering is not None
        tampering.end()
        if life.exit_code not in (None, *MAY_NOTICE):
            self._violate(f"a lying disk: it ended with {life.exit_code}: {life.last_words()}")
        if not tampering.has_struck:
            return "not come to"
        life, _ = self._begin(Moment("after a lie"))
        has_begun = life.wait_for_events(1, limit_s=SIGN_WITHIN_S)
        life.kill()
        if has_begun:
            # Whatever is missing now, nobody has told: the books say whether anything is.
            self._settle()
            return "nothing lost"
        if life.exit_code != ExitCode.DAMAGED:
            self._violate(f"after a lie: expected {ExitCode.DAMAGED} or a start, found {life.exit_code}")
        else:
            return self._mend(exchange, program, backup)
        return "told at the next start"

    def _back_up(self, program: Sequence[str]) -> Path | None:
        """Back the journal up, as its keeper does every night; return where, or None where that failed."""
        folder = self._home.parent / "backups"
        done = _run(program, "backup", "--to", str(folder), "--home", str(self._home))
        if done.returncode != 0:
            self._violate(f"before a lie: the backup ended with {done.returncode}: {done.stderr[-1_000:]}")
            return None
        return max(each for each in folder.iterdir() if each.is_dir())

    def _mend(self, exchange: ExchangeProcess, program: Sequence[str], backup: Path | None) -> str:
        """Keep what is proven, or go back to the backup; return which of the two."""
        reached = durable_seq(self._home)
        home = ("--home", str(self._home))
        done, how = _run(program, "salvage", *home), "salvage"
        if done.returncode == ExitCode.DAMAGED and "restore a backup" in done.stderr and backup is not None:
            # The lie has hit what the chain begins with: nothing of it can be proven, and it says what is to be done.
            done, how = _run(program, "restore", str(backup), *home, "--replace"), "restore"
        if done.returncode != 0:
            self._violate(f"after a lie: the {how} ended with {done.returncode}: {done.stderr[-1_000:]}")
        else:
            self._live_on(exchange, f"after a {how}", reached)
        return "told at the next start" if how == "salvage" else "told, and a backup restored"

    def _live_on(self, exchange: ExchangeProcess, when: str, reached: int) -> None:
        """Start what was mended.  It must come up halted; and know everything again where all was kept."""
        life, _ = self._begin(Moment(when))
        if not life.wait_for_events(1, limit_s=SIGN_WITHIN_S):
            self._violate(f"{when}: it did not start: {life.last_words()}")
        time.sleep(HALTED_FOR_S)
        life.kill()
        kept, entries = self._since_mended()
        if kept < self._safe_seq:
            self._violate(f"{when}: expected the {self._safe_seq} records from before the lie, found {kept}")
        if entries:
            self._violate(f"{when}: expected a node that is halted, found that it ordered {entries} entries")
        for problem in (*unproven(self._home), *doubled(exchange.ledger())):
            self._violate(f"{when}: {problem}")
        if kept >= reached:
            self._settle()

    def _since_mended(self) -> tuple[int, int]:
        """Return how many records were kept, and how many entries were ordered since."""
        kept = entries = 0
        with JournalReader(self._home) as reader:
            for record in reader.read(kinds=["Salvaged", "Restored", "OrderIntended"]):
                match decode(record.kind, record.version, record.payload):
                    case Salvaged(kept=found) | Restored(last_sequence=found):
                        kept, entries = found, 0
                    case OrderIntended(terms=terms):
                        entries += terms.leg == "entry"
        return kept, entries


def _run(program: Sequence[str], *words: str) -> subprocess.CompletedProcess[str]:
    """Give a command that mends journals, as its user does."""
    return subprocess.run(
        [*program, "journal", *words], capture_output=True, text=True, timeout=MENDED_WITHIN_S, check=False
    )
