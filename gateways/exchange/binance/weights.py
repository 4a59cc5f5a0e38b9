"""How much an address may ask in a minute, and what becomes of it when it asks for more."""

from domain.market import MINUTE_MS, SECOND_MS, Instant
from gateways.exchange.binance.errors import ApiError

VIOLATIONS_MAX = 10
"""Requests in a minute beyond its weight; one more, and the address is banned."""
BAN_MS = 2 * MINUTE_MS
ORDERS_SPAN_MS = 10 * SECOND_MS


class Weights:
    """Counts what one address asks for."""

    def __init__(self, *, weight_max: int, orders_max: int, banned_until: Instant = 0) -> None:
        self._weight_max, self._orders_max = weight_max, orders_max
        self._minute, self._weight, self._violations = 0, 0, 0
        self._orders_span, self._orders, self._day, self._orders_of_day = 0, 0, 0, 0
        self.banned_until = banned_until

    def charge(self, weight: int, now: Instant) -> None:
        """Count a request; raise ApiError with 429 or 418 where it is too much."""
        if now < self.banned_until:
            raise _banned(self.banned_until, now)
        if now // MINUTE_MS != self._minute:
            self._minute, self._weight, self._violations = now // MINUTE_MS, 0, 0
        self._weight += weight
        if self._weight <= self._weight_max:
            return
        self._violations += 1
        if self._violations > VIOLATIONS_MAX:
            self.banned_until = now + BAN_MS
            raise _banned(self.banned_until, now)
        rest_s = (MINUTE_MS - now % MINUTE_MS) // 1_000 + 1
        sentence = f"Too many requests; current limit of IP is {self._weight_max} REQUEST_WEIGHT per 1 MINUTE."
        raise ApiError(-1003, sentence, status=429, retry_after_s=rest_s)

    def charge_order(self, now: Instant) -> None:
        """Count an order; raise ApiError where there are too many."""
        if now // ORDERS_SPAN_MS != self._orders_span:
            self._orders_span, self._orders = now // ORDERS_SPAN_MS, 0
        if now // (24 * 60 * MINUTE_MS) != self._day:
            self._day, self._orders_of_day = now // (24 * 60 * MINUTE_MS), 0
        if self._orders >= self._orders_max:
            sentence = f"Too many new orders; current limit is {self._orders_max} orders per 10 SECOND."
            raise ApiError(-1015, sentence, status=429, retry_after_s=10)
        self._orders += 1
        self._orders_of_day += 1

    def headers(self) -> dict[str, str]:
        """Return what an answer says of it."""
        used = {name: str(self._weight) for name in ("X-MBX-USED-WEIGHT", "X-MBX-USED-WEIGHT-1M")}
        return used | {
            "X-MBX-ORDER-COUNT-10S": str(self._orders),
            "X-MBX-ORDER-COUNT-1D": str(self._orders_of_day),
        }


def _banned(until: Instant, now: Instant) -> ApiError:
    sentence = f"Way too much request weight used; IP banned until {until}. Please use WebSocket Streams."
    return ApiError(-1003, sentence, status=418, retry_after_s=(until - now) // 1_000 + 1)
