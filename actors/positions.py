"""The position keeper: folds fills into what is held, and says what it is worth."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import repeat
from typing import Any

import msgspec

from actors.base import RememberingActor, StructMemory
from domain.imported import HeldPosition
from domain.losses import fall
from domain.market import DAY_MS, Bar, Closing, Instant, Instrument
from domain.money import ZERO
from domain.order import Fill
from domain.performance import Performance
from domain.position import LEDGER, Book, worth_of
from messages.imported import PositionImported, StateImported
from messages.market import BarsClosed, FramesClosed, OfferAnswered
from messages.node import HoldingsAsked, PerformanceAsked, SummaryTold, SummaryWanted
from messages.orders import OrderFilled, OrderIntended
from messages.positions import AccountOpened, EquityMarked, PositionChanged
from messages.reconciliation import AccountAdopted
from supervision import Recorded, Seat, System


class Untold(msgspec.Struct):
    """A position that changed, last at this sequence, and was not told as it is now."""

    strategy: str
    symbol: str
    changed_at: int


class PositionsState(msgspec.Struct):
    """What is held, what it was worth at each mark, and what is still to be told."""

    book: Book
    performance: Performance
    marks: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """Newest close by symbol."""
    opened: dict[str, Decimal] | None = None
    """The account's assets when the journal began."""
    untold: list[Untold] = msgspec.field(default_factory=list)
    unvalued: dict[str, dict[str, Decimal]] = msgspec.field(default_factory=dict)
    """What was taken into the books before it had a price, by symbol and holder."""
    frames_at: Instant = 0
    marked_at: Instant = 0


