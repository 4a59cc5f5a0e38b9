"""The laws of orders: one id and one venue order each, states that go up, fills that fit, no second attempt."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from domain.invariants.finding import Finding
from domain.money import ZERO
from domain.order import Fill, Terms
from domain.proposal import offer_of

FINISHED_KEPT = 1_000
"""Finished orders that stay known: many more than the executor keeps, so that all it can speak of is known here."""
HEIGHT = {"intended": 0, "unresolved": 1, "accepted": 2, "canceled": 3, "expired": 3, "rejected": 3, "absent": 3}
"""The lattice; `filled` is above all of it."""
FILLED = 4
NEVER_TAKEN = ("rejected", "absent")
"""Ends of an order that the venue cannot have traded."""


class Watched(msgspec.Struct):
    """An order as its records have it."""

    client_id: str
    strategy: str
    symbol: str
    side: str
    leg: str
    quantity: Decimal
    decision: str
    """What it was ordered by; a second attempt has the same."""
    seq: int
    """Sequence of its intent."""
    base: str = ""
    state: str = "intended"
    venue_id: str = ""
    filled: Decimal = ZERO
    trades: list[str] = msgspec.field(default_factory=list)
    stop_price: Decimal | None = None
    """Of an entry: where its position is to be protected."""
    brings_stop: bool = False
    """An entry that has not filled: its first fill replaces what protected the position before."""

    @property
    def is_open(self) -> bool:
        """Say whether its end is not proven."""
        return HEIGHT.get(self.state, FILLED) < HEIGHT["canceled"]

    @property
    def is_unproven(self) -> bool:
        """Say whether the venue was not heard of it."""
        return self.state in ("intended", "unresolved")

    @property
    def remaining(self) -> Decimal:
        """Return what may still be filled."""
        return self.quantity - self.filled if self.is_open else ZERO


class Orders(msgspec.Struct):
    """All orders whose end is not proven, and the newest of the others."""

    open: dict[str, Watched] = msgspec.field(default_factory=dict)
    finished: dict[str, Watched] = msgspec.field(default_factory=dict)
    trades: dict[str, str] = msgspec.field(default_factory=dict)
    """Client id by trade, of these orders."""

    def find(self, client_id: str) -> Watched | None:
        """Return an order; None where it is not known, or not any more."""
        return self.open.get(client_id) or self.finished.get(client_id)

    def of(self, strategy: str, symbol: str) -> list[Watched]:
        """Return the open orders of a position."""
        return [order for order in self.open.values() if (order.strategy, order.symbol) == (strategy, symbol)]

    def intend(
        self, terms: Terms, *, proposal: str, ordered_by: int, seq: int, stop_price: Decimal | None
    ) -> Iterator[Finding]:
        """Take an intent in: of a new id, for what nothing else is on its way, where no order's fate is unknown."""
        order = Watched(
            client_id=terms.client_id,
            strategy=terms.strategy,
            symbol=terms.symbol,
            side=terms.side,
            leg=terms.leg,
            quantity=terms.quantity,
            decision=_decision(terms, proposal, ordered_by),
            seq=seq,
            base=terms.base,
            stop_price=stop_price,
            brings_stop=terms.leg == "entry",
        )
        if (earlier := self.find(terms.client_id)) is not None:
            yield Finding("O2", terms.client_id, "an id that was not used", "used before", (earlier.seq, seq))
        for other in self.open.values():
            if other.decision == order.decision and other.client_id != order.client_id:
                yield Finding(
                    "O4",
                    order.client_id,
                    f"no second attempt at {order.decision!r}",
                    f"{other.client_id} is {other.state}",
                    (other.seq, seq),
                )
            if terms.leg == "entry" and other.symbol == terms.symbol and other.state == "unresolved":
                yield Finding(
                    "O6",
                    order.client_id,
                    f"no entry in {terms.symbol}",
                    f"the fate of {other.client_id} is unknown",
                    (other.seq, seq),
                )
        self.open[terms.client_id] = order

    def accept(self, client_id: str, venue_id: str, seq: int) -> Iterator[Finding]:
        """Take in that the venue has an order, under a name of its own."""
        order = self.find(client_id)
        if order is not None and order.venue_id and venue_id not in ("", order.venue_id):
            yield Finding(
                "O2", client_id, f"one order at the venue, {order.venue_id}", f"also {venue_id}", (order.seq, seq)
            )
        else:
            yield from self.move(client_id, "accepted", seq)
        if order is not None:
            order.venue_id = order.venue_id or venue_id

    def move(self, client_id: str, state: str, seq: int) -> Iterator[Finding]:
        """Take a state in; it is above the one before."""
        order = self.find(client_id)
        if order is None:
            yield Finding("O1", client_id, "an order that was intended", f"{state}, and nobody intended it", (seq,))
        elif HEIGHT[state] <= HEIGHT.get(order.state, FILLED):
            yield Finding("O3", client_id, f"a state above {order.state}", state, (order.seq, seq))
        else:
            order.state = state
            self._file(order)

    def fill(self, fill: Fill, seq: int) -> Iterator[Finding]:
        """Take a fill in: of a known order, new, no more than is left, and of one that was not over."""
        client_id = fill.client_id
        order = self.find(client_id)
        if order is None:
            yield Finding("O1", client_id, "an order that was intended", "a fill, and nobody intended it", (seq,))
            return
        trade = f"{fill.symbol} {fill.side} {fill.trade_id}"
        if (counted := self.trades.get(trade)) is not None:
            yield Finding("O5", client_id, f"trade {fill.trade_id} once", f"counted for {counted}", (order.seq, seq))
        else:
            order.trades.append(trade)
        self.trades[trade] = client_id
        order.filled += fill.quantity
        if order.filled > order.quantity:
            yield Finding("O5", client_id, f"at most {order.quantity}", f"fills of {order.filled}", (order.seq, seq))
        elif order.state in NEVER_TAKEN:
            yield Finding("O3", client_id, "no trade", f"one, and it was {order.state}", (order.seq, seq))
        elif not order.is_open:
            yield Finding(
                "O7", client_id, "no more trades", f"{fill.quantity} more, and it was {order.state}", (order.seq, seq)
            )
        if order.filled >= order.quantity:
            order.state = "filled"
        elif order.is_unproven:
            order.state = "accepted"
        self._file(order)

    def _file(self, order: Watched) -> None:
        """Keep an order with the others of its kind."""
        if order.is_open or self.open.pop(order.client_id, None) is None:
            return
        self.finished[order.client_id] = order
        if len(self.finished) > FINISHED_KEPT:
            for trade in self.finished.pop(next(iter(self.finished))).trades:
                self.trades.pop(trade, None)


def _decision(terms: Terms, proposal: str, ordered_by: int) -> str:
    """Name what an order came of: the same for every attempt at it."""
    if not proposal:
        return f"{terms.leg} of {terms.strategy} {terms.symbol} ordered by {ordered_by}"
    strategy, at, _attempt = offer_of(proposal)
    return f"entry of {strategy} in {terms.symbol} at {at}"
