"""Figures of a backtest that rest on its daily closes; a year has 365 days, for a crypto market never closes."""

import math
from collections.abc import Sequence

import msgspec

from domain.performance import DAYS_PER_YEAR, daily_returns


class Metrics(msgspec.Struct, frozen=True):
    """Fractions of one; None where there are too few days to say it."""

    days: int
    yearly_return: float | None
    """Compounded."""
    volatility: float | None
    """Deviation of daily returns, for a year."""
    calmar: float | None
    """Yearly return by the deepest drawdown."""
    best_day: float | None
    worst_day: float | None


def metrics_of(closes: Sequence[float], *, first: float, days: float, total: float, drawdown: float) -> Metrics:
    """Return the metrics of a run.

    `closes` are the account's worth at the end of each day, `first` what there was before; `days` is how long the run
    took in market time, `total` what it made and `drawdown` how far it fell at most, as fractions.
    """
    returns = daily_returns([first, *closes])
    yearly = (1 + total) ** (DAYS_PER_YEAR / days) - 1 if days >= 1 and total > -1 else None
    return Metrics(
        days=len(returns),
        yearly_return=yearly if yearly is not None and math.isfinite(yearly) else None,
        volatility=_deviation(returns) * math.sqrt(DAYS_PER_YEAR) if len(returns) >= 2 else None,
        calmar=yearly / drawdown if yearly is not None and drawdown > 0 else None,
        best_day=max(returns, default=None),
        worst_day=min(returns, default=None),
    )


def _deviation(returns: Sequence[float]) -> float:
    mean = math.fsum(returns) / len(returns)
    return math.sqrt(math.fsum((each - mean) ** 2 for each in returns) / (len(returns) - 1))
