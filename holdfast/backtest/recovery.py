"""How an actor of a backtest finds its past: rebuilt from the whole journal, and from the bars in their files."""

from collections.abc import Callable
from pathlib import Path

from holdfast.parts import Parts
from holdfast.rebuild import Rebuilt
from holdfast.recovery import CATCH_UP_S
from persistence.reader import JournalReader
from supervision import Recovered

TELLERS = ("feed", "positions")
"""Who has to be rebuilt beside any other: bars are told by these two."""


class BacktestRecovery:
    """Takes time that grows with the run: in a backtest only a failure leads here."""

    def __init__(self, home: Path, wait: Callable[[int, float], bool], parts: Parts) -> None:
        self._home = home
        self._wait = wait
        self._parts = parts

    def __call__(self, name: str, *, version: int, upto: int) -> Recovered:
        """Return the memory as of a sequence, as if it was a snapshot."""
        self._wait(upto, CATCH_UP_S)
        rebuilt = Rebuilt(self._parts.shape, market=lambda: self._parts.source, only=(name, *TELLERS))
        with JournalReader(self._home) as reader:
            rebuilt.fold_all(reader.read(until=upto))
        return Recovered(upto, rebuilt.memories[name].save(), ())
