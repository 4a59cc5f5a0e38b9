"""A strategy that cannot sit still: it enters and leaves by what looks like chance and is drawn from the bars alone."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from zlib import crc32

import msgspec

from domain.market import MINUTE_MS, Bar
from domain.money import exact, floor_to
from domain.proposal import Entry, Exit, Proposal
from domain.strategies.base import Score, View
from domain.strategies.conditions import is_flat, may_enter
from domain.strategies.settings import Fraction, Minutes, read_parameters


class RestlessParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How restless it is."""

    salt: int = 0
    """Tells strategies apart that see the same bars."""
    enter: Fraction = 0.3
    """Share of the bars on which it would enter."""
    leave: Fraction = 0.1
    part: Fraction = 0.3
    """Share of its exits that leave only a part."""
    limit: Fraction = 0.3
    """Share of its entries with a limit price."""
    size: Fraction = 0.2
    """Share of the equity in one position."""
    stop: Fraction = 0.003
    """Distance of the stop, as a fraction of the price; the take-profit is twice as far."""
    cooldown_minutes: Minutes = 2


class Restless:
    """A `domain.strategies.Strategy` for simulations."""

    Parameters = RestlessParameters
    timeframes: tuple[str, ...] = ("1m",)

    def __init__(self, symbols: Sequence[str], parameters: Mapping[str, Any]) -> None:
        self._parameters = read_parameters(parameters, RestlessParameters)
        self._bars: dict[str, Bar | None] = dict.fromkeys(symbols)

    def on_bar(self, bar: Bar) -> None:
        """Take in one closed bar."""
        self._bars[bar.symbol] = bar

    def on_score(self, score: Score) -> None:
        """Leave news aside."""

    def propose(self, view: View) -> Sequence[Proposal]:
        """Propose what each symbol's newest bar says, if it has just closed."""
        proposals = (self._judge(bar, view) for bar in self._bars.values() if bar and bar.closed_at == view.at)
        return [proposal for proposal in proposals if proposal is not None]

    def save(self) -> dict[str, Any]:
        """Return the newest bars."""
        return {"bars": msgspec.to_builtins(self._bars)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take them over."""
        self._bars |= msgspec.convert(state["bars"], dict[str, Bar | None])

    def _judge(self, bar: Bar, view: View) -> Proposal | None:
        p = self._parameters
        if may_enter(view, bar, cooldown_ms=p.cooldown_minutes * MINUTE_MS):
            return self._enter(bar, view) if self._draw(bar, "enter") < p.enter else None
        if is_flat(view, bar) or self._draw(bar, "leave") >= p.leave:
            return None
        held, lot = view.holdings[bar.symbol].quantity, view.instruments[bar.symbol].lot
        part = floor_to(held / 2, lot) if self._draw(bar, "part") < p.part else None
        return Exit(bar.symbol, view.at + 5 * MINUTE_MS, part or None, why="restless")

    def _enter(self, bar: Bar, view: View) -> Entry | None:
        p, instrument = self._parameters, view.instruments[bar.symbol]
        share = exact(p.size) * (1 + int(self._draw(bar, "size") * 3)) / 2
        quantity = floor_to(view.equity * share / bar.close, instrument.lot)
        if quantity <= 0:
            return None
        distance = bar.close * exact(p.stop)
        is_limit = self._draw(bar, "limit") < p.limit
        return Entry(
            symbol=bar.symbol,
            quantity=quantity,
            price=bar.close,
            good_until=view.at + 2 * MINUTE_MS,
            stop_price=floor_to(bar.close - distance, instrument.tick),
            take_profit=floor_to(bar.close + 2 * distance, instrument.tick),
            limit_price=floor_to(bar.close * Decimal("0.9995"), instrument.tick) if is_limit else None,
            why="restless",
        )

    def _draw(self, bar: Bar, what: str) -> float:
        """Return a number in 0..1 that depends on the bar and on what is drawn, and on nothing else."""
        return crc32(f"{self._parameters.salt}|{bar.symbol}|{bar.closed_at}|{bar.close}|{what}".encode()) / 2**32
