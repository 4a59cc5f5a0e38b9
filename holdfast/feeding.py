"""Which bars a strategy lives on, and whether its market gives them."""

from collections.abc import Mapping, Sequence

from domain.bars import frames_of
from holdfast.config.problems import Problem

LIVE_TIMEFRAME = "1m"
"""Of a real venue's bars, where feed.timeframe names none."""


def unfed(
    name: str, timeframes: Sequence[str], bases: Mapping[str, str], *, built: Sequence[str], served: Sequence[str]
) -> list[Problem]:
    """Find what a strategy of these time frames would wait for in vain.

    `bases` are the time frames of its symbols' bars, `built` what is made of them for anybody, and `served` those that
    the market is opened with.
    """
    return _starved(name, timeframes, bases, built) or _unserved(name, timeframes, bases, served)


def _starved(name: str, timeframes: Sequence[str], bases: Mapping[str, str], built: Sequence[str]) -> list[Problem]:
    """Find symbols whose data has none of the time frames a strategy lives on."""
    problems = []
    for symbol, base in bases.items():
        if not set(timeframes) & set(frames_of(base, built)):
            expected = f"data of {symbol} that gives {' or '.join(timeframes)} bars"
            problems.append(Problem(f"strategies.{name}", expected, f"bars of {base}", "the feed"))
    return problems


def _unserved(name: str, timeframes: Sequence[str], bases: Mapping[str, str], served: Sequence[str]) -> list[Problem]:
    """Find time frames a strategy lives on that the market is not opened with: it would have no history of them."""
    wanted = [
        frame
        for frame in timeframes
        if any(
            frame in frames_of(base, (*served, frame)) and frame not in frames_of(base, served)
            for base in bases.values()
        )
    ]
    if not wanted:
        return []
    every = ", ".join(f'"{frame}"' for frame in (*wanted, *served))
    expected, found = f"a strategy of {', '.join(served)} bars, as feed.frames says", ", ".join(timeframes)
    return [Problem(f"strategies.{name}", expected, found, "the strategy", f"set feed.frames = [{every}]")]
