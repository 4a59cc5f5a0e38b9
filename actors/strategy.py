"""The host of one strategy: folds what it sees, and answers its offers, each with one record."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from actors.base import RememberingActor
from domain.market import Bar, Closing, Instant, Instrument
from domain.money import ZERO
from domain.order import FINAL, Order
from domain.proposal import Entry, Exit, Proposal, proposal_id
from domain.strategies import Holding, Strategy, View
from messages.market import FramesClosed, HistoryLoaded, OfferAnswered, Offered, OfferSkipped
from messages.orders import (
    OrderAbsent,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
)
from messages.positions import EquityMarked, PositionChanged
from messages.risk import OrderDenied
from messages.sentiment import HeadlineScored
from supervision import Recorded, Seat, System


class HostState(msgspec.Struct):
    """What the host keeps around a strategy."""

    at: Instant = 0
    """Of the newest offer."""
    attempt: int = -1
    is_answered: bool = True
    equity: Decimal = ZERO
    cash: Decimal = ZERO
    holdings: dict[str, Holding] = msgspec.field(default_factory=dict)
    proposed: dict[str, str] = msgspec.field(default_factory=dict)
    """Symbol of each entry that is proposed and not finished, by proposal."""
    orders: dict[str, tuple[str, Order]] = msgspec.field(default_factory=dict)
    """Proposal and order of each entry that was sent, by client id."""


class StrategyMemory:
    """Folds what a strategy sees: its own state lives in the strategy, the rest here."""

    def __init__(self, name: str, strategy: Strategy, *, version: int) -> None:
        self._name = name
        self.strategy = strategy
        self.state = HostState()
        self.version = version

    def fold(self, record: Recorded) -> None:
        """Take an event in; what concerns other strategies is left alone."""
        match record.event:
            case FramesClosed(bars=bars) | HistoryLoaded(bars=bars):
                self.take_bars(bars)
            case EquityMarked(equity=equity, cash=cash):
                self.state.equity, self.state.cash = equity, cash
            case Offered(strategy=self._name, at=at, attempt=attempt):
                self.state.at, self.state.attempt, self.state.is_answered = at, attempt, False
            case OfferAnswered(strategy=self._name) as answer:
                self._answered(answer)
            case OfferSkipped(strategy=self._name):
                self.state.is_answered = True
            case HeadlineScored(score=score):
                self.strategy.on_score(score)
            case PositionChanged(strategy=self._name) as change if change.symbol in self.state.holdings:
                # Of one that it does not live on any more it is shown nothing: it has no place for that.
                self.state.holdings[change.symbol] = Holding(change.quantity, change.average_price, change.entered_at)
            case _:
                self._fold_order(record.event)

    def take_bars(self, bars: Sequence[Bar]) -> None:
        """Take in closed bars of its symbols and time frames."""
        strategy, symbols = self.strategy, self.state.holdings
        for bar in bars:
            if bar.timeframe in strategy.timeframes and bar.symbol in symbols:
                strategy.on_bar(bar)

    def take_frames(self, bars: Sequence[Bar], equity: Decimal, cash: Decimal) -> None:
        """Take in frames that closed, and what the account was worth then."""
        self.take_bars(bars)
        self.state.equity, self.state.cash = equity, cash

    def take_offer(self, at: Instant) -> None:
        """Take in that an offer was answered with nothing."""
        self.state.at, self.state.attempt, self.state.is_answered = at, 0, True

    def watch(self, symbols: tuple[str, ...]) -> None:
        """Begin with nothing held of these symbols."""
        for symbol in symbols:
            self.state.holdings.setdefault(symbol, Holding())

    def save(self) -> bytes:
        """Return the host's state and the strategy's own."""
        return msgspec.json.encode([self.state, self.strategy.save()])

    def load(self, saved: bytes) -> None:
        """Take over both."""
        self.state, own = msgspec.json.decode(saved, type=tuple[HostState, dict[str, Any]])
        self.strategy.restore(own)

    def has_entry_in_flight(self, symbol: str) -> bool:
        """Say whether an entry in a symbol is proposed and not finished."""
        return symbol in self.state.proposed.values()

    def _answered(self, answer: OfferAnswered) -> None:
        self.state.is_answered = True
        for index, proposal in enumerate(answer.proposals):
            if isinstance(proposal, Entry):
                name = proposal_id(strategy=self._name, at=answer.at, attempt=answer.attempt, index=index)
                self.state.proposed[name] = proposal.symbol

    def _fold_order(self, event: object) -> None:
        match event:
            case OrderDenied(strategy=self._name, proposal_id=proposal) | OrderAbsent(proposal_id=proposal):
                self._end(proposal)
            case OrderIntended(terms=terms, proposal_id=proposal) if proposal in self.state.proposed:
                self.state.orders[terms.client_id] = (proposal, Order(terms))
            case OrderFilled(fill=fill) if fill.client_id in self.state.orders:
                proposal, order = self.state.orders[fill.client_id]
                order.take(fill)
                if order.state in FINAL:
                    self._end(proposal)
            case OrderCanceled(client_id=client_id) | OrderExpired(client_id=client_id):
                self._end(self._proposal_of(client_id))
            case OrderRejected(client_id=client_id):
                self._end(self._proposal_of(client_id))

    def _proposal_of(self, client_id: str) -> str:
        return self.state.orders[client_id][0] if client_id in self.state.orders else ""

    def _end(self, proposal: str) -> None:
        self.state.proposed.pop(proposal, None)
        self.state.orders = {key: entry for key, entry in self.state.orders.items() if entry[0] != proposal}


class StrategyHost(RememberingActor):
    """Asks the strategy when it is offered something, and records its whole answer."""

    def __init__(
        self,
        system: System,
        seat: Seat,
        *,
        memory: StrategyMemory,
        strategy: str,
        instruments: Mapping[str, Instrument],
    ) -> None:
        super().__init__(system, seat, memory=memory)
        self._known = memory
        self._strategy = strategy
        self._instruments = instruments
        self._held_seq = -1
        self._held = View(0, ZERO, ZERO, {}, {})
        """What was held after that sequence."""
        self.marks: list[tuple[Instant, Decimal]] = []
        """What the account was worth at each closing that it was told of in the last run."""

    def take_frames(
        self, at: Instant, frames: Sequence[Bar], equity: Decimal, cash: Decimal, *, is_asked: bool
    ) -> bool:
        """Take in frames that closed and what the account was worth then; say whether there is something to propose.

        Who has nothing to propose has answered with that.
        """
        known = self._known
        state, strategy = known.state, known.strategy
        symbols, timeframes = state.holdings, strategy.timeframes
        for bar in frames:
            if bar.timeframe in timeframes and bar.symbol in symbols:
                strategy.on_bar(bar)
        state.equity, state.cash = equity, cash
        if not is_asked:
            return False
        held = self._look(at)
        if tuple(strategy.propose(View(at, equity, cash, held.holdings, held.instruments))):
            return True
        state.at, state.attempt, state.is_answered = at, 0, True
        return False

    def take_run(self, run: Sequence[Closing], worths: Iterable[tuple[Decimal, Decimal]]) -> bool:
        """Take in closings whose bars are its frames, with the account's worth and cash, as `take_frames` would each.

        It ends where there is something to propose, and says whether that was so; `marks` has those it was told of.
        """
        state, strategy = self._known.state, self._known.strategy
        symbols, timeframes, on_bar, propose = state.holdings, strategy.timeframes, strategy.on_bar, strategy.propose
        at, bars = run[0]
        held = self._look(at)
        holdings, instruments = held.holdings, held.instruments
        marks = self.marks = []
        answered_at = 0
        try:
            for (at, bars), (equity, cash) in zip(run, worths, strict=False):
                marks.append((at, equity))
                for bar in bars:
                    if bar.timeframe in timeframes and bar.symbol in symbols:
                        on_bar(bar)
                if tuple(propose(View(at, equity, cash, holdings, instruments))):
                    return True
                answered_at = at
        finally:
            state.equity, state.cash = equity, cash
            if answered_at:
                state.at, state.attempt, state.is_answered = answered_at, 0, True
        return False

    def react(self) -> None:
        """Answer the offer that is open, if there is one."""
        state = self._known.state
        if state.is_answered:
            return
        proposals = checked(self._known.strategy.propose(self._view(state.at)))
        self.record(OfferAnswered(strategy=self._strategy, at=state.at, attempt=state.attempt, proposals=proposals))

    def _look(self, at: Instant) -> View:
        """Return a view that shows what is held now; the rest of it is of another instant."""
        if self._held_seq != self.seq:
            self._held_seq, self._held = self.seq, self._view(at)
        return self._held

    def _view(self, at: Instant) -> View:
        known = self._known
        holdings = {
            symbol: msgspec.structs.replace(holding, entry_in_flight=known.has_entry_in_flight(symbol))
            for symbol, holding in known.state.holdings.items()
        }
        return View(
            at=at,
            equity=known.state.equity,
            cash=known.state.cash,
            holdings=holdings,
            instruments={symbol: self._instruments[symbol] for symbol in holdings},
        )


def checked(proposals: Sequence[Proposal]) -> tuple[Proposal, ...]:
    """Return proposals as the journal will give them back.

    Raises:
        msgspec.ValidationError, TypeError: a strategy made one of other types than it says.
    """
    made = tuple(proposals)
    if all(_is_plain(proposal) for proposal in made):
        return made
    return msgspec.json.decode(msgspec.json.encode(made), type=tuple[Proposal, ...])


def _plain_fields(kind: type) -> tuple[tuple[bool, frozenset[Any]], ...]:
    """Return for each field whether it has a choice of values, and these, or else the types that it may have."""
    hints = get_type_hints(kind)
    return tuple(
        (get_origin(hints[name]) is Literal, frozenset(get_args(hints[name]) or (hints[name],)))
        for name in kind.__struct_fields__  # type: ignore[attr-defined]
    )


_PLAIN: dict[type, tuple[tuple[bool, frozenset[Any]], ...]] = {kind: _plain_fields(kind) for kind in (Entry, Exit)}


def _is_plain(proposal: Proposal) -> bool:
    """Say whether every field has exactly a type it may have, so that the journal changes nothing."""
    fields = _PLAIN.get(type(proposal))
    if fields is None:
        return False
    pairs = zip(msgspec.structs.astuple(proposal), fields, strict=True)
    return all((value if is_choice else type(value)) in allowed for value, (is_choice, allowed) in pairs)
