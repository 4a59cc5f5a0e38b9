"""The bars of a source one after another, and again from the first when they have ended."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from domain.bars import judge_step
from domain.market import Bar, Closing, Instant
from domain.money import ONE
from domain.sources import MarketSource


class Tape:
    """A market that never ends: what follows the last bar is the first, at prices that go on from there."""

    def __init__(self, source: MarketSource, symbols: Sequence[str]) -> None:
        self._source = source
        self._symbols = frozenset(symbols)

    def closings(self) -> Iterator[Closing]:
        """Yield the bars that close together, in order of time; rows that are not believed are left out.

        Raises:
            SourceBroken: a file is damaged, or has no bar that can be believed.
        """
        shift: Instant = 0
        scales: dict[str, Decimal] = {}
        while True:
            newest: dict[str, Bar] = {}
            oldest: dict[str, Bar] = {}
            reached: Instant = -1
            for step in self._source.steps(-1):
                bars = judge_step(step, newest, reached).bars
                reached = max(reached, step.at)
                for bar in bars:
                    newest[bar.symbol] = bar
                    oldest.setdefault(bar.symbol, bar)
                wanted = tuple(_moved(bar, shift, scales) for bar in bars if bar.symbol in self._symbols)
                if wanted:
                    yield step.at + shift, wanted
            if not newest:
                return
            shift += reached - min(bar.opened_at for bar in oldest.values())
            for symbol, bar in newest.items():
                scales[symbol] = scales.get(symbol, ONE) * bar.close / oldest[symbol].open


def _moved(bar: Bar, shift: Instant, scales: Mapping[str, Decimal]) -> Bar:
    if not shift:
        return bar
    scale = scales.get(bar.symbol, ONE)
    return msgspec.structs.replace(
        bar,
        opened_at=bar.opened_at + shift,
        closed_at=bar.closed_at + shift,
        open=bar.open * scale,
        high=bar.high * scale,
        low=bar.low * scale,
        close=bar.close * scale,
    )
