"""The line between a node and its exchange: a proxy on loopback that can be cut, and joined again."""

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from typing import Self

CHUNK_BYTES = 65_536
WITHIN_S = 10.0


class Line:
    """Forwards a port of this machine to another, on a thread of its own.

    Cut, it refuses who connects and resets who is connected; jammed, it takes connections and bytes and hands nothing
    on until it is joined again.
    """

    def __init__(self, port: int) -> None:
        """Open a line to `port`; where it begins is `url`."""
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._begins = _bound(0)
        """Bound also while nobody listens: or its port might be given to somebody else meanwhile."""
        self._thread = threading.Thread(target=self._loop.run_forever, name="line", daemon=True)
        self._thread.start()
        self._do(self._open())
        self.url = f"http://127.0.0.1:{self._begins.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WITHIN_S)
        self._loop.close()
        self._begins.close()

    def cut(self) -> None:
        """Refuse and reset."""
        self._do(self._cut())

    def jam(self) -> None:
        """Hand nothing on."""
        self._do(self._jam())

    def join(self) -> None:
        """Be a line again."""
        self._do(self._open())

    def _do(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(WITHIN_S)  # type: ignore[arg-type]

    async def _open(self) -> None:
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, sock=self._begins)

    async def _cut(self) -> None:
        if self._server is not None:
            port = self._begins.getsockname()[1]
            self._server.close()
            self._server = None
            self._begins = _bound(port)
        for writer in tuple(self._writers):
            _reset(writer)

    async def _end(self) -> None:
        await self._cut()
        self._flows.set()
        # Whoever was connected has been reset, and is done in a moment.
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=WITHIN_S / 2)

    async def _jam(self) -> None:
        self._flows.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward_reader, onward = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        self._writers |= {writer, onward}
        try:
            await asyncio.gather(self._hand_on(reader, onward), self._hand_on(onward_reader, writer))
        finally:
            self._writers -= {writer, onward}

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                await self._flows.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()


def _bound(port: int) -> socket.socket:
    """Take a port, a free one where it is 0, without listening there: who connects is refused."""
    begins = socket.socket()
    begins.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    begins.bind(("127.0.0.1", port))
    return begins


def _reset(writer: asyncio.StreamWriter) -> None:
    # A socket that does not linger is reset when it is closed.
    connected = writer.get_extra_info("socket")
    if connected is not None and connected.fileno() >= 0:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
