"""A real venue behind the port: what is asked returns at once, and is answered with what was proven."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from domain.market import HOUR_MS, Bar, Instant
from domain.order import Terms
from domain.venue import AccountAnswer, AccountReply, Answer, OrderSeen, Reply, Unproven, VenueProfile
from gateways.live.account import Account
from gateways.live.connection import Connection
from gateways.live.orders import Orders
from gateways.live.streams import OrderStream
from gateways.live.watch import ASK_ALL_EVERY_S, Watch

REMEMBERED_MS = HOUR_MS
"""How long after its time an id is known as sent."""


class LiveVenue:
    """A `domain.venue.Venue` over a connection.  Answers and reports come from the connection's thread."""

    def __init__(self, connection: Connection, *, ask_all_every_s: float = ASK_ALL_EVERY_S) -> None:
        """Begin to watch; `ask_all_every_s` is how often all open orders are asked for, whatever the stream tells."""
        self._connection = connection
        self._report: Callable[[OrderSeen], None] = lambda seen: None
        self._sent: dict[str, Instant] = {}
        """Client ids that were sent in this life, and until when they were good: none is sent again."""
        self._orders = Orders(connection.dialect, connection.requests)
        self._account = Account(connection.dialect, connection.requests)
        self._watch = Watch(
            self._orders,
            OrderStream(connection.client),
            report=self._hear,
            tell=connection.tell,
            ask_all_every_s=ask_all_every_s,
        )
        for work in (self._watch.listen, self._watch.ask_hinted, self._watch.ask_all):
            connection.begin(work)

    @property
    def profile(self) -> VenueProfile:
        """Return what is known of the venue's manners."""
        return self._connection.dialect.profile

    def watch(self, report: Callable[[OrderSeen], None]) -> None:
        """Give the callable that hears of changes nobody asked for."""
        self._report = report

    def submit(self, terms: Terms, reply: Reply) -> None:
        """Place an order, once."""
        self._forget_old()
        is_new = terms.client_id not in self._sent
        self._sent[terms.client_id] = terms.valid_until
        if is_new:
            self._answer(lambda: self._orders.place(terms), terms.client_id, terms.symbol, reply)
        else:
            self.look_up(terms.client_id, terms.symbol, reply, since=terms.sent_from)

    def cancel(self, client_id: str, symbol: str, reply: Reply) -> None:
        """Cancel an order; the answer says what became of it."""
        self._answer(lambda: self._orders.cancel(client_id, symbol), client_id, symbol, reply)

    def look_up(self, client_id: str, symbol: str, reply: Reply, *, since: Instant = 0) -> None:
        """Tell what is known of an order."""
        self._answer(lambda: self._orders.find(client_id, symbol, since=since), client_id, symbol, reply)

    def tell_account(self, reply: AccountReply) -> None:
        """Tell what the account holds, and its open orders."""

        async def answer() -> None:
            found: AccountAnswer = Unproven("", "it was cut short")
            try:
                found = await self._account.tell()
            except Exception as error:  # noqa: BLE001  whatever it was, it proves nothing
                found = Unproven("", f"{type(error).__name__} on the way")
            finally:
                reply(found)

        if not self._connection.begin(answer):
            reply(Unproven("", "the connection is closed"))

    def show(self, at: Instant, bars: Sequence[Bar]) -> None:
        """Ignore it: this venue has a market of its own."""

    def close(self) -> None:
        """End the connection.  Who still waits for an answer gets that nothing is proven."""
        self._connection.close()

    def _forget_old(self) -> None:
        """Forget ids whose time ran out long ago: nobody can mean to send them any more."""
        long_ago = self._connection.clock.now_ms() - REMEMBERED_MS
        self._sent = {client_id: until for client_id, until in self._sent.items() if until >= long_ago}

    # -- on the connection's thread ------------------------------------------------------------------------------

    def _hear(self, seen: OrderSeen) -> None:
        self._report(seen)

    def _answer(
        self, work: Callable[[], Coroutine[Any, Any, Answer]], client_id: str, symbol: str, reply: Reply
    ) -> None:
        """Do something on the connection's thread and reply with what it returns; whatever happens, reply once."""

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

        if not self._connection.begin(answer):
            reply(Unproven(client_id, "the connection is closed; it was not sent"))
