"""What is held, what it cost and what it is worth: folded from fills, by double entry.

The conventions, which tests hold the book to:

* `cash` moves as the venue's own account does, base assets and all.  A buy of q at p is base +q and quote -q*p, a sell
  the reverse, and the fee lowers the asset that it was paid in.
* A lot's average price is that of its entry fills, fees left out.  A fee in base on a buy lowers the quantity received.
* `realised` is (sell price - average price) * quantity, less every fee in quote, and in base at the fill's price.
  A fee in a third asset lowers that asset's cash and is listed in `fees`; it is no part of `realised`, for its price is
  not known here.  So start + realised + unrealised = equity, to the last digit, while fees are paid in base or quote.
* The venue is right.  A sell of more than the strategy holds is booked all the same: the lot goes below zero, and what
  was sold too much stands there at the price it fetched until it is bought back.
* Dust stays.  A sell that leaves less than one lot leaves the lot with that quantity and its cost.
* `entered_at` is the time of the last buy and is never taken back, since cooldowns rest on it.
* A lot that was taken over from another program has the cost that program names.  `cash` had its quantity from the
  start, so nothing moves there, and the start above is quote currency and such costs together.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Context, Decimal, localcontext

import msgspec

from domain.imported import HeldPosition, LastEntry
from domain.market import Instant, Instrument
from domain.money import ZERO
from domain.order import Fill

LEDGER = Context(prec=60)
"""Wide enough that sums and products of a venue's numbers are exact; only a share of a lot's cost is ever rounded."""
COST_STEP = Decimal("1E-20")
"""What a share of a lot's cost is rounded to.  The rest stays in the lot, so nothing is lost."""

Marks = Mapping[str, Decimal | float]
"""Newest prices by symbol, in quote currency.  One that is not finite and above zero counts as missing."""


class Position(msgspec.Struct):
    """What one strategy holds of one symbol.  Money in quote currency."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    """What the held quantity was bought for, fees left out; below zero for a lot that is."""
    realised: Decimal = ZERO
    fees: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """All fees ever paid, by the asset they were paid in."""
    entered_at: Instant | None = None

    @property
    def average_price(self) -> Decimal:
        """Return the weighted price of the entry fills, fees left out; zero when nothing is held."""
        return self.cost / self.quantity if self.quantity else ZERO

    def is_open(self, lot: Decimal) -> bool:
        """Say whether at least one lot is held, so that there is something to sell."""
        return abs(self.quantity) >= lot

    def take(self, fill: Fill, instrument: Instrument) -> Decimal:
        """Fold a fill in and return the change of `realised`."""
        fee, asset = fill.fee.amount, fill.fee.asset
        bought = fill.quantity if fill.side == "buy" else -fill.quantity
        paid_in_base = fee if asset == instrument.base else ZERO
        paid_in_quote = fee if asset == instrument.quote else ZERO
        realised = self._move(bought - paid_in_base, fill.price) - paid_in_base * fill.price - paid_in_quote
        self.realised += realised
        if fee:
            self.fees[asset] = self.fees.get(asset, ZERO) + fee
        if fill.side == "buy":
            self.enter(fill.at)
        return realised

    def take_over(self, held: HeldPosition) -> None:
        """Add what was bought before the journal began; profit made before is not part of it."""
        self.quantity += held.quantity
        self.cost += held.quantity * held.average_price
        self.enter(held.entered_at)

    def adopt(self, amount: Decimal, price: Decimal) -> Decimal:
        """Hold more or less by something that no order of ours has done, and return the change of `realised`.

        A buy that cooldowns rest on it is not.
        """
        realised = self._move(amount, price)
        self.realised += realised
        return realised

    def value(self, amount: Decimal, price: Decimal) -> None:
        """Let what was adopted before it had a price have cost this one."""
        self.cost += amount * price

    def enter(self, at: Instant | None) -> None:
        """Remember a buy; a later one stays."""
        if at is not None:
            self.entered_at = at if self.entered_at is None else max(self.entered_at, at)

    def _move(self, change: Decimal, price: Decimal) -> Decimal:
        """Close what lies against the change at its cost, open the rest at the price; return what closing realised."""
        closing = self._closing(change)
        given = self._share(closing)
        opening = change - closing
        self.quantity += change
        self.cost += opening * price - given
        return -closing * price - given

    def _closing(self, change: Decimal) -> Decimal:
        if self.quantity.is_signed() == change.is_signed() or not self.quantity:
            return ZERO
        return change if abs(change) < abs(self.quantity) else -self.quantity

    def _share(self, closing: Decimal) -> Decimal:
        if not closing:
            return ZERO
        if closing == -self.quantity:
            return self.cost
        return (self.cost * -closing / self.quantity).quantize(COST_STEP)


class Net(msgspec.Struct, frozen=True):
    """What all strategies together hold of a symbol.  Money in quote currency."""

    quantity: Decimal
    average_price: Decimal
    realised: Decimal


class Booked(msgspec.Struct, frozen=True):
    """What a fill did to a strategy's lot."""

    position: Position
    """The book's own, which the next fill changes again."""
    realised: Decimal
    """The change of realised profit, in quote currency."""
    is_open: bool
    """At least one lot is still held."""


