"""What the venue does by itself: fills, expiries, cancels.

Its stream is a hint and no truth: events are lost when it breaks, and it can die without a word.  So an event only
leads to a question, and all open orders are asked for again whenever the stream was begun anew, and now and then
besides.  What such a question finds that the stream should have told shows that the stream is deaf.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Protocol

from domain.venue import OrderSeen
from gateways.live.orders import Orders

ASK_ALL_EVERY_S = 30.0
AFTER_REDIAL_S = (1.0, 5.0)
"""When all are asked for after the stream was begun anew: what happened in between is told by nobody."""
REDIAL_FIRST_S, REDIAL_MAX_S = 0.5, 30.0
ENDED_MAX = 1_000
LATE_S = 2.0
"""How much later than an answer the stream may tell the same."""


class Stream(Protocol):
    """Tells that something happened to an order."""

    def events(self) -> AsyncIterator[tuple[str, str]]:
        """Yield client id and symbol for each event; end or raise where the stream breaks."""

    async def hang_up(self) -> None:
        """Close the connection: the next `events` dials again."""


class Watch:
    """Keeps what is known of open orders up to date, on the venue's own loop."""

    def __init__(
        self,
        orders: Orders,
        stream: Stream,
        *,
        report: Callable[[OrderSeen], None],
        tell: Callable[..., None],
        ask_all_every_s: float = ASK_ALL_EVERY_S,
    ) -> None:
        """`report` hears of each order that has changed; `tell(event, **values)` of what a person may want to know."""
        self._orders = orders
        self._stream = stream
        self._report = report
        self._tell = tell
        self._ask_all_every_s = ask_all_every_s
        self._open: dict[str, str] = {}
        """Symbol of each order that was not finished when it was seen last, by client id."""
        self._known: dict[str, OrderSeen] = {}
        """Those orders as they were seen last."""
        self._ended: dict[str, OrderSeen] = {}
        """The newest orders that have ended, as they did: several questions may find that out."""
        self._hinted: set[str] = set()
        """Orders of which the stream has told something since all were asked for."""
        self._hints: dict[str, str] = {}
        """Symbols of orders of which the stream has told something that was not asked about yet."""
        self._has_hints = asyncio.Event()
        self._wants_all = asyncio.Event()

    @property
    def open_orders(self) -> int:
        """Return how many orders are watched."""
        return len(self._open)

    def note(self, seen: OrderSeen, symbol: str) -> bool:
        """Take in an order as it was seen; say whether that was news."""
        is_news = (self._known.get(seen.client_id) or self._ended.get(seen.client_id)) != seen
        if seen.state == "accepted":
            self._open[seen.client_id], self._known[seen.client_id] = symbol, seen
            return is_news
        self._open.pop(seen.client_id, None)
        self._known.pop(seen.client_id, None)
        self._ended[seen.client_id] = seen
        if len(self._ended) > ENDED_MAX:
            del self._ended[next(iter(self._ended))]
        return is_news

    def want_all(self) -> None:
        """Have all open orders asked for soon."""
        self._wants_all.set()

    async def listen(self) -> None:
        """Follow the stream for ever, and begin it anew whenever it breaks."""
        pause_s = REDIAL_FIRST_S
        while True:
            self._ask_all_after_redial()
            why = "it ended"
            try:
                async for client_id, symbol in self._stream.events():
                    pause_s = REDIAL_FIRST_S
                    self._hint(client_id, symbol)
            except Exception as error:  # noqa: BLE001  whatever broke it, it is begun anew
                why = type(error).__name__
            self._tell("venue.stream_broke", why=why, again_in_s=pause_s)
            with suppress(Exception):
                await self._stream.hang_up()
            await asyncio.sleep(pause_s)
            pause_s = min(REDIAL_MAX_S, 2 * pause_s)

    async def ask_hinted(self) -> None:
        """Ask for the orders that the stream has told something of, for ever."""
        while True:
            await self._has_hints.wait()
            self._has_hints.clear()
            while self._hints:
                client_id = next(iter(self._hints))
                await self._ask(client_id, self._hints.pop(client_id))

    async def ask_all(self) -> None:
        """Ask for all open orders, now and then for ever, and whenever somebody wants it."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wants_all.wait(), self._ask_all_every_s)
            self._wants_all.clear()
            self._hinted.clear()
            changed = [name for name, symbol in tuple(self._open.items()) if await self._ask(name, symbol)]
            if changed:
                await asyncio.sleep(LATE_S)
            if untold := [name for name in changed if name not in self._hinted]:
                await self._begin_anew(untold)

    async def _begin_anew(self, untold: list[str]) -> None:
        self._tell("venue.stream_is_deaf", orders=untold)
        with suppress(Exception):
            await self._stream.hang_up()

    def _hint(self, client_id: str, symbol: str) -> None:
        self._hinted.add(client_id)
        self._hints[client_id] = symbol
        self._has_hints.set()

    async def _ask(self, client_id: str, symbol: str) -> bool:
        """Ask for an order; report it if it has changed, and say so.  Whatever goes wrong, others are asked for yet."""
        try:
            found = await self._orders.find(client_id, symbol)
            if not isinstance(found, OrderSeen) or not self.note(found, symbol):
                return False
            self._report(found)
        except Exception as error:  # noqa: BLE001  whatever it was, it is asked for again
            self._tell("venue.error", why=f"{type(error).__name__} while an order was asked for", order=client_id)
            return False
        return True

    def _ask_all_after_redial(self) -> None:
        loop = asyncio.get_running_loop()
        for delay_s in AFTER_REDIAL_S:
            loop.call_later(delay_s, self.want_all)
