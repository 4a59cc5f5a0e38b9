"""The exchange's market on the wall clock: ticks that come due, and what is public of them."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import islice, takewhile
from random import Random
from typing import NamedTuple

from domain.market import MINUTE_MS, SECOND_MS, Instant, Instrument
from domain.money import ZERO, floor_to
from gateways.exchange.depth import Depth, Level, depth_around
from gateways.exchange.klines import INTERVALS_MS, Kline, flat, joined, opening_of
from gateways.exchange.ticks import Tick

PRINTS_MAX = 1_000
"""Public trades that are remembered."""
SECONDS_MAX, MINUTES_MAX = 3_600, 20_000
UNITS_OF_BAR = 10
"""A level of the book holds about a tenth of what is traded in a minute."""
HOUR = 60
"""Klines that say what is usual when the exchange starts."""
MEMORY = Decimal("0.1")
"""How far one minute moves what levels hold: a quiet one does not empty the book."""
KEPT: dict[int, int] = {SECOND_MS: SECONDS_MAX, MINUTE_MS: MINUTES_MAX}

Status = str
"""`TRADING`, `HALT`: no orders are taken; `BREAK`: delisted."""


class Print(NamedTuple):
    """A public trade."""

    number: int
    tick: Tick


class Listing:
    """One symbol: its rules, its newest prices, its klines and its book."""

    def __init__(self, instrument: Instrument, *, seed: int, klines: Sequence[Kline], first_number: int) -> None:
        self.instrument = instrument
        self.status: Status = "TRADING"
        self.prints: deque[Print] = deque(maxlen=PRINTS_MAX)
        self.number = first_number
        """Of the last public trade, and of the newest state of the book."""
        self.closed: list[Kline] = []
        """Minutes that have closed, for whoever takes them out to write them down."""
        self.watchers: list[Callable[[Listing, Print], None]] = []
        self.last: Decimal = klines[-1].close if klines else ZERO
        self._seed = seed
        self._past = list(klines)
        self._newest: dict[int, deque[Kline]] = {span: deque(maxlen=most) for span, most in KEPT.items()}
        newest = klines[-HOUR:]
        minutes = sum(kline.span for kline in newest) // MINUTE_MS
        self._unit = sum((kline.volume for kline in newest), ZERO) / max(1, minutes) / UNITS_OF_BAR
        self._depth: Depth | None = None

    def take(self, tick: Tick, *, keeps_book: bool = False) -> None:
        """Let a trade happen, and tell who watches; the book is drawn anew unless it keeps what is left of it."""
        self.roll(tick.at, tick.price)
        for klines in self._newest.values():
            klines[-1].take(tick)
        self.last = tick.price
        self.number += 1
        self.prints.append(Print(self.number, tick))
        if not keeps_book:
            self._depth = None
        for watcher in self.watchers:
            watcher(self, self.prints[-1])

    def roll(self, now: Instant, price: Decimal | None = None) -> None:
        """Close what is over, and begin what has begun."""
        for span, klines in self._newest.items():
            opened_at = opening_of(now, span)
            if klines and opened_at <= klines[-1].opened_at:
                continue
            if klines and span == MINUTE_MS:
                self.closed.append(klines[-1])
                self._unit += (klines[-1].volume / UNITS_OF_BAR - self._unit) * MEMORY
            begins = klines[-1].closed_at if klines else opened_at
            price = self.last if self.last and klines else price or self.last
            # An hour without a beat is an outage; it is not filled.
            for at in range(max(begins, opened_at - 60 * span), opened_at + 1, span):
                klines.append(flat(at, span, price))

    def depth(self) -> Depth:
        """Return the book as it is between the last tick and the next."""
        if self._depth is None:
            unit = floor_to(self._unit, self.instrument.lot) or self.instrument.lot * 100
            draws = Random(f"{self._seed}/{self.instrument.symbol}/{self.number}")
            self._depth = depth_around(self.last, self.instrument, unit=unit, draws=draws)
        return self._depth

    def consume(self, level: Level, quantity: Decimal, *, buys: bool) -> None:
        """Take something out of the book until the next tick."""
        side = self.depth().asks if buys else self.depth().bids
        place = next((place for place, each in enumerate(side) if each.price == level.price), None)
        if place is None:
            return
        left = side[place].quantity - quantity
        side[place : place + 1] = [Level(level.price, left)] if left > 0 else []

    def klines(self, interval: str, *, begin: Instant, end: Instant, limit: int) -> list[Kline]:
        """Return klines that open within two instants, oldest first.

        `limit` leaves the first ones where `begin` is above 0, else the last.
        """
        span = INTERVALS_MS[interval]
        newest = opening_of(end, span)
        found: Iterator[Kline]
        if span < MINUTE_MS:
            found = (kline for kline in self._newest[SECOND_MS] if begin <= kline.opened_at <= end)
        else:
            first = begin or newest - limit * span
            fine = (kline for kline in self._minutes(opening_of(first + span - 1, span)) if kline.span <= span)
            found = joined(takewhile(lambda kline: kline.opened_at < newest + span, fine), span)
        return list(islice(found, limit)) if begin else list(found)[-limit:]

    def _minutes(self, first: Instant) -> Iterator[Kline]:
        newest = self._newest[MINUTE_MS]
        yield from self._past[bisect_left(self._past, first, key=lambda kline: kline.opened_at) :]
        yield from (kline for kline in newest if kline.opened_at >= first)


Scheduled = tuple[Instant, str, Decimal, Decimal, bool]
"""When a tick is due, and the tick."""


class Market:
    """All listings, fed by ticks in order of their time."""

    def __init__(
        self, listings: dict[str, Listing], schedule: Iterator[Scheduled], next_instant: Callable[[], Instant]
    ) -> None:
        self.listings = listings
        self._schedule = schedule
        self._next_instant = next_instant
        self._waiting = next(schedule, None)

    def missed(self, now: Instant) -> Iterator[Scheduled]:
        """Yield what has come due, as it was scheduled."""
        while self._waiting is not None and self._waiting[0] <= now:
            yield self._waiting
            self._waiting = next(self._schedule, None)

    def due(self, now: Instant, *, most: int) -> Iterator[Tick]:
        """Yield the ticks that have come due, at most so many; each happens when it is taken."""
        while self._waiting is not None and self._waiting[0] <= now and most > 0:
            _, symbol, price, quantity, buyer_is_maker = self._waiting
            self._waiting = next(self._schedule, None)
            most -= 1
            if self.listings[symbol].status == "TRADING":
                yield Tick(symbol, self._next_instant(), price, quantity, buyer_is_maker)