class Book(msgspec.Struct):
    """The account: totals by asset, and one lot per strategy and symbol."""

    quote: str
    """The asset that worth is counted in; every symbol is traded against it."""
    cash: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """The venue account's totals by asset, free and locked together."""
    positions: dict[str, dict[str, Position]] = msgspec.field(default_factory=dict)
    """By strategy, then symbol."""
    markets: dict[str, str] = msgspec.field(default_factory=dict)
    """By base asset: the symbol whose mark says what it is worth."""

    def know(self, instrument: Instrument) -> None:
        """Learn which symbol values a base asset; the first one known for an asset stays.

        Raises:
            ValueError: the symbol is not traded against the book's quote asset.
        """
        if instrument.quote != self.quote:
            raise ValueError(f"{instrument.symbol} must be traded against {self.quote}, was {instrument.quote}")
        self.markets.setdefault(instrument.base, instrument.symbol)

    def apply(self, fill: Fill, strategy: str, instrument: Instrument) -> Booked:
        """Fold one fill in.  It is for the order to count each fill once; the book counts what it is given.

        Raises:
            ValueError: the fill is of another symbol, against another quote asset, or of no quantity or price.
        """
        _check(fill, instrument)
        self.know(instrument)
        with localcontext(LEDGER):
            for asset, amount in movements(fill, instrument):
                self.cash[asset] = self.cash.get(asset, ZERO) + amount
            position = self._lot(strategy, fill.symbol)
            realised = position.take(fill, instrument)
        return Booked(position=position, realised=realised, is_open=position.is_open(instrument.lot))

    def take_over(self, held: HeldPosition) -> None:
        """Make a lot of what was bought before the journal began; the account's cash has it already."""
        with localcontext(LEDGER):
            self._lot(held.strategy, held.symbol).take_over(held)

    def adopt(self, asset: str, amount: Decimal, *, symbol: str, holder: str, price: Decimal = ZERO) -> Decimal:
        """Take in what no fill explains, at a price; the lot of `holder` changes too, where that names somebody.

        Return the change of `realised`.
        """
        with localcontext(LEDGER):
            self.cash[asset] = self.cash.get(asset, ZERO) + amount
            return self._lot(holder, symbol).adopt(amount, price) if holder else ZERO

    def value(self, symbol: str, amounts: Mapping[str, Decimal], price: Decimal) -> None:
        """Let what was adopted before it had a price, by holder, have cost this one."""
        with localcontext(LEDGER):
            for holder, amount in amounts.items():
                if holder:
                    self._lot(holder, symbol).value(amount, price)

    def enter(self, entry: LastEntry) -> None:
        """Remember when a strategy bought a symbol last, held still or not."""
        self._lot(entry.strategy, entry.symbol).enter(entry.at)

    def position(self, strategy: str, symbol: str) -> Position:
        """Return what a strategy holds of a symbol; an empty position that is not kept if it never had one."""
        return self.positions.get(strategy, {}).get(symbol) or Position()

    def symbols(self) -> list[str]:
        """Return all symbols that ever had a fill, sorted."""
        return sorted({symbol for lots in self.positions.values() for symbol in lots})

    def quantities(self) -> dict[str, Decimal]:
        """Return what all strategies together hold of each symbol that ever had a fill, by the symbol's name."""
        totals: dict[str, Decimal] = {}
        with localcontext(LEDGER):
            for symbol, lot in self._lots():
                totals[symbol] = totals.get(symbol, ZERO) + lot.quantity
        return dict(sorted(totals.items()))

    def net(self, symbol: str) -> Net:
        """Return what all strategies together hold of a symbol, summed in the order of their names."""
        quantity = cost = realised = ZERO
        with localcontext(LEDGER):
            for strategy in sorted(self.positions):
                lot = self.position(strategy, symbol)
                quantity, cost, realised = quantity + lot.quantity, cost + lot.cost, realised + lot.realised
        average_price = cost / quantity if quantity else ZERO
        return Net(quantity=quantity, average_price=average_price, realised=realised)

    def equity(self, marks: Marks) -> Decimal:
        """Return what the account is worth in quote currency.  An asset without a mark counts as nothing."""
        return worth_of(self.cash.get(self.quote, ZERO), self.held(), marks)

    def held(self) -> list[tuple[str, Decimal]]:
        """Return what is held besides quote currency: the symbol that values it, and how much."""
        markets = self.markets
        return [(markets[asset], amount) for asset, amount in self.cash.items() if amount and asset in markets]

    def unrealised(self, marks: Marks) -> Decimal:
        """Return what the held lots are worth above their cost.  A lot without a mark counts as worth nothing."""
        with localcontext(LEDGER):
            total = ZERO
            for symbol, lot in self._lots():
                if lot.quantity or lot.cost:
                    total += lot.quantity * (_mark(marks, symbol) or ZERO) - lot.cost
            return total

    def realised(self) -> Decimal:
        """Return all realised profit, in quote currency."""
        with localcontext(LEDGER):
            return sum((lot.realised for _, lot in self._lots()), ZERO)

    def unpriced(self, marks: Marks) -> tuple[str, ...]:
        """Name the assets that `equity` counts as nothing for want of a mark, sorted."""
        held = (asset for asset, amount in self.cash.items() if amount and asset != self.quote)
        return tuple(sorted(asset for asset in held if _mark(marks, self.markets.get(asset)) is None))

    def _lot(self, strategy: str, symbol: str) -> Position:
        return self.positions.setdefault(strategy, {}).setdefault(symbol, Position())

    def _lots(self) -> Iterator[tuple[str, Position]]:
        for lots in self.positions.values():
            yield from lots.items()


