"""The exchange as a process: settings from words, a line when it is ready, a short log, and an end on a signal."""

import asyncio
import resource
import signal
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from gateways.errors import SourceMissing
from gateways.exchange.home import read_keys, readable
from gateways.exchange.ledger import Ledger
from gateways.exchange.lies import KINDS, places_of
from gateways.exchange.scenario import Scenario, read_scenario
from gateways.exchange.server import Exchange, ledger_of
from gateways.exchange.settings import LOOPBACK, ExchangeSettings
from gateways.paper.audit import Audit
from holdfast.cli.output import say, say_json
from holdfast.config.instruments import instrument_for
from holdfast.exit_codes import ExitCode

SAMPLE = "sample"


class VenueMisconfigured(Exception):
    """The exchange cannot be set up like this."""


class VenueMisused(VenueMisconfigured):
    """The command line makes no sense, whatever else there is."""


def settings_of(
    *,
    home: Path,
    host: str,
    port: int,
    exposed: bool,
    data: str,
    symbols: Sequence[str],
    speed: float,
    seed: int,
    balances: Sequence[str],
    scenario: Path | None,
    **more: Any,
) -> ExchangeSettings:
    """Return settings from the words of a command line; what is in `more` is taken as it is.

    Raises:
        VenueMisused: a word says nothing, or what cannot be.
        VenueMisconfigured: a symbol cannot be read.
        ScenarioBroken: the file of faults has mistakes, or cannot be read.
    """
    if host not in LOOPBACK and not exposed:
        raise VenueMisused(f"expected a loopback address, or --expose beside one that others reach, found {host}")
    more |= {"balances": dict(map(_balance, balances))} if balances else {}
    try:
        return ExchangeSettings(
            home=home,
            host=host,
            port=port,
            exposed=exposed,
            data=None if data == SAMPLE else Path(data).expanduser(),
            symbols=tuple(symbols),
            instruments={symbol: instrument_for(symbol) for symbol in symbols},
            speed=speed,
            seed=seed,
            scenario=Scenario() if scenario is None else read_scenario(scenario),
            **more,
        )
    except ValueError as error:
        if type(error) is not ValueError:
            raise
        raise VenueMisconfigured(str(error)) from error


def run_venue(settings: ExchangeSettings, *, as_json: bool, is_quiet: bool = False) -> int:
    """Run an exchange until a signal ends it; return the exit code.  A quiet one says its first and last line only.

    Raises:
        HomeTaken: another exchange runs on the home.
        VenueMisconfigured: the market cannot be opened.
        OSError: the home or the address cannot be used.
    """
    # A core dump would hold the keys.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    return asyncio.run(_serve(settings, as_json, is_quiet))


async def _serve(settings: ExchangeSettings, as_json: bool, is_quiet: bool) -> int:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    log = _log_json if as_json else _log_text
    exchange = Exchange(settings, log=None if is_quiet else log)
    try:
        await exchange.__aenter__()
    except (ValueError, SourceMissing) as error:
        raise VenueMisconfigured(str(error)) from error
    try:
        ready = {
            "event": "ready",
            "rest_url": exchange.rest_url,
            "ws_url": exchange.ws_url,
            "home": str(settings.home),
            "symbols": list(exchange.symbols),
        }
        if as_json:
            say_json(ready)
        else:
            rest, ws, keys = exchange.rest_url, exchange.ws_url, settings.home / "keys.json"
            say(f"ready: {rest} {ws} for {', '.join(exchange.symbols)}; keys in {keys}")
        stopping = asyncio.ensure_future(stopped.wait())
        ends: list[asyncio.Future[Any]] = [stopping, exchange.failed]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if exchange.failed.done():
            exchange.failed.result()
    finally:
        await exchange.__aexit__(None, None, None)
    log({"event": "stopped"})
    return ExitCode.OK


def keys_of(home: Path) -> dict[str, str]:
    """Return the keys of an exchange's home.

    Raises:
        OSError: there are none, or they are open to others.
        VenueMisconfigured: the file is not one of keys.
    """
    try:
        keys: dict[str, str] = msgspec.to_builtins(read_keys(home))
    except ValueError as error:
        raise VenueMisconfigured(str(error)) from error
    return keys


def read_ledger(home: Path) -> dict[str, Any]:
    """Return what an exchange's home has of requests, orders, trades and movements.

    Raises:
        OSError: there is no exchange's home, or what is in it cannot be read.
    """
    book, path = home / "book.db", home / "ledger.db"
    for file in (book, path):
        if not file.exists():
            raise FileNotFoundError(f"expected an exchange's home in {home}, found no {file.name}")
    with readable(home), closing(Ledger(path, reads_only=True)) as ledger, closing(Audit(book)) as audit:
        return ledger_of(ledger, audit)


def kinds_of_faults() -> list[dict[str, str]]:
    """Return every kind of fault with what it says, where it strikes, and what it has to be given."""
    return [
        {
            "kind": name,
            "says": kind.says,
            "strikes": " or ".join(kind.strikes) or "-",
            "needs": ", ".join(kind.needs) or "-",
            "takes": ", ".join(kind.takes) or "-",
            "where": _place(places_of(kind)),
        }
        for name, kind in KINDS.items()
    ]


def _place(places: Sequence[str]) -> str:
    if not places:
        return "-"
    return ", ".join(places) if len(places) <= 2 else "any request" if "ping" in places else "any stream"


def _balance(word: str) -> tuple[str, Decimal]:
    asset, _, amount = word.partition("=")
    try:
        value = Decimal(amount)
    except InvalidOperation:
        value = Decimal(-1)
    if not asset or not value.is_finite() or value < 0:
        raise VenueMisused(f"expected a balance such as USDT=10000, found {word}")
    return asset, value


def _log_json(event: Mapping[str, Any]) -> None:
    # Nobody has to listen for the exchange to go on.
    with suppress(OSError):
        say_json({"time": _now(), **event})


def _log_text(event: Mapping[str, Any]) -> None:
    values = " ".join(f"{name}={value}" for name, value in event.items() if name != "event")
    with suppress(OSError):
        say(f"{_now()} {event['event']} {values}".rstrip())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
