"""How often each kind of thing may be asked in a second, and what becomes of an address that was banned."""

from domain.market import SECOND_MS, Instant
from gateways.exchange.bybit.errors import ApiError, too_many_visits

VISITS_MAX = 50
"""Questions of a kind in a second."""


class Visits:
    """Counts what one address asks for, second by second."""

    def __init__(self, *, orders_max: int) -> None:
        """`orders_max` is how many orders may be placed, and how many cancelled, in a second."""
        self._orders_max = orders_max
        self._second = 0
        self._counts: dict[str, int] = {}
        self.banned_until: Instant = 0

    def charge(self, kind: str, now: Instant) -> None:
        """Count a request; raise ApiError where it is too much."""
        if now < self.banned_until:
            raise ApiError(10018, "access too frequent, please try again in 10 minutes", status=403)
        if now // SECOND_MS != self._second:
            self._second, self._counts = now // SECOND_MS, {}
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if self._counts[kind] > self._most(kind):
            raise too_many_visits()

    def headers(self, kind: str, now: Instant) -> dict[str, str]:
        """Return what an answer says of it: how many there may be, how many are left, and when there are all again."""
        most = self._most(kind)
        return {
            "X-Bapi-Limit": str(most),
            "X-Bapi-Limit-Status": str(max(0, most - self._counts.get(kind, 0))),
            "X-Bapi-Limit-Reset-Timestamp": str((now // SECOND_MS + 1) * SECOND_MS),
        }

    def _most(self, kind: str) -> int:
        return self._orders_max if kind in ("order.create", "order.cancel", "order.cancel_all") else VISITS_MAX
