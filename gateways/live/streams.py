"""A venue's stream of what happens to our orders, through ccxt.pro, with its traps closed.

Orders that it returns are live: they change afterwards.  Updates that come between two waits are kept in its cache and
not told.  So each time something is told, the whole cache is looked through for what has changed.
"""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal, InvalidOperation

from gateways.live.client import Client
from gateways.live.watch import Told

OVER = frozenset({"closed", "canceled", "expired", "rejected"})
"""How ccxt says that an order is finished."""


class OrderStream:
    """The orders of the account, as they change."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen: dict[str, tuple[object, ...]] = {}
        """Of each order in the cache: what it was when it was told last."""

    async def events(self) -> AsyncIterator[Told]:
        """Yield what is told of each order that has changed; raise where the stream breaks."""
        exchange = self._client.exchange
        while True:
            await self._watch_orders()
            cached = {str(order["id"]): order for order in exchange.orders or ()}
            for venue_id, order in cached.items():
                now = (order["status"], order["filled"], order["lastUpdateTimestamp"])
                if self._seen.get(venue_id) == now:
                    continue
                self._seen[venue_id] = now
                if order["clientOrderId"] and order["symbol"]:
                    yield Told(
                        str(order["clientOrderId"]),
                        str(exchange.market_id(order["symbol"])),
                        _amount(order["filled"]),
                        is_over=order["status"] in OVER,
                    )
            self._seen = {venue_id: now for venue_id, now in self._seen.items() if venue_id in cached}

    async def _watch_orders(self) -> None:
        """Wait for an update.  Hanging up cancels what is waited for here, which must not end who waits."""
        try:
            await self._client.exchange.watch_orders()
        except asyncio.CancelledError:
            waiting = asyncio.current_task()
            if waiting is None or waiting.cancelling() or self._client.is_closed:
                raise
            raise ConnectionError("the stream was hung up") from None

    async def hang_up(self) -> None:
        """Close the connection; the next `events` dials again."""
        await self._client.exchange.close_ws_clients()


def _amount(told: object) -> Decimal:
    """Return how much is said to be filled; nothing where that cannot be read, for it is a hint and no more."""
    try:
        amount = Decimal(str(told))
    except InvalidOperation:
        return Decimal(0)
    return amount if amount.is_finite() else Decimal(0)
