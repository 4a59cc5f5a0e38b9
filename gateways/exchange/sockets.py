"""One stream to one listener: frames in order, within limits, and whatever a scenario does to them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from aiohttp import WSMsgType, web

from gateways.exchange.answers import reset_transport
from gateways.exchange.faults import Faults, Struck

FRAME_MAX = 64 * 1_024
"""Bytes of a message to the exchange."""
WAITING_MAX = 10_000
"""Frames that wait to be sent; a listener that is further behind is cut off."""
CONNECTIONS_MAX = 256
BEAT_S, PING_EVERY_S = 1.0, 20
NOISE = b'{"e":"\\x00'


class Connection:
    """A WebSocket of one place, `stream.market` or `stream.user`."""

    def __init__(self, place: str, faults: Faults) -> None:
        self.place = place
        self._faults = faults
        self._socket = web.WebSocketResponse(autoping=False, max_msg_size=FRAME_MAX, compress=False)
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING_MAX)
        self._loop = asyncio.get_running_loop()
        self._silent_until = self._frozen_until = 0.0
        self._request: web.Request | None = None

    async def serve(self, request: web.Request, hear: Callable[[str], None]) -> web.StreamResponse:
        """Talk until either side has enough; `hear` gets every message."""
        self._request = request
        try:
            await self._socket.prepare(request)
        except ConnectionError:
            # Whoever asked has left during the handshake: what is answered reaches nobody.
            return web.Response(status=503)
        tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._beat())]
        try:
            async for message in self._socket:
                if message.type == WSMsgType.TEXT:
                    hear(message.data)
                elif message.type == WSMsgType.PING and not self._is_frozen:
                    with suppress(ConnectionError):
                        await self._socket.pong(message.data)
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError, ConnectionError):
                    await task
        return self._socket

    def say(self, body: bytes) -> None:
        """Send a message that no scenario touches, such as the answer to a subscription."""
        self._enqueue(body)

    def send(self, kind: str, body: bytes) -> None:
        """Send a frame of a kind, such as `trade`, as far as the scenario lets it pass."""
        copies, delay_s = 1, 0.0
        for struck in self._faults.strike(f"{self.place}.{kind}"):
            match struck.lie.kind:
                case "drop":
                    copies = 0
                case "twice":
                    copies *= 2
                case "garble":
                    body = NOISE
                case "delay":
                    delay_s += struck.seconds
                case _:
                    self._suffer(struck)
        for _ in range(copies):
            if delay_s:
                self._loop.call_later(delay_s, self._pass, body)
            else:
                self._pass(body)

    @property
    def _is_frozen(self) -> bool:
        return self._loop.time() < self._frozen_until

    def _pass(self, body: bytes) -> None:
        if not self._is_frozen and self._loop.time() >= self._silent_until:
            self._enqueue(body)

    def _enqueue(self, body: bytes) -> None:
        try:
            self._waiting.put_nowait(body)
        except asyncio.QueueFull:
            self.abort()

    def _suffer(self, struck: Struck) -> None:
        match struck.lie.kind:
            case "silent":
                self._silent_until = self._loop.time() + struck.seconds
            case "frozen":
                self._frozen_until = self._loop.time() + struck.seconds
            case "disconnect":
                self.abort()
            case "reset_stream":
                if self._request is not None and self._request.transport is not None:
                    reset_transport(self._request.transport)

    def abort(self) -> None:
        """End the connection without a farewell."""
        if self._request is not None and self._request.transport is not None:
            self._request.transport.abort()

    async def _write(self) -> None:
        with suppress(ConnectionError):
            while True:
                await self._socket.send_str((await self._waiting.get()).decode())

    async def _beat(self) -> None:
        beats = 0
        with suppress(ConnectionError):
            while True:
                await asyncio.sleep(BEAT_S)
                beats += 1
                for struck in self._faults.strike(f"{self.place}.beat"):
                    self._suffer(struck)
                if beats % PING_EVERY_S == 0 and not self._is_frozen:
                    await self._socket.ping()


class Connections:
    """All that is open; a further one beyond the limit is turned away, and one that a scenario refuses."""

    def __init__(self, faults: Faults, are_served: Callable[[], bool]) -> None:
        self._faults, self._are_served = faults, are_served
        self._open: set[Connection] = set()

    def end_all(self, place: str = "stream") -> None:
        """End every connection of a place, or all of them."""
        for connection in [each for each in self._open if each.place.startswith(place)]:
            connection.abort()

    async def serve(
        self,
        place: str,
        request: web.Request,
        hear: Callable[[Connection, str], None],
        *,
        join: Callable[[Connection], None] = lambda connection: None,
        leave: Callable[[Connection], None],
    ) -> web.StreamResponse:
        """Serve a request for a stream: it joins, each of its messages is heard, and it leaves."""
        if not self._are_served() or len(self._open) >= CONNECTIONS_MAX or self._faults.strike(place):
            return web.Response(status=503)
        connection = Connection(place, self._faults)
        self._open.add(connection)
        try:
            join(connection)
            return await connection.serve(request, partial(hear, connection))
        finally:
            self._open.discard(connection)
            leave(connection)
