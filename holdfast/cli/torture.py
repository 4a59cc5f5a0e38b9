"""`holdfast torture`: kills a real node again and again while it trades at an exchange that lies."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from holdfast.cli.configured import ConfigFile, Overrides

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
Minutes = Annotated[
    float | None, Parameter(validator=Number(gt=0), show_default=False, help="Die no more after so many.")
]
Keep = Annotated[Path | None, Parameter(show_default=False, help="An empty folder to keep everything in.")]
Words = Annotated[tuple[str, ...], Parameter(negative=(), show_default=False, consume_multiple=True)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Offer:
    """What is traded, and how the exchange is spoken to."""

    symbols: Words = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    """What to trade."""

    data: str = "sample"
    """A file or folder of recorded bars, or `sample` for the generated market."""

    api: Literal["binance", "bybit"] = "binance"
    """Which of the exchange's interfaces the node speaks to it by."""


def torture(
    *,
    kills: Annotated[int, Parameter(validator=Number(gte=1, lte=10_000_000))] = 30,
    seed: Annotated[int | None, Parameter(validator=Number(gte=0), show_default=False)] = None,
    real: Annotated[int | None, Parameter(validator=Number(gte=0), show_default=False)] = None,
    jobs: Annotated[int, Parameter(validator=Number(gte=1, lte=64))] = 1,
    minutes: Minutes = None,
    honest: Flag = False,
    offer: Offer = Offer(),
    scenario: Annotated[Path | None, Parameter(show_default=False)] = None,
    keep: Keep = None,
    config: ConfigFile = None,
    overrides: Overrides = (),
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> int:
    """Kill a real node again and again while it trades over real sockets at an exchange that lies.

    In the end the exchange's own ledger is held against the journal: no order sent twice, none that is not known,
    every trade counted once, both accounts equal, within a bound.

    Parameters
    ----------
    kills
        How many deaths.
    seed
        Of deaths, weather and lies; drawn, and told, if not given.
    real
        How many of them with real start-ups and real bounds; one in a hundred, at least one, if not given.
    jobs
        Homes and exchanges side by side.
    honest
        Let the exchange tell no lie.
    scenario
        What the exchange lies about; see `holdfast venue scenario`.
    as_json
        Write JSON.
    """
    from holdfast.torture.command import torture_command
    from holdfast.torture.wanted import SCENARIO, Wanted

    wanted = Wanted(
        kills=kills,
        seed=-1 if seed is None else seed,
        real=real,
        jobs=jobs,
        minutes=minutes,
        honest=honest,
        api=offer.api,
        symbols=_separate(offer.symbols),
        data=offer.data,
        config=config,
        overrides=overrides,
        scenario=scenario or SCENARIO,
        keep=keep,
    )
    return torture_command(wanted, as_json=as_json)


def _separate(symbols: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for each in symbols for word in each.split(",") if word)
