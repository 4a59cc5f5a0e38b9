"""A server on loopback that answers with whatever bytes it is told to, and remembers every request it got."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

HANG = b"<hang>"
RESET = b"<reset>"
CLOSE = b"<close>"


class Request(NamedTuple):
    """What a client sent."""

    method: str
    path: str
    params: dict[str, Any]


Behave = Callable[[Request], bytes]


def answer(body: Any, status: int = 200, *headers: str, kind: str = "application/json") -> bytes:
    """Return a sound HTTP answer; `body` as JSON, or bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Liar:
    """Listens on a free port, on a thread of its own, until it is closed."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.raw: list[tuple[str, str]] = []
        """Head and body of each of them, as they came."""
        self.behave: Behave = lambda request: answer({}, 404)
        self._loop = asyncio.new_event_loop()
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._is_up.wait(10)

    def count(self, method: str, path: str) -> int:
        """Return how often something was asked."""
        return sum(request.method == method and request.path == path for request in self.requests)

    def close(self) -> None:
        """Listen no more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._is_up.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
            self._loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                line, *headers = head.split("\r\n")
                method, target, _version = line.split(" ")
                lengths = [each.split(":")[1] for each in headers if each.lower().startswith("content-length:")]
                body = (await reader.readexactly(int(lengths[0]))).decode() if lengths else ""
                parts = urlsplit(target)
                said_in_body = json.loads(body) if body.startswith("{") else dict(parse_qsl(body))
                request = Request(method, parts.path, {**dict(parse_qsl(parts.query)), **said_in_body})
                self.requests.append(request)
                self.raw.append((head, body))
                said = self.behave(request)
                if said == HANG:
                    await asyncio.sleep(3600)
                elif said == RESET:
                    writer.transport.abort()
                    return
                elif said == CLOSE:
                    return
                writer.write(said)
                await writer.drain()
                if b"Connection: close" in said:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def pointed_at(url: str, exchange_id: str = "binance") -> dict[str, Any]:
    """Return ccxt's settings with which nothing it asks leaves this machine."""
    import ccxt

    def rewritten(leaf: Any, path: str) -> Any:
        if isinstance(leaf, dict):
            return {name: rewritten(each, f"{path}/{name}") for name, each in leaf.items()}
        scheme = "ws" if str(leaf).startswith("ws") else "http"
        return f"{scheme}{url.removeprefix('http')}/unmapped{path}"

    api = rewritten(getattr(ccxt, exchange_id)().urls["api"], "")
    below = "/api/v3" if exchange_id == "binance" else ""
    api |= {"public": f"{url}{below}", "private": f"{url}{below}"}
    return {"apiKey": "a-key", "secret": "a-secret", "urls": {"api": api}}
