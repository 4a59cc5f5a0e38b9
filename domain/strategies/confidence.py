"""A confidence in 0..1 from trend, volatility and sentiment: enter where it is high, leave where it is gone.

    direction  = (weight_15m x trend_15m + weight_1h x trend_1h + weight_sentiment x sentiment) / (sum of the weights)
    calm       = min(1, volatility_calm / volatility)
    confidence = calm x (1 + direction) / 2

Trends and sentiment are in -1..1, so neutral news neither lift nor lower; volatility is that of one hour's return.
A market that falls or shakes has little confidence, one that rises quietly has much.  Where the data has no 15-minute
bars, the hourly ones stand in for them.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from domain.indicators import Trend, Volatility
from domain.market import MINUTE_MS, SECOND_MS, TIMEFRAMES_MS, Bar, Instant
from domain.money import exact
from domain.proposal import Entry, Exit, Proposal
from domain.sentiment import SentimentBook
from domain.sizing import Bracket, Budget, place_bracket, size_by_risk
from domain.strategies.base import Score, View
from domain.strategies.conditions import has_just_closed, is_flat, may_enter
from domain.strategies.settings import (
    BadSetting,
    Fraction,
    Level,
    Minutes,
    Multiple,
    Period,
    Seconds,
    Weight,
    Window,
    read_parameters,
    require_below,
)

FINE = "15m"
COARSE = "1h"


class ConfidenceParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the confidence engine."""

    fast: Period = 8
    slow: Period = 21
    """Periods of the averages whose distance is the trend, on both time frames."""
    atr: Period = 14
    """Period of the average true range."""
    volatility_window: Window = 48
    volatility_calm: Multiple = 0.015
    """Volatility of one hour's return up to which confidence is not damped."""
    weight_15m: Weight = 0.4
    weight_1h: Weight = 0.4
    weight_sentiment: Weight = 0.2
    enter_from: Level = 0.6
    leave_below: Level = 0.5
    """Half is neutral: no direction in a calm market."""
    risk_fraction: Fraction = 0.003
    """Of equity, lost where an entry of confidence 1 is stopped out."""
    position_fraction_max: Fraction = 0.25
    stop_atr: Multiple = 2.5
    take_profit_atr: Multiple = 4.0
    cooldown_minutes: Minutes = 120
    good_for_s: Seconds = 300
    """How long a proposal stands, in market time."""

    def __post_init__(self) -> None:
        require_below("fast", self.fast, "slow", self.slow)
        require_below("leave_below", self.leave_below, "enter_from", self.enter_from)
        if not self.weight_15m + self.weight_1h + self.weight_sentiment > 0:
            raise BadSetting("weight_15m", expected="above 0 where the other weights are 0", found="0")


class Reading(msgspec.Struct, frozen=True):
    """A confidence and what it is made of."""

    confidence: float
    trend_15m: float
    trend_1h: float
    sentiment: float
    calm: float

    def explain(self) -> str:
        """Return it as a sentence for the journal."""
        return (
            f"confidence {self.confidence:.4f}: trend {self.trend_15m:+.3f} on 15m and {self.trend_1h:+.3f} on 1h, "
            f"sentiment {self.sentiment:+.3f}, calm {self.calm:.3f}"
        )


