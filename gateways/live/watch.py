"""What the venue does by itself: fills, expiries, cancels.

Its stream is a hint and no truth: events are lost when it breaks, and it can die without a word.  So an event only
leads to a question, and all open orders are asked for again whenever the stream was begun anew, and now and then
besides.  What such a question finds that the stream should have told shows that the stream is deaf.

The stream tells of all orders of the account, whoever sent them.  One that nobody here has asked about is somebody
else's: each word of it leads to a question, after those about our own, and no timer does.

The other way about, the stream may be ahead of the answers: an order that is not shown as far as it was told of, or not
with all of its trades yet, is asked for again soon, for what it has bought waits for its protection.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from decimal import Decimal
from typing import NamedTuple, Protocol

from domain.venue import OrderSeen
from gateways.live.orders import Orders

ASK_ALL_EVERY_S = 30.0
AFTER_REDIAL_S = (1.0, 5.0)
"""When all are asked for after the stream was begun anew: what happened in between is told by nobody."""
REDIAL_FIRST_S, REDIAL_MAX_S = 0.5, 30.0
SEEN_MAX = 1_000
OTHERS_MAX = 100
"""Orders whose question may wait for its turn; what is told of another one that is not ours is then let go."""
LATE_S = 2.0
"""How much later than an answer the stream may tell the same."""
AGAIN_AFTER_S = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses before an order is asked for again that is not shown yet as it was told of; then it is left to the timer."""


class Told(NamedTuple):
    """What the stream has told of an order: no truth, but what answers should come to."""

    client_id: str
    symbol: str
    filled: Decimal = Decimal(0)
    """In base currency."""
    is_over: bool = False
    """It is said to be finished."""
    times: int = 0
    """How often it was asked for in vain."""

    def with_all_of(self, other: "Told") -> "Told":
        """Return what both tell of the same order: events may come in any order."""
        return self._replace(
            filled=max(self.filled, other.filled),
            is_over=self.is_over or other.is_over,
            times=min(self.times, other.times),
        )


class Stream(Protocol):
    """Tells that something happened to an order."""

    def events(self) -> AsyncIterator[Told]:
        """Yield what each event tells; end or raise where the stream breaks."""

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
        """Symbol of each order of ours that was not finished when it was seen last, by client id."""
        self._known: dict[str, OrderSeen] = {}
        """Those orders as they were seen last."""
        self._seen: dict[str, OrderSeen] = {}
        """The newest orders that have ended or are somebody else's, as they were seen last: several questions may find
        out the same."""
        self._hinted: set[str] = set()
        """Orders of which the stream has told something since all were asked for."""
        self._hints: dict[str, Told] = {}
        """By client id, what the stream has told that was not asked about yet."""
        self._ahead: dict[str, Told] = {}
        """What it has told that no answer has come to yet: asked about again after a pause."""
        self._has_hints = asyncio.Event()
        self._wants_all = asyncio.Event()

    @property
    def open_orders(self) -> int:
        """Return how many orders are watched."""
        return len(self._open)

    def note(self, seen: OrderSeen, symbol: str) -> None:
        """Take in an order that somebody here has asked about: it is watched from now on, until it ends."""
        self._open[seen.client_id] = symbol
        self._take_in(seen)

    def _take_in(self, seen: OrderSeen) -> bool:
        """Take in an order as it was seen; say whether that was news."""
        client_id = seen.client_id
        is_news = self._last_seen(client_id) != seen
        if seen.state == "accepted" and client_id in self._open:
            self._known[client_id] = seen
            return is_news
        self._open.pop(client_id, None)
        self._known.pop(client_id, None)
        self._seen[client_id] = seen
        if len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        return is_news

    def _last_seen(self, client_id: str) -> OrderSeen | None:
        return self._known.get(client_id) or self._seen.get(client_id)

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
                async for told in self._stream.events():
                    pause_s = REDIAL_FIRST_S
                    self._hinted.add(told.client_id)
                    self._hint(told)
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
                told = self._hints.pop(self._next_hint())
                await self._ask(told.client_id, told.symbol)
                if not self._is_shown(told):
                    self._ask_again(told)

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

    def _next_hint(self) -> str:
        """Return whose turn it is: an order of ours may have bought what waits for its protection."""
        return next((client_id for client_id in self._hints if client_id in self._open), next(iter(self._hints)))

    def _hint(self, told: Told) -> None:
        before = self._hints.get(told.client_id)
        if before is None and told.client_id not in self._open and len(self._hints) >= OTHERS_MAX:
            return
        self._hints[told.client_id] = told if before is None else told.with_all_of(before)
        self._has_hints.set()

    def _is_shown(self, told: Told) -> bool:
        """Say whether the venue has answered with all that its stream has told of an order."""
        seen = self._last_seen(told.client_id)
        if seen is None or (told.is_over and seen.state == "accepted"):
            return False
        return sum((fill.quantity for fill in seen.fills), Decimal(0)) >= told.filled

    def _ask_again(self, told: Told) -> None:
        """Have an order asked for again after a pause; one timer for each order, however much is told of it."""
        before = self._ahead.get(told.client_id)
        if before is not None:
            self._ahead[told.client_id] = told.with_all_of(before)
        elif told.times < len(AGAIN_AFTER_S):
            self._ahead[told.client_id] = told._replace(times=told.times + 1)
            asyncio.get_running_loop().call_later(AGAIN_AFTER_S[told.times], self._hint_again, told.client_id)

    def _hint_again(self, client_id: str) -> None:
        if not self._is_shown(told := self._ahead.pop(client_id)):
            self._hint(told)

    async def _ask(self, client_id: str, symbol: str) -> bool:
        """Ask for an order; report it if it has changed, and say so.  Whatever goes wrong, others are asked for yet."""
        try:
            found = await self._orders.find(client_id, symbol)
            if not isinstance(found, OrderSeen) or not self._take_in(found):
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