class PositionsMemory(StructMemory[PositionsState]):
    """Folds fills and marks, and what was held before there were any."""

    version = 4
    """Since 3, what was taken into the books before it had a price; since 4, round trips that begin or end by that."""

    def __init__(self, instruments: Mapping[str, Instrument], quote: str) -> None:
        super().__init__(PositionsState(book=Book(quote), performance=Performance()))
        self._instruments = instruments
        self._worth: tuple[Decimal, list[tuple[str, Decimal]]] | None = None
        """Cash and holdings as they are until another fill or import; None where they have to be looked up."""
        self._calm_until: Instant = 0
        """Before this instant marks change nothing but their time."""
        self._know_markets()

    def load(self, saved: bytes) -> None:
        """Take over a saved state."""
        super().load(saved)
        self._worth = None
        self._know_markets()

    def _know_markets(self) -> None:
        for instrument in self._instruments.values():
            self.state.book.know(instrument)

    def fold(self, record: Recorded) -> None:
        """Take an event in."""
        state = self.state
        match record.event:
            case BarsClosed(bars=bars):
                self.take_bars(bars)
            case FramesClosed(at=at):
                state.frames_at = at
            case OrderFilled(fill=fill, strategy=strategy):
                self._worth = None
                self._take(fill, strategy, record.seq)
            case PositionChanged(strategy=strategy, symbol=symbol):
                # What was told before a later fill was known is not how it stands now.
                state.untold = [
                    each
                    for each in state.untold
                    if (each.strategy, each.symbol) != (strategy, symbol) or each.changed_at > record.seen
                ]
            case EquityMarked(at=at, equity=equity):
                self._calm_until = 0
                state.marked_at = at
                state.performance.mark(at, equity)
            case OrderIntended():
                state.performance.count("orders")
            case OfferAnswered(proposals=proposals):
                if proposals:
                    state.performance.count("signals", len(proposals))
            case _:
                self._worth = None
                self._open(record)

    def take_bars(self, bars: tuple[Bar, ...]) -> None:
        """Take bars in that closed together."""
        self.state.performance.count("bars", len(bars))
        self.price(bars)

    def price(self, bars: tuple[Bar, ...]) -> None:
        """Take in prices, of bars that are counted elsewhere."""
        marks, unvalued = self.state.marks, self.state.unvalued
        for bar in bars:
            if bar.symbol in unvalued:
                self._value(bar.symbol, bar.close)
            marks[bar.symbol] = bar.close

    def count_bars(self, count: int) -> None:
        """Take in how many bars closed."""
        self.state.performance.count("bars", count)

    def take_frames(self, at: Instant) -> tuple[Decimal, Decimal]:
        """Take in that frames closed; mark the account, and return its worth and its cash in quote currency."""
        state = self.state
        state.frames_at = state.marked_at = at
        cash, held = self._look_up()
        if at < self._calm_until:
            # Nothing is held, so that the mark is the one before, but for its time.
            state.performance.latest_at = at
            return cash, cash
        equity = worth_of(cash, held, state.marks) if held else cash
        state.performance.mark(at, equity)
        self._calm_until = 0 if held else at - at % DAY_MS + DAY_MS
        return equity, cash

    def worths_along(self, run: Sequence[Closing]) -> Iterable[tuple[Decimal, Decimal]]:
        """Return what the account is worth and its cash at each of these closings, as it is asked for.

        Takes nothing in.  Where nothing is held, they are one and the same object.
        """
        cash, held = self._look_up()
        return self._worths_of(run, cash, held) if held else repeat((cash, cash))

    def take_marks(self, run: Sequence[Closing], marks: Sequence[tuple[Instant, Decimal]]) -> tuple[Decimal, Decimal]:
        """Take in closings whose bars are frames, with the account's worth at each; return the last, and the cash."""
        state = self.state
        for _at, bars in run if len(self._instruments) > 1 else run[-1:]:
            self.price(bars)
        state.performance.mark_all(marks)
        at, equity = marks[-1]
        state.frames_at = state.marked_at = at
        self._calm_until = 0
        return equity, self._look_up()[0]

    def _worths_of(
        self, run: Sequence[Closing], cash: Decimal, held: Sequence[tuple[str, Decimal]]
    ) -> Iterator[tuple[Decimal, Decimal]]:
        if len(self._instruments) == len(held) == 1:
            (_symbol, amount), fma = held[0], LEDGER.fma
            for _at, (bar,) in run:
                yield fma(amount, bar.close, cash), cash
            return
        marks = dict(self.state.marks)
        for _at, bars in run:
            for bar in bars:
                marks[bar.symbol] = bar.close
            yield worth_of(cash, held, marks), cash

    def _look_up(self) -> tuple[Decimal, list[tuple[str, Decimal]]]:
        if self._worth is None:
            book = self.state.book
            self._worth = book.cash.get(book.quote, ZERO), book.held()
            self._calm_until = 0
        return self._worth

    def _open(self, record: Recorded) -> None:
        state = self.state
        match record.event:
            case AccountOpened(cash=cash):
                state.opened = dict(cash)
                state.book.cash = dict(cash)
            case StateImported(entries=entries, counters=counters):
                for entry in entries:
                    state.book.enter(entry)
                    self._change(entry.strategy, entry.symbol, record.seq)
                if counters is not None:
                    state.performance.go_on_from(counters)
            case PositionImported(position=held):
                self._take_over(held, record.seq)
            case AccountAdopted() as adopted:
                self._adopt(adopted, record.seq)

    def _adopt(self, adopted: AccountAdopted, seq: int) -> None:
        state, symbol = self.state, adopted.symbol
        before = state.book.equity(state.marks)
        price = state.marks.get(symbol, ZERO)
        realised = state.book.adopt(adopted.asset, adopted.amount, symbol=symbol, holder=adopted.holder, price=price)
        state.performance.rescale(before, state.book.equity(state.marks))
        self._deposit(adopted.amount * price if symbol else adopted.amount)
        if symbol and not price:
            amounts = state.unvalued.setdefault(symbol, {})
            amounts[adopted.holder] = max(ZERO, amounts.get(adopted.holder, ZERO) + adopted.amount)
        if adopted.holder:
            is_open = state.book.position(adopted.holder, symbol).is_open(self._instruments[symbol].lot)
            state.performance.adopt(adopted.holder, symbol, realised=realised, is_open=is_open)
            self._change(adopted.holder, symbol, seq)

    def _value(self, symbol: str, price: Decimal) -> None:
        """Take in what something is worth that was taken into the books before it had a price."""
        state, amounts = self.state, self.state.unvalued.pop(symbol)
        worth = sum(amounts.values(), ZERO) * price
        after = state.book.equity(state.marks | {symbol: price})
        state.book.value(symbol, amounts, price)
        state.performance.rescale(after - worth, after)
        self._deposit(worth)

    def _deposit(self, worth: Decimal) -> None:
        """Let the start have had what came from outside: it was no profit."""
        opened, quote = self.state.opened, self.state.book.quote
        if opened is not None:
            opened[quote] = opened.get(quote, ZERO) + worth

    def _take_over(self, held: HeldPosition, seq: int) -> None:
        state = self.state
        state.book.take_over(held)
        if state.book.position(held.strategy, held.symbol).is_open(self._instruments[held.symbol].lot):
            state.performance.take_over(held.strategy, held.symbol)
        # As with a fill: what was paid is the price until the market shows one.
        state.marks.setdefault(held.symbol, held.average_price)
        self._change(held.strategy, held.symbol, seq)

    def _take(self, fill: Fill, strategy: str, seq: int) -> None:
        state = self.state
        instrument = self._instruments[fill.symbol]
        if fill.symbol in state.unvalued:
            self._value(fill.symbol, fill.price)
        booked = state.book.apply(fill, strategy, instrument)
        state.performance.fill(fill, strategy=strategy, realised=booked.realised, is_open=booked.is_open)
        state.marks.setdefault(fill.symbol, fill.price)
        self._change(strategy, fill.symbol, seq)

    def _change(self, strategy: str, symbol: str, seq: int) -> None:
        for each in self.state.untold:
            if (each.strategy, each.symbol) == (strategy, symbol):
                each.changed_at = seq
                return
        self.state.untold.append(Untold(strategy, symbol, seq))


