"""A cross of two moving averages: enter where the fast one rises above the slow one, leave while it is below."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import msgspec

from domain.indicators import Atr, Ema
from domain.market import MINUTE_MS, SECOND_MS, TIMEFRAMES_MS, Bar, Instant
from domain.money import exact
from domain.proposal import Entry, Exit, Proposal
from domain.sizing import Budget, place_bracket, size_by_budget
from domain.strategies.base import Score, View
from domain.strategies.conditions import has_just_closed, is_flat, may_enter
from domain.strategies.settings import (
    Fraction,
    Minutes,
    Multiple,
    Period,
    Seconds,
    Timeframe,
    read_parameters,
    require_below,
    require_timeframe,
)

Relation = Literal["above", "below"]


class EmaCrossParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the cross of averages."""

    timeframe: Timeframe = "15m"
    fast: Period = 9
    slow: Period = 21
    atr: Period = 14
    """Period of the average true range."""
    position_fraction: Fraction = 0.1
    """Share of the equity in one position."""
    stop_atr: Multiple = 2.5
    take_profit_atr: Multiple = 5.0
    cooldown_minutes: Minutes = 60
    good_for_s: Seconds = 300
    """How long a proposal stands, in market time."""

    def __post_init__(self) -> None:
        require_timeframe("timeframe", self.timeframe)
        require_below("fast", self.fast, "slow", self.slow)


class EmaCross:
    """Enters when the fast average crosses above the slow one; leaves at stop, at target, or while it is below."""

    Parameters = EmaCrossParameters

    def __init__(self, symbols: Sequence[str], parameters: Mapping[str, Any]) -> None:
        self._parameters = read_parameters(parameters, EmaCrossParameters)
        self.timeframes: tuple[str, ...] = (self._parameters.timeframe,)
        self._pairs = {symbol: _Pair(self._parameters) for symbol in symbols}

    def on_bar(self, bar: Bar) -> None:
        """Take in one closed bar of the time frame."""
        self._pairs[bar.symbol].update(bar)

    def on_score(self, score: Score) -> None:
        """Leave news aside."""

    def propose(self, view: View) -> Sequence[Proposal]:
        """Propose entries and exits for the symbols whose bar has just closed."""
        cash = view.cash
        proposals: list[Proposal] = []
        for pair in self._pairs.values():
            proposal = self._judge(pair, view, cash)
            if proposal is not None:
                proposals.append(proposal)
            if isinstance(proposal, Entry):
                cash -= proposal.quantity * proposal.price
        return proposals

    def save(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        pairs = {symbol: pair.save() for symbol, pair in self._pairs.items()}
        return {"timeframe": self._parameters.timeframe, "pairs": pairs}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `save` returned; a symbol or time frame that is new since then warms up."""
        if state["timeframe"] != self._parameters.timeframe:
            return
        for symbol, pair in self._pairs.items():
            if symbol in state["pairs"]:
                pair.restore(state["pairs"][symbol])

    def _judge(self, pair: "_Pair", view: View, cash: Decimal) -> Proposal | None:
        bar = pair.bar
        if bar is None or not has_just_closed(bar, view.at, every_ms=TIMEFRAMES_MS[self._parameters.timeframe]):
            return None
        if pair.has_crossed_up:
            return self._enter(pair, bar, view, cash)
        # Asked for on each bar below, not only on the cross: an exit that came to nothing is asked for again.
        if pair.relation == "below" and not is_flat(view, bar):
            return Exit(symbol=bar.symbol, good_until=self._good_until(view), why=pair.explain())
        return None

    def _enter(self, pair: "_Pair", bar: Bar, view: View, cash: Decimal) -> Entry | None:
        p = self._parameters
        if pair.atr.value is None or not may_enter(view, bar, cooldown_ms=p.cooldown_minutes * MINUTE_MS):
            return None
        instrument = view.instruments[bar.symbol]
        atr = exact(pair.atr.value)
        bracket = place_bracket(
            bar.close,
            stop_distance=atr * exact(p.stop_atr),
            target_distance=atr * exact(p.take_profit_atr),
            instrument=instrument,
        )
        budget = Budget(equity=view.equity, cash=cash, position_fraction_max=exact(p.position_fraction))
        quantity = size_by_budget(budget, price=bar.close, instrument=instrument)
        if bracket is None or quantity is None:
            return None
        return Entry(
            symbol=bar.symbol,
            quantity=quantity,
            price=bar.close,
            good_until=self._good_until(view),
            stop_price=bracket.stop_price,
            take_profit=bracket.take_profit,
            why=pair.explain(),
            sizing=budget.explain(bar.close),
        )

    def _good_until(self, view: View) -> Instant:
        return view.at + self._parameters.good_for_s * SECOND_MS


class _Pair:
    """The two averages of one symbol, and how they stood on the last two bars."""

    def __init__(self, parameters: EmaCrossParameters) -> None:
        self.fast = Ema(parameters.fast)
        self.slow = Ema(parameters.slow)
        self.atr = Atr(parameters.atr)
        self.bar: Bar | None = None
        self.relation: Relation | None = None
        self.has_crossed_up = False

    def update(self, bar: Bar) -> None:
        for indicator in (self.fast, self.slow, self.atr):
            indicator.update(bar)
        self.bar = bar
        before, self.relation = self.relation, self._relate()
        self.has_crossed_up = before == "below" and self.relation == "above"

    def explain(self) -> str:
        return f"fast average {self.fast.value:.6g} is {self.relation} slow average {self.slow.value:.6g}"

    def save(self) -> dict[str, Any]:
        return {
            "fast": self.fast.save(),
            "slow": self.slow.save(),
            "atr": self.atr.save(),
            "bar": msgspec.to_builtins(self.bar),
            "relation": self.relation,
            "has_crossed_up": self.has_crossed_up,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.fast.restore(state["fast"])
        self.slow.restore(state["slow"])
        self.atr.restore(state["atr"])
        self.bar = msgspec.convert(state["bar"], Bar | None)
        self.relation = state["relation"]
        self.has_crossed_up = state["has_crossed_up"]

    def _relate(self) -> Relation | None:
        fast, slow = self.fast.value, self.slow.value
        if fast is None or slow is None or fast == slow:
            return self.relation
        return "above" if fast > slow else "below"
