"""What lies in the public book around the last price: levels drawn from the seed, the same for the same tick."""

from decimal import Decimal
from random import Random
from typing import NamedTuple

from domain.market import Instrument
from domain.money import ZERO, ceil_to, floor_to

LEVELS = 20
SPREAD = Decimal("0.0001")
"""Between the best bid and the best ask, as a share of the price; also between two levels, at least a tick."""


class Level(NamedTuple):
    """A price, and how much there is to have at it."""

    price: Decimal
    quantity: Decimal


class Depth(NamedTuple):
    """Both sides, best first."""

    bids: list[Level]
    asks: list[Level]


def depth_around(price: Decimal, instrument: Instrument, *, unit: Decimal, draws: Random) -> Depth:
    """Return the levels around a price; each has from half to two and a half of `unit`, more further out."""
    tick, lot = instrument.tick, instrument.lot
    step = max(tick, floor_to(price * SPREAD, tick))
    bid = max(tick, floor_to(price - step / 2, tick))
    ask = max(bid + tick, ceil_to(price + step / 2, tick))

    def level(best: Decimal, place: int, sign: int) -> Level:
        share = Decimal(0.5 + 2 * draws.random()) * (1 + Decimal(place) / 5)
        return Level(best + sign * place * step, max(lot, floor_to(unit * share, lot)))

    bids = [level(bid, place, -1) for place in range(LEVELS)]
    asks = [level(ask, place, +1) for place in range(LEVELS)]
    return Depth([each for each in bids if each.price > ZERO], asks)
