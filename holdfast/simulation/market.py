"""A market of a few hours, drawn from a seed: restless, with gaps and rows that nobody may believe."""

from collections.abc import Iterator, Sequence
from random import Random

from domain.market import MINUTE_MS, Bar, Instant
from domain.sources import Row, Step

BASE = "1m"
PRICES = {"BTCUSDT": 40_000.0, "ETHUSDT": 2_500.0, "SOLUSDT": 100.0}
GAP_SHARE = 0.01
"""Of all minutes, how many are missing."""
ABSURD_SHARE = 0.01
"""Of all rows, how many show a price that cannot be."""


class RestlessMarket:
    """A `domain.sources.MarketSource` without history, of sums, products and `random()` alone: everywhere the same."""

    def __init__(self, seed: int, *, symbols: Sequence[str], begins_at: Instant, minutes: int, swing: float) -> None:
        """`swing` is how far a price goes in a minute, as a fraction."""
        self._seed = seed
        self._symbols = tuple(symbols)
        self._begins_at = begins_at
        self._minutes = minutes
        self._swing = swing
        self._drawn = tuple(self._draw())

    def describe(self) -> str:
        """Say that the market is drawn, and from which seed."""
        names = ", ".join(self._symbols)
        return f"restless market, seed {self._seed}: {names}, {self._minutes} minutes from {self._begins_at}"

    def symbols(self) -> Sequence[str]:
        """Return its symbols."""
        return self._symbols

    def base_timeframe(self, symbol: str) -> str:
        """Return one minute."""
        return BASE

    def starts_at(self) -> Instant:
        """Return the first instant that may be traded."""
        return self._begins_at

    def history(self, symbol: str, timeframe: str) -> Sequence[Bar]:
        """Return no bars: its strategies need no warming up."""
        return ()

    def steps(self, after: Instant) -> Iterator[Step]:
        """Read the steps that close after an instant."""
        return (step for step in self._drawn if step.at > after)

    def steps_total(self) -> int:
        """Return how many steps there are."""
        return len(self._drawn)

    def _draw(self) -> Iterator[Step]:
        draws = {symbol: Random(f"{self._seed}/{symbol}") for symbol in self._symbols}
        gaps = Random(f"{self._seed}/gaps")
        prices = {symbol: PRICES[symbol] for symbol in self._symbols}
        for minute in range(self._minutes):
            opened_at = self._begins_at + minute * MINUTE_MS
            rows = []
            for symbol, draw in draws.items():
                row, prices[symbol] = self._row(symbol, prices[symbol], opened_at, draw)
                rows.append(row)
            if gaps.random() >= GAP_SHARE:
                yield Step(opened_at + MINUTE_MS, tuple(rows))

    def _row(self, symbol: str, before: float, opened_at: Instant, draw: Random) -> tuple[Row, float]:
        pull = 0.02 * (PRICES[symbol] / before - 1)
        close = before * (1 + pull + (2 * draw.random() - 1) * self._swing)
        high = max(before, close) * (1 + draw.random() * self._swing / 2)
        low = min(before, close) * (1 - draw.random() * self._swing / 2)
        volume = (2_000 + 40_000 * draw.random()) / close
        shown_high = "-1" if draw.random() < ABSURD_SHARE else f"{high:.2f}"
        row = Row(symbol, BASE, opened_at, f"{before:.2f}", shown_high, f"{low:.2f}", f"{close:.2f}", f"{volume:.4f}")
        return row, close
