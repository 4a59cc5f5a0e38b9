"""`holdfast venue`: an exchange on loopback that can lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from holdfast.cli.asking import default_home
from holdfast.cli.output import say, say_json
from holdfast.cli.tables import as_text
from holdfast.exit_codes import ExitCode

HOME_VARIABLE = "HOLDFAST_VENUE_HOME"

SAYS = {
    "orders": "taken, whatever became of them",
    "refused": "not taken, with the reason",
    "requests": "kinds of request by client id; those with an id of the exchange's own making are not among them",
    "trades": "of all orders",
    "movements": "of the account: by trades, fees, deposits and withdrawals",
}
"""What the lists of a ledger have, for people; `--json` has the lists themselves."""

app = App(name="venue", help="Run an exchange on loopback that can lie, for tests of any bot.")
scenario_app = App(name="scenario", help="Look at a file of faults.")
app.command(scenario_app)

Home = Annotated[
    Path | None,
    Parameter(
        env_var=HOME_VARIABLE,
        show_default=False,
        help="Folder of the exchange's keys, book and ledger; `venue` in the XDG state folder if not given.",
    ),
]
AsJson = Annotated[bool, Parameter(name="--json", negative=(), show_default=False, help="Write JSON.")]
Words = Annotated[tuple[str, ...], Parameter(negative=(), show_default=False, consume_multiple=True)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Offer:
    """What is traded, and how it goes."""

    data: str = "sample"
    """A file or folder of recorded bars, or `sample` for the generated market."""

    symbols: Words = ()
    """Which symbols, such as BTCUSDT ETHUSDT; all there are if not given."""

    speed: Annotated[float, Parameter(validator=Number(gt=0, lte=10_000))] = 1.0
    """How many times as fast as the clock the bars' time passes."""

    seed: int = 7
    """Of the generated market and of the public book."""

    history: Annotated[int, Parameter(validator=Number(gte=0, lte=100_000))] = 3_000
    """How many bars of the data have passed when the home is new, and are served as klines."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class House:
    """What an account has, pays, and may ask."""

    balance: Words = ()
    """What a new account has, such as USDT=10000 BTC=0.5."""

    fee_bps: Annotated[float, Parameter(validator=Number(gte=0, lt=10_000))] = 10.0
    """Fee on every trade, in basis points, out of what the trade brings."""

    weight_max: Annotated[int, Parameter(validator=Number(gte=1))] = 6_000
    """Request weight of one minute; more is answered with 429, and then with 418."""

    orders_max: Annotated[int, Parameter(validator=Number(gte=1))] = 100
    """Orders of ten seconds."""

    key_may_withdraw: Annotated[bool, Parameter(negative=(), show_default=False)] = False
    """Say of the key that it permits withdrawals, for whoever has to refuse such a one; nobody can withdraw."""


@app.default
def venue(
    *,
    home: Home = None,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65_535))] = 0,
    host: str = "127.0.0.1",
    expose: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    offer: Offer = Offer(),
    house: House = House(),
    scenario: Annotated[Path | None, Parameter(show_default=False)] = None,
    quiet: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    as_json: AsJson = False,
) -> int:
    """Run an exchange on loopback, with the APIs of Binance spot and Bybit v5 spot, until it is told to stop.

    Its book and its ledger survive its death.  The first line says where it is; the keys are in its home, for its
    owner only.

    Parameters
    ----------
    port
        0 for any that is free.
    host
        Address to listen on.
    expose
        Let it be an address that other machines reach.
    scenario
        A file of faults; see `holdfast venue scenario check`.
    quiet
        Say the first line and the last only.
    """
    from holdfast.venue import run_venue, settings_of

    settings = settings_of(
        home=_folder(home),
        host=host,
        port=port,
        exposed=expose,
        data=offer.data,
        symbols=_split(offer.symbols),
        speed=offer.speed,
        seed=offer.seed,
        history_bars=offer.history,
        balances=_split(house.balance),
        fee_maker_bps=Decimal(str(house.fee_bps)),
        fee_taker_bps=Decimal(str(house.fee_bps)),
        weight_max=house.weight_max,
        orders_max=house.orders_max,
        key_may_withdraw=house.key_may_withdraw,
        scenario=scenario,
    )
    return run_venue(settings, as_json=as_json, is_quiet=quiet)


@app.command
def keys(*, home: Home = None, as_json: AsJson = False) -> int:
    """Show the account's key and secret, and the operator's token."""
    from holdfast.venue import keys_of

    found = keys_of(_folder(home))
    if as_json:
        say_json(found)
    else:
        say(as_text(found))
    return ExitCode.OK


@app.command
def ledger(*, home: Home = None, as_json: AsJson = False) -> int:
    """Show what was asked, taken, refused and traded, whether or not the exchange is running."""
    from holdfast.venue import read_ledger

    found = read_ledger(_folder(home))
    if as_json:
        say_json(found)
    else:
        counts = {f"{name} ({SAYS[name]})": len(found[name]) for name in SAYS}
        say(as_text(counts | {f"balance of {asset}": total for asset, total in found["balances"].items()}))
    return ExitCode.OK


@scenario_app.command
def check(file: Path, /, *, as_json: AsJson = False) -> int:
    """Find every mistake in a file of faults; exit code 78 where there is any.

    Parameters
    ----------
    file
        The file, in TOML.
    """
    from gateways.exchange.scenario import read_scenario

    found = read_scenario(file)
    if as_json:
        say_json({"seed": found.seed, "faults": len(found.faults), "problems": []})
    else:
        say(f"{file}: {len(found.faults)} faults, seed {found.seed}")
    return ExitCode.OK


@scenario_app.command
def kinds(*, as_json: AsJson = False) -> int:
    """List the kinds of faults, where each may strike, and what it has to be given."""
    from holdfast.venue import kinds_of_faults

    rows = kinds_of_faults()
    if as_json:
        say_json(rows)
    else:
        say(as_text(rows))
    return ExitCode.OK


def _folder(home: Path | None) -> Path:
    return (home or default_home() / "venue").expanduser().absolute()


def _split(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(part for word in words for part in word.split(",") if part)
