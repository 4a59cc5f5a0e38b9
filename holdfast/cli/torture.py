"""`holdfast torture`: kills a real node again and again while it trades at an exchange that lies."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from holdfast.cli.configured import ConfigFile, Overrides

Words = Annotated[tuple[str, ...], Parameter(negative=(), show_default=False, consume_multiple=True)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Offer:
    """What is traded."""

    symbols: Words = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    """What to trade."""

    data: str = "sample"
    """A file or folder of recorded bars, or `sample` for the generated market."""


def torture(
    *,
    kills: Annotated[int, Parameter(validator=Number(gte=1, lte=10_000_000))] = 30,
    seed: Annotated[int | None, Parameter(validator=Number(gte=0), show_default=False)] = None,
    minutes: Annotated[float | None, Parameter(validator=Number(gt=0), show_default=False)] = None,
    honest: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    api: Literal["binance", "bybit"] = "binance",
    offer: Offer = Offer(),
    scenario: Annotated[Path | None, Parameter(show_default=False)] = None,
    keep: Annotated[Path | None, Parameter(show_default=False)] = None,
    config: ConfigFile = None,
    overrides: Overrides = (),
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> int:
    """Kill a real node again and again while it trades over real sockets at an exchange that lies.

    It dies anywhere, at named boundaries of the journal and of its parts, and while it starts.  In the end the
    exchange's own ledger is held against the journal: no order sent twice, none that is not known, every trade
    counted once, both accounts equal.  Exit code 1 where anything is violated; the folder is kept then.

    Parameters
    ----------
    kills
        How many deaths.
    seed
        Of the deaths and of the lies; drawn, and told, if not given.
    minutes
        Die no more after so many.
    honest
        Let the exchange tell no lie.
    api
        Which of the exchange's interfaces the node speaks to it by.
    scenario
        What the exchange lies about; see `holdfast venue scenario`.
    keep
        An empty folder to keep everything in.
    as_json
        Write JSON.
    """
    from holdfast.torture.command import torture_command
    from holdfast.torture.run import SCENARIO, Wanted

    return torture_command(
        Wanted(
            kills=kills,
            seed=seed if seed is not None else -1,
            minutes=minutes,
            honest=honest,
            api=api,
            symbols=tuple(word for each in offer.symbols for word in each.split(",") if word),
            data=offer.data,
            config=config,
            overrides=overrides,
            scenario=scenario or SCENARIO,
            keep=keep,
        ),
        as_json=as_json,
    )
