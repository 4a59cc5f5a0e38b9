"""The parts a configuration asks for, made ready and not yet wired: instruments, sources, strategies, limits."""

from collections.abc import Callable, Mapping
from pathlib import Path
from zlib import crc32

import msgspec

from actors.feed_memory import Audience
from domain.bars import frames_of
from domain.limits import Limits
from domain.market import DAY_MS, SECOND_MS, Instant, Instrument
from domain.reconciliation import Policies
from domain.sources import Headline, HeadlineSource, MarketSource
from domain.strategies import Score, Strategy
from domain.venue import VenueProfile
from gateways.headlines import HeadlineFile, NoHeadlines
from gateways.paper import PaperSettings, profile_of
from gateways.plugins import StrategyClass, find_strategy, make_strategy
from gateways.recorded import RecordedMarket
from gateways.sample import SampleMarket
from gateways.sample_news import sample_headlines
from gateways.sample_plan import BEGIN as SAMPLE_BEGIN
from holdfast.config.instruments import instrument_for
from holdfast.config.problems import ConfigurationError, Problem, problem_of, refused_parameters
from holdfast.config.settings import InstrumentRules, Settings, StrategySettings
from holdfast.feeding import LIVE_TIMEFRAME, unfed

SAMPLE_SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
SAMPLE_DAYS = 14
HOST_VERSION = 2
"""Of what is kept around a strategy; since 2, what it holds of symbols that it does not live on is no part of it."""
DEADLINE_MS = 60 * SECOND_MS
"""How long the venue may take an order for, in market time."""


class StrategyPart(msgspec.Struct, frozen=True):
    """One strategy as configured.  `make` gives a new instance with no state."""

    name: str
    kind: StrategyClass
    symbols: tuple[str, ...]
    parameters: Mapping[str, object]
    timeframes: tuple[str, ...]

    @property
    def version(self) -> int:
        """Return a number that differs where a snapshot of the strategy's state would not fit."""
        text = f"{HOST_VERSION} {self.kind.__module__}.{self.kind.__qualname__} {self.symbols} {self.parameters}"
        return crc32(text.encode())

    def make(self) -> Strategy:
        """Return a new instance.

        Raises:
            ValueError: it does not take these parameters.
        """
        return make_strategy(self.kind, self.symbols, self.parameters)


class Shape(msgspec.Struct, frozen=True):
    """What memories depend on besides events."""

    instruments: dict[str, Instrument]
    quote: str
    strategies: tuple[StrategyPart, ...]
    frames: tuple[str, ...]
    demands_stops: bool = True
    """A position that lacks its stop at the venue is a violation."""


class Parts(msgspec.Struct, frozen=True):
    """All that is wired into a node."""

    settings: Settings
    """With the rules of symbols that a venue or the journal has told."""
    source: MarketSource
    headlines: HeadlineSource
    shape: Shape
    profile: VenueProfile
    limits: Limits
    deadline_ms: int = DEADLINE_MS
    """How long the venue may take an order for, in market time."""
    score: Callable[[Headline, Instant], Score] | None = None
    """Scores a headline that arrived at an instant, in place of the lexicon."""
    instruments_given: Mapping[str, InstrumentRules] | None = None
    """As they were configured, where others have told more of them."""

    @property
    def resting(self) -> tuple[str, ...]:
        """Return the symbols that are remembered, and that the market has not got any more."""
        return tuple(symbol for symbol in self.shape.instruments if symbol not in self.source.symbols())


def gather(
    settings: Settings,
    *,
    folder: Path,
    source: MarketSource | None = None,
    profile: VenueProfile | None = None,
    known: tuple[str, ...] = (),
) -> Parts:
    """Make the parts ready; paths and files of strategies start at `folder`.

    `source` replaces the configured market, and `profile` is that of the venue where it is a real one.  `known` are
    symbols that strategies may name although the market has not got them any more.

    Raises:
        ConfigurationError: with everything that the configuration names and is not there.
    """
    source = source or open_market(settings, folder)
    symbols = tuple(source.symbols())
    problems: list[Problem] = []
    shape = shape_of(settings, symbols, folder, problems, known=known)
    problems += _fees_in_what_is_traded(settings, shape) if profile is None else []
    for part in shape.strategies if not problems else ():
        problems += _unfed(part, {symbol: source.base_timeframe(symbol) for symbol in part.symbols}, shape, settings)
    if problems:
        raise ConfigurationError(problems)
    is_paper = profile is None
    profile = profile or profile_of(paper_settings(settings), shape.quote)
    return Parts(
        settings=settings,
        source=source,
        headlines=open_headlines(settings, folder),
        shape=shape,
        profile=profile,
        limits=_limits(settings, symbols, profile),
        deadline_ms=DEADLINE_MS if is_paper else int(settings.venue.deadline_s * SECOND_MS),
    )


