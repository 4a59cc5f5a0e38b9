"""What an operator may rely on: a command is done once, what is stopped opens nothing, and a flatten ends flat."""

from bisect import bisect_right
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from actors.executor_memory import why_of
from domain.limits import Mode
from domain.market import HOUR_MS, MINUTE_MS, Instant, Instrument
from domain.money import ZERO, floor_to
from domain.order import Terms
from holdfast.simulation.laws import Holdings, Say
from messages.market import BarsClosed
from messages.node import CommandDone, OperatorCommanded, PartGaveUp
from messages.orders import ExitEnded, ExitOrdered, OrderFilled, OrderIntended
from messages.risk import OrderApproved
from supervision import Recorded

Key = tuple[str, str]
"""Strategy and symbol."""

FLAT_WITHIN_MS = 45 * MINUTE_MS
"""A flatten that is older, in market time, has ended."""
WISHED_FOR_MS = HOUR_MS
"""So long a flatten is tried; what cannot be sold by then is kept."""


class Commands:
    """A command is written down once and done once by its request id, and what was answered had been written down."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._commanded: set[str] = set()
        self._performed: set[str] = set()
        self._done: dict[str, tuple[bool, str]] = {}

    def take(self, record: Recorded) -> None:
        """Take in the next record."""
        match record.event:
            case OperatorCommanded(request_id=request_id):
                if request_id in self._commanded:
                    self._say("commanded-once", f"{request_id} is written down again at {record.seq}")
                self._commanded.add(request_id)
            case CommandDone(request_id=request_id, ok=ok, detail=detail):
                if request_id in self._done or request_id not in self._commanded:
                    self._say("commanded-once", f"{request_id} ends at {record.seq}, and had ended or never begun")
                self._done[request_id] = ok, detail

    def perform(self, request_id: str) -> None:
        """Hear that a command acts on the process."""
        if request_id in self._performed or request_id not in self._commanded:
            self._say("done-once", f"{request_id} acts again, or before it is durable")
        self._performed.add(request_id)

    def answer(self, request_id: str, *, ok: bool, detail: str) -> None:
        """Hear what an operator was told."""
        if self._done.get(request_id) != (ok, detail):
            found = f"{request_id} is answered {ok, detail}, durable is {self._done.get(request_id)}"
            self._say("answers-are-durable", found)


class Stops:
    """Who knows that an operator or a failure has stopped entries opens nothing new, whatever happens to it."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._seqs: list[int] = []
        self._modes: list[Mode] = []
        """From which sequence on the node was to be in which mode."""
        self._closed_since: Instant | None = None
        """Everybody must know of it once the market has gone on from here."""
        self.market_at: Instant = 0

    @property
    def mode(self) -> Mode:
        """Return what commands and failures have made of the node."""
        return self._modes[-1] if self._modes else "active"

    def take(self, record: Recorded) -> None:
        """Take in the next record."""
        match record.event:
            case BarsClosed(at=at):
                self.market_at = at
            case OperatorCommanded(command="halt"):
                self._turn("halted", record.seq)
            case OperatorCommanded(command="pause") if self.mode == "active":
                self._turn("paused", record.seq)
            case OperatorCommanded(command="resume"):
                self._turn("active", record.seq)
                self._closed_since = None
            case PartGaveUp():
                if self.mode != "halted":
                    self._turn("reduce_only", record.seq)
                self.close()
            case OrderApproved(proposal_id=proposal):
                self._opens(f"{proposal} is approved", record, but_for=("active",))
            case OrderIntended(terms=terms) if terms.leg == "entry":
                # What a failure reduces to is the breaker's to know; what it has approved before is placed.
                self._opens(f"{terms.client_id} is intended", record, but_for=("active", "reduce_only"))

    def close(self) -> None:
        """Hear that a stop is certain: it was acknowledged, or a failure is durable."""
        if self._closed_since is None:
            self._closed_since = self.market_at

    def hear_submit(self, terms: Terms) -> None:
        """Hear that an order is handed to the venue."""
        if terms.leg == "entry" and self._closed_since is not None and self.market_at > self._closed_since:
            found = f"{terms.client_id} is sent at {self.market_at}, stopped since {self._closed_since}"
            self._say("stopped-opens-nothing", found)

    def _turn(self, mode: Mode, seq: int) -> None:
        self._seqs.append(seq)
        self._modes.append(mode)

    def _opens(self, what: str, record: Recorded, *, but_for: tuple[Mode, ...]) -> None:
        known_until = bisect_right(self._seqs, record.seen)
        known = self._modes[known_until - 1] if known_until else "active"
        if known not in but_for:
            found = f"{what} at {record.seq} by {record.actor}, which knew that the node is {known}"
            self._say("stopped-opens-nothing", found)


