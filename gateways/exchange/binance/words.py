"""How Binance's answers are written, the false ones too."""

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from domain.market import Instant
from gateways.exchange.answers import PAGE
from gateways.exchange.binance.errors import ApiError, outside_window

_UNKNOWN = (-1000, "An unknown error occurred while processing the request.")
_SENTENCES = {
    401: (-2015, "Invalid API-key, IP, or permissions for action."),
    403: (-1000, "Forbidden."),
    404: (-1000, "Not found."),
}


class BinanceWords:
    """What the exchange says where it lies."""

    def __init__(self, ban: Callable[[str, float], Instant]) -> None:
        self._ban = ban

    def failed(self, status: int, code: int | None, message: str) -> web.Response:
        """Answer with a status: a page where there is no code and the status is one of servers, else in JSON."""
        if code is None and status >= 500:
            return web.Response(status=status, body=PAGE, content_type="text/html")
        known_code, sentence = _SENTENCES.get(status, _UNKNOWN)
        return refuse(ApiError(known_code if code is None else code, message or sentence, status=status))

    def too_many(self, retry_after: int | None) -> web.Response:
        """Answer with 429."""
        sentence = "Too many requests; current limit of IP is 6000 REQUEST_WEIGHT per 1 MINUTE."
        return refuse(ApiError(-1003, sentence, status=429, retry_after_s=retry_after))

    def banned(self, address: str, seconds: float, retry_after: int | None) -> web.Response:
        """Ban an address, and answer with 418."""
        until = self._ban(address, seconds)
        sentence = f"Way too much request weight used; IP banned until {until}. Please use WebSocket Streams."
        return refuse(ApiError(-1003, sentence, status=418, retry_after_s=retry_after))

    def too_late(self) -> web.Response:
        """Answer with -1021."""
        return refuse(outside_window())

    def unknown_outcome(self) -> web.Response:
        """Answer with -1007."""
        sentence = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
        return refuse(ApiError(-1007, sentence, status=503))

    def duplicate(self) -> web.Response:
        """Answer with -2010."""
        return refuse(ApiError(-2010, "Duplicate order sent."))


def respond(value: Any, *, headers: dict[str, str] | None = None, status: int = 200) -> web.Response:
    """Return a value as an answer in JSON."""
    return web.Response(
        body=msgspec.json.encode(value), status=status, headers=headers, content_type="application/json"
    )


def refuse(error: ApiError, headers: dict[str, str] | None = None) -> web.Response:
    """Return an error as an answer."""
    all_headers = dict(headers or {})
    if error.retry_after_s is not None:
        all_headers["Retry-After"] = str(error.retry_after_s)
    return respond({"code": error.code, "msg": error.message}, headers=all_headers, status=error.status)
