"""What a bar does to the open orders of its symbol.  Bars, terms and market time decide, and nothing else.

A bar says which prices were reached, not in what order, so every doubt is settled against us:

* An order takes part in the bar during which it arrives, and in every later one.  Its price *at arrival* is the bar's
  open, moved towards the extreme that is worse for it by the share of the bar that had passed.  Before an outage's
  first bar the book was waiting: the price is that bar's open.
* A market order trades at its arrival's price with slippage; what is left of it trades at later opens.
* A limit order whose price is good enough at arrival takes, with slippage, never beyond its limit.  From then on it
  rests and makes: it trades at its limit where the market went strictly *through* it, for a touch leaves the queue
  before us unserved.  In the bar of its arrival the favourable extreme counts only as far as it lies in the rest of
  the bar: moved towards the close by the share that had passed.
* A stop order is set off by a trade *at* its price.  It trades at the worse of stop and open, with slippage; what is
  left of it goes on as a market order.
* All our orders together trade at most a share of a bar's volume, whole lots, served in order of arrival.
* A buy trades as much as its own lock pays for; once that is short, the rest of the order is given up.
* Prices round to the tick, against us.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

import msgspec

from domain.market import Bar, Instant, Instrument
from domain.money import ONE, ZERO, ceil_to, floor_to
from domain.order import Terms
from gateways.paper.settings import PaperSettings
from gateways.paper.texts import text

Liquidity = Literal["maker", "taker"]


class Working(msgspec.Struct):
    """An order that may still trade, as of some market time."""

    number: int
    terms: Terms
    arrives_at: Instant
    lock_asset: str
    locked: Decimal
    """What it holds back now: quote currency for a buy, base currency for a sell."""
    filled: Decimal = ZERO
    trades: int = 0
    triggered: bool = False

    @property
    def remaining(self) -> Decimal:
        """Return what is not traded yet, in base currency."""
        return self.terms.quantity - self.filled

    @property
    def place(self) -> tuple[int | str, ...]:
        """Return what decides its place in the queue: arrival, then its terms; its number only among equals.

        So the queue does not depend on the order in which orders of one instant were submitted, which a death in
        between can change.
        """
        terms = self.terms
        limit_price, stop_price = terms.limit_price, terms.stop_price
        return (
            self.arrives_at,
            terms.symbol,
            terms.strategy,
            terms.leg,
            terms.side,
            terms.type,
            text(terms.quantity),
            "" if limit_price is None else text(limit_price),
            "" if stop_price is None else text(stop_price),
            self.number,
        )


class Chance(msgspec.Struct, frozen=True):
    """A price at which an order may trade in a bar."""

    price: Decimal
    liquidity: Liquidity
    at: Instant


class Match(msgspec.Struct, frozen=True):
    """What one bar did to one order.  A stop may be set off, and a buy run out of funds, with a `quantity` of 0."""

    order: Working
    quantity: Decimal
    chance: Chance
    triggered: bool
    out_of_funds: bool


def match(orders: Iterable[Working], bar: Bar, instrument: Instrument, settings: PaperSettings) -> list[Match]:
    """Return what the bar does to these orders, which are given in order of arrival.  Changes nothing."""
    matches: list[Match] = []
    left: Decimal | None = None
    for order in orders:
        if order.arrives_at >= bar.closed_at:
            continue
        chance = _chance(order, bar, instrument, settings)
        if chance is None:
            continue
        if left is None:
            left = floor_to(bar.volume * settings.participation, instrument.lot)
        made = _trade(order, chance, left, instrument, settings)
        if made.quantity or made.triggered or made.out_of_funds:
            matches.append(made)
            left -= made.quantity
    return matches


def _chance(order: Working, bar: Bar, instrument: Instrument, settings: PaperSettings) -> Chance | None:
    if order.terms.type == "limit":
        return _limit(order, bar, instrument, settings)
    if order.terms.type == "stop" and not order.triggered:
        return _stop(order, bar, instrument, settings)
    price = _slipped(_price_at_arrival(order, bar), order, instrument, settings)
    return Chance(price=price, liquidity="taker", at=max(order.arrives_at, bar.opened_at))


def _limit(order: Working, bar: Bar, instrument: Instrument, settings: PaperSettings) -> Chance | None:
    limit = order.terms.limit_price
    assert limit is not None, f"limit order {order.number} has no limit price"
    buys = order.terms.side == "buy"
    reach = bar.low if buys else bar.high
    if order.arrives_at >= bar.opened_at:
        price = _price_at_arrival(order, bar)
        if price <= limit if buys else price >= limit:
            slipped = _slipped(price, order, instrument, settings)
            worst = min(limit, slipped) if buys else max(limit, slipped)
            return Chance(price=worst, liquidity="taker", at=order.arrives_at)
        reach += (bar.close - reach) * _share_passed(order, bar)
    if not (reach < limit if buys else reach > limit):
        return None
    # A bar that opened beyond the limit trades no price as bad as the limit; its worst is what we get.
    price = ceil_to(min(limit, bar.high), instrument.tick) if buys else floor_to(max(limit, bar.low), instrument.tick)
    return Chance(price=price, liquidity="maker", at=bar.closed_at)


def _stop(order: Working, bar: Bar, instrument: Instrument, settings: PaperSettings) -> Chance | None:
    stop = order.terms.stop_price
    assert stop is not None, f"stop order {order.number} has no stop price"
    buys = order.terms.side == "buy"
    if not (bar.high >= stop if buys else bar.low <= stop):
        return None
    first = _price_at_arrival(order, bar)
    was_beyond = first >= stop if buys else first <= stop
    price = _slipped(first if was_beyond else stop, order, instrument, settings)
    at = max(order.arrives_at, bar.opened_at) if was_beyond else bar.closed_at
    return Chance(price=price, liquidity="taker", at=at)


def _share_passed(order: Working, bar: Bar) -> Decimal:
    if order.arrives_at <= bar.opened_at:
        return ZERO
    return Decimal(order.arrives_at - bar.opened_at) / (bar.closed_at - bar.opened_at)


def _price_at_arrival(order: Working, bar: Bar) -> Decimal:
    worst = bar.high if order.terms.side == "buy" else bar.low
    return bar.open + (worst - bar.open) * _share_passed(order, bar)


def _slipped(price: Decimal, order: Working, instrument: Instrument, settings: PaperSettings) -> Decimal:
    if order.terms.side == "buy":
        return ceil_to(price * (ONE + settings.slippage), instrument.tick)
    return max(instrument.tick, floor_to(price * (ONE - settings.slippage), instrument.tick))


def _trade(order: Working, chance: Chance, left: Decimal, instrument: Instrument, settings: PaperSettings) -> Match:
    wanted = min(order.remaining, left)
    quantity = wanted
    if order.terms.side == "buy":
        quantity = min(wanted, _affordable(order, chance, instrument, settings))
    return Match(
        order=order,
        quantity=quantity,
        chance=chance,
        triggered=order.terms.type == "stop" and not order.triggered,
        out_of_funds=quantity < wanted,
    )


def _affordable(order: Working, chance: Chance, instrument: Instrument, settings: PaperSettings) -> Decimal:
    rate = settings.fee_rate(chance.liquidity) if settings.fee_in_quote(instrument.quote) else ZERO
    cost = chance.price * (ONE + rate)
    quantity = max(ZERO, floor_to(order.locked / cost, instrument.lot))
    # The division may have rounded up to the next lot in its last digit.
    return quantity if quantity * cost <= order.locked else quantity - instrument.lot
