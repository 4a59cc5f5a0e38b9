"""The exchange as a whole: it starts in order, serves on one socket, and stops in reverse."""

import asyncio
import errno
import socket
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any

import apsw
from aiohttp import web
from aiohttp.typedefs import Handler

from domain.money import BASIS_POINT
from gateways.exchange.admin import AdminDoor
from gateways.exchange.binance.doors import open_binance
from gateways.exchange.bybit.doors import open_bybit
from gateways.exchange.clock import VenueClock
from gateways.exchange.engine import Engine
from gateways.exchange.errors import AddressTaken, ExchangeFailed
from gateways.exchange.faults import Faults
from gateways.exchange.gate import Gate
from gateways.exchange.home import ExchangeHome, Keys, demand_free, readable
from gateways.exchange.house import House
from gateways.exchange.ledger import Ledger
from gateways.exchange.lies import KINDS, Lie
from gateways.exchange.market import Listing, Market
from gateways.exchange.opening import open_market
from gateways.exchange.orders import Event, Reported
from gateways.exchange.settings import ExchangeSettings
from gateways.exchange.sockets import Connections
from gateways.exchange.veil import Veil
from gateways.exchange.world import World
from gateways.paper import PaperSettings, PaperVenue
from gateways.paper.audit import Audit

BEAT_S = 0.02
"""Pause between two looks at which ticks are due."""
TICKS_OF_BEAT = 500
SHUTDOWN_S = 0.5
"""Requests that hang by then are cut off."""
BACKLOG = 256
IN_HAND_MAX = 1_024
"""Requests and streams at a time."""
BODY_MAX = 64 * 1_024


Log = Callable[[dict[str, Any]], None]


