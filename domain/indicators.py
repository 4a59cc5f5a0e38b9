"""Indicators that take in one closed bar at a time, and whose state is plain JSON values.

They are floats: they say when to trade, never how much money is there.  Each update takes the same few steps, however
long the market runs.  A value is None until enough bars came in, and is always finite.
"""

import math
from collections import deque
from itertools import pairwise
from typing import Any, Protocol

from domain.market import HOUR_MS, TIMEFRAMES_MS, Bar

_STILL = 1e-9
"""An average range below this share of the price is what rounding left over, not movement."""


class Indicator(Protocol):
    """What all indicators have in common."""

    @property
    def value(self) -> float | None:
        """Return the value as of the last bar; None while too few bars came in."""

    @property
    def is_ready(self) -> bool:
        """Say whether there is a value."""

    def update(self, bar: Bar) -> None:
        """Take in one closed bar."""

    def save(self) -> dict[str, Any]:
        """Return the state as plain JSON values; the settings are no part of it."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `save` returned."""


class Mean:
    """A mean that starts as the plain one of its first `period` numbers, and then moves by `weight` towards each one.

    The plain start is what makes a short warm-up enough: no made-up first value has to fade away.
    """

    def __init__(self, period: int, weight: float) -> None:
        if period < 1:
            raise ValueError(f"a period must be at least 1, was {period}")
        self._period = period
        self._weight = weight
        self._count = 0
        self._mean = 0.0

    @property
    def value(self) -> float | None:
        """Return the mean; None while fewer than `period` numbers came in."""
        return self._mean if self._count >= self._period else None

    def add(self, number: float) -> None:
        """Take in one number."""
        if self._count < self._period:
            self._count += 1
            self._mean += (number - self._mean) / self._count
        else:
            self._mean += self._weight * (number - self._mean)

    def save(self) -> list[float]:
        """Return the state as plain JSON values."""
        return [self._count, self._mean]

    def restore(self, state: list[float]) -> None:
        """Take over what `save` returned."""
        count, mean = state
        self._count, self._mean = int(count), float(mean)


