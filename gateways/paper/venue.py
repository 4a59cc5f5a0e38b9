"""The paper venue: an exchange with a book of its own, on which recorded or live bars are the market.

Market time is the newest bar shown in this life, and nothing later is visible.  The book may be further: the process
died and came back at an older bar.  Bars shown again then tell what the book has of them.  A new request, or a bar
that does something new, takes back what later bars did, for these will be shown again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from domain.market import Bar, Closing, Instant, Instrument
from domain.money import ZERO, Money
from domain.order import Terms
from domain.venue import AccountReply, AccountSeen, OrderNotFound, OrderSeen, Refused, Reply, Unproven
from gateways.paper.book import NEVER, OUT_OF_FUNDS, Book
from gateways.paper.fees import fee_of, legs_of, taken_from_lock
from gateways.paper.floor import Floor
from gateways.paper.matching import Match, Working, match
from gateways.paper.passing_book import PassingBook
from gateways.paper.rules import Circumstances, Refusal, judge
from gateways.paper.settings import PaperSettings

Cue = Callable[[str], None]
NONE: frozenset[str] = frozenset()
NOTHING_FORESEEN: tuple[tuple[Bar, ...], list[Match]] = (), []


def nothing(_: str) -> None:
    """Take a cue and do nothing."""


class PaperVenue:
    """A `domain.venue.Venue` on paper.  Used from one thread; answers and reports come before the call returns.

    A call that raises (apsw.Error where the book cannot be written) has told nobody anything, and the next call goes
    on from what is in the book.
    """

    def __init__(
        self, book: Book | PassingBook, instruments: Mapping[str, Instrument], settings: PaperSettings, cue: Cue
    ) -> None:
        self._book = book
        self._instruments = instruments
        self._symbols = {(instrument.base, instrument.quote): symbol for symbol, instrument in instruments.items()}
        self._settings = settings
        self._cue = cue
        self._report: Callable[[OrderSeen], None] = _unheard
        self._now: Instant = NEVER
        self._bars: dict[str, Bar] = {}
        self._floor: Floor | None = None
        """None where it has to be read from the book."""
        self._foreseen: tuple[tuple[Bar, ...], list[Match]] = NOTHING_FORESEEN
        """What the bars that were looked at last would do, while nothing is written in between."""

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        instruments: Mapping[str, Instrument],
        deposit: Mapping[str, Decimal],
        settings: PaperSettings,
        cue: Cue = nothing,
    ) -> "PaperVenue":
        """Open the venue whose book is at `path`; a book that is created now gets the deposit (amounts by asset).

        `cue` is called with `venue.before_book` and `venue.after_book` around every commit.

        Raises:
            ValueError: the deposit is below 0, or the book is of a later version or cannot be kept durably.
            apsw.Error: the book cannot be opened or read.
        """
        return cls(Book.open(Path(path), deposit), instruments, settings, cue)

    @classmethod
    def passing(
        cls, *, instruments: Mapping[str, Instrument], deposit: Mapping[str, Decimal], settings: PaperSettings
    ) -> "PaperVenue":
        """Return a venue whose book is gone with the process.

        Raises:
            ValueError: the deposit is below 0.
        """
        return cls(PassingBook(deposit), instruments, settings, nothing)

    @property
    def is_used(self) -> bool:
        """Say whether anything was ever written down but the deposit."""
        return self._book.head != NEVER

    @property
    def head(self) -> Instant:
        """Return the market time up to which something is written down."""
        return self._book.head

    def watch(self, report: Callable[[OrderSeen], None]) -> None:
        """Give the callable that hears of the orders that bars changed."""
        self._report = report

    def close(self) -> None:
        """Let go of the book's file."""
        self._book.close()

    def show(self, at: Instant, bars: Sequence[Bar]) -> None:
        """Let the bars that closed at `at` (one of a symbol, all in one call) do what they do to open orders.

        An order that they changed is reported once it is durable, in the order of the queue.  The same bars shown again
        change nothing and tell the same again.  Bars older than the newest shown in this life are ignored.
        """
        since = self._now
        if at < since:
            return
        if self._floor is not None and not self._floor and self._book.head <= since < at:
            # Nobody waits for these bars, as for nearly all.
            self._now, self._bars = at, {bar.symbol: bar for bar in bars}
            return
        # The book may have results of these bars, or of bars between, only where it was read late or is ahead of us.
        shown = {bar.symbol: bar for bar in bars} | (self._bars if at == since else {})
        is_behind = self._floor is None or self._book.head > since or self._book.head >= at
        floor = self._floor_at(at) if is_behind else self._floor_now()
        if not is_behind and since < at and bars is self._foreseen[0]:
            matches = self._foreseen[1]
        else:
            matches = self._match(shown, floor, done=self._book.symbols_traded(at) if is_behind else NONE)
        if matches:
            with self._writing(floor, at):
                self._take_back(at)
                for made in matches:
                    self._write_match(made, floor, shown, at)
        self._now, self._bars, self._floor = at, shown, floor
        if matches or is_behind:
            self._tell(since if NEVER < since < at else at - 1, at)

    def count_idle(self, run: Sequence[Closing]) -> int:
        """Return how many of these closings, which follow what was shown, would do nothing to any order."""
        if self._floor is None:
            return 0
        if not self._floor:
            return len(run)
        for place, (_at, bars) in enumerate(run):
            if matches := self._match({bar.symbol: bar for bar in bars}, self._floor, done=NONE):
                self._foreseen = bars, matches
                return place
        return len(run)

    def submit(self, terms: Terms, reply: Reply) -> None:
        """Take an order, or refuse it with a code; a client id seen before is answered with the order that has it."""
        seen = self._book.seen(terms.client_id, self._now)
        if seen is None:
            refusal = self._take(terms)
            if refusal is not None:
                reply(Refused(terms.client_id, refusal.code, refusal.message))
                return
            seen = self._seen(terms.client_id)
        reply(seen)

    def cancel(self, client_id: str, symbol: str, reply: Reply) -> None:
        """Take an order out of the book at once; one that is finished is answered as it is.

        The client id alone names the order: `symbol` is not needed here.
        """
        seen = self._book.seen(client_id, self._now)
        if seen is None:
            reply(OrderNotFound(client_id))
        elif self._now == NEVER:
            reply(Unproven(client_id, "a market must have been shown before a cancel can take place, none was"))
        elif seen.state != "accepted":
            reply(seen)
        else:
            self._cancel(client_id)
            reply(self._seen(client_id))

    def look_up(self, client_id: str, symbol: str, reply: Reply, *, since: Instant = 0) -> None:
        """Tell what is visible of an order now; the client id alone names it.

        An order of a later market time than now is told as accepted, never as not found.
        """
        reply(self._book.seen(client_id, self._now) or OrderNotFound(client_id))

    def tell_account(self, reply: AccountReply) -> None:
        """Tell what is visible of the account now."""
        reply(AccountSeen(self.balances(), tuple(self._floor_now().listed())))

    def balances(self) -> dict[str, Decimal]:
        """Return the account's totals by asset, as visible now; assets it holds nothing of are left out."""
        return {asset: total for asset, total in self._floor_now().totals.items() if total}

    def free(self, asset: str) -> Decimal:
        """Return what open orders leave free of an asset, as visible now."""
        return self._floor_now().free(asset)

    def move(self, amount: Money) -> None:
        """Deposit an amount, or withdraw it where it is below 0.

        Raises:
            ValueError: no market was shown yet, or less than that is free.
        """
        floor = self._floor_now()
        if self._now == NEVER:
            raise ValueError("a market must have been shown before something is moved, none was")
        if floor.free(amount.asset) + amount.amount < 0:
            raise ValueError(
                f"expected at least {-amount.amount} {amount.asset} free, found {floor.free(amount.asset)}"
            )
        with self._writing(floor, self._now):
            self._take_back(self._now)
            self._book.move(amount, at=self._now)
            floor.totals[amount.asset] = floor.totals.get(amount.asset, ZERO) + amount.amount

    def _floor_now(self) -> Floor:
        if self._floor is None:
            self._floor = self._floor_at(self._now)
        return self._floor

    def _floor_at(self, now: Instant) -> Floor:
        return Floor(self._book.working(now), self._book.totals(now))

    def _match(self, shown: Mapping[str, Bar], floor: Floor, *, done: AbstractSet[str]) -> list[Match]:
        matches: list[Match] = []
        for symbol, bar in shown.items():
            queue = floor.queue(symbol)
            if queue and symbol not in done and symbol in self._instruments:
                matches += match(queue, bar, self._instruments[symbol], self._settings)
        matches.sort(key=lambda made: made.order.place)
        return matches

    def _write_match(self, made: Match, floor: Floor, shown: Mapping[str, Bar], at: Instant) -> None:
        order = made.order
        if made.triggered:
            self._book.trigger(order.number, at=at)
            order.triggered = True
        if made.quantity:
            self._write_trade(made, floor, shown, at)
        if not order.remaining:
            self._book.end(order.number, "filled", at=at)
        elif made.out_of_funds:
            self._book.end(order.number, "canceled", at=at, why=OUT_OF_FUNDS)
        else:
            return
        floor.remove(order.terms.client_id)

    def _write_trade(self, made: Match, floor: Floor, shown: Mapping[str, Bar], at: Instant) -> None:
        instrument = self._instruments[made.order.terms.symbol]
        side, quantity, price = made.order.terms.side, made.quantity, made.chance.price

        def price_of(asset: str, quote: str) -> Decimal | None:
            bar = shown.get(self._symbols.get((asset, quote), ""))
            return None if bar is None else bar.open

        fee = fee_of(
            side=side,
            quantity=quantity,
            price=price,
            liquidity=made.chance.liquidity,
            instrument=instrument,
            settings=self._settings,
            free=floor.free,
            price_of=price_of,
        )
        legs = legs_of(side=side, quantity=quantity, price=price, fee=fee, instrument=instrument)
        taken = taken_from_lock(side=side, quantity=quantity, price=price, fee=fee, quote=instrument.quote)
        self._book.add_trade(made, fee=fee, taken=taken, legs=legs, at=at)
        floor.trade(made, taken=taken, legs=legs)

    def _take(self, terms: Terms) -> Refusal | None:
        floor, now = self._floor_now(), self._now
        verdict = self._judge(terms, floor)
        with self._writing(floor, now):
            if isinstance(verdict, Refusal):
                self._book.add_refused(terms, verdict, at=now)
                return verdict
            self._take_back(now)
            arrives_at = now + self._settings.latency_ms
            number = self._book.add_order(terms, at=now, arrives_at=arrives_at, lock=verdict)
            floor.add(
                Working(
                    number=number,
                    terms=terms,
                    arrives_at=arrives_at,
                    lock_asset=verdict.asset,
                    locked=verdict.amount,
                )
            )
        return None

    def _judge(self, terms: Terms, floor: Floor) -> Money | Refusal:
        instrument = self._instruments.get(terms.symbol)
        if self._now == NEVER:
            return Refusal("NO_MARKET", "a market must have been shown before the first order, none was")
        if instrument is None:
            return Refusal("UNKNOWN_SYMBOL", f"the symbol must be one that is traded here, was {terms.symbol}")
        now = Circumstances(
            at=self._now,
            instrument=instrument,
            bar=self._bars.get(terms.symbol),
            open_orders=len(floor),
            free=floor.free,
        )
        return judge(terms, now, self._settings)

    def _cancel(self, client_id: str) -> None:
        floor = self._floor_now()
        with self._writing(floor, self._now):
            self._take_back(self._now)
            self._book.cancel(client_id, at=self._now)
            floor.remove(client_id)

    def _take_back(self, now: Instant) -> None:
        if self._book.head > now:
            self._book.forget_after(now)

    @contextmanager
    def _writing(self, floor: Floor, at: Instant) -> Iterator[None]:
        # Until the commit is through, what the floor holds is not certain: whoever fails in between reads it anew.
        self._floor, self._foreseen = None, NOTHING_FORESEEN
        self._cue("venue.before_book")
        with self._book.writing(at):
            yield
        self._cue("venue.after_book")
        self._floor = floor

    def _tell(self, since: Instant, until: Instant) -> None:
        for client_id in self._book.changed_by_bars(since, until):
            self._report(self._seen(client_id))

    def _seen(self, client_id: str) -> OrderSeen:
        seen = self._book.seen(client_id, self._now)
        assert seen is not None, f"order {client_id} is in the book"
        return seen


def _unheard(_: OrderSeen) -> None:
    """Hear a report that nobody watches for."""
