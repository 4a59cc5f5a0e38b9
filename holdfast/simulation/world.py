"""What a simulated node lives in: a market, strategies, terms of the venue and limits, drawn from a number.

Several seeds share a world, so that what a life without faults comes to there is found out once.
"""

from decimal import Decimal
from pathlib import Path
from random import Random

import msgspec

from domain.market import DAY_MS, HOUR_MS, MINUTE_MS, Instant
from gateways.faulty import LineFaults, profile_behind
from holdfast.config.settings import (
    Backoff,
    Feed,
    Intensity,
    Journal,
    Risk,
    Sentiment,
    Settings,
    StrategySettings,
    Supervision,
    Venue,
)
from holdfast.parts import Parts, gather
from holdfast.simulation.market import RestlessMarket

BEGINS_AT: Instant = 1_700_006_400_000
"""A midnight."""
STRATEGY = "holdfast.simulation.restless:Restless"
PATIENT = Intensity(intensity=200, period_s=60.0)
"""No supervisor gives up, but where somebody is there to mend it: what faults come to is not for want of patience."""


class World(msgspec.Struct, frozen=True):
    """The parts that do not depend on faults."""

    number: int
    minutes: int
    parts: Parts

    @property
    def begins_at(self) -> Instant:
        """Return the first instant that may be traded."""
        return self.parts.source.starts_at()

    def behind(self, faults: LineFaults, settings: Settings) -> Parts:
        """Return the parts of a node of these settings, whose venue is at the far end of a bad line."""
        return msgspec.structs.replace(
            self.parts, settings=settings, profile=profile_behind(faults, self.parts.profile)
        )


def draw_world(number: int, *, hours: float) -> World:
    """Draw a world."""
    draw = Random(f"world {number}")
    symbols = tuple(draw.choice([["BTCUSDT"], ["BTCUSDT", "ETHUSDT"], ["ETHUSDT", "SOLUSDT"]]))
    minutes = max(1, round(hours * HOUR_MS / MINUTE_MS))
    begins_at = BEGINS_AT + draw.choice([0, DAY_MS - minutes * MINUTE_MS // 2 // MINUTE_MS * MINUTE_MS])
    market = RestlessMarket(
        number, symbols=symbols, begins_at=begins_at, minutes=minutes, swing=draw.choice([0.001, 0.002, 0.004])
    )
    names = ("ada", "bea")[: 2 if len(symbols) == 1 else 1]
    settings = Settings(
        feed=Feed(symbols=symbols, frames=("1m",), speed="max"),
        sentiment=Sentiment(source="none"),
        venue=_venue(draw),
        strategies={name: _strategy(draw, salt) for salt, name in enumerate(names)},
        risk=_risk(draw),
        journal=Journal(snapshot_every=draw.choice([150, 300, 600])),
        supervision=_supervision(draw),
    )
    parts = gather(settings, folder=Path())
    return World(number, minutes, msgspec.structs.replace(parts, source=market))


def _strategy(draw: Random, salt: int) -> StrategySettings:
    parameters = {
        "salt": salt,
        "enter": draw.choice([0.2, 0.4, 0.8]),
        "leave": draw.choice([0.1, 0.2, 0.4]),
        "part": draw.choice([0.1, 0.5]),
        "limit": draw.choice([0.1, 0.4]),
        "size": draw.choice([0.1, 0.2, 0.4]),
        "stop": draw.choice([0.001, 0.003]),
        "cooldown_minutes": draw.choice([1, 3, 6]),
    }
    return StrategySettings(implementation=STRATEGY, parameters=parameters)


def _venue(draw: Random) -> Venue:
    return Venue(
        fee_asset=draw.choice(["quote", "quote", "received"]),
        latency_ms=draw.choice([0, 250, 90_000]),
        participation=draw.choice([Decimal("0.02"), Decimal("0.1"), Decimal(1)]),
    )


def _risk(draw: Random) -> Risk:
    return Risk(
        exposure_max=draw.choice([Decimal("0.3"), Decimal("0.9")]),
        symbol_exposure_max=draw.choice([Decimal("0.25"), Decimal("0.5")]),
        order_notional_max=draw.choice([Decimal(2_000), Decimal(5_000)]),
        daily_loss_max=draw.choice([Decimal("0.02"), Decimal("0.5")]),
    )


def _supervision(draw: Random) -> Supervision:
    return Supervision(
        root=PATIENT,
        operations=PATIENT,
        trading=PATIENT,
        guard=PATIENT,
        market=PATIENT,
        strategies=PATIENT,
        backoff=Backoff(base_s=draw.choice([0.0, 0.01]), cap_s=0.02),
        abandoned_max=1_000,
    )
