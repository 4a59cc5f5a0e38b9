"""What an operator does to a seed's node, and when: drawn beforehand, apart from the faults."""

from collections.abc import Sequence
from random import Random
from typing import Literal

import msgspec

from holdfast.config.settings import Intensity, Settings
from holdfast.simulation.faults import MOMENTS, PLACES_TO_DIE, TURNS_MAX, Strike

Mood = Literal["away", "looking", "meddling"]
MOODS: dict[Mood, float] = {"away": 0.5, "looking": 0.2, "meddling": 0.3}
"""How often an operator is away, does what must change nothing, or does all that one can."""
HARMLESS = {"restart": 3.0, "snapshot": 1.0}
MEDDLING = {"pause": 2.0, "halt": 2.0, "flatten": 3.0, "cancel-all": 2.0, "restart": 2.0}
STOPPING = ("pause", "halt")
VISITS_MIN, VISITS_MAX = 2, 6
"""In two hours."""
DEADLY_SHARE = 0.2
"""Of all commands: the node dies over it."""
STOPPED_MINUTES_MAX = 8
"""So long a node stays paused or halted, in market time."""
GIVING_UP_SHARE = 0.5
"""Of the seeds that an operator meddles with: a part gives up, and is mended."""
COPIES = (1, 1, 1, 2, 3)
"""How often a command arrives that is sent once more before it is answered."""
BUSY_SHARE = 0.85
"""Of the time in which an operator comes, so that what is ordered can be done before the end."""


class Visits(msgspec.Struct, frozen=True):
    """All that an operator does in one seed."""

    mood: Mood
    strikes: tuple[Strike, ...]
    impatient: Intensity | None = None
    """How soon market and strategies give up; None where nothing makes them."""

    @property
    def changes_nothing(self) -> bool:
        """Say whether the outcome must be that of a life without them."""
        return self.mood != "meddling"

    def settings(self, settings: Settings) -> Settings:
        """Return the settings of the node that is visited."""
        if self.impatient is None:
            return settings
        supervision = msgspec.structs.replace(settings.supervision, market=self.impatient, strategies=self.impatient)
        return msgspec.structs.replace(settings, supervision=supervision)


def draw_visits(seed: int, *, minutes: int, parts: Sequence[str], symbols: Sequence[str]) -> Visits:
    """Draw what an operator does to a seed; `parts` are those that may be started anew."""
    draw = Random(f"visits {seed}")
    mood = draw.choices(list(MOODS), list(MOODS.values()))[0]
    if mood == "away":
        return Visits(mood, ())
    weights = HARMLESS if mood == "looking" else MEDDLING
    strikes: list[Strike] = []
    for _ in range(draw.randint(VISITS_MIN, max(VISITS_MIN, round(VISITS_MAX * minutes / 120)))):
        minute = draw.randrange(max(1, int(minutes * BUSY_SHARE)))
        command = draw.choices(list(weights), list(weights.values()))[0]
        target = {"restart": draw.choice(parts), "flatten": draw.choice(["", *symbols])}.get(command, "")
        if draw.random() < DEADLY_SHARE:
            strikes.append(_death_of_the_clerk(draw, minute))
        strikes.append(_visit(draw, command, minute, target))
        if command in STOPPING:
            strikes += _while_stopped(draw, minute)
    if mood == "looking" or draw.random() >= GIVING_UP_SHARE:
        return Visits(mood, tuple(strikes))
    tired = draw.choice([part for part in parts if part in ("feed", "sentiment") or part.startswith("strategy.")])
    strikes.append(_visit(draw, "give_up", draw.randrange(max(1, int(minutes * BUSY_SHARE))), tired))
    return Visits(mood, tuple(strikes), Intensity(intensity=draw.randint(1, 3), period_s=60.0))


def _while_stopped(draw: Random, minute: int) -> list[Strike]:
    """Have a stop remembered by a snapshot alone, its breaker begin anew, and the end of it."""
    minutes = draw.randint(2, STOPPED_MINUTES_MAX)
    return [
        _visit(draw, "snapshot", minute + 1, ""),
        _visit(draw, "restart", minute + minutes // 2, draw.choice(["breaker", "executor", "guard", "trading"])),
        _visit(draw, "resume", minute + minutes, ""),
    ]


def _death_of_the_clerk(draw: Random, minute: int) -> Strike:
    """Let the whole node die in one of the clerk's next turns."""
    deadly = _visit(draw, "kill_within", minute, "operator")
    return msgspec.structs.replace(
        deadly, turns=len(PLACES_TO_DIE), moment=draw.choice(MOMENTS), times=draw.randint(1, 4)
    )


def _visit(draw: Random, act: str, minute: int, target: str) -> Strike:
    return Strike(
        minute=minute,
        turns=draw.randrange(TURNS_MAX),
        act=act,
        part=target,
        moment="",
        delay_s=0.0,
        times=draw.choice(COPIES),
    )
