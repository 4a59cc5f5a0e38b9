"""What differs from venue to venue: how requests are put, and how answers are read.

A dialect reads; it does not judge.  `outcome` judges, by one rule for all: the default is that nothing is proven.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, Protocol

import msgspec

from domain.market import Instant, Instrument
from domain.order import Fill, Terms
from domain.sources import Row
from domain.venue import OpenOrder, VenueProfile
from gateways.live.wire import Call, Received

VenueState = Literal["accepted", "filled", "canceled", "expired", "rejected"]
Meaning = Literal["rejected", "reached", "busy", "exists", "not_found", "archived", "clock", "nothing"]
"""What a venue's error code proves.  `exists`: it has an order of this client id.  `clock`: refused for the time that
the request bore, and so a rejection too; `busy`: refused because there were too many, a rejection too; `reached`: a
stop that was refused because its price is reached already; `archived`: it ended long ago and has traded nothing.
`nothing`: the code is not on the list of those that prove something."""


class Shown(msgspec.Struct, frozen=True):
    """An order as the venue showed it."""

    client_id: str
    venue_id: str
    state: VenueState
    filled: str
    """In base currency, as the venue wrote it."""
    fills: tuple[Fill, ...] | None = None
    """All of its trades; None where they have to be asked for."""
    at: int = 0
    """When it changed last."""
    since: int = 0
    """When it was placed; 0 where that is not told."""
    trades_from: str = ""
    """Where those of its trades begin, in the venue's own words, that were not told yet; empty for the first."""


class Taken(msgspec.Struct, frozen=True):
    """A request about an order was taken, and the venue says no more of it: what became of it has to be asked."""

    client_id: str
    venue_id: str


class Page(msgspec.Struct, frozen=True):
    """Orders that a list shows."""

    orders: Sequence[Shown]
    rest: Call | None = None
    """Asks for what was left out, where that can be asked."""
    is_cut: bool = False
    """Whether it may have left out what cannot be asked for like this."""


class VenueError(msgspec.Struct, frozen=True):
    """An error that the venue itself has named."""

    code: str
    message: str
    meaning: Meaning
    blames_keys: bool = False
    """Whether it is for the key, the secret or what they permit: asked again, it is said again."""


class Unreadable(ValueError):
    """An answer is not what the venue's documentation promises; it proves nothing."""


class Dialect(Protocol):
    """One venue's interface."""

    exchange_id: str
    """As ccxt calls it."""
    profile: VenueProfile
    weight_per_s: float
    burst: float
    """Weight that the venue allows at once."""
    order_weight: float
    """What it takes to place an order."""

    def know(self, rules: Mapping[str, Instrument]) -> None:
        """Take over the rules of the symbols that are traded, which answers may not repeat."""

    def settings(self) -> Mapping[str, Any]:
        """Return what ccxt must be told so that it asks for nothing else."""

    def time(self) -> Call:
        """Ask for the venue's clock."""

    def read_time(self, received: Received) -> int:
        """Return the venue's time in milliseconds; raise Unreadable."""

    def rules(self) -> Call:
        """Ask for the rules of all symbols."""

    def read_rules(self, received: Received, symbols: Sequence[str]) -> Mapping[str, Instrument]:
        """Return the rules of these symbols, as far as the venue has them; raise Unreadable."""

    def read_symbols(self, received: Received) -> Sequence[str]:
        """Return all symbols that an answer with rules names; raise Unreadable."""

    def balances(self) -> Call:
        """Ask for what the account holds."""

    def read_balances(self, received: Received) -> Mapping[str, Decimal]:
        """Return totals by asset, free and locked together, without those that are 0; raise Unreadable."""

    def permissions(self) -> Call:
        """Ask for what the key permits."""

    def read_may_withdraw(self, received: Received) -> bool:
        """Return whether the key permits withdrawals; raise Unreadable where that is not told."""

    def open_orders(self, after: str = "") -> Call:
        """Ask for the account's open orders, whoever sent them; `after` is where the page before ended."""

    def read_open_orders(self, received: Received) -> tuple[Sequence[OpenOrder], str]:
        """Return a page of open orders, and where the next one begins, empty where there is none; raise Unreadable."""

    def bars(self, symbol: str, timeframe: str, *, since: Instant, limit: int) -> Call:
        """Ask for bars that open at `since` or later, oldest first."""

    def newest_bars(self, symbol: str, timeframe: str, *, limit: int) -> Call:
        """Ask for the newest bars."""

    def read_bars(self, received: Received, symbol: str, timeframe: str) -> Sequence[Row]:
        """Return bars as rows, the one that is not closed yet among them; raise Unreadable."""

    def place(self, terms: Terms, *, good_for_ms: int) -> Call:
        """Place an order that the venue refuses to take once `good_for_ms` have passed since it was signed."""

    def cancel(self, client_id: str, symbol: str) -> Sequence[Call]:
        """Cancel an order, as one kind of order after the other: each is asked if it is none of those before."""

    def find(self, client_id: str, symbol: str) -> Sequence[Call]:
        """Ask for one order by its client id, in one place after the other: it is in none if all of them say so."""

    def listings(self, symbol: str, since: Instant, now: Instant) -> Sequence[Sequence[Call]]:
        """Ask for the symbol's orders: the same question put another way.

        Each group of lists would show any order that was placed at `since` or later, if none of them is cut; the
        next group is asked where one is.  Of what two lists of a group show, that of the first is what counts.
        """

    def trades_of(self, shown: Shown, symbol: str) -> Call:
        """Ask for an order's trades, from `shown.trades_from` on."""

    def read_order(self, received: Received) -> Shown | Taken | None:
        """Return the order that an answer is about; None where it says that there is none; raise Unreadable."""

    def read_list(self, received: Received, call: Call) -> Page:
        """Return the orders of a list that was asked for with `call`; raise Unreadable."""

    def read_trades(self, received: Received, shown: Shown, symbol: str) -> tuple[tuple[Fill, ...], str]:
        """Return trades of an order, oldest first, and where further ones begin, if there are; raise Unreadable."""

    def error_in(self, received: Received) -> VenueError | None:
        """Return the error that the venue has named; None where there is none in the answer."""

    def pause_of(self, received: Received) -> float:
        """Return for how many seconds the venue wants to be left alone; 0 where it does not."""

    def used_weight(self, received: Received) -> tuple[float, float] | None:
        """Return how much of how much weight the venue has counted; None where it does not say."""
