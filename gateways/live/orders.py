"""Orders at a venue: placed, cancelled, asked for, each outcome judged.  All on the venue's own loop."""

from collections.abc import Sequence
from typing import NamedTuple

from domain.market import HOUR_MS, SECOND_MS, Instant
from domain.order import Terms
from domain.venue import Answer, OrderNotFound, Unproven
from gateways.live import outcome
from gateways.live.dialect import Dialect, Shown
from gateways.live.requests import Requests
from gateways.live.wire import Call, Lane

LOOK_BACK_MS = HOUR_MS
"""How much earlier than it can have been sent an order is looked for: the venue's clock may have been set."""
PAGES_MAX = 40
"""Pages of one list that are asked for."""
NOT_SHOWN = "the venue says that it has it, and does not show it yet"
DENIED_SO = "it was denied by the same question before, which proves no more"
ASKED_MAX = 1_000
"""Orders of which it is known how they were asked for in vain; most of them will never be asked for again."""


class _Asked(NamedTuple):
    """How an order was asked for that was not shown."""

    is_by_list: bool = False
    """The next question is one for lists."""
    denied_by_list: bool | None = None
    """The newest negative answer was to such a question; None where there was none."""


class Orders:
    """Asks a venue about orders, and says what its answers prove."""

    def __init__(self, dialect: Dialect, requests: Requests) -> None:
        self._dialect = dialect
        self._requests = requests
        self._asked: dict[str, _Asked] = {}
        """How orders were asked for that the venue did not show."""

    async def place(self, terms: Terms) -> Answer:
        """Place an order, with a deadline that the venue enforces."""

        def put(now: int) -> Call | None:
            left_ms = terms.valid_until - now
            return self._dialect.place(terms, good_for_ms=left_ms) if left_ms > 0 else None

        lane = Lane.STOP if terms.leg == "stop" else Lane.ORDER
        within_s = (terms.valid_until - self._requests.clock.now_ms()) / SECOND_MS
        sent = await self._requests.send_by(put, lane, self._dialect.order_weight, within_s)
        found = outcome.of_placing(self._dialect, terms.client_id, sent)
        if found == "exists":
            seen = await self.find(terms.client_id, terms.symbol, since=terms.sent_from)
            # The venue has just said that it has it: that it does not show it yet denies nothing.
            return Unproven(terms.client_id, NOT_SHOWN) if isinstance(seen, OrderNotFound) else seen
        return await self._complete(found, terms.symbol) if isinstance(found, Shown) else found

    async def cancel(self, client_id: str, symbol: str) -> Answer:
        """Cancel an order, and say what became of it."""
        found = await self._ask_each(self._dialect.cancel(client_id, symbol), client_id)
        # To cancel what is finished is refused as if it had never been: only a question tells the two apart.
        if found == "exists" or isinstance(found, OrderNotFound):
            return await self.find(client_id, symbol)
        return await self._told(found, symbol)

    async def find(self, client_id: str, symbol: str, *, since: Instant = 0) -> Answer:
        """Ask for an order, each time that it is not shown in another way: two answers to one question are one answer.

        It was not sent before `since`.
        """
        before = self._asked.get(client_id, _Asked())
        if not before.is_by_list:
            asked = await self._ask_each(self._dialect.find(client_id, symbol), client_id)
            found = Unproven(client_id, NOT_SHOWN) if asked == "exists" else asked
        else:
            found = await self._find_in_list(client_id, symbol, since)
        if isinstance(found, Shown):
            return await self._complete(found, symbol)
        is_denied = isinstance(found, OrderNotFound)
        denied_by_list = before.is_by_list if is_denied else before.denied_by_list
        self._note(client_id, _Asked(not before.is_by_list, denied_by_list))
        # Where the other question fails again and again, this one is put again, for by now it may be shown.
        return Unproven(client_id, DENIED_SO) if is_denied and before.denied_by_list is before.is_by_list else found

    def _note(self, client_id: str, asked: "_Asked") -> None:
        """Note how an order was asked for; of very many those are forgotten that were not for the longest."""
        self._asked.pop(client_id, None)
        self._asked[client_id] = asked
        while len(self._asked) > ASKED_MAX:
            del self._asked[next(iter(self._asked))]

    async def _ask_each(
        self, calls: Sequence[Call], client_id: str
    ) -> Shown | OrderNotFound | Unproven | outcome.Exists:
        """Ask in one place after the other; an order is nowhere only if each place was asked and says so."""
        for call in calls:
            found = outcome.of_asking(self._dialect, client_id, await self._requests.send(call))
            if not isinstance(found, OrderNotFound):
                return found
        return OrderNotFound(client_id)

    async def _find_in_list(self, client_id: str, symbol: str, since: Instant) -> Shown | OrderNotFound | Unproven:
        """Look an order up in lists; where those of one kind have left some out, in those of the next."""
        for calls in self._dialect.listings(symbol, max(0, since - LOOK_BACK_MS), self._requests.clock.now_ms()):
            is_cut = False
            for call in calls:
                found = await self._find_in_pages(client_id, call)
                # Also where one fails: what it would have shown may be later than what the next one shows.
                if isinstance(found, Shown | Unproven):
                    return found
                is_cut = is_cut or found == "cut"
            if not is_cut:
                return OrderNotFound(client_id)
        return Unproven(client_id, "not among the orders that were listed, and there may be more")

    async def _find_in_pages(self, client_id: str, call: Call) -> Shown | OrderNotFound | Unproven | outcome.Cut:
        for _ in range(PAGES_MAX):
            found = outcome.of_listing(self._dialect, client_id, await self._requests.send(call), call)
            if not isinstance(found, Call):
                return found
            call = found
        return "cut"

    async def _told(self, found: Shown | OrderNotFound | Unproven, symbol: str) -> Answer:
        return await self._complete(found, symbol) if isinstance(found, Shown) else found

    async def _complete(self, shown: Shown, symbol: str) -> Answer:
        """Return an order with all of its trades."""
        self._asked.pop(shown.client_id, None)
        if not outcome.needs_trades(shown):
            return outcome.seen_with(shown)
        found: Answer | Shown = shown
        while isinstance(found, Shown):
            sent = await self._requests.send(self._dialect.trades_of(found, symbol))
            found = outcome.with_trades(found, self._dialect, symbol, sent)
        return found
