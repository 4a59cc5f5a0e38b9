"""What a node meets outside: a paper venue with a market that is read, or a real venue whose market goes on."""

import platform
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from domain.market import Instant
from domain.venue import Venue
from holdfast.config.settings import Settings
from holdfast.ground import Past, demand_fitting, open_venue
from holdfast.imports.opening import Opening
from holdfast.logs import NodeLog
from holdfast.parts import Parts
from supervision import FollowingClock, RecordedClock
from supervision.clock import Clock


class Outside(NamedTuple):
    """Open until its venue is closed."""

    parts: Parts
    opening: Opening | None
    """What the account is opened with; None where it is open."""
    venue: Venue
    clock: Clock
    library: str = ""
    """What speaks to a real venue, and its version."""

    @property
    def platform(self) -> str:
        """Return what a process runs on: what an upgrade may have changed between two of them."""
        own = f"{platform.system()} Python {platform.python_version()}"
        return f"{own}, {self.library}" if self.library else own

    def pause_s(self, pace: Callable[[Instant, Instant], float]) -> Callable[[Instant, Instant], float]:
        """Return the pauses between instants: a market that goes on has a pace of its own."""
        return pace if self.parts.settings.venue.kind == "paper" else _at_once


def open_paper(
    parts: Parts, home: Path, past: Past, opening: Opening | None, *, cue: Callable[[str], None] | None
) -> Outside:
    """Open the paper venue of a home; `opening` is what its account is opened with, if it is not open.

    Raises:
        ConfigurationError: the venue's book holds something else than that.
    """
    return Outside(parts, opening, open_venue(home, parts, opening, cue=cue), RecordedClock(past.market_at))


def open_live(settings: Settings, home: Path, past: Past, *, folder: Path, log: NodeLog) -> Outside:
    """Connect to a real venue.

    Raises:
        ConfigurationError: the home or the venue does not go with the configuration, or the venue refuses the keys.
        VenueSilent: the venue does not answer.
    """
    from holdfast.live import LiveSide, reaching  # Takes long to import, and a paper node needs none of it.

    with reaching(settings), ExitStack() as opened:
        live = LiveSide(settings, home, tell=lambda event, **values: log("warning", event, **values))
        opened.callback(live.close)
        live.demand_trading_only()
        parts = live.parts(folder, past.market, past.rules)
        parts, opening = demand_fitting(past, parts, home, live)
        opened.pop_all()
    return Outside(parts, opening, live.venue, FollowingClock(live.now_ms, past.market_at), live.library)


def _at_once(at: Instant, following: Instant) -> float:
    return 0.0
