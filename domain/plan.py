"""A plan: what is held of a symbol for a strategy, its stop and take-profit, and whether it is to be left."""

from decimal import Decimal

import msgspec

from domain.market import MINUTE_MS, SECOND_MS, Instant
from domain.money import ZERO
from domain.proposal import Exit

RETRY_AFTER_MS = MINUTE_MS
"""After a refused stop or exit, market time until the next try."""
RETRY_SOON_MS = 2 * SECOND_MS
"""The first pause after a refusal for a reason that passes; each one more takes twice as long, up to a minute."""


class Plan(msgspec.Struct):
    """What is held of a symbol for a strategy, and what is to become of it."""

    strategy: str
    symbol: str
    held: Decimal = ZERO
    """Base currency bought for the strategy and still there, fees taken in it deducted."""
    stop_price: Decimal | None = None
    take_profit: Decimal | None = None
    exit_why: str = ""
    """Not empty: the position is being left."""
    exit_left: Decimal | None = None
    """How much is still to be sold; all that is held where None."""
    basis: int = 0
    """Sequence of the record that last changed this plan and no other: part of the ids of the orders it leads to."""
    attempts: int = 0
    """Orders that this basis led to."""
    aims_from: Instant = 0
    """Its take-profit is judged by what closed at this instant or later: before that, nothing was bought for it."""
    not_before: Instant = 0
    """The next stop or exit waits until this instant, after one has failed."""
    refusals: int = 0
    """How many of its orders have failed in a row, for reasons that pass."""
    is_stale: bool = False
    """Its books were put back to an earlier time, and not held against the account since."""
    wish: Exit | None = None
    """Somebody wants it left; not taken up yet."""
    wished_at: int = 0
    """Sequence of the record that says so, or that took it back."""

    @property
    def is_idle(self) -> bool:
        """Say whether nothing is held and nobody wants anything: nothing follows from it then but from its orders."""
        return self.held <= 0 and self.wish is None and not self.exit_why

    def wait(self, at: Instant, *, passes: bool) -> None:
        """Let the next stop or exit wait, after one has failed; less and less often where the reason passes."""
        self.refusals = self.refusals + 1 if passes else 0
        soon_ms = RETRY_SOON_MS << min(self.refusals - 1, 5) if passes else RETRY_AFTER_MS
        self.not_before = at + min(soon_ms, RETRY_AFTER_MS)
