"""A disk that lies: a write of the journal is lost, and whoever wrote is told that it was done.

Nobody can prevent that.  What can be had is that it is not passed over in silence: either the next start refuses the
journal, and a salvage keeps what is proven, or nothing is missing that anybody was told.
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
from messages.node import Salvaged
from messages.orders import OrderIntended
from persistence.reader import JournalReader

CALLS_MAX = 60
EVENTS = (25, 80)
LIFE_S_MAX = 15.0
SIGN_WITHIN_S = 60.0
HALTED_FOR_S = 3.0
SALVAGE_WITHIN_S = 120.0
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

    def lie(self, exchange: ExchangeProcess, program: Sequence[str]) -> str:
        """Lie, and return what came of it in a word or two."""
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
            self._salvage(exchange, program)
        return "told at the next start"

    def _salvage(self, exchange: ExchangeProcess, program: Sequence[str]) -> None:
        """Keep what is proven.  The node must come up halted; and know everything again where all was kept."""
        reached = durable_seq(self._home)
        words = [*program, "journal", "salvage", "--home", str(self._home)]
        salvage = subprocess.run(words, capture_output=True, text=True, timeout=SALVAGE_WITHIN_S, check=False)
        if salvage.returncode != 0:
            self._violate(f"after a lie: the salvage ended with {salvage.returncode}: {salvage.stderr[-1_000:]}")
            return
        life, _ = self._begin(Moment("after a salvage"))
        if not life.wait_for_events(1, limit_s=SIGN_WITHIN_S):
            self._violate(f"after a salvage: it did not start: {life.last_words()}")
        time.sleep(HALTED_FOR_S)
        life.kill()
        kept, entries = self._after_salvage()
        if entries:
            self._violate(f"after a salvage: expected a node that is halted, found that it ordered {entries} entries")
        for problem in (*unproven(self._home), *doubled(exchange.ledger())):
            self._violate(f"after a salvage: {problem}")
        if kept >= reached:
            self._settle()

    def _after_salvage(self) -> tuple[int, int]:
        """Return how many records were kept, and how many entries were ordered since."""
        kept = entries = 0
        with JournalReader(self._home) as reader:
            for record in reader.read(kinds=["Salvaged", "OrderIntended"]):
                event = decode(record.kind, record.version, record.payload)
                if isinstance(event, Salvaged):
                    kept, entries = event.kept, 0
                elif isinstance(event, OrderIntended):
                    entries += event.terms.leg == "entry"
        return kept, entries