class Confidence:
    """Enters where confidence is high, sized by it and by volatility; leaves at stop or target, or where it is gone."""

    Parameters = ConfidenceParameters
    timeframes: tuple[str, ...] = (FINE, COARSE)

    def __init__(self, symbols: Sequence[str], parameters: Mapping[str, Any]) -> None:
        self._parameters = read_parameters(parameters, ConfidenceParameters)
        self._frames = {
            symbol: {timeframe: _Frame(timeframe, self._parameters) for timeframe in self.timeframes}
            for symbol in symbols
        }
        self._sentiment = SentimentBook()

    def on_bar(self, bar: Bar) -> None:
        """Take in one closed bar of 15 minutes or an hour."""
        self._frames[bar.symbol][bar.timeframe].update(bar)

    def on_score(self, score: Score) -> None:
        """Take in one headline's score."""
        self._sentiment.add(score)

    def read(self, symbol: str, at: Instant) -> Reading | None:
        """Return how confident it is of a symbol; None while indicators warm up."""
        p = self._parameters
        deciding, hourly = self._deciding(symbol), self._frames[symbol][COARSE]
        trend, trend_1h, volatility = deciding.trend.value, hourly.trend.value, deciding.volatility.value
        if trend is None or trend_1h is None or volatility is None:
            return None
        sentiment = self._sentiment.level(symbol, at)
        weights = p.weight_15m + p.weight_1h + p.weight_sentiment
        direction = (p.weight_15m * trend + p.weight_1h * trend_1h + p.weight_sentiment * sentiment) / weights
        calm = min(1.0, p.volatility_calm / volatility) if volatility > 0 else 1.0
        return Reading(
            # Rounded: libraries of mathematics differ in the last digits, decisions must not.
            confidence=round(calm * (1 + direction) / 2, 4),
            trend_15m=trend,
            trend_1h=trend_1h,
            sentiment=sentiment,
            calm=calm,
        )

    def propose(self, view: View) -> Sequence[Proposal]:
        """Propose entries and exits for the symbols whose bar has just closed."""
        cash = view.cash
        proposals: list[Proposal] = []
        for symbol in self._frames:
            proposal = self._judge(symbol, view, cash)
            if proposal is not None:
                proposals.append(proposal)
            if isinstance(proposal, Entry):
                cash -= proposal.quantity * proposal.price
        return proposals

    def save(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        frames = {
            symbol: {timeframe: frame.save() for timeframe, frame in frames.items()}
            for symbol, frames in self._frames.items()
        }
        return {"frames": frames, "sentiment": msgspec.to_builtins(self._sentiment)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `save` returned; a symbol that is new since then warms up."""
        for symbol, frames in self._frames.items():
            for timeframe, saved in state["frames"].get(symbol, {}).items():
                frames[timeframe].restore(saved)
        self._sentiment = msgspec.convert(state["sentiment"], SentimentBook)

    def _deciding(self, symbol: str) -> "_Frame":
        frames = self._frames[symbol]
        return frames[COARSE] if frames[FINE].bar is None else frames[FINE]

    def _judge(self, symbol: str, view: View, cash: Decimal) -> Proposal | None:
        bar = self._deciding(symbol).bar
        if bar is None or not has_just_closed(bar, view.at, every_ms=TIMEFRAMES_MS[FINE]):
            return None
        reading = self.read(symbol, view.at)
        if reading is None:
            return None
        if reading.confidence >= self._parameters.enter_from:
            return self._enter(bar, reading, view, cash)
        if reading.confidence < self._parameters.leave_below and not is_flat(view, bar):
            return Exit(symbol=symbol, good_until=self._good_until(view), why=reading.explain())
        return None

    def _enter(self, bar: Bar, reading: Reading, view: View, cash: Decimal) -> Entry | None:
        if not may_enter(view, bar, cooldown_ms=self._parameters.cooldown_minutes * MINUTE_MS):
            return None
        bracket = self._place_bracket(bar, view)
        sized = self._size(bar, bracket, reading, view, cash) if bracket else None
        if bracket is None or sized is None:
            return None
        quantity, sizing = sized
        return Entry(
            symbol=bar.symbol,
            quantity=quantity,
            price=bar.close,
            good_until=self._good_until(view),
            stop_price=bracket.stop_price,
            take_profit=bracket.take_profit,
            confidence=reading.confidence,
            why=reading.explain(),
            sizing=sizing,
        )

    def _place_bracket(self, bar: Bar, view: View) -> Bracket | None:
        atr = exact(self._deciding(bar.symbol).trend.atr or 0.0)
        return place_bracket(
            bar.close,
            stop_distance=atr * exact(self._parameters.stop_atr),
            target_distance=atr * exact(self._parameters.take_profit_atr),
            instrument=view.instruments[bar.symbol],
        )

    def _size(
        self, bar: Bar, bracket: Bracket, reading: Reading, view: View, cash: Decimal
    ) -> tuple[Decimal, str] | None:
        p = self._parameters
        budget = Budget(equity=view.equity, cash=cash, position_fraction_max=exact(p.position_fraction_max))
        risk_fraction, confidence = exact(p.risk_fraction), exact(reading.confidence)
        quantity = size_by_risk(
            budget,
            risk_fraction=risk_fraction,
            confidence=confidence,
            price=bar.close,
            stop_price=bracket.stop_price,
            instrument=view.instruments[bar.symbol],
        )
        if quantity is None:
            return None
        distance = bar.close - bracket.stop_price
        sizing = budget.explain_risk(risk_fraction, confidence=confidence, price=bar.close, distance=distance)
        return quantity, sizing

    def _good_until(self, view: View) -> Instant:
        return view.at + self._parameters.good_for_s * SECOND_MS


class _Frame:
    """What is known of one symbol on one time frame."""

    def __init__(self, timeframe: str, parameters: ConfidenceParameters) -> None:
        self.trend = Trend(fast=parameters.fast, slow=parameters.slow, atr=parameters.atr)
        self.volatility = Volatility(parameters.volatility_window, timeframe)
        self.bar: Bar | None = None

    def update(self, bar: Bar) -> None:
        self.trend.update(bar)
        self.volatility.update(bar)
        self.bar = bar

    def save(self) -> dict[str, Any]:
        return {
            "trend": self.trend.save(),
            "volatility": self.volatility.save(),
            "bar": msgspec.to_builtins(self.bar),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.trend.restore(state["trend"])
        self.volatility.restore(state["volatility"])
        self.bar = msgspec.convert(state["bar"], Bar | None)
