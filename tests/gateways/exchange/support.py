"""An exchange on a real socket, and an unmodified ccxt that is pointed at it."""

import asyncio
import importlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from gateways.exchange.pointing import bybit_settings, ccxt_settings, demand_loopback
from gateways.exchange.server import Exchange
from gateways.exchange.settings import ExchangeSettings

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where files are soon durable, for laws that are not about that."""
SYMBOL, NAME = "BTC/USDT", "BTCUSDT"
MINUTE_MS = 60_000
Law = Callable[[Exchange, Any], Awaitable[None]]


def ccxt_class(kind: str = "pro", api: str = "binance") -> Any:
    """Return ccxt's class for an API: `sync`, `async` or `pro`; what it costs to import is paid once."""
    module = {"sync": "ccxt", "async": "ccxt.async_support", "pro": "ccxt.pro"}[kind]
    return getattr(importlib.import_module(module), api)


def bot_for(exchange: Exchange, kind: str = "pro", **more: Any) -> Any:
    """Return an unmodified ccxt that speaks to an exchange, with numbers as text and the whole table of errors."""
    settings = ccxt_settings(exchange.rest_url, exchange.ws_url, exchange.api_key, exchange.secret)
    bot = ccxt_class(kind)(settings | {"enableRateLimit": False} | more)
    bot.number = str
    bot.timeout_on_exit = 0
    bot.exceptions = bot.deep_extend(bot.exceptions, bot.exceptions["spot"])
    demand_loopback(bot.urls["api"])
    return bot


def bybit_for(exchange: Exchange, kind: str = "pro") -> Any:
    """Return an unmodified ccxt that speaks to an exchange's Bybit API, with numbers as text."""
    settings = bybit_settings(exchange.rest_url, exchange.ws_url, exchange.api_key, exchange.secret)
    bot = ccxt_class(kind, "bybit")(settings | {"enableRateLimit": False})
    bot.number = str
    bot.timeout_on_exit = 0
    demand_loopback(bot.urls["api"])
    return bot


@asynccontextmanager
async def trading(
    kind: str = "pro", home: Path | None = None, *, api: str = "binance", **settings: Any
) -> AsyncIterator[tuple[Exchange, Any]]:
    """Give an exchange and a bot that knows its markets."""
    with _folder(home) as folder:
        more: dict[str, Any] = {"home": folder, "history_bars": 120} | settings
        async with Exchange(ExchangeSettings(**more)) as exchange:
            bot = bybit_for(exchange, kind) if api == "bybit" else bot_for(exchange, kind)
            try:
                await bot.load_markets()
                yield exchange, bot
            finally:
                await bot.close()


def lived(law: Law, **settings: Any) -> None:
    """Let a law be looked at on an exchange of its own."""

    async def live() -> None:
        async with trading(**settings) as (exchange, bot):
            await law(exchange, bot)

    asyncio.run(live())


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until something is so; fail after a while."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        await asyncio.sleep(0.01)


async def outcome_of(asked: Awaitable[Any]) -> str:
    """Return `ok`, `ok without id`, or the name of what was raised."""
    try:
        answer = await asked
    except Exception as error:  # noqa: BLE001 - what it is, is what is asked
        return type(error).__name__
    return "ok" if answer.get("id") else "ok without id"


async def status_of(bot: Any, client_id: str) -> str:
    """Return an order's status, asked for by client id, or the name of what was raised."""
    try:
        order = await bot.fetch_order(None, SYMBOL, {"clientOrderId": client_id})
    except Exception as error:  # noqa: BLE001 - what it is, is what is asked
        return type(error).__name__
    return str(order["status"])


def bars_file(folder: Path, prices: list[float], volume: float = 100.0, begin: int = 1_700_000_040_000) -> Path:
    """Write recorded bars of one minute that go from price to price; return the file."""
    path = folder / f"{NAME}_1m.csv"
    rows = ["ts,open,high,low,close,volume"]
    for place, (opened, closed) in enumerate(pairwise(prices)):
        high, low = max(opened, closed), min(opened, closed)
        rows.append(f"{begin + place * MINUTE_MS},{opened},{high},{low},{closed},{volume}")
    path.write_text("\n".join(rows) + "\n")
    return path


@contextmanager
def _folder(home: Path | None) -> Iterator[Path]:
    if home is not None:
        yield home
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder) / "venue"
