"""The one door to ccxt: it signs a request, sends it once, and hands back what came, unread.

Its exceptions are no classification: an order that was taken may come back as `ExchangeError`, and one that was never
sent as the same class as one whose answer was cut off.  So its reading of answers is switched off here.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import aiohttp
import msgspec

from gateways.live.wire import Call, Lost, Outcome, Received, read_json

BODY_CHARS_MAX = 64_000_000
"""An answer that is longer is not read.  The rules of all symbols of a large venue may take some fifteen millions."""
ALLOWED_SCHEMES = ("https://", "http://127.0.0.1:", "http://localhost:")


class _Trip:
    """What became of one request on its way."""

    __slots__ = ("answer", "call", "was_sent")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.was_sent = False
        self.answer: tuple[int, Mapping[str, str], str] | None = None


_trip: ContextVar[_Trip] = ContextVar("trip")


class Client:
    """A venue's ccxt client, owned by the event loop that opens it."""

    def __init__(self, exchange_id: str, settings: Mapping[str, Any], *, answer_within_s: float) -> None:
        """`settings` are ccxt's own, keys included; `answer_within_s` is the time from sending to the last byte."""
        self._exchange_id = exchange_id
        self._settings = dict(settings)
        self._answer_within_s = answer_within_s
        self._ahead_ms: Callable[[], int] = lambda: 0
        self._exchange: Any = None
        self._session: aiohttp.ClientSession | None = None
        self.is_closed = False

    @property
    def exchange(self) -> Any:
        """Return the client itself, for its streams."""
        return self._exchange

    @property
    def library(self) -> str:
        """Return ccxt's name and version, which is pinned: an upgrade may change what is sent."""
        return _library()

    async def open(self) -> None:
        """Make the client; importing ccxt takes a second or two, which happens off the loop.

        Raises:
            ValueError: ccxt knows no such exchange, or a URL would send keys in the clear.
        """
        base = await asyncio.to_thread(_class_of, self._exchange_id)
        trace = aiohttp.TraceConfig()
        # From here on bytes may have left; what fails before has certainly not been sent.
        trace.on_connection_create_end.append(_has_a_connection)
        trace.on_connection_reuseconn.append(_has_a_connection)
        self._session = aiohttp.ClientSession(trace_configs=[trace])
        settings = {**self._settings, "session": _NoRedirects(self._session), "enableRateLimit": False}
        settings["asyncio_loop"] = asyncio.get_running_loop()
        self._exchange = _unread(base)(settings)
        self._exchange.number = str
        self._exchange.options["maxRetriesOnFailure"] = 0
        demand_safe(self._exchange.urls["api"])

    async def send(self, call: Call) -> Outcome:
        """Send a request, once, and return what came of it within the time there is."""
        trip = _Trip(call)
        _trip.set(trip)
        self._exchange.options["timeDifference"] = -self._ahead_ms()
        try:
            async with asyncio.timeout(self._answer_within_s):
                await self._exchange.request(call.path, [call.api], call.method, dict(call.params), {})
        except Exception as error:  # noqa: BLE001  whatever ccxt raises: what was sent and what came back is what counts
            return Lost(_said(error, self._answer_within_s), trip.was_sent)
        return _read(trip)

    def tell_time_by(self, ahead_ms: Callable[[], int]) -> None:
        """Let requests bear the venue's time: `ahead_ms` says how far its clock is ahead of the machine's."""
        self._ahead_ms = ahead_ms

    async def close(self) -> None:
        """End streams and connections."""
        self.is_closed = True
        if self._exchange is not None:
            self._exchange.timeout_on_exit = 0
            await self._exchange.close()
        if self._session is not None:
            await self._session.close()


def demand_safe(urls: Any) -> None:
    """Refuse a client of which some request would go unencrypted to another machine.

    Raises:
        ValueError: it names the URL.
    """
    if isinstance(urls, Mapping):
        for each in urls.values():
            demand_safe(each)
    elif isinstance(urls, str):
        plain = urls.replace("wss://", "https://").replace("ws://", "http://")
        if not plain.startswith(ALLOWED_SCHEMES):
            raise ValueError(f"a venue's URL must be encrypted or on this machine, was {urls}")


def import_exchange(exchange_id: str) -> None:
    """Import what a client of this exchange needs, so that opening one is quick.

    Raises:
        ValueError: ccxt knows no such exchange.
    """
    _class_of(exchange_id)


def _class_of(exchange_id: str) -> type:
    import ccxt.pro

    found = getattr(ccxt.pro, exchange_id, None)
    if not isinstance(found, type):
        raise ValueError(f"expected an exchange that ccxt {ccxt.pro.__version__} knows, found {exchange_id!r}")
    return found


def _library() -> str:
    import ccxt.pro

    return f"ccxt {ccxt.pro.__version__}"


def _unread(base: type) -> type:
    """Return the exchange's class without its reading of answers."""

    def ignore(self: Any, *_given: Any) -> None:
        """Leave errors to who asked."""

    def note(self: Any, code: int, reason: str, url: str, method: str, headers: Any, body: str, *_more: Any) -> str:
        """Keep an answer as it came."""
        trip = _trip.get(None)
        if trip is not None:
            trip.answer = code, headers, body
        return body

    def sign(self: Any, *given: Any, **named: Any) -> Any:
        """Sign a request that has a window of its own for that; nothing else is signed meanwhile."""
        trip, options = _trip.get(None), self.options
        if trip is None or not trip.call.good_for_ms:
            return base.sign(self, *given, **named)  # type: ignore[attr-defined]
        before = options["timeDifference"], options["recvWindow"]
        options["timeDifference"] = self.milliseconds() - trip.call.begins_at_ms
        options["recvWindow"] = trip.call.good_for_ms
        try:
            return base.sign(self, *given, **named)  # type: ignore[attr-defined]
        finally:
            options["timeDifference"], options["recvWindow"] = before

    own = {"handle_errors": ignore, "handle_http_status_code": ignore, "on_rest_response": note, "sign": sign}
    return type(f"Unread{base.__name__}", (base,), own)


class _NoRedirects:
    """A session that sends a request where it was to go, and nowhere else: one redirect more is one order more."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._session, name)
        if name not in ("get", "post", "put", "delete", "patch"):
            return found
        return lambda url, **given: found(url, allow_redirects=False, **given)


async def _has_a_connection(session: aiohttp.ClientSession, context: SimpleNamespace, params: Any) -> None:
    trip = _trip.get(None)
    if trip is not None:
        trip.was_sent = True


def _read(trip: _Trip) -> Outcome:
    if trip.answer is None:
        return Lost("the request came back without an answer", trip.was_sent)
    status, headers, text = trip.answer
    body = None
    if len(text) <= BODY_CHARS_MAX:
        try:
            body = read_json(text)
        except (msgspec.DecodeError, ValueError, RecursionError):
            body = None
    return Received(status, {str(name).lower(): str(value) for name, value in headers.items()}, body)


def _said(error: BaseException, answer_within_s: float) -> str:
    """Name an error and what caused it; its text may hold the signed URL, and is left out."""
    if isinstance(error, TimeoutError):
        return f"no answer within {answer_within_s} s"
    names = [type(error).__name__]
    while (error.__cause__ or error.__context__) is not None and len(names) < 4:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
        names.append(type(error).__name__)
    return " after ".join(names)
