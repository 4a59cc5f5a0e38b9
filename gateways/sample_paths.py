"""Paths of the generated market, from seeded draws.

Only sums, products and quotients: these are the same on every machine, where logarithms and exponentials are not.
`Random.random` is the one method whose numbers Python promises to keep.
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from gateways.sample_plan import DAY_MINUTES, Profile, Stretch, day_plan

OWN_DRIFT_MAX = 0.008
"""How far a symbol may leave the market within a day, as a fraction."""


class Path(NamedTuple):
    """Levels of a path, one more than it has points, and how much each point shakes."""

    levels: list[float]
    noises: list[float]


def stream(seed: int, *names: str | int) -> Random:
    """Return the draws that belong to a name, the same wherever reading begins."""
    return Random("/".join(map(str, (seed, *names))))


def walk(stretches: Sequence[Stretch], draws: Random) -> Path:
    """Return a path from 0 that meets the end of each stretch exactly."""
    levels, noises = [0.0], list[float]()
    for points, end, noise in stretches:
        begin = levels[-1]
        shakes = _bridge(points, noise, draws)
        slope = (end - begin) / points
        levels += [begin + slope * point + shake for point, shake in enumerate(shakes, start=1)]
        levels[-1] = end
        noises += [noise] * points
    return Path(levels, noises)


def market_day(seed: int, day: int) -> Path:
    """Return the path of the whole market on a day."""
    return walk(day_plan(day).stretches, stream(seed, "market", day))


def day_return(seed: int, symbol: str, profile: Profile, day: int) -> float:
    """Return how far a symbol goes on a day, as a fraction, without walking there."""
    own = (2 * stream(seed, symbol, day, "drift").random() - 1) * OWN_DRIFT_MAX if day else 0.0
    return profile.beta * day_plan(day).stretches[-1].level + own


def symbol_day(seed: int, symbol: str, profile: Profile, day: int, market: Path) -> Path:
    """Return the path of a symbol on a day: what it takes from the market, and what is its own."""
    beta, end = profile.beta, day_return(seed, symbol, profile, day)
    drift = end - beta * market.levels[-1]
    own = walk((Stretch(DAY_MINUTES, drift, profile.noise),), stream(seed, symbol, day, "path"))
    levels = [beta * level + mine for level, mine in zip(market.levels, own.levels, strict=True)]
    levels[-1] = end
    return Path(levels, [beta * noise + profile.noise for noise in market.noises])


def draw_bars(path: Path, profile: Profile, draws: Random, *, price: float, volume: float) -> Iterator[list[str]]:
    """Turn a path that begins at a price into bars, each opening where the one before closed.

    Each is open, high, low, close and volume as text with the venue's digits; `volume` is that of a usual bar.
    """
    draw = draws.random
    digits, scale = profile.price_digits, 10**profile.price_digits
    form = ",".join([f"%.{digits}f"] * 4 + [f"%.{profile.volume_digits}f"])
    opened = _ticks(price, scale)
    for level, noise in zip(path.levels[1:], path.noises, strict=True):
        closed = _ticks(price * (1 + level), scale)
        wick = price * noise * scale
        high = max(opened, closed) + int(2 * wick * draw() * draw())
        low = max(1, min(opened, closed) - int(2 * wick * draw() * draw()))
        busy = 0.2 + draw() * draw() + 0.5 * abs(closed - opened) / (wick + 1) + 200 * noise
        # One formatting for all five is twice as fast as five.
        text = form % (opened / scale, high / scale, low / scale, closed / scale, volume * busy)
        yield text.split(",")
        opened = closed


def _bridge(points: int, noise: float, draws: Random) -> list[float]:
    """Return a random walk that comes back to 0."""
    draw = draws.random
    position, positions = 0.0, list[float]()
    for _ in range(points):
        # Three even draws are close to a bell curve of deviation 1/2.
        position += (draw() + draw() + draw() - 1.5) * 2 * noise
        positions.append(position)
    pull = position / points
    return [each - pull * point for point, each in enumerate(positions, start=1)]


def _ticks(price: float, scale: int) -> int:
    return max(1, int(price * scale + 0.5))