class Positions(RememberingActor):
    """Tells every change of a position, and the account's worth each time strategies are about to decide."""

    def __init__(self, system: System, seat: Seat, *, memory: PositionsMemory) -> None:
        super().__init__(system, seat, memory=memory)
        self._known = memory

    def react(self) -> None:
        """Tell what was not told yet."""
        state = self._known.state
        for each in state.untold:
            self.record(self._change(each.strategy, each.symbol))
        if state.frames_at > state.marked_at:
            self.record(self._worth())

    def receive(self, message: Any) -> Any:
        """Answer the edge of the house."""
        match message:
            case HoldingsAsked():
                return self._known.save()
            case PerformanceAsked():
                return self._known.state.performance.summary()
            case SummaryWanted(reply_to=reply_to):
                self.tell(reply_to, SummaryTold(self._known.state.performance.summary()))
            case _:
                super().receive(message)
        return None

    def _change(self, strategy: str, symbol: str) -> PositionChanged:
        book = self._known.state.book
        position = book.position(strategy, symbol)
        return PositionChanged(
            strategy=strategy,
            symbol=symbol,
            quantity=position.quantity,
            average_price=position.average_price,
            realised=position.realised,
            cash=dict(book.cash),
            entered_at=position.entered_at,
        )

    def _worth(self) -> EquityMarked:
        state = self._known.state
        equity = state.book.equity(state.marks)
        return EquityMarked(
            at=state.frames_at,
            equity=equity,
            cash=state.book.cash.get(state.book.quote, ZERO),
            unrealised=state.book.unrealised(state.marks),
            realised=state.book.realised(),
            drawdown=fall(max(state.performance.peak or equity, equity), equity),
        )