def demand_strategies(settings: Settings, folder: Path) -> None:
    """Refuse strategies and symbols that cannot be, as far as that is seen without the market of a venue.

    Raises:
        ConfigurationError: with everything that is wrong.
    """
    problems: list[Problem] = []
    shape = shape_of(settings, settings.feed.symbols, folder, problems)
    base = settings.feed.timeframe or LIVE_TIMEFRAME
    for part in shape.strategies if not problems else ():
        problems += _unfed(part, dict.fromkeys(part.symbols, base), shape, settings)
    if problems:
        raise ConfigurationError(problems)


def strategy_problems(settings: Settings, folder: Path) -> list[Problem]:
    """Return what is wrong with strategies in themselves, whatever else may be wrong with the settings."""
    problems: list[Problem] = []
    for name, given in settings.strategies.items():
        if given.enabled:
            _strategy(name, given, given.symbols or settings.feed.symbols or SAMPLE_SYMBOLS, folder, problems)
    return problems


def _limits(settings: Settings, symbols: tuple[str, ...], profile: VenueProfile) -> Limits:
    try:
        return limits_of(settings, symbols, profile)
    except ValueError as error:
        raise ConfigurationError([Problem("risk", "limits that can be", str(error), "the limits")]) from error


def _fees_in_what_is_traded(settings: Settings, shape: Shape) -> list[Problem]:
    """Refuse a fee asset that is bought and sold too: fees would eat positions, and their stops would not be taken."""
    asset = settings.venue.fee_asset
    if asset not in {instrument.base for instrument in shape.instruments.values()}:
        return []
    expected = "quote, received or an asset that no symbol of the feed buys and sells"
    return [Problem("venue.fee_asset", expected, asset, "the feed")]


def shape_of(
    settings: Settings,
    symbols: tuple[str, ...],
    folder: Path,
    problems: list[Problem],
    *,
    known: tuple[str, ...] = (),
) -> Shape:
    """Return what memories depend on; what is wrong is added to `problems`, and left out.

    `symbols` are traded; of those that are `known` besides, no more is done than remembered.
    """
    instruments = _instruments(settings, tuple(dict.fromkeys((*known, *symbols))), problems)
    strategies = tuple(
        part
        for name, given in settings.strategies.items()
        if given.enabled and (part := _strategy(name, given, symbols, folder, problems, known=known)) is not None
    )
    quotes = sorted({instrument.quote for instrument in instruments.values()})
    if len(quotes) > 1:
        problems.append(Problem("feed.symbols", "symbols with one quote asset", ", ".join(quotes), "symbols"))
    wanted = dict.fromkeys((*settings.feed.frames, *(frame for part in strategies for frame in part.timeframes)))
    return Shape(instruments, quotes[0] if quotes else "", strategies, tuple(wanted), settings.invariants.protection)


def _unfed(part: StrategyPart, bases: Mapping[str, str], shape: Shape, settings: Settings) -> list[Problem]:
    return unfed(part.name, part.timeframes, bases, built=shape.frames, served=settings.feed.frames)


def open_market(settings: Settings, folder: Path) -> MarketSource:
    """Open the configured market; raise ConfigurationError where it is not there."""
    feed = settings.feed
    if feed.source == "venue":
        expected = 'a market that can be read again: "files" or "sample"'
        raise ConfigurationError([Problem("feed.source", expected, "one that goes on at its venue", "the source")])
    try:
        if feed.source == "sample":
            symbols = feed.symbols or SAMPLE_SYMBOLS
            return SampleMarket(frames=feed.frames, symbols=symbols, days=_sample_days(feed.end))
        timeframes = dict.fromkeys(feed.symbols, feed.timeframe) if feed.timeframe else None
        return RecordedMarket.open(
            folder / Path(feed.path).expanduser(),
            symbols=feed.symbols or None,
            timeframes=timeframes,
            start=feed.start,
            end=feed.end,
            warmup_bars=feed.warmup_bars,
            frames=feed.frames,
        )
    except (ValueError, OSError) as error:
        raise ConfigurationError([problem_of("feed", error, "a market that can be read", "the source")]) from error