class Ema:
    """The exponential moving average of the close, in quote currency."""

    def __init__(self, period: int) -> None:
        self._mean = Mean(period, 2 / (period + 1))

    @property
    def value(self) -> float | None:
        """Return the average; None while fewer than `period` bars came in."""
        return self._mean.value

    @property
    def is_ready(self) -> bool:
        """Say whether there is a value."""
        return self.value is not None

    def update(self, bar: Bar) -> None:
        """Take in one closed bar."""
        self._mean.add(float(bar.close))

    def save(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        return {"mean": self._mean.save()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `save` returned."""
        self._mean.restore(state["mean"])


class Rsi:
    """Wilder's relative strength index of the close, in 0..100; 50 where the price stood still."""

    def __init__(self, period: int) -> None:
        self._gains = Mean(period, 1 / period)
        self._losses = Mean(period, 1 / period)
        self._close: float | None = None

    @property
    def value(self) -> float | None:
        """Return the index; None while fewer than `period` changes came in."""
        gain, loss = self._gains.value, self._losses.value
        if gain is None or loss is None:
            return None
        return 100 * (gain / (gain + loss)) if gain + loss > 0 else 50.0

    @property
    def is_ready(self) -> bool:
        """Say whether there is a value."""
        return self.value is not None

    def update(self, bar: Bar) -> None:
        """Take in one closed bar."""
        close = float(bar.close)
        if self._close is not None:
            self._gains.add(max(close - self._close, 0.0))
            self._losses.add(max(self._close - close, 0.0))
        self._close = close

    def save(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        return {"gains": self._gains.save(), "losses": self._losses.save(), "close": self._close}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `save` returned."""
        self._gains.restore(state["gains"])
        self._losses.restore(state["losses"])
        self._close = state["close"]


class Atr:
    """Wilder's average true range, in quote currency."""

    def __init__(self, period: int) -> None:
        self._ranges = Mean(period, 1 / period)
        self._close: float | None = None

    @property
    def value(self) -> float | None:
        """Return the average range; None while fewer than `period` bars came in."""
        return self._ranges.value

    @property
    def is_ready(self) -> bool:
        """Say whether there is a value."""
        return self.value is not None

    def update(self, bar: Bar) -> None:
        """Take in one closed bar."""
        high, low = float(bar.high), float(bar.low)
        if self._close is not None:
            high, low = max(high, self._close), min(low, self._close)
        self._ranges.add(high - low)
        self._close = float(bar.close)

    def save(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        return {"ranges": self._ranges.save(), "close": self._close}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `save` returned."""
        self._ranges.restore(state["ranges"])
        self._close = state["close"]


class Volatility:
    """Realised volatility: the standard deviation of the last `window` log returns, scaled to one hour's return.

    The state holds closes and not their logarithms: libraries of mathematics differ in a last digit, and the saved
    state should not differ with them.
    """

    def __init__(self, window: int, timeframe: str) -> None:
        if window < 2:
            raise ValueError(f"a volatility window must be at least 2 returns, was {window}")
        self._window = window
        self._bars_per_hour = HOUR_MS / TIMEFRAMES_MS[timeframe]
        self._closes: deque[float] = deque(maxlen=window + 1)

    @property
    def value(self) -> float | None:
        """Return the volatility, 0.01 for one percent an hour; None while fewer than `window` returns came in."""
        if not self.is_ready:
            return None
        logs = [math.log(close) for close in self._closes]
        returns = [after - before for before, after in pairwise(logs)]
        mean = math.fsum(returns) / self._window
        variance = math.fsum((each - mean) ** 2 for each in returns) / (self._window - 1)
        return math.sqrt(variance * self._bars_per_hour)

    @property
    def is_ready(self) -> bool:
        """Say whether there is a value."""
        return len(self._closes) > self._window

    def update(self, bar: Bar) -> None:
        """Take in one closed bar; raise ValueError for a close that is not above 0."""
        close = float(bar.close)
        if not close > 0:
            raise ValueError(f"a close must be above 0, was {bar.close}")
        self._closes.append(close)

    def save(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        return {"closes": list(self._closes)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `save` returned."""
        self._closes = deque(state["closes"], maxlen=self._window + 1)


class Trend:
    """Strength of the trend in -1..1: the way from the slow average to the fast one, in average ranges, squashed.

    tanh((fast - slow) / average range): 0.46 where the averages are half a range apart, 0.76 where it is a whole one.
    """

    def __init__(self, *, fast: int, slow: int, atr: int) -> None:
        if fast >= slow:
            raise ValueError(f"the fast period must be below the slow one ({slow}), was {fast}")
        self._fast = Ema(fast)
        self._slow = Ema(slow)
        self._atr = Atr(atr)

    @property
    def value(self) -> float | None:
        """Return the strength; 0 in a market that does not move, None while too few bars came in."""
        fast, slow, atr = self._fast.value, self._slow.value, self._atr.value
        if fast is None or slow is None or atr is None:
            return None
        return math.tanh((fast - slow) / atr) if atr > _STILL * slow else 0.0

    @property
    def atr(self) -> float | None:
        """Return the average true range behind it, in quote currency."""
        return self._atr.value

    @property
    def is_ready(self) -> bool:
        """Say whether there is a value."""
        return self.value is not None

    def update(self, bar: Bar) -> None:
        """Take in one closed bar."""
        self._fast.update(bar)
        self._slow.update(bar)
        self._atr.update(bar)

    def save(self) -> dict[str, Any]:
        """Return the state as plain JSON values."""
        return {"fast": self._fast.save(), "slow": self._slow.save(), "atr": self._atr.save()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `save` returned."""
        self._fast.restore(state["fast"])
        self._slow.restore(state["slow"])
        self._atr.restore(state["atr"])
