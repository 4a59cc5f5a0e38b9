"""The exchange as a whole: it starts in order, serves on one socket, and stops in reverse."""

from types import TracebackType

from aiohttp import web

from gateways.exchange.clock import VenueClock
from gateways.exchange.home import ExchangeHome, Keys
from gateways.exchange.settings import ExchangeSettings


class Exchange:
    """One exchange on loopback.  `async with Exchange(settings) as exchange` serves until the block is left.

    Raises:
        HomeTaken: another exchange runs on the home.
        OSError: the home or the address cannot be used.
    """

    def __init__(self, settings: ExchangeSettings) -> None:
        self._settings = settings
        self._home: ExchangeHome | None = None
        self._runner: web.AppRunner | None = None
        self._port = 0
        self._keys = Keys("", "", "")

    @property
    def rest_url(self) -> str:
        """Where requests go, without a path."""
        return f"http://{self._settings.host}:{self._port}"

    @property
    def ws_url(self) -> str:
        """Where streams are, without a path."""
        return f"ws://{self._settings.host}:{self._port}"

    @property
    def api_key(self) -> str:
        """The account's key."""
        return self._keys.api_key

    @property
    def secret(self) -> str:
        """What the account's requests are signed with."""
        return self._keys.secret

    async def __aenter__(self) -> "Exchange":
        self._home = ExchangeHome(self._settings.home)
        self._keys = self._home.keys()
        self._clock = VenueClock()
        app = web.Application()
        app.router.add_get("/api/v3/ping", self._ping)
        app.router.add_get("/api/v3/time", self._time)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._home is not None:
            self._home.release()

    async def _ping(self, request: web.Request) -> web.Response:
        return web.json_response({})

    async def _time(self, request: web.Request) -> web.Response:
        return web.json_response({"serverTime": self._clock.now()})
