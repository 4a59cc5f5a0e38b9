"""The weather of a life: what befalls its machine, its disk, its clock and its line, and what it may do about it.

A kind is a generator: it yields what a life begins in, is sent the life, does its worst, and has cleared up when it
yields again or ends.  Whatever it holds lasts until it is closed, after the life.
"""

import random
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from time import sleep
from urllib.parse import urlsplit

import msgspec

from holdfast.cues import HANG_VARIABLE
from holdfast.torture.disk import Disk
from holdfast.torture.exchange import ExchangeProcess
from holdfast.torture.line import Line
from holdfast.torture.lives import Life

FAIR_SHARE = 0.65
"""Share of the lives that nothing befalls but their end."""
PAUSE_S = (0.3, 3.0)
UNTIL_S_MAX = 1.5
"""How far into a life its weather breaks, at most."""
CLOCK_STEPS_S = (-86_400.0, -3_600.0, -2.0, 0.7, 5.0, 3_600.0, 86_400.0)
HANGING = ("executor", "breaker", "positions", "feed")
HANG_TIMES_MAX = 12
HANG_NOTICED_S = 4.0
UNWRITABLE, GAVE_UP = 74, 70


class Forecast(msgspec.Struct):
    """What a life of some weather begins in, and may end with by itself."""

    environment: Mapping[str, str] = {}
    settings: Sequence[str] = ()
    wall_steps: Sequence[tuple[float, float]] = ()
    may_end_with: Sequence[int] = ()
    must_end: bool = False
    """It cannot live in it."""


class Sky:
    """What weather is made of."""

    def __init__(self, draw: random.Random, disk: Disk, exchange: ExchangeProcess) -> None:
        self.draw = draw
        self.disk = disk
        self.exchange = exchange

    def pause_s(self) -> float:
        """Draw how long something lasts."""
        return self.draw.uniform(*PAUSE_S)

    def until_s(self) -> float:
        """Draw how far into a life something begins."""
        return self.draw.random() * UNTIL_S_MAX


Weather = Generator[Forecast, Life, None]


def stands_still(sky: Sky) -> Weather:
    """The whole process is stopped for a while, as a machine is that is suspended."""
    life = yield Forecast()
    sleep(sky.until_s())
    life.stand_still(sky.pause_s())


def exchange_stands_still(sky: Sky) -> Weather:
    """The exchange does nothing for a while; then it does at once what came meanwhile."""
    yield Forecast()
    sleep(sky.until_s())
    sky.exchange.stand_still(sky.pause_s())


def line_is_cut(sky: Sky) -> Weather:
    """No connection for a while."""
    yield from _on_a_line(sky, Line.cut)


def line_is_jammed(sky: Sky) -> Weather:
    """Connections, and nothing comes through; then all of it does."""
    yield from _on_a_line(sky, Line.jam)


def _on_a_line(sky: Sky, harm: Callable[[Line], None]) -> Weather:
    port = urlsplit(sky.exchange.rest_url).port
    assert port is not None
    is_before_start = sky.draw.random() < 0.3
    with Line(port) as line:
        if is_before_start:
            harm(line)
        # A venue that does not answer a node that starts ends it with 74: it is to be started again.
        yield Forecast(settings=[f"venue.url={line.url}"], may_end_with=[UNWRITABLE])
        sleep(sky.until_s())
        harm(line)
        sleep(sky.pause_s())
        line.join()
        # It lasts as long as the life that was told of it: until this generator is closed.
        yield Forecast()


def clock_is_set(sky: Sky) -> Weather:
    """The wall clock is set, once or twice."""
    times = sky.draw.randint(1, 2)
    yield Forecast(wall_steps=[(sky.until_s(), sky.draw.choice(CLOCK_STEPS_S)) for _ in range(times)])


def part_hangs(sky: Sky) -> Weather:
    """A part of the node never goes on; the watchdog has another take its place, or ends the process."""
    place = f"{sky.draw.choice(HANGING)}.{sky.draw.choice(('before', 'after'))}_release"
    yield Forecast({HANG_VARIABLE: f"{place}:{sky.draw.randint(1, HANG_TIMES_MAX)}"}, may_end_with=[GAVE_UP])
    # It has to be noticed first: `supervision.hang_after_s`, and a look of the watchdog.
    sleep(HANG_NOTICED_S)


def disk_is_full(sky: Sky) -> Weather:
    """There is no room on the disk, from the start or from some moment on."""
    if from_start := sky.draw.random() < 0.5:
        sky.disk.fill()
    try:
        yield Forecast(may_end_with=[UNWRITABLE])
        sleep(sky.until_s())
        if not from_start:
            sky.disk.fill()
            sleep(sky.pause_s())
    finally:
        sky.disk.empty()


def disk_is_read_only(sky: Sky) -> Weather:
    """Nothing can be written from the start on."""
    could = sky.disk.set_read_only(is_wanted=True)
    try:
        yield Forecast(may_end_with=[UNWRITABLE], must_end=could)
        sleep(sky.pause_s())
    finally:
        sky.disk.set_read_only(is_wanted=False)


Kind = Callable[[Sky], Weather]
ANYWHERE: tuple[Kind, ...] = (stands_still, exchange_stands_still, line_is_cut, line_is_jammed)
ON_FORKED: tuple[Kind, ...] = (clock_is_set, part_hangs)
"""These take a process that can be told before its first step, or bounds of seconds."""
ON_SMALL_DISKS: tuple[Kind, ...] = (disk_is_full, disk_is_read_only)


def draw_weather(draw: random.Random, *, is_forked: bool, is_small: bool) -> Kind | None:
    """Draw a kind; None for fair weather."""
    if draw.random() < FAIR_SHARE:
        return None
    kinds = (*ANYWHERE, *(ON_FORKED if is_forked else ()), *(ON_SMALL_DISKS if is_small else ()))
    return draw.choice(kinds)


def befall(weather: Weather, life: Life) -> None:
    """Let weather befall a life, and return when it has cleared up."""
    with suppress(StopIteration):
        weather.send(life)
