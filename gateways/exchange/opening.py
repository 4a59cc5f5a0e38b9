"""The market is opened: history up to now, and a schedule of ticks from where the market was when it was last open."""

from collections.abc import Iterator
from heapq import merge
from itertools import chain
from random import Random

import msgspec

from domain.market import MINUTE_MS, TIMEFRAMES_MS, Bar, Closing, Instant, Instrument
from domain.sources import MarketSource
from gateways.exchange.clock import VenueClock
from gateways.exchange.klines import Kline, of_bar, opening_of
from gateways.exchange.ledger import Ledger
from gateways.exchange.listing import instrument_of
from gateways.exchange.market import Listing, Market, Scheduled
from gateways.exchange.settings import ExchangeSettings
from gateways.exchange.tape import Tape
from gateways.exchange.ticks import Tick, count_of, ticks_of
from gateways.recorded import RecordedMarket
from gateways.sample import DAYS_MAX, SampleMarket

MISSED_MAX_MS = 6 * 60 * MINUTE_MS
"""So much of the time that the exchange was down is made up for in klines; what is before that is a gap."""
MISSED_BARS_MAX = 5_000
NUMBERS_OF_MINUTE = 1_000_000
"""More than the public trades of one symbol; the last number is written down once a minute only."""
_ANCHOR = "anchor"


class Anchor(msgspec.Struct, frozen=True):
    """At which moment of the clock the market was at which of the tape's, and how fast it went on from there."""

    wall: Instant
    tape: Instant
    speed: float

    def tape_at(self, wall: Instant) -> Instant:
        """Return the tape's time at a time of the clock."""
        return self.tape + int((wall - self.wall) * self.speed)

    def wall_at(self, tape: float) -> Instant:
        """Return the clock's time at a time of the tape."""
        return self.wall + int((tape - self.tape) / self.speed)


def open_market(settings: ExchangeSettings, ledger: Ledger, clock: VenueClock) -> Market:
    """Return the market, as far as it is by now.

    Raises:
        SourceMissing, SourceBroken: the data are not there, or are none.
        ValueError: the symbols are not all of one time frame.
    """
    source = _source_of(settings)
    symbols = tuple(settings.symbols or source.symbols())
    span = _span_of(source, symbols)
    closings = Tape(source, symbols).closings()
    known, now = ledger.meta(_ANCHOR), clock.now()
    if known is None:
        anchor, newest = _make_history(settings, source, symbols, closings, ledger, now, span)
        resumes_at = now
    else:
        anchor, resumes_at = _go_on(msgspec.json.decode(known, type=Anchor), settings, ledger, now, span)
        newest = {}
    begin = anchor.tape_at(resumes_at)
    upcoming: Iterator[Closing] = (closing for closing in closings if closing[0] > begin)
    if known is not None:
        first = next(upcoming)
        newest = {bar.symbol: bar for bar in first[1]}
        upcoming = chain([first], upcoming)
    listings = _listings(settings, symbols, newest, ledger)
    schedule = _schedule(upcoming, {name: each.instrument for name, each in listings.items()}, anchor, settings)
    market = Market(listings, (tick for tick in schedule if tick[0] > resumes_at), clock.next)
    _catch_up(market, now)
    return market


def _source_of(settings: ExchangeSettings) -> MarketSource:
    symbols = list(settings.symbols) or None
    if settings.data is not None:
        return RecordedMarket.open(settings.data, symbols=symbols, warmup_bars=0, frames=())
    names = {"symbols": symbols} if symbols else {}
    return SampleMarket(seed=settings.seed, days=DAYS_MAX, **names)


def _span_of(source: MarketSource, symbols: tuple[str, ...]) -> int:
    frames = {source.base_timeframe(symbol) for symbol in symbols}
    if len(frames) != 1:
        raise ValueError(f"the symbols' files must be of one time frame, were of {', '.join(sorted(frames))}")
    return TIMEFRAMES_MS[frames.pop()]


