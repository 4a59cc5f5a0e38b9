"""What a backtest tells while it runs: fills, the account's worth, denials; nothing of it is read back from a file."""

from array import array
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from domain.market import Instant
from domain.money import ZERO
from messages.market import RowRefused
from messages.orders import OrderFilled
from messages.positions import EquityMarked
from messages.risk import OrderDenied
from supervision import Recorded


class Tape:
    """Listens to what is recorded, and keeps what a summary and a report are made of, in little memory."""

    def __init__(self) -> None:
        self.fills: list[OrderFilled] = []
        self.marks_at = array("q")
        """When the account was marked, in milliseconds; beside `equity`."""
        self.equity = array("d")
        self._newest = ZERO
        self._newest_at: Instant = 0
        """When the newest worth was marked again; 0 where it was not."""
        self.denied: Counter[str] = Counter()
        """By reason."""
        self.faults: Counter[str] = Counter()
        """Of rows that were not believed."""

    def hear(self, records: Sequence[Recorded]) -> None:
        """Take in what was just recorded."""
        for record in records:
            match record.event:
                case OrderFilled() as filled:
                    self.fills.append(filled)
                case EquityMarked(at=at, equity=equity):
                    self.mark_all(((at, equity),))
                case OrderDenied(reason=reason):
                    self.denied[reason] += 1
                case RowRefused(fault=fault):
                    self.faults[fault] += 1

    def mark_all(self, marks: Sequence[tuple[Instant, Decimal]]) -> None:
        """Take in what the account was worth; while it stays the same only since when, and until when."""
        newest, newest_at = self._newest, self._newest_at
        for at, equity in marks:
            if equity == newest:
                newest_at = at
                continue
            if newest_at:
                self._keep(newest_at, newest)
            newest, newest_at = equity, 0
            self._keep(at, equity)
        self._newest, self._newest_at = newest, newest_at

    def end(self) -> None:
        """Keep the last mark too."""
        if self._newest_at:
            self._keep(self._newest_at, self._newest)
            self._newest_at = 0

    def _keep(self, at: Instant, equity: Decimal) -> None:
        self.marks_at.append(at)
        self.equity.append(float(equity))