class _Owed(msgspec.Struct, frozen=True):
    seq: int
    at: Instant


class Flattens:
    """What is held when an operator orders it flat is sold, or it is written down why not; and it is ordered once."""

    def __init__(self, say: Say, holdings: Holdings, *, instruments: Mapping[str, Instrument]) -> None:
        self._say = say
        self._holdings = holdings
        self._instruments = instruments
        self._owed: dict[Key, _Owed] = {}
        self._ordered: dict[str, int] = {}
        """Sequence of each flatten, by what its exits say is their cause."""
        self._exits: dict[tuple[str, Key], int] = {}
        """How many more exits of a position a flatten may cause."""
        self._leaving: set[Key] = set()
        self._marks: dict[str, Decimal] = {}
        self._at: Instant = 0

    def take(self, record: Recorded) -> None:
        """Take in the next record, after the holdings have."""
        match record.event:
            case BarsClosed(at=at, bars=bars):
                self._at = at
                self._marks |= {bar.symbol: bar.close for bar in bars}
                if self._owed:
                    self._demand_begun(record)
            case OperatorCommanded(command="flatten") as command:
                self._ordered[why_of(command)] = record.seq
                held = [key for key, quantity in self._holdings.held.items() if quantity > 0]
                self._owed |= {key: _Owed(record.seq, record.at) for key in held if command.target in ("", key[1])}
            case OperatorCommanded(command="cancel-all"):
                # Whoever wants it flat must say so again.
                self._owed.clear()
                self._leaving.clear()
            case OrderFilled(fill=fill, strategy=strategy):
                if self._holdings.held[strategy, fill.symbol] <= 0:
                    self._owed.pop((strategy, fill.symbol), None)
            case OrderIntended(terms=terms) if terms.leg == "entry":
                self._allow((terms.strategy, terms.symbol), record)
            case ExitOrdered(strategy=strategy, symbol=symbol, why=why):
                self._leaving.add((strategy, symbol))
                if why in self._ordered:
                    self._count(why, (strategy, symbol), record)
            case ExitEnded() as ended:
                self._end((ended.strategy, ended.symbol), ended, record)

    def judge_end(self) -> None:
        """Say what is still held though there was time enough."""
        for key, owed in self._owed.items():
            if self._at - owed.at > FLAT_WITHIN_MS:
                held = self._holdings.held[key]
                self._say("flattens", f"{held} of {key} is held in the end, ordered flat at {owed.seq}")

    def _demand_begun(self, record: Recorded) -> None:
        """The market waits for what an order leads to: when it goes on, what is to be left is being left."""
        for key, owed in self._owed.items():
            if key not in self._leaving and owed.seq <= record.seen:
                self._say("flattens", f"{key} is not being left at {record.seq}, ordered flat at {owed.seq}")

    def _allow(self, key: Key, record: Recorded) -> None:
        """What an entry brings that crossed a flatten on its way is left by an exit of its own."""
        for why, seq in self._ordered.items():
            if record.seen < seq < record.seq:
                self._exits[why, key] = self._exits.get((why, key), 1) + 1

    def _count(self, why: str, key: Key, record: Recorded) -> None:
        left = self._exits[why, key] = self._exits.get((why, key), 1) - 1
        if left < 0:
            self._say("flattens-once", f"{key} is to be left again at {record.seq} because of {why}")

    def _end(self, key: Key, ended: ExitEnded, record: Recorded) -> None:
        if record.seen < self._holdings.changed_at(key):
            return
        self._leaving.discard(key)
        owed, is_sellable = self._owed.get(key), self._is_sellable(key[1], ended.left)
        if owed is None or (record.seen < owed.seq and is_sellable):
            return  # What is too little for any order was left as well as it can be, by who had not heard either.
        is_late = record.at > owed.at + WISHED_FOR_MS
        if not is_late and is_sellable:
            self._say("flattens", f"{ended.left} of {key} is kept at {record.seq}, ordered flat at {owed.seq}")
        del self._owed[key]

    def _is_sellable(self, symbol: str, quantity: Decimal) -> bool:
        """Say whether the venue takes so much without a doubt; prices differ from one moment to the next."""
        instrument, mark = self._instruments[symbol], self._marks.get(symbol, ZERO)
        sellable = floor_to(max(quantity, ZERO), instrument.lot)
        return sellable > instrument.quantity_min and sellable * mark > 2 * instrument.notional_min