def _make_history(
    settings: ExchangeSettings,
    source: MarketSource,
    symbols: tuple[str, ...],
    closings: Iterator[Closing],
    ledger: Ledger,
    now: Instant,
    span: int,
) -> tuple[Anchor, dict[str, Bar]]:
    total = source.steps_total() or settings.history_bars
    bars: list[Bar] = []
    newest: dict[str, Bar] = {}
    tape_at = 0
    for passed, (tape_at, closed) in enumerate(closings, start=1):  # noqa: B007 - the last instant is needed
        bars += closed
        newest |= {bar.symbol: bar for bar in closed}
        if passed >= min(settings.history_bars, total // 2) and len(newest) == len(symbols):
            break
    shift = opening_of(now, span) - tape_at
    anchor = Anchor(now, tape_at, settings.speed)
    with ledger.writing():
        for symbol in symbols:
            mine = [of_bar(bar, bar.opened_at + shift) for bar in bars if bar.symbol == symbol]
            ledger.add_klines(symbol, mine)
        ledger.note(_ANCHOR, msgspec.json.encode(anchor).decode())
    return anchor, newest


def _go_on(
    anchor: Anchor, settings: ExchangeSettings, ledger: Ledger, now: Instant, span: int
) -> tuple[Anchor, Instant]:
    resumes_at = max(anchor.wall, int(ledger.meta("closed") or 0))
    missed_ms = min(MISSED_MAX_MS, int(MISSED_BARS_MAX * span / anchor.speed))
    resumes_at = max(resumes_at, now - missed_ms)
    if settings.speed == anchor.speed:
        return anchor, resumes_at
    changed = Anchor(now, anchor.tape_at(now), settings.speed)
    with ledger.writing():
        ledger.note(_ANCHOR, msgspec.json.encode(changed).decode())
    return changed, now


def _listings(
    settings: ExchangeSettings, symbols: tuple[str, ...], newest: dict[str, Bar], ledger: Ledger
) -> dict[str, Listing]:
    listings = {}
    for symbol in symbols:
        klines: list[Kline] = ledger.klines(symbol)
        price = klines[-1].close if klines else newest[symbol].close
        instrument = settings.instruments.get(symbol) or instrument_of(symbol, price)
        number = _first_number(symbol, ledger)
        listings[symbol] = Listing(instrument, seed=settings.seed, klines=klines, first_number=number)
        listings[symbol].status = ledger.meta(f"status/{symbol}") or "TRADING"
    return listings


def _first_number(symbol: str, ledger: Ledger) -> int:
    """Return a number that no public trade of a symbol has had, whenever the last life ended."""
    known = ledger.meta(f"number/{symbol}")
    number = 0 if known is None else int(known) + NUMBERS_OF_MINUTE
    with ledger.writing():
        ledger.note(f"number/{symbol}", str(number))
    return number


def _schedule(
    closings: Iterator[Closing], instruments: dict[str, Instrument], anchor: Anchor, settings: ExchangeSettings
) -> Iterator[Scheduled]:
    for _, bars in closings:
        yield from merge(*(_ticks(bar, instruments[bar.symbol], anchor, settings) for bar in bars))


def _ticks(bar: Bar, instrument: Instrument, anchor: Anchor, settings: ExchangeSettings) -> Iterator[Scheduled]:
    span = bar.closed_at - bar.opened_at
    draws = Random(f"{settings.seed}/{bar.symbol}/{bar.opened_at}")
    before = bar.open
    for share, price, quantity in ticks_of(bar, instrument, count=count_of(span, anchor.speed), draws=draws):
        buyer_is_maker = price < before or (price == before and draws.random() < 0.5)
        yield anchor.wall_at(bar.opened_at + share * span), bar.symbol, price, quantity, buyer_is_maker
        before = price


def _catch_up(market: Market, now: Instant) -> None:
    """Let the ticks happen that came due while the exchange was down: they are in its klines, and matched nothing."""
    for at, symbol, price, quantity, buyer_is_maker in market.missed(now):
        market.listings[symbol].take(Tick(symbol, at, price, quantity, buyer_is_maker))
    for listing in market.listings.values():
        listing.roll(now)
