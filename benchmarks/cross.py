"""The strategy of the backtest's benchmark: hold a quantity while the fast average is above the slow one."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from domain.market import MINUTE_MS, Bar
from domain.proposal import Entry, Exit, Proposal
from domain.strategies.base import Score, View


class CrossParameters(msgspec.Struct, frozen=True):
    """Periods in bars, a quantity in base currency."""

    fast: int = 12
    slow: int = 26
    quantity: Decimal = Decimal(10)


class Cross:
    """Long only, with market orders, on one symbol.  Averages begin with the first close."""

    Parameters = CrossParameters
    timeframes: tuple[str, ...] = ("1m",)

    def __init__(self, symbols: Sequence[str], parameters: Mapping[str, Any]) -> None:
        p = msgspec.convert(parameters, CrossParameters, strict=False)
        self._symbol, self._slow_period, self._quantity = symbols[0], p.slow, p.quantity
        self._fast_share, self._slow_share = 2 / (p.fast + 1), 2 / (p.slow + 1)
        self._fast = self._slow = 0.0
        self._seen = 0
        self._bar: Bar | None = None

    def on_bar(self, bar: Bar) -> None:
        """Move both averages."""
        close = float(bar.close)
        if self._seen:
            self._fast += self._fast_share * (close - self._fast)
            self._slow += self._slow_share * (close - self._slow)
        else:
            self._fast = self._slow = close
        self._seen += 1
        self._bar = bar

    def on_score(self, score: Score) -> None:
        """Leave news aside."""

    def propose(self, view: View) -> Sequence[Proposal]:
        """Enter above, leave below."""
        bar = self._bar
        if bar is None or self._seen < self._slow_period:
            return ()
        held = view.holdings[self._symbol]
        if self._fast > self._slow:
            if held.quantity or held.entry_in_flight:
                return ()
            return (Entry(self._symbol, self._quantity, bar.close, good_until=view.at + MINUTE_MS),)
        if self._fast < self._slow and held.quantity:
            return (Exit(self._symbol, good_until=view.at + MINUTE_MS),)
        return ()

    def save(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        bar = msgspec.to_builtins(self._bar)
        return {"fast": self._fast, "slow": self._slow, "seen": self._seen, "bar": bar}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `save` returned."""
        self._fast, self._slow, self._seen = state["fast"], state["slow"], state["seen"]
        self._bar = msgspec.convert(state["bar"], Bar | None)
