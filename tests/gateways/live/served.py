"""An exchange on loopback on a thread of its own, for tests that are no coroutines."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateways.exchange.pointing import POINTED
from gateways.exchange.server import Exchange
from gateways.exchange.settings import ExchangeSettings
from gateways.live.binance import Binance
from gateways.live.bybit import Bybit
from gateways.live.connection import Connection
from gateways.live.dialect import Dialect

DIALECTS: dict[str, type[Dialect]] = {"binance": Binance, "bybit": Bybit}


class Served:
    """Serves until it is closed."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._is_up = threading.Event()
        self._over = asyncio.Event()
        self.exchange = Exchange(ExchangeSettings(home=home, **settings))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._is_up.wait(30), "the exchange did not come up"

    def connect(self, api: str = "binance", **given: Any) -> Connection:
        exchange = self.exchange
        settings = POINTED[api](exchange.rest_url, exchange.ws_url, exchange.api_key, exchange.secret)
        return Connection(DIALECTS[api](), settings, **given)

    def ledger(self) -> dict[str, Any]:
        found: dict[str, Any] = self.do(lambda exchange: exchange.ledger())
        return found

    def do(self, work: Callable[[Exchange], Any]) -> Any:
        """Do something with the exchange on its own thread."""

        async def there() -> Any:
            return work(self.exchange)

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        async with self.exchange:
            self._is_up.set()
            await self._over.wait()
