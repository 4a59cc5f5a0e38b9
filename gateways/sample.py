"""A generated market, labelled as such, for a first run without files or network."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from domain.bars import FrameBuilder, frames_of
from domain.market import DAY_MS, MINUTE_MS, TIMEFRAMES_MS, Bar, Instant
from domain.sources import Row, Step
from gateways.sample_paths import Path, day_return, draw_bars, market_day, stream, symbol_day, walk
from gateways.sample_plan import BEGIN, DAY_MINUTES, HISTORY, OTHER, PROFILES, Profile, day_plan

VERSION = 1
"""Of the generator: the same version and seed make the same market, on every machine and Python."""
BASE = "1m"
HISTORY_BASE = "15m"
HISTORY_BARS_MAX = 150
"""Of each frame, before trading starts."""
DAYS_MAX = 365


class SampleMarket:
    """A market of 1-minute bars with trends, quiet, chop, a crash and an outage, the same for the same seed.

    Each day is drawn from its own seed between prices known beforehand, so that any day can be read without those
    before it.  Frames finer than 15 minutes have no history.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        days: int = 14,
        symbols: Sequence[str] = ("BTCUSDT", "ETHUSDT", "SOLUSDT"),
        frames: Sequence[str] = ("15m", "1h"),
    ) -> None:
        """Take the seed and how many days may be traded; raise ValueError for a length or symbols that cannot be."""
        if not 1 <= days <= DAYS_MAX:
            raise ValueError(f"days must be in 1..{DAYS_MAX}, was {days}")
        if not symbols or len(set(symbols)) != len(symbols):
            raise ValueError(f"symbols must be one or more, each once, were {', '.join(symbols) or 'none'}")
        self._seed = seed
        self._days = days
        self._profiles = {symbol: PROFILES.get(symbol, OTHER) for symbol in symbols}
        self._openings = {symbol: [profile.price] for symbol, profile in self._profiles.items()}
        self._frames = frames_of(BASE, frames)
        self._histories: dict[str, dict[str, list[Bar]]] = {}

    def describe(self) -> str:
        """Say that the market is generated, from which seed, and by which version of the generator."""
        symbols = ", ".join(self._profiles)
        return f"generated market, seed {self._seed}, version {VERSION}: {symbols}, {self._days} days of {BASE}"

    def symbols(self) -> Sequence[str]:
        """Return its symbols in configured order."""
        return tuple(self._profiles)

    def base_timeframe(self, symbol: str) -> str:
        """Return the time frame of its rows, which is that of every symbol."""
        return BASE

    def starts_at(self) -> Instant:
        """Return the first instant that may be traded."""
        return BEGIN

    def history(self, symbol: str, timeframe: str) -> Sequence[Bar]:
        """Return a symbol's closed bars of one of its frames up to `starts_at`, oldest first."""
        if timeframe not in self._frames:
            raise ValueError(f"a frame of {symbol} must be one of {self._frames}, was {timeframe!r}")
        if symbol not in self._histories:
            self._histories[symbol] = self._build_history(symbol, self._profiles[symbol])
        return tuple(self._histories[symbol].get(timeframe, ())[-HISTORY_BARS_MAX:])

    def steps(self, after: Instant) -> Iterator[Step]:
        """Read the steps that close after an instant; a day that lies before it costs no more than one product."""
        first = max(0, (after - BEGIN) // DAY_MS)
        for day in range(first, self._days):
            for step in self._draw_day(day):
                if step.at > after:
                    yield step

    def steps_total(self) -> int:
        """Return how many steps there are from `starts_at` on."""
        return sum(DAY_MINUTES - len(day_plan(day).missing) for day in range(self._days))

    def _draw_day(self, day: int) -> Iterator[Step]:
        market = market_day(self._seed, day)
        columns = [self._draw_rows(symbol, day, market) for symbol in self._profiles]
        missing = day_plan(day).missing
        for minute, rows in enumerate(zip(*columns, strict=True)):
            if minute not in missing:
                yield Step(rows[0].opened_at + MINUTE_MS, rows)

    def _draw_rows(self, symbol: str, day: int, market: Path) -> Iterator[Row]:
        profile = self._profiles[symbol]
        path = symbol_day(self._seed, symbol, profile, day, market)
        draws = stream(self._seed, symbol, day, "bars")
        opened_at = BEGIN + day * DAY_MS
        price = self._opening_price(symbol, profile, day)
        for numbers in draw_bars(path, profile, draws, price=price, volume=profile.volume):
            yield Row(symbol, BASE, opened_at, *numbers)
            opened_at += MINUTE_MS

    def _opening_price(self, symbol: str, profile: Profile, day: int) -> float:
        prices = self._openings[symbol]
        while len(prices) <= day:
            prices.append(prices[-1] * (1 + day_return(self._seed, symbol, profile, len(prices) - 1)))
        return prices[day]

    def _build_history(self, symbol: str, profile: Profile) -> dict[str, list[Bar]]:
        span = TIMEFRAMES_MS[HISTORY_BASE]
        path = walk(HISTORY, stream(self._seed, symbol, "history"))
        price = profile.price / (1 + path.levels[-1])
        builders = [FrameBuilder(frame) for frame in self._frames if TIMEFRAMES_MS[frame] % span == 0]
        histories: dict[str, list[Bar]] = {builder.timeframe: [] for builder in builders}
        opened_at = BEGIN - len(path.noises) * span
        draws = stream(self._seed, symbol, "history bars")
        volume = profile.volume * span / MINUTE_MS
        for numbers in draw_bars(path, profile, draws, price=price, volume=volume):
            bar = Bar(symbol, HISTORY_BASE, opened_at, opened_at + span, *map(Decimal, numbers))
            opened_at += span
            for builder in builders:
                histories[builder.timeframe] += builder.add(bar)
        return histories
