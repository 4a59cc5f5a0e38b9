"""Which faults befall a seed, and when: drawn beforehand, the rates themselves too (a swarm of different weathers)."""

from collections.abc import Sequence
from random import Random

import msgspec

from gateways.faulty import LineFaults

ACTS = {
    "crash": 6.0,
    "crash_within": 6.0,
    "hang": 2.0,
    "kill": 4.0,
    "kill_within": 3.0,
    "commit_fails": 1.5,
    "disk_stalls": 2.0,
    "clock_steps": 1.0,
    "log_is_cut": 0.5,
}
"""Faults on cue, and how often one is drawn where none is left out."""
STRIKES_MIN, STRIKES_MAX = 6, 12
DEATHS_MAX = 5
"""Of the whole process, in two hours: each costs as much as ten minutes of market."""
DEADLY = ("kill", "kill_within", "commit_fails", "log_is_cut")
DEAF_AND_DUMB = ("sentiment", "health", "herald", "archivist", "operator")
"""Who says nothing that could come too late."""
MOMENTS = ("before_release", "after_release")
COMMITS = ("journal.before_commit", "journal.after_commit")
PLACES_TO_DIE = (*COMMITS, "journal.after_watermark", "venue.before_book", "venue.after_book")
"""Where a whole node dies within a turn, besides the moments of its actors."""
TURNS_MAX = 60
"""Turns that a fault waits once its minute has come."""
CALM_MINUTES = 0.1
"""Share of the time in which nothing goes wrong any more, and all must heal."""
LINE_SHARES = (0.01, 0.05, 0.1, 0.3)


class Strike(msgspec.Struct, frozen=True):
    """One fault on cue."""

    minute: int
    """Market minutes since the beginning."""
    turns: int
    """Turns of actors after that."""
    act: str
    part: str
    """Whom it befalls."""
    moment: str
    """Where within a turn."""
    delay_s: float
    """How long it lasts, or by how much it is off."""
    times: int
    """At which time the moment comes."""


KILL = Strike(minute=0, turns=10, act="kill", part="", moment="", delay_s=0.0, times=1)
"""A death that finds everybody."""


class Weather(msgspec.Struct, frozen=True):
    """All that goes wrong for one seed."""

    strikes: tuple[Strike, ...]
    line: LineFaults


def draw_weather(seed: int, *, minutes: int, parts: Sequence[str], supervisors: Sequence[str]) -> Weather:
    """Draw the faults of a seed."""
    draw = Random(f"weather {seed}")
    weights = {act: weight * draw.choice([0, 1, 1, 3]) for act, weight in ACTS.items()}
    if not any(weights.values()):
        weights = dict(ACTS)
    hours = minutes / 60
    count = draw.randint(STRIKES_MIN, max(STRIKES_MIN + 1, round(STRIKES_MAX * hours / 2)))
    deaths_left = max(1, round(DEATHS_MAX * hours / 2))
    strikes: list[Strike] = []
    for minute in sorted(draw.randrange(max(1, int(minutes * (1 - CALM_MINUTES)))) for _ in range(count)):
        if deaths_left == 0:
            weights |= dict.fromkeys(DEADLY, 0)
        act = _draw_act(draw, weights)
        deaths_left -= act in DEADLY
        strikes.append(_draw_strike(draw, act, minute, parts, supervisors))
        if draw.random() < 0.3 and act not in DEADLY:
            # Troubles never come singly: the next one befalls a node that is not over this one yet.
            strikes.append(_draw_strike(draw, _draw_act(draw, weights, spare=DEADLY), minute, parts, supervisors))
    return Weather(tuple(strikes), _draw_line(draw))


def _draw_act(draw: Random, weights: dict[str, float], *, spare: tuple[str, ...] = ()) -> str:
    left = {act: weight for act, weight in weights.items() if act not in spare and weight} or {"crash": 1.0}
    return draw.choices(list(left), list(left.values()))[0]


def _draw_strike(draw: Random, act: str, minute: int, parts: Sequence[str], supervisors: Sequence[str]) -> Strike:
    is_supervisor = act == "crash" and draw.random() < 0.2
    return Strike(
        minute=minute,
        turns=draw.randrange(TURNS_MAX),
        act=act,
        part=draw.choice(supervisors if is_supervisor else _speakers(parts) if act == "hang" else parts),
        moment=draw.choice(MOMENTS),
        delay_s=draw.choice([0.1, 5.0, 30.0, 90.0]) * (0.5 + draw.random()),
        times=draw.randint(1, 6),
    )


def _speakers(parts: Sequence[str]) -> list[str]:
    return [part for part in parts if part not in DEAF_AND_DUMB]


def _draw_line(draw: Random) -> LineFaults:
    if draw.random() < 0.3:
        return LineFaults()
    rare = draw.random() < 0.5
    shares = {
        name: draw.choice(LINE_SHARES[:2] if rare else LINE_SHARES) if draw.random() < 0.4 else 0.0
        for name in LineFaults.__struct_fields__
        if name not in ("not_shown_max", "late_s_max")
    }
    if draw.random() < 0.7:
        shares["report_late"] = 0.0
    hidden_max = draw.randint(1, 3) if shares["not_shown"] else 0
    late_s_max = draw.choice([1.0, 5.0] if shares["report_late"] else [1.0, 20.0, 120.0])
    return LineFaults(**shares, not_shown_max=hidden_max, late_s_max=late_s_max)
