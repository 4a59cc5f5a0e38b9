"""Buys when an hour closes above the highest price of the hours before, leaves when one closes below the lowest."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from domain.market import HOUR_MS, Bar
from domain.proposal import Entry, Exit, Proposal
from domain.sizing import Budget, size_by_budget
from domain.strategies.base import Score, View
from domain.strategies.conditions import is_flat, may_enter
from domain.strategies.settings import Period, read_parameters


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    hours: Period = 24


class Breakout:
    Parameters = Settings
    timeframes: tuple[str, ...] = ("1h",)

    def __init__(self, symbols: Sequence[str], parameters: Mapping[str, Any]) -> None:
        self.hours = read_parameters(parameters, Settings).hours
        self.bars: dict[str, list[Bar]] = {symbol: [] for symbol in symbols}

    def on_bar(self, bar: Bar) -> None:
        self.bars[bar.symbol] = [*self.bars[bar.symbol], bar][-self.hours - 1 :]

    def on_score(self, score: Score) -> None:
        pass  # Headlines do not matter to this one.

    def propose(self, view: View) -> Sequence[Proposal]:
        fresh = [bars for bars in self.bars.values() if len(bars) > self.hours and bars[-1].closed_at == view.at]
        return [proposal for bars in fresh for proposal in self.judge(bars[:-1], bars[-1], view)]

    def judge(self, before: list[Bar], now: Bar, view: View) -> Iterator[Proposal]:
        lowest, good_until = min(bar.low for bar in before), view.at + HOUR_MS
        if now.close > max(bar.high for bar in before) and may_enter(view, now, cooldown_ms=6 * HOUR_MS):
            budget = Budget(equity=view.equity, cash=view.cash, position_fraction_max=Decimal("0.1"))
            quantity = size_by_budget(budget, price=now.close, instrument=view.instruments[now.symbol])
            if quantity:
                yield Entry(now.symbol, quantity, now.close, good_until, stop_price=lowest, why="above the highest")
        if now.close < lowest and not is_flat(view, now):
            yield Exit(now.symbol, good_until, why="below the lowest")

    def save(self) -> dict[str, Any]:
        return {"bars": msgspec.to_builtins(self.bars)}

    def restore(self, state: dict[str, Any]) -> None:
        saved = msgspec.convert(state["bars"], dict[str, list[Bar]])
        self.bars = {symbol: saved.get(symbol, []) for symbol in self.bars}
