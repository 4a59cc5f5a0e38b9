"""How trading has gone so far: round trips, profit, drawdown and risk-adjusted returns, in bounded memory."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

import msgspec

from domain.imported import Counters
from domain.losses import fall
from domain.market import DAY_MS, Instant, day_of
from domain.money import ZERO
from domain.order import Fill

DAYS_MAX = 4_000
"""Daily closes that are kept; the oldest go first."""
RETURNS_MIN = 7
"""With fewer daily returns there is no Sharpe and no Sortino ratio."""
DAYS_PER_YEAR = 365
"""A crypto market never closes."""


class Trip(msgspec.Struct):
    """A round trip on its way: from the first fill until less than one lot is held."""

    realised: Decimal = ZERO


class Summary(msgspec.Struct, frozen=True):
    """Performance at one moment.  Money in quote currency; None where there is too little to say it.

    Sums and counts go on from an imported state.  What needs each trip's or each day's own result is told of this
    journal's alone: profit factor, averages, best and worst, return, exposure and the ratios.
    """

    trades: int
    """Round trips that are finished."""
    wins: int
    losses: int
    """A trip that made exactly nothing is neither."""
    fills: int
    counts: dict[str, int]
    realised: Decimal
    fees: dict[str, Decimal]
    win_rate: float | None
    profit_factor: float | None
    average_win: Decimal | None
    average_loss: Decimal | None
    """Below zero."""
    best: Decimal | None
    worst: Decimal | None
    equity: Decimal | None
    return_fraction: float | None
    drawdown: float
    """Fall from the highest mark yet, as a fraction of it."""
    drawdown_max: float
    exposure_time: float | None
    """Share of market time in which at least one lot was held."""
    sharpe: float | None
    sortino: float | None
    days: int
    """Daily returns that the ratios rest on."""
    imported: Counters | None = None
    """How much of the sums and counts rests on an imported file alone."""


class Performance(msgspec.Struct):
    """What fills and hourly marks add up to."""

    started_at: Instant | None = None
    latest_at: Instant | None = None
    fills: int = 0
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    fees: dict[str, Decimal] = msgspec.field(default_factory=dict)
    realised: Decimal = ZERO
    trips: dict[str, dict[str, Trip]] = msgspec.field(default_factory=dict)
    """Round trips on their way, by strategy, then symbol."""
    exposed_since: Instant | None = None
    exposed_ms: int = 0
    wins: int = 0
    losses: int = 0
    draws: int = 0
    gross_profit: Decimal = ZERO
    gross_loss: Decimal = ZERO
    """Sum of the losing trips, below zero."""
    best: Decimal | None = None
    worst: Decimal | None = None
    equity_first: Decimal | None = None
    equity: Decimal | None = None
    peak: Decimal | None = None
    drawdown_max: Decimal = ZERO
    day: int | None = None
    """The day whose close `equity` may become."""
    closes: list[float] = msgspec.field(default_factory=list)
    """Equity at the end of each finished day that was marked."""
    imported: Counters | None = None
    """What an imported file says of the time before the journal."""

    def go_on_from(self, counters: Counters) -> None:
        """Go on from what an imported file says; a fall is measured from the highest worth there ever was."""
        self.imported = counters
        self.peak = counters.peak_equity

    def take_over(self, strategy: str, symbol: str) -> None:
        """Take in that a round trip is under way that no fill began: it counts when it ends."""
        self.trips.setdefault(strategy, {})[symbol] = Trip()

    def adopt(self, strategy: str, symbol: str, *, realised: Decimal, is_open: bool) -> None:
        """Take in that a lot was changed by no trade of ours: a round trip begins by that, or ends with what it made.

        When that was is not known, only when it was found: exposure counts from what is seen next, or until the last.
        """
        self.realised += realised
        trips = self.trips.get(strategy, {})
        if symbol not in trips:
            if is_open:
                self.take_over(strategy, symbol)
            return
        trips[symbol].realised += realised
        if not is_open:
            self._arrive(trips.pop(symbol).realised, self.latest_at or 0)

    def rescale(self, before: Decimal, after: Decimal) -> None:
        """Take in that the worth changed by no trade of ours: it is neither a return nor a fall."""
        if self.equity is None or before <= 0 or after <= 0:
            return
        factor = after / before
        self.equity *= factor
        self.equity_first = None if self.equity_first is None else self.equity_first * factor
        self.peak = None if self.peak is None else self.peak * factor
        self.closes = [close * float(factor) for close in self.closes]

    def count(self, name: str, by: int = 1) -> None:
        """Count something, such as signals or denials.  Names are the caller's and few."""
        self.counts[name] = self.counts.get(name, 0) + by

    def fill(self, fill: Fill, *, strategy: str, realised: Decimal, is_open: bool) -> None:
        """Take in a fill with the change of realised profit it made, and whether a lot is still held after it.

        Fees in a third asset are no part of a trip's profit; `fees` lists them.
        """
        self._see(fill.at)
        self.fills += 1
        self.realised += realised
        if fill.fee.amount:
            self.fees[fill.fee.asset] = self.fees.get(fill.fee.asset, ZERO) + fill.fee.amount
        self._travel(fill, strategy=strategy, realised=realised, is_open=is_open)

    def mark(self, at: Instant, equity: Decimal) -> None:
        """Take in what the account was worth at the end of an hour.

        Raises:
            ValueError: the equity is not finite.
        """
        if not equity.is_finite():
            raise ValueError(f"equity must be finite, was {equity}")
        self._see(at)
        day = (at - 1) // DAY_MS
        if day != self.day:
            self._close_day(day)
        self.equity = equity
        self.equity_first = equity if self.equity_first is None else self.equity_first
        if self.peak is None or equity > self.peak:
            self.peak = equity
        elif (fallen := fall(self.peak, equity)) > self.drawdown_max:
            self.drawdown_max = fallen
        if at % DAY_MS == 0:
            self._close_day(day_of(at))

    def mark_all(self, marks: Sequence[tuple[Instant, Decimal]]) -> None:
        """Take in marks that follow each other, as `mark` would each.

        Within a day only the lowest after each new peak can deepen the drawdown: one division for all of these.
        """
        first, last = marks[0], marks[-1]
        if (first[0] - 1) // DAY_MS != last[0] // DAY_MS:
            for each in marks:
                self.mark(*each)
            return
        self.mark(*first)
        lowest = first[1]
        for _at, equity in marks[1:-1]:
            if equity > self.peak:  # type: ignore[operator]  # The first mark was one.
                self.drawdown_max = max(self.drawdown_max, fall(self.peak, lowest))
                self.peak = lowest = equity
            elif equity < lowest:
                lowest = equity
        self.drawdown_max = max(self.drawdown_max, fall(self.peak, lowest))
        if len(marks) > 1:
            self.mark(*last)

    def summary(self) -> Summary:
        """Say how trading has gone.  Win rate, profit factor and averages are over finished round trips."""
        before = self.imported or Counters()
        trades = self.wins + self.losses + self.draws + before.trades
        returns = daily_returns(self.closes)
        return Summary(
            trades=trades,
            wins=self.wins + before.wins,
            losses=self.losses + before.losses,
            fills=self.fills,
            counts=dict(self.counts),
            realised=self.realised + before.realised,
            fees=_sums(before.fees, self.fees),
            win_rate=(self.wins + before.wins) / trades if trades else None,
            profit_factor=float(self.gross_profit / -self.gross_loss) if self.gross_loss else None,
            average_win=self.gross_profit / self.wins if self.wins else None,
            average_loss=self.gross_loss / self.losses if self.losses else None,
            best=self.best,
            worst=self.worst,
            equity=self.equity,
            return_fraction=self._return_fraction(),
            drawdown=float(fall(self.peak, self.equity)) if self.equity is not None else 0.0,
            drawdown_max=float(self.drawdown_max),
            exposure_time=self._exposure_time(),
            sharpe=sharpe(returns),
            sortino=sortino(returns),
            days=len(returns),
            imported=self.imported,
        )

    def _see(self, at: Instant) -> None:
        self.started_at = at if self.started_at is None else min(self.started_at, at)
        self.latest_at = at if self.latest_at is None else max(self.latest_at, at)
        if self.exposed_since is None and any(self.trips.values()):
            # Only what no fill began is held without having been seen: exposure counts from here.
            self.exposed_since = at

    def _travel(self, fill: Fill, *, strategy: str, realised: Decimal, is_open: bool) -> None:
        """Begin, go on with or end the round trip; what becomes of dust outside of one is no trip."""
        trips = self.trips.setdefault(strategy, {})
        trip = trips.get(fill.symbol)
        if trip is None:
            if not is_open:
                return
            trip = trips[fill.symbol] = Trip()
            self.exposed_since = fill.at if self.exposed_since is None else self.exposed_since
        trip.realised += realised
        if not is_open:
            del trips[fill.symbol]
            self._arrive(trip.realised, fill.at)

    def _arrive(self, made: Decimal, at: Instant) -> None:
        if made > 0:
            self.wins, self.gross_profit = self.wins + 1, self.gross_profit + made
        elif made < 0:
            self.losses, self.gross_loss = self.losses + 1, self.gross_loss + made
        else:
            self.draws += 1
        self.best = made if self.best is None else max(self.best, made)
        self.worst = made if self.worst is None else min(self.worst, made)
        if self.exposed_since is not None and not any(self.trips.values()):
            self.exposed_ms += max(0, at - self.exposed_since)
            self.exposed_since = None

    def _close_day(self, day: int) -> None:
        """Keep the newest mark as its day's close when a later day has begun.  A day without a mark has none."""
        if self.day is None:
            self.day = day
        if day <= self.day:
            return
        if self.equity is not None:
            self.closes.append(float(self.equity))
            del self.closes[:-DAYS_MAX]
        self.day = day

    def _return_fraction(self) -> float | None:
        if self.equity is None or self.equity_first is None or self.equity_first <= 0:
            return None
        return float(self.equity / self.equity_first - 1)

    def _exposure_time(self) -> float | None:
        if self.started_at is None or self.latest_at is None or self.latest_at == self.started_at:
            return None
        running_ms = self.latest_at - self.exposed_since if self.exposed_since is not None else 0
        return (self.exposed_ms + running_ms) / (self.latest_at - self.started_at)


