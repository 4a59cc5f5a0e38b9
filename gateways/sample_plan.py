"""The plan of the generated market: what each of its days is like, and how its symbols differ."""

from typing import NamedTuple

from domain.market import DAY_MS, MINUTE_MS

BEGIN = 1_704_067_200_000
"""2024-01-01T00:00Z: the first instant that may be traded."""
DAY_MINUTES = DAY_MS // MINUTE_MS


class Stretch(NamedTuple):
    """A part of a path: it ends at a level and shakes on the way there."""

    points: int
    level: float
    """Distance from where the whole path began, as a fraction."""
    noise: float
    """Standard deviation of one point's return."""


class Day(NamedTuple):
    """A day of the whole market."""

    regime: str
    stretches: tuple[Stretch, ...]
    missing: range = range(0)
    """Minutes of an outage: no bars."""


class Profile(NamedTuple):
    """What one symbol is like."""

    price: float
    """At BEGIN, in quote currency."""
    price_digits: int
    volume: float
    """Per minute on a usual day, in base currency."""
    volume_digits: int
    beta: float
    """How strongly it follows the market."""
    noise: float
    """Standard deviation of one minute's return of its own."""


PROFILES: dict[str, Profile] = {
    "BTCUSDT": Profile(price=42_000.0, price_digits=2, volume=25.0, volume_digits=5, beta=1.0, noise=0.0001),
    "ETHUSDT": Profile(price=2_300.0, price_digits=2, volume=300.0, volume_digits=4, beta=1.2, noise=0.0002),
    "SOLUSDT": Profile(price=98.0, price_digits=2, volume=6_000.0, volume_digits=2, beta=1.5, noise=0.0003),
}
OTHER = Profile(price=10.0, price_digits=4, volume=20_000.0, volume_digits=1, beta=1.1, noise=0.0003)

HISTORY: tuple[Stretch, ...] = (
    Stretch(points=200, level=-0.015, noise=0.0020),
    Stretch(points=312, level=0.064, noise=0.0015),
    Stretch(points=84, level=0.0655, noise=0.0004),
    Stretch(points=4, level=0.0620, noise=0.0002),
)
"""By the quarter of an hour: it falls, rises for three days, rests, and dips before it goes on.

So the averages of the hours point up, and those of the quarters are about to cross, when trading starts.
"""

PLAN: tuple[Day, ...] = (
    Day(
        "trend up",
        (
            Stretch(points=15, level=0.014, noise=0.0002),
            Stretch(points=225, level=0.028, noise=0.0005),
            Stretch(points=480, level=0.046, noise=0.0006),
            Stretch(points=720, level=0.055, noise=0.0006),
        ),
    ),
    Day("trend up", (Stretch(500, 0.004, 0.0006), Stretch(940, 0.032, 0.0006))),
    Day("quiet", (Stretch(1440, 0.001, 0.0002),)),
    Day(
        "chop",
        (
            Stretch(260, 0.017, 0.0007),
            Stretch(300, -0.014, 0.0008),
            Stretch(320, 0.012, 0.0007),
            Stretch(280, -0.015, 0.0008),
            Stretch(280, 0.002, 0.0007),
        ),
    ),
    Day("trend down", (Stretch(400, -0.010, 0.0006), Stretch(700, -0.047, 0.0007), Stretch(340, -0.042, 0.0006))),
    Day("chop", (Stretch(340, -0.014, 0.0007), Stretch(420, 0.016, 0.0007), Stretch(680, 0.006, 0.0007))),
    Day("trend up", (Stretch(300, 0.004, 0.0005), Stretch(800, 0.041, 0.0006), Stretch(340, 0.038, 0.0005))),
    Day(
        "crash",
        (
            Stretch(690, 0.008, 0.0005),
            Stretch(60, -0.035, 0.0012),
            Stretch(95, -0.180, 0.0025),
            Stretch(75, -0.105, 0.0022),
            Stretch(240, -0.120, 0.0014),
            Stretch(280, -0.090, 0.0010),
        ),
    ),
    Day("trend up", (Stretch(420, 0.012, 0.0009), Stretch(1020, 0.054, 0.0008))),
    Day("quiet", (Stretch(1440, -0.002, 0.0002),)),
    Day(
        "outage",
        (Stretch(780, 0.010, 0.0006), Stretch(60, -0.006, 0.0010), Stretch(600, 0.004, 0.0007)),
        range(790, 830),
    ),
    Day("trend down", (Stretch(620, -0.014, 0.0006), Stretch(820, -0.044, 0.0007))),
    Day("trend up", (Stretch(360, 0.006, 0.0006), Stretch(760, 0.052, 0.0006), Stretch(320, 0.048, 0.0006))),
    Day("quiet", (Stretch(900, 0.002, 0.0003), Stretch(540, -0.003, 0.0003))),
)
"""Fourteen days; a longer market goes through them again."""


def day_plan(day: int) -> Day:
    """Return the plan of a day, counted from BEGIN."""
    return PLAN[day % len(PLAN)]
