"""How Bybit's answers are written, the false ones too: a code, a sentence and a result, mostly with HTTP 200."""

from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from domain.market import SECOND_MS, Instant
from gateways.exchange.answers import PAGE, REFUSED
from gateways.exchange.bybit.errors import ApiError, outside_window, too_many_visits

_UNKNOWN = (10000, "Server Timeout")
_SENTENCES = {401: (10003, "API key is invalid."), 403: (10010, "Unmatched IP"), 404: (10001, "not found")}


class BybitWords:
    """What the exchange says where it lies."""

    def __init__(self, ban: Callable[[str, float], Instant], shown: Callable[[], Instant]) -> None:
        self._ban, self._shown = ban, shown

    def failed(self, status: int, code: int | None, message: str) -> web.Response:
        """Answer with a status: a page where there is no code and the status is one of servers, else in JSON."""
        if code is None and status >= 500:
            return web.Response(status=status, body=PAGE, content_type="text/html")
        known_code, sentence = _SENTENCES.get(status, _UNKNOWN)
        return self._refuse(ApiError(known_code if code is None else code, message or sentence, status=status))

    def too_many(self, retry_after: int | None) -> web.Response:
        """Answer with 10006, and when it is over."""
        reset = self._shown() + (1 if retry_after is None else retry_after) * SECOND_MS
        headers = {"X-Bapi-Limit": "50", "X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": str(reset)}
        return self._refuse(too_many_visits(), headers)

    def banned(self, address: str, seconds: float, retry_after: int | None) -> web.Response:
        """Ban an address, and answer with 403."""
        self._ban(address, seconds)
        return self._refuse(ApiError(10018, "access too frequent, please try again in 10 minutes", status=403))

    def too_late(self) -> web.Response:
        """Answer with 10002."""
        return self._refuse(outside_window())

    def unknown_outcome(self) -> web.Response:
        """Answer with 10016."""
        return self._refuse(ApiError(10016, "System error. Please try again later."))

    def duplicate(self) -> web.Response:
        """Answer with 170141."""
        return self._refuse(ApiError(170141, "Duplicate clientOrderId."))

    def _refuse(self, error: ApiError, headers: dict[str, str] | None = None) -> web.Response:
        return refuse(error, self._shown(), headers)


def respond(
    result: Any, now: Instant, headers: dict[str, str] | None = None, *, code: int = 0, message: str = "OK"
) -> web.Response:
    """Return a result as an answer in JSON."""
    body = {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": now}
    return web.Response(body=msgspec.json.encode(body), headers=headers, content_type="application/json")


def refuse(error: ApiError, now: Instant, headers: dict[str, str] | None = None) -> web.Response:
    """Return an error as an answer."""
    answer = respond({}, now, headers, code=error.code, message=error.message)
    answer.set_status(error.status)
    answer[REFUSED] = True
    return answer