def _sums(before: Mapping[str, Decimal], now: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return dict(before) | {asset: before.get(asset, ZERO) + amount for asset, amount in now.items()}


def daily_returns(closes: Sequence[float]) -> list[float]:
    """Return the simple returns close[i] / close[i-1] - 1 of successive closes, where there was worth before."""
    return [now / before - 1 for before, now in pairwise(closes) if before > 0]


def sharpe(returns: Sequence[float]) -> float | None:
    """Return the annualised Sharpe ratio of daily returns, or None for too few or all equal.

    mean(r) / stdev(r) * sqrt(365), with the sample deviation (n - 1) and a risk-free rate of zero.
    W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1), 1994: the historic ratio, annualised.
    """
    if len(returns) < RETURNS_MIN:
        return None
    mean = math.fsum(returns) / len(returns)
    variance = math.fsum((each - mean) ** 2 for each in returns) / (len(returns) - 1)
    return _annualised(mean, math.sqrt(variance))


def sortino(returns: Sequence[float]) -> float | None:
    """Return the annualised Sortino ratio of daily returns, or None for too few or no losing day.

    mean(r) / sqrt(mean(min(r, 0)^2)) * sqrt(365), the target being zero and the mean taken over all days.
    F. A. Sortino and L. N. Price, "Performance Measurement in a Downside Risk Framework", Journal of Investing 3, 1994.
    """
    if len(returns) < RETURNS_MIN:
        return None
    mean = math.fsum(returns) / len(returns)
    downside = math.fsum(min(each, 0.0) ** 2 for each in returns) / len(returns)
    return _annualised(mean, math.sqrt(downside))


def _annualised(mean: float, deviation: float) -> float | None:
    """Return the ratio per year.  A deviation that is only rounding noise counts as none."""
    if deviation <= 1e-12:
        return None
    return mean / deviation * math.sqrt(DAYS_PER_YEAR)
