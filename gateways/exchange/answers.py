"""How a request is answered when a lie strikes: on the wire, whatever dialect is spoken."""

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Protocol

from aiohttp import web

from gateways.exchange.faults import Struck
from gateways.exchange.lies import KINDS

HANG_S, DRIP_S = 600.0, 10.0
PAGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser.</body></html>"
REFUSED = web.ResponseKey("refused", bool)
"""Set on an honest answer that is a refusal, whatever its HTTP status."""
NOISE = b'\xff\xfe{"orderId":\x00\x80 ...'


class Words(Protocol):
    """What a dialect says where a lie speaks it."""

    def failed(self, status: int, code: int | None, message: str) -> web.Response:
        """Answer with a status, a code and a sentence."""

    def too_many(self, retry_after: int | None) -> web.Response:
        """Answer that too much was asked."""

    def banned(self, address: str, seconds: float, retry_after: int | None) -> web.Response:
        """Turn an address away from now on, and answer that."""

    def too_late(self) -> web.Response:
        """Answer that a request came too late."""

    def unknown_outcome(self) -> web.Response:
        """Answer that nobody knows what became of a request."""

    def duplicate(self) -> web.Response:
        """Answer that there is such an order already."""


async def serve_with(
    struck: Sequence[Struck], request: web.Request, words: Words, answer: Callable[[], web.Response]
) -> web.StreamResponse:
    """Return what a request is told: what `answer` says when it is called, or a lie before or after that."""
    lies = [each for each in struck if KINDS[each.lie.kind].family == "answer"]
    for each in [each for each in lies if each.lie.strike == "before"]:
        if (false := await lie_about(each, request, words, None)) is not None:
            return false
    honest = answer()
    for each in [each for each in lies if each.lie.strike == "after"]:
        if (false := await lie_about(each, request, words, honest)) is not None:
            return false
    return honest


async def lie_about(
    struck: Struck, request: web.Request, words: Words, honest: web.Response | None
) -> web.StreamResponse | None:
    """Return the answer that a lie gives; None for the honest one, which then comes later."""
    lie = struck.lie
    match lie.kind:
        case "stuck" | "late":
            await asyncio.sleep(struck.seconds)
            return None
        case "hang":
            await asyncio.sleep(struck.seconds or HANG_S)
            return _closed(request)
        case "reset":
            return _reset(request)
        case "close":
            return _closed(request)
        case "cut":
            return await _cut(request, _body_of(honest))
        case "drip":
            return await _drip(request, _body_of(honest), struck.seconds or DRIP_S)
        case "redirect":
            return web.Response(status=307, headers={"Location": str(request.rel_url)})
        case "duplicate":
            was_done = honest is not None and honest.status == 200 and REFUSED not in honest
            return words.duplicate() if was_done else None
    return _false_answer(struck, request, words)


def _false_answer(struck: Struck, request: web.Request, words: Words) -> web.Response:
    lie = struck.lie
    match lie.kind:
        case "garbled":
            return web.Response(body=NOISE, content_type="application/json")
        case "gzip":
            return web.Response(body=b"\x1f\x8b" + NOISE, headers={"Content-Encoding": "gzip"})
        case "html":
            return web.Response(body=PAGE, content_type="text/html")
        case "braces" | "null" | "nothing":
            body = {"braces": b"{}", "null": b"null", "nothing": b""}[lie.kind]
            return web.Response(body=body, content_type="application/json")
        case "too_many":
            return words.too_many(lie.retry_after)
        case "banned":
            return words.banned(request.remote or "", struck.seconds or 60.0, lie.retry_after)
        case "clock":
            return words.too_late()
        case "unknown_outcome":
            return words.unknown_outcome()
    return words.failed(lie.status, lie.code, lie.message)


def _body_of(honest: web.Response | None) -> bytes:
    body = b"" if honest is None else honest.body
    return bytes(body) if isinstance(body, bytes | bytearray) and len(body) > 1 else b'{"code": -1000, "msg": "x"}'


def _closed(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _reset(request: web.Request) -> web.Response:
    if request.transport is not None:
        reset_transport(request.transport)
    return web.Response()


def reset_transport(transport: asyncio.BaseTransport) -> None:
    """End a connection with a reset instead of a farewell."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if isinstance(transport, asyncio.Transport):
        transport.abort()


async def _cut(request: web.Request, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    await asyncio.sleep(0.01)
    _closed(request)
    return response


async def _drip(request: web.Request, body: bytes, seconds: float) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    for place in range(len(body)):
        await response.write(body[place : place + 1])
        await asyncio.sleep(seconds / len(body))
    return response