def _sample_days(end: Instant | None) -> int:
    """Return how many days of the generated market may be traded; raise ValueError for an end before its first."""
    if end is None:
        return SAMPLE_DAYS
    if end < SAMPLE_BEGIN + DAY_MS:
        raise ValueError(f"the generated market must end at least a day after {SAMPLE_BEGIN}, was to end at {end}")
    return (end - SAMPLE_BEGIN) // DAY_MS


def open_headlines(settings: Settings, folder: Path) -> HeadlineSource:
    """Open the configured headlines."""
    match settings.sentiment.source:
        case "files":
            return HeadlineFile(folder / Path(settings.sentiment.path).expanduser())
        case "sample":
            return sample_headlines()
        case _:
            return NoHeadlines()


def policies_of(settings: Settings) -> Policies:
    """Return what becomes of each kind of difference between the books and the venue's account."""
    return Policies(**msgspec.structs.asdict(settings.reconcile))


def limits_of(settings: Settings, symbols: tuple[str, ...], profile: VenueProfile) -> Limits:
    """Return the breaker's limits as configured; all symbols of the feed are allowed where none is named."""
    risk = settings.risk
    return Limits(
        price_collar=risk.price_collar_pct / 100,
        order_notional_max=risk.order_notional_max,
        exposure_max=risk.exposure_max,
        symbol_exposure_max=risk.symbol_exposure_max,
        daily_loss_max=risk.daily_loss_max,
        drawdown_max=risk.drawdown_max,
        stale_after_ms=int(risk.stale_after_s * SECOND_MS),
        symbols_allowed=risk.symbols_allowed or symbols,
        no_trade=risk.no_trade,
        market_lock=profile.market_lock,
        fee_lock=profile.fee_lock,
        base_fee=profile.base_fee,
    )


def paper_settings(settings: Settings) -> PaperSettings:
    """Return the paper venue's terms as configured."""
    venue = settings.venue
    return PaperSettings(
        fee_maker_bps=venue.fee_maker_bps,
        fee_taker_bps=venue.fee_taker_bps,
        fee_asset=venue.fee_asset,
        slippage_bps=venue.slippage_bps,
        latency_ms=venue.latency_ms,
        participation=venue.participation,
    )


def audiences_of(shape: Shape, source: MarketSource) -> tuple[Audience, ...]:
    """Say which strategy is asked when: at its first time frame that a symbol's data has."""
    audiences = []
    for part in shape.strategies:
        decides_on = {}
        for symbol in part.symbols:
            available = frames_of(source.base_timeframe(symbol), shape.frames)
            fitting = [frame for frame in part.timeframes if frame in available]
            decides_on[symbol] = fitting[0] if fitting else available[0]
        audiences.append(Audience(part.name, decides_on))
    return tuple(audiences)


def _instruments(settings: Settings, symbols: tuple[str, ...], problems: list[Problem]) -> dict[str, Instrument]:
    instruments = {}
    for symbol in symbols:
        try:
            instruments[symbol] = instrument_for(symbol, settings.instruments.get(symbol))
        except ValueError as error:
            problems.append(Problem(f"instruments.{symbol}", "its base and quote asset", str(error), "its name"))
    return instruments


def _strategy(
    name: str,
    given: StrategySettings,
    traded: tuple[str, ...],
    folder: Path,
    problems: list[Problem],
    *,
    known: tuple[str, ...] = (),
) -> StrategyPart | None:
    symbols = tuple(each for each in given.symbols or traded if each in traded or each not in known)
    if given.symbols and not symbols:
        return None  # All that it lives on rests.
    if strange := [symbol for symbol in symbols if symbol not in traded]:
        expected = f"symbols of the feed ({', '.join(traded)})"
        problems.append(Problem(f"strategies.{name}.symbols", expected, ", ".join(strange), "the feed"))
        return None
    try:
        kind = find_strategy(given.implementation, folder=folder)
        made = make_strategy(kind, symbols, given.parameters)
    except ValueError as error:
        problems.append(refused_parameters(name, error))
        return None
    return StrategyPart(name, kind, symbols, given.parameters, tuple(made.timeframes))