class Exchange:
    """One exchange on loopback.  `async with Exchange(settings) as exchange` serves until the block is left.

    Raises:
        HomeTaken: another exchange runs on the home.
        ExchangeFailed: its book or its ledger cannot be read.
        AddressTaken: the address cannot be listened on.
        OSError, ValueError: the home or the market's data cannot be used.
    """

    def __init__(self, settings: ExchangeSettings, log: Log | None = None) -> None:
        """Take the settings, and who is told in short what happens."""
        self._log = log
        self._settings = settings
        self._stack = AsyncExitStack()
        self._port = 0
        self._in_hand = 0
        self._struck: Counter[str] = Counter()
        self._keys = Keys("", "", "")
        self.faults = Faults(time.monotonic, self._count_fault)
        """What it lies about: `faults.add(kind="reset", where="order.create", strike="after", nth=1)`."""

    @property
    def rest_url(self) -> str:
        """Where requests go, without a path."""
        return f"http://{self._place}"

    @property
    def ws_url(self) -> str:
        """Where streams are, without a path."""
        return f"ws://{self._place}"

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

    @property
    def symbols(self) -> Sequence[str]:
        """What is traded."""
        return tuple(self._market.listings)

    def ledger(self) -> dict[str, Any]:
        """Return everything that was asked, taken, refused and traded, what moved the account, and what it has."""
        self._write_faults()
        return ledger_of(self._ledger, self._audit)

    def status(self) -> dict[str, Any]:
        """Return how the exchange is."""
        return {
            "time": self._clock.now(),
            "symbols": {symbol: listing.status for symbol, listing in self._market.listings.items()},
            "prices": {symbol: str(listing.last) for symbol, listing in self._market.listings.items()},
            "open_orders": len(self._engine.account.orders),
            "faults": dict(self.faults.counts),
        }

    @property
    def _place(self) -> str:
        host = self._settings.host
        return f"[{host}]:{self._port}" if ":" in host else f"{host}:{self._port}"

    async def __aenter__(self) -> "Exchange":
        async with AsyncExitStack() as stack:
            # First of all: an exchange that nobody could reach leaves no home behind.
            door = self._take_address()
            stack.callback(door.close)
            with readable(self._settings.home):
                self._open(stack)
            await self._listen(stack, door)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _take_address(self) -> socket.socket:
        """Return a socket that is bound and does not listen yet."""
        host, port = self._settings.host, self._settings.port
        door = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
        except OSError as error:
            door.close()
            # Who has the home most likely has the address as well, and is what there is to be told.
            demand_free(self._settings.home)
            is_used = error.errno == errno.EADDRINUSE
            found = "that somebody else does" if is_used else f"that {error.strerror or error}"
            advice = "; port 0 takes any that is free" if is_used else ""
            raise AddressTaken(f"expected to listen on {host}:{port}, found {found}{advice}") from error
        return door

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
        self._clock = VenueClock()
        self._market: Market = open_market(settings, self._ledger, self._clock)
        instruments = {symbol: listing.instrument for symbol, listing in self._market.listings.items()}
        paper = PaperVenue.open(home.book, instruments=instruments, deposit=settings.balances, settings=paper_settings)
        stack.callback(paper.close)
        self._clock.go_beyond(max(paper.head, self._ledger.newest_at()))
        self._engine = Engine(
            paper, self._ledger, self._market, next_instant=self._clock.next, participation=settings.participation
        )
        self.faults.load(settings.scenario)
        self._engine.account.watch(self._note)
        self._audit = Audit(home.book)
        stack.callback(self._audit.close)

    async def _listen(self, stack: AsyncExitStack, door: socket.socket) -> None:
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done, with the error, when the exchange can no longer go on."""
        app = web.Application(client_max_size=BODY_MAX, middlewares=[self._guard])
        tasks = self._add_doors(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, door, backlog=BACKLOG).start()
        self._port = runner.addresses[0][1]
        for work in tasks:
            task = asyncio.create_task(work())
            task.add_done_callback(self._fail_with)
            stack.push_async_callback(_stop, task)

    def _add_doors(self, app: web.Application) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """Open every door, and return what has to run beside them."""
        gate = Gate(began_at=self._clock.now())
        connections = Connections(self.faults, lambda: not gate.is_maintained(self._clock.now()))
        house = House(
            self._settings,
            self._keys,
            self._clock,
            self._market,
            self._engine,
            self._ledger,
            gate,
            Veil(),
            self.faults,
            connections,
        )
        self._world = World(self._engine, self._market, self._ledger, gate, self._clock, connections)
        AdminDoor(self._keys.admin_token, self.faults, self._world, self.ledger, self.status).add_routes(app)
        return [self._beat, open_binance(house, app), open_bybit(house, app)]

    async def _beat(self) -> None:
        while True:
            try:
                self._advance()
            except apsw.Error as error:
                raise ExchangeFailed(f"expected to write the ledger or the book, found {error}") from error
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
        for struck in self.faults.due():
            refused = self._world.befall(struck)
            if refused and self._log is not None:
                self._log({"event": "fault.refused", "kind": struck.lie.kind, "why": refused})
        self._world.heal()
        self._write_faults()

    def _fail_with(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not self.failed.done():
            self.failed.set_exception(error)
            # Whoever does not wait for it need not be told so at the end.
            self.failed.exception()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Serve nobody any more once something could not be written down: what is in memory may be ahead of it."""
        if self.failed.done() or self._in_hand >= IN_HAND_MAX:
            return web.Response(status=503)
        self._in_hand += 1
        try:
            return await handler(request)
        except apsw.Error as error:
            if not self.failed.done():
                self.failed.set_exception(ExchangeFailed(f"expected to write the ledger or the book, found {error}"))
                self.failed.exception()
            return web.Response(status=500)
        finally:
            self._in_hand -= 1

    def _write_faults(self) -> None:
        """Write down together what struck since the last time: there may be a fault in every frame."""
        if self._struck:
            struck, self._struck = self._struck, Counter()
            with self._ledger.writing():
                for kind, count in struck.items():
                    self._ledger.count_faults(kind, count)

    def _count_fault(self, lie: Lie) -> None:
        self._struck[lie.kind] += 1
        if self._log is not None:
            # What it had to be given says what it did; how long it lasts is drawn anew each time.
            given = {name: str(getattr(lie, name)) for name in KINDS[lie.kind].needs if name != "seconds"}
            self._log({"event": "fault", "kind": lie.kind} | given)

    def _note(self, event: Event) -> None:
        if self._log is None or not isinstance(event, Reported):
            return
        order, trade = event.order, event.trade
        traded = {} if trade is None else {"traded": str(trade.quantity), "at_price": str(trade.price)}
        core = {
            "event": f"order.{event.what}",
            "order": order.order_id,
            "client_id": order.request.client_id,
            "symbol": order.request.symbol,
            "side": order.request.side,
            "kind": order.request.kind,
            "quantity": str(order.quantity),
        }
        self._log(core | traded)

    def _remember(self, symbol: str, listing: Listing) -> None:
        closed, listing.closed = listing.closed, []
        with self._ledger.writing():
            self._ledger.add_klines(symbol, closed)
            self._ledger.note(f"number/{symbol}", str(listing.number))
            self._ledger.note("closed", str(closed[-1].closed_at))


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
    with suppress(asyncio.CancelledError, ExchangeFailed):
        await task
