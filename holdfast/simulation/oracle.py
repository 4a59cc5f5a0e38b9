"""Judges a run from outside: by what became durable, by what was asked of the venue, and by the venue's own ledger."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from domain.market import Bar, Instant
from domain.order import Terms
from domain.proposal import Exit, offer_of
from domain.venue import AccountReply, OrderSeen, Reply, Venue
from holdfast.recovery import recorded_of
from holdfast.simulation.exposure import Exposure
from holdfast.simulation.laws import Cooldowns, Decisions, Holdings, Numbers, Orders, Watch
from holdfast.simulation.ledger import Ledger
from holdfast.simulation.obedience import Commands, Flattens, Stops
from holdfast.simulation.world import World
from messages.market import BarsClosed, OfferAnswered
from messages.orders import OrderAbsent
from persistence.reader import JournalReader
from supervision import Recorded

VIOLATIONS_MAX = 20


class Violation(msgspec.Struct, frozen=True):
    """A law that did not hold."""

    law: str
    found: str


class Oracle:
    """Hears of every record that becomes durable and of every order that is sent, over all lives of a node."""

    def __init__(self, world: World, home: Path, *, reports_come_late: bool) -> None:
        """Where reports come late, the node may know of a trade only after the market has gone on."""
        self.violations: list[Violation] = []
        self._home = home
        self._numbers = Numbers(self.say)
        self.orders = Orders(self.say)
        self.holdings = Holdings(self.say, self.orders)
        self.commands = Commands(self.say)
        self.stops = Stops(self.say)
        parts = world.parts
        instruments = parts.shape.instruments
        self.flattens = Flattens(self.say, self.holdings, instruments=instruments)
        cooldowns = {part.name: part.parameters["cooldown_minutes"] for part in parts.shape.strategies}
        self._checkers = (
            Watch(self.say),
            self._numbers,
            self.orders,
            self.holdings,
            Decisions(self.say, self.orders),
            Cooldowns(self.say, cooldowns),  # type: ignore[arg-type]
            Exposure(self.say, self.orders, instruments=instruments, limits=parts.limits),
            self.commands,
            self.stops,
            self.flattens,
        )
        self.ledger = Ledger(home / "venue.db", self.say)
        self._follows_market = not reports_come_late
        self._sent: set[str] = set()
        self._manifold: set[tuple[str, Instant, int]] = set()
        """Offers that were answered with an exit besides entries."""
        self.is_decided_anew = False
        """An entry came to nothing and was proposed again, when exits of the first answer had made room for more."""
        self.market_at: Instant = 0

    def say(self, law: str, found: str) -> None:
        """Write a violation down."""
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(Violation(law, found))

    @property
    def last_seq(self) -> int:
        """Return the newest sequence that is known to be durable."""
        return self._numbers.last

    def begin(self, last_seq: int) -> None:
        """Hear that a life begins with a journal of this length: nothing that was durable may be gone."""
        if last_seq < self.last_seq:
            self.say("durable-stays", f"{self.last_seq} was durable, a life begins with {last_seq}")
        with JournalReader(self._home) as reader:
            self.take([recorded_of(record) for record in reader.read(after=self.last_seq, until=last_seq)])

    def take(self, records: Sequence[Recorded]) -> None:
        """Hear what has become durable."""
        for record in records:
            for checker in self._checkers:
                checker.take(record)
            match record.event:
                case BarsClosed(at=at):
                    if self._follows_market and self.market_at:
                        self.ledger.compare_trades(self.orders.trades, until=self.market_at)
                    self.market_at = at
                case OfferAnswered(strategy=strategy, at=at, attempt=attempt, proposals=proposals):
                    if any(isinstance(proposal, Exit) for proposal in proposals):
                        self._manifold.add((strategy, at, attempt))
                case OrderAbsent(client_id=client_id, proposal_id=proposal_id):
                    self.ledger.demand_absent(client_id)
                    if proposal_id and offer_of(proposal_id) in self._manifold:
                        self.is_decided_anew = True

    def hear_submit(self, terms: Terms) -> None:
        """Hear that an order is handed to the venue."""
        intended = self.orders.known.get(terms.client_id)
        if intended is None:
            self.say("intent-before-send", f"{terms.client_id} is sent, and no intent of it is durable")
        elif intended.terms != terms:
            self.say("intent-before-send", f"{terms.client_id} is sent with other terms than were intended")
        self.stops.hear_submit(terms)
        if terms.client_id in self._sent:
            self.say("sent-once", f"{terms.client_id} is sent again")
        self._sent.add(terms.client_id)


class Witness:
    """A `domain.venue.Venue` that lets somebody hear what is asked of the one behind it."""

    def __init__(self, venue: Venue, on_submit: Callable[[Terms], None]) -> None:
        self._venue = venue
        self._on_submit = on_submit

    def watch(self, report: Callable[[OrderSeen], None]) -> None:
        """Pass on who hears of changes."""
        self._venue.watch(report)

    def submit(self, terms: Terms, reply: Reply) -> None:
        """Tell of an order, and pass it on."""
        self._on_submit(terms)
        self._venue.submit(terms, reply)

    def cancel(self, client_id: str, symbol: str, reply: Reply) -> None:
        """Pass a cancel on."""
        self._venue.cancel(client_id, symbol, reply)

    def look_up(self, client_id: str, symbol: str, reply: Reply, *, since: Instant = 0) -> None:
        """Pass a question on."""
        self._venue.look_up(client_id, symbol, reply, since=since)

    def tell_account(self, reply: AccountReply) -> None:
        """Pass a question on."""
        self._venue.tell_account(reply)

    def show(self, at: Instant, bars: Sequence[Bar]) -> None:
        """Pass the market on."""
        self._venue.show(at, bars)

    def close(self) -> None:
        """Pass the end on."""
        self._venue.close()