def worth_of(cash: Decimal, held: Sequence[tuple[str, Decimal]], marks: Marks) -> Decimal:
    """Return what cash and holdings are worth; what has no mark counts as nothing."""
    # Asked at every bar: a context of its own would cost more than the sums.
    total = cash
    for symbol, amount in held:
        mark = marks.get(symbol)
        if type(mark) is not Decimal or not mark.is_finite():
            mark = _mark(marks, symbol)
        if mark is not None and mark > 0:
            total = LEDGER.fma(amount, mark, total)
    return total


def movements(fill: Fill, instrument: Instrument) -> tuple[tuple[str, Decimal], ...]:
    """Return what a fill moves on the venue's account, by asset: base, quote and fee, in that order."""
    bought = fill.quantity if fill.side == "buy" else -fill.quantity
    return (
        (instrument.base, bought),
        (instrument.quote, -bought * fill.price),
        (fill.fee.asset, -fill.fee.amount),
    )


def _check(fill: Fill, instrument: Instrument) -> None:
    if fill.symbol != instrument.symbol:
        raise ValueError(f"fill {fill.trade_id} must be of {instrument.symbol}, was of {fill.symbol}")
    for name, number in (("quantity", fill.quantity), ("price", fill.price)):
        if not number.is_finite() or number <= 0:
            raise ValueError(f"{name} of fill {fill.trade_id} must be above 0, was {number}")
    if not fill.fee.amount.is_finite():
        raise ValueError(f"fee of fill {fill.trade_id} must be finite, was {fill.fee.amount}")


def _mark(marks: Marks, symbol: str | None) -> Decimal | None:
    if symbol is None or (mark := marks.get(symbol)) is None:
        return None
    number = mark if type(mark) is Decimal else Decimal(str(mark))
    return number if number.is_finite() and number > 0 else None
