"""A real venue behind the port: what is asked returns at once, and is answered with what was proven."""

from collections.abc import Callable, Sequence
from typing import Any

from domain.market import Bar, Instant
from domain.order import Terms
from domain.venue import Answer, OrderNotFound, OrderSeen, Reply, Unproven, VenueProfile
from gateways.live import outcome
from gateways.live.client import Client
from gateways.live.dialect import Dialect, Shown
from gateways.live.requests import Requests
from gateways.live.thread import IoThread
from gateways.live.wire import Call, Lane

OPEN_WITHIN_S = 60.0


def silent(event: str, **values: Any) -> None:
    """Say nothing."""


class LiveVenue:
    """A `domain.venue.Venue` over a ccxt client.  Answers and reports come from its own thread."""

    def __init__(
        self,
        dialect: Dialect,
        settings: dict[str, Any],
        *,
        tell: Callable[..., None] = silent,
        answer_within_s: float = 10.0,
    ) -> None:
        """Open the client, which takes the seconds that it takes to import ccxt.

        `settings` are ccxt's, keys included.  `tell(event, **values)` hears what a person may want to know.
        """
        self._dialect = dialect
        self._tell = tell
        self._client = Client(
            dialect.exchange_id, _merged(dialect.settings(), settings), answer_within_s=answer_within_s
        )
        self._report: Callable[[OrderSeen], None] = lambda seen: None
        self._sent: set[str] = set()
        """Client ids that were sent in this life: none of them is sent again, whatever is asked."""
        self._asked: dict[str, int] = {}
        """How often the venue did not find an order: the next question is put another way."""
        self._thread = IoThread("venue", on_error=lambda why: tell("venue.error", why=why))
        self._requests: Requests = self._thread.wait(self._open(), OPEN_WITHIN_S)

    @property
    def profile(self) -> VenueProfile:
        """Return what is known of the venue's manners."""
        return self._dialect.profile

    def watch(self, report: Callable[[OrderSeen], None]) -> None:
        """Give the callable that hears of changes nobody asked for."""
        self._report = report

    def submit(self, terms: Terms, reply: Reply) -> None:
        """Place an order, once."""
        is_new = terms.client_id not in self._sent
        self._sent.add(terms.client_id)
        if is_new:
            self._answer(lambda: self._place(terms), terms.client_id, reply)
        else:
            self._answer(lambda: self._find(terms.client_id, terms.symbol), terms.client_id, reply)

    def cancel(self, client_id: str, symbol: str, reply: Reply) -> None:
        """Cancel an order; the answer says what became of it."""
        self._answer(lambda: self._cancel(client_id, symbol), client_id, reply)

    def look_up(self, client_id: str, symbol: str, reply: Reply) -> None:
        """Tell what is known of an order."""
        self._answer(lambda: self._find(client_id, symbol), client_id, reply)

    def show(self, at: Instant, bars: Sequence[Bar]) -> None:
        """Ignore it: this venue has a market of its own."""

    def close(self) -> None:
        """End streams, connections and the thread.  Who still waits for an answer gets that nothing is proven."""
        if self._thread.is_alive:
            try:
                self._thread.wait(self._client.close(), OPEN_WITHIN_S)
            finally:
                self._thread.close()

    # -- on the venue's thread -----------------------------------------------------------------------------------

    async def _open(self) -> Requests:
        await self._client.open()
        requests = Requests(self._dialect, self._client, tell=self._tell)
        self._thread.begin(requests.keep_time)
        return requests

    def _answer(self, work: Callable[[], Any], client_id: str, reply: Reply) -> None:
        """Do something on the venue's thread and reply with what it returns; whatever happens, reply once."""

        async def answer() -> None:
            found: Answer = Unproven(client_id, "it was cut short, and may have been sent")
            try:
                found = await work()
            except Exception as error:  # noqa: BLE001  whatever it was, it proves nothing
                found = Unproven(client_id, f"{type(error).__name__} on the way, and it may have been sent")
            finally:
                reply(found)

        if not self._thread.begin(answer):
            reply(Unproven(client_id, "the venue's thread has ended; it was not sent"))

    async def _place(self, terms: Terms) -> Answer:
        def put(now: int) -> Call | None:
            left_ms = terms.valid_until - now
            return self._dialect.place(terms, good_for_ms=left_ms) if left_ms > 0 else None

        lane = Lane.STOP if terms.leg == "stop" else Lane.ORDER
        sent = await self._requests.send_by(put, lane, self._dialect.order_weight)
        found = outcome.of_placing(self._dialect, terms.client_id, sent)
        if found == "exists":
            return await self._find(terms.client_id, terms.symbol)
        return await self._complete(found, terms.symbol) if isinstance(found, Shown) else found

    async def _cancel(self, client_id: str, symbol: str) -> Answer:
        sent = await self._requests.send(self._dialect.cancel(client_id, symbol))
        found = outcome.of_asking(self._dialect, client_id, sent)
        # To cancel what is finished is refused as if it had never been: only a question tells the two apart.
        return (
            await self._find(client_id, symbol) if isinstance(found, OrderNotFound) else await self._told(found, symbol)
        )

    async def _find(self, client_id: str, symbol: str) -> Answer:
        """Ask for an order, each time it was not found in another way: two answers to one question are one answer."""
        times = self._asked.get(client_id, 0)
        if times % 2 == 0:
            sent = await self._requests.send(self._dialect.find(client_id, symbol))
            found = outcome.of_asking(self._dialect, client_id, sent)
        else:
            sent = await self._requests.send(self._dialect.list_recent(symbol))
            found = outcome.of_listing(self._dialect, client_id, sent)
        if isinstance(found, OrderNotFound):
            self._asked[client_id] = times + 1
        return await self._told(found, symbol)

    async def _told(self, found: Shown | OrderNotFound | Unproven, symbol: str) -> Answer:
        return await self._complete(found, symbol) if isinstance(found, Shown) else found

    async def _complete(self, shown: Shown, symbol: str) -> Answer:
        """Return an order with all of its trades."""
        self._asked.pop(shown.client_id, None)
        if not outcome.needs_trades(shown):
            return outcome.seen_with(shown)
        sent = await self._requests.send(self._dialect.trades_of(shown, symbol))
        return outcome.with_trades(shown, self._dialect, symbol, sent)


def _merged(first: Any, second: Any) -> dict[str, Any]:
    """Return both, folders of settings merged, the second one's values going first."""
    merged = dict(first)
    for name, value in second.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if both else value
    return merged
