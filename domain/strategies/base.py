"""The interface of a strategy: what it sees, what it may propose, and the state that is saved for it.

A strategy is a plain class.  It is given each closed bar and each headline score once, in order, and is then asked
what it proposes.  It reads no clock, draws no random number and does no I/O, so that a replay decides the same.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from domain.market import Bar, Instant, Instrument
from domain.money import ZERO
from domain.proposal import Proposal


class Score(msgspec.Struct, frozen=True):
    """One headline's score in -1..1 for some symbols (all of them where the tuple is empty)."""

    source: str
    text_hash: str
    model: str
    value: float
    half_life_ms: int
    published_at: Instant
    arrived_at: Instant
    symbols: tuple[str, ...] = ()


class Holding(msgspec.Struct, frozen=True):
    """What this strategy holds of a symbol.  Money in quote currency."""

    quantity: Decimal = ZERO
    average_price: Decimal = ZERO
    entered_at: Instant | None = None
    """When the last entry of this strategy in this symbol filled; None if there never was one."""
    entry_in_flight: bool = False
    """An entry was proposed and is neither finished nor disproved."""


class View(msgspec.Struct, frozen=True):
    """What a strategy sees when it is asked.  All of it is settled: nothing is on its way."""

    at: Instant
    equity: Decimal
    """Worth of the whole account, in quote currency."""
    cash: Decimal
    """Quote currency on the account, free and held back for open orders together; the breaker knows which."""
    holdings: Mapping[str, Holding]
    """By symbol; every symbol of the strategy is there."""
    instruments: Mapping[str, Instrument]


class Strategy(Protocol):
    """What Holdfast asks of a strategy.

    The constructor is called as `cls(symbols, parameters)` with the symbols it trades and the table of its settings
    (`[strategies.NAME.parameters]`), and raises ValueError with a sentence for a setting that cannot be.
    """

    timeframes: tuple[str, ...]
    """The time frames it wants bars of; it is asked when a bar of the first one has closed."""

    def on_bar(self, bar: Bar) -> None:
        """Take in one closed bar of one of the time frames, history first."""

    def on_score(self, score: Score) -> None:
        """Take in one headline's score."""

    def propose(self, view: View) -> Sequence[Proposal]:
        """Say what should be done now.  Changes nothing: asked again with the same view, it says the same."""

    def save(self) -> dict[str, Any]:
        """Return the state as plain JSON values (floats are kept exactly)."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `save` returned."""
