"""The exchange as a whole: it starts in order, serves on one socket, and stops in reverse."""

import asyncio
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any

from aiohttp import web

from domain.money import BASIS_POINT
from gateways.exchange.binance.private import PrivateApi
from gateways.exchange.binance.public import PublicApi
from gateways.exchange.binance.rest import RestDoor, endpoints_of
from gateways.exchange.binance.weights import Weights
from gateways.exchange.clock import VenueClock
from gateways.exchange.engine import Engine
from gateways.exchange.errors import AddressTaken
from gateways.exchange.home import ExchangeHome, Keys
from gateways.exchange.ledger import Ledger
from gateways.exchange.market import Listing, Market
from gateways.exchange.opening import open_market
from gateways.exchange.settings import ExchangeSettings
from gateways.exchange.veil import Veil
from gateways.paper import PaperSettings, PaperVenue
from gateways.paper.audit import Audit

BEAT_S = 0.02
"""Pause between two looks at which ticks are due."""
TICKS_OF_BEAT = 500
BODY_MAX = 64 * 1_024
ADDRESSES_MAX = 1_000


class Exchange:
    """One exchange on loopback.  `async with Exchange(settings) as exchange` serves until the block is left.

    Raises:
        HomeTaken: another exchange runs on the home.
        AddressTaken: the address cannot be listened on.
        OSError, ValueError: the home or the market's data cannot be used.
    """

    def __init__(self, settings: ExchangeSettings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._port = 0
        self._keys = Keys("", "", "")
        self._weights: dict[str, Weights] = {}

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

    @property
    def admin_token(self) -> str:
        """What the exchange's operator shows."""
        return self._keys.admin_token

    def ledger(self) -> dict[str, Any]:
        """Return everything that was asked, taken, refused and traded, what moved the account, and what it has."""
        return ledger_of(self._ledger, self._audit)

    async def __aenter__(self) -> "Exchange":
        async with AsyncExitStack() as stack:
            self._open(stack)
            await self._listen(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _open(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        home = ExchangeHome(settings.home)
        stack.callback(home.release)
        self._keys = home.keys()
        self._ledger = Ledger(home.ledger)
        stack.callback(self._ledger.close)
        paper_settings = PaperSettings(
            fee_maker_bps=settings.fee_maker_bps,
            fee_taker_bps=settings.fee_taker_bps,
            fee_asset=settings.fee_asset,
            slippage_bps=BASIS_POINT * 0,
            latency_ms=0,
            participation=settings.participation,
        )
        instruments: dict[str, Any] = {}
        paper = PaperVenue.open(home.book, instruments=instruments, deposit=settings.balances, settings=paper_settings)
        stack.callback(paper.close)
        self._clock = VenueClock(not_before=paper.head + 1)
        self._market: Market = open_market(settings, self._ledger, self._clock)
        for symbol, listing in self._market.listings.items():
            instruments[symbol] = listing.instrument
        self._engine = Engine(
            paper, self._ledger, self._market, next_instant=self._clock.next, participation=settings.participation
        )
        self._audit = Audit(home.book)
        stack.callback(self._audit.close)

    async def _listen(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        public = PublicApi(self._market, self._clock, settings)
        fees = (settings.fee_maker_bps * BASIS_POINT, settings.fee_taker_bps * BASIS_POINT)
        private = PrivateApi(self._engine, self._ledger, public, self._clock, Veil(), fees)
        rest = RestDoor(
            endpoints_of(public, private),
            keys=self._keys,
            clock=self._clock,
            ledger=self._ledger,
            weights=self._weights_of,
        )
        app = web.Application(client_max_size=BODY_MAX)
        rest.add_routes(app)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
        except OSError as error:
            place = f"{settings.host}:{settings.port}"
            raise AddressTaken(f"expected to listen on {place}, found that {error}") from error
        self._port = runner.addresses[0][1]
        beat = asyncio.create_task(self._beat())
        stack.push_async_callback(_stop, beat)

    async def _beat(self) -> None:
        while True:
            self._advance()
            await asyncio.sleep(BEAT_S)

    def _advance(self) -> None:
        now = self._clock.now()
        for tick in self._market.due(now, most=TICKS_OF_BEAT):
            self._market.listings[tick.symbol].take(tick)
            self._engine.take_tick(tick)
        for symbol, listing in self._market.listings.items():
            listing.roll(now)
            if listing.closed:
                self._remember(symbol, listing)

    def _remember(self, symbol: str, listing: Listing) -> None:
        closed, listing.closed = listing.closed, []
        with self._ledger.writing():
            self._ledger.add_klines(symbol, closed)
            self._ledger.note(f"number/{symbol}", str(listing.number))
            self._ledger.note("closed", str(closed[-1].closed_at))

    def _weights_of(self, address: str) -> Weights:
        if address not in self._weights:
            while len(self._weights) >= ADDRESSES_MAX:
                del self._weights[next(iter(self._weights))]
            self._weights[address] = Weights(weight_max=self._settings.weight_max, orders_max=self._settings.orders_max)
        return self._weights[address]


def ledger_of(ledger: Ledger, audit: Audit) -> dict[str, Any]:
    """Return what an exchange's two files have, as JSON has it."""
    movements = [
        {"at": at if at >= 0 else 0, "asset": asset, "amount": str(amount), "book_trade": trade}
        for at, asset, amount, trade in audit.movements()
    ]
    balances = {asset: str(total) for asset, total in sorted(audit.balances().items())}
    return ledger.report() | {"movements": movements, "balances": balances}


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
