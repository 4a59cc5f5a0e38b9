"""A real venue behind the port: what is asked returns at once, and is answered with what was proven."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from domain.market import Bar, Instant
from domain.order import Terms
from domain.venue import Answer, OrderSeen, Reply, Unproven, VenueProfile
from gateways.live.client import Client
from gateways.live.dialect import Dialect
from gateways.live.orders import Orders
from gateways.live.requests import Requests
from gateways.live.streams import OrderStream
from gateways.live.thread import IoThread
from gateways.live.watch import ASK_ALL_EVERY_S, Watch

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
        ask_all_every_s: float = ASK_ALL_EVERY_S,
    ) -> None:
        """Open the client, which takes the seconds that it takes to import ccxt.

        `settings` are ccxt's, keys included.  `tell(event, **values)` hears what a person may want to know.

        Raises:
            ValueError: ccxt knows no such exchange, or a URL would send keys in the clear.
        """
        self._dialect = dialect
        self._tell = tell
        self._client = Client(
            dialect.exchange_id, _merged(dialect.settings(), settings), answer_within_s=answer_within_s
        )
        self._ask_all_every_s = ask_all_every_s
        self._report: Callable[[OrderSeen], None] = lambda seen: None
        self._sent: set[str] = set()
        """Client ids that were sent in this life: none of them is sent again, whatever is asked."""
        self._thread = IoThread("venue", on_error=lambda why: tell("venue.error", why=why))
        self._orders, self._watch = self._thread.wait(self._open(), OPEN_WITHIN_S)

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
            self._answer(lambda: self._orders.place(terms), terms.client_id, terms.symbol, reply)
        else:
            self.look_up(terms.client_id, terms.symbol, reply)

    def cancel(self, client_id: str, symbol: str, reply: Reply) -> None:
        """Cancel an order; the answer says what became of it."""
        self._answer(lambda: self._orders.cancel(client_id, symbol), client_id, symbol, reply)

    def look_up(self, client_id: str, symbol: str, reply: Reply) -> None:
        """Tell what is known of an order."""
        self._answer(lambda: self._orders.find(client_id, symbol), client_id, symbol, reply)

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

    async def _open(self) -> tuple[Orders, Watch]:
        await self._client.open()
        requests = Requests(self._dialect, self._client, tell=self._tell)
        orders = Orders(self._dialect, requests)
        watch = Watch(
            orders,
            OrderStream(self._client),
            report=self._hear,
            tell=self._tell,
            ask_all_every_s=self._ask_all_every_s,
        )
        for work in (requests.keep_time, watch.listen, watch.ask_hinted, watch.ask_all):
            self._thread.begin(work)
        return orders, watch

    def _hear(self, seen: OrderSeen) -> None:
        self._report(seen)

    def _answer(
        self, work: Callable[[], Coroutine[Any, Any, Answer]], client_id: str, symbol: str, reply: Reply
    ) -> None:
        """Do something on the venue's thread and reply with what it returns; whatever happens, reply once."""

        async def answer() -> None:
            found: Answer = Unproven(client_id, "it was cut short, and may have been sent")
            try:
                found = await work()
                if isinstance(found, OrderSeen):
                    self._watch.note(found, symbol)
            except Exception as error:  # noqa: BLE001  whatever it was, it proves nothing
                found = Unproven(client_id, f"{type(error).__name__} on the way, and it may have been sent")
            finally:
                reply(found)

        if not self._thread.begin(answer):
            reply(Unproven(client_id, "the venue's thread has ended; it was not sent"))


def _merged(first: Any, second: Any) -> dict[str, Any]:
    """Return both, folders of settings merged, the second one's values going first."""
    merged = dict(first)
    for name, value in second.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if both else value
    return merged
