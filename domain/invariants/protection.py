"""The law of protection: what is held and has a stop price is covered by orders that sell it, but for a short while."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from domain.invariants.finding import Finding
from domain.invariants.orders import Watched
from domain.market import Instrument
from domain.money import ZERO, floor_to


class Bare(msgspec.Struct, frozen=True):
    """How much of a position nothing sells, since when in lived time, and since which record."""

    quantity: Decimal
    since_ms: int
    seq: int


class Protection(msgspec.Struct):
    """Stop prices, and the positions that lack their order."""

    stops: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """By strategy and symbol."""
    is_partly_left: dict[str, bool] = msgspec.field(default_factory=dict)
    """Positions that are being left, and whether only in part."""
    bare: dict[str, Bare] = msgspec.field(default_factory=dict)

    def bring(self, key: str, stop_price: Decimal | None, *, was_empty: bool) -> None:
        """Take over the stop price that came with an entry; none replaces none while something is held."""
        if stop_price is not None:
            self.stops[key] = stop_price
        elif was_empty:
            self.stops.pop(key, None)

    def leave(self, key: str, *, in_part: bool) -> None:
        """Hear that a position is to be left."""
        self.is_partly_left[key] = in_part

    def end_leaving(self, key: str) -> None:
        """Hear that nothing more is sold; what then stays of all is too little for any order."""
        if self.is_partly_left.pop(key, None) is False:
            self.stops.pop(key, None)

    def look(
        self, key: str, held: Decimal, orders: Sequence[Watched], instrument: Instrument, *, lived_ms: int, seq: int
    ) -> None:
        """See whether a position lacks an order; not while the fate of one is unknown, for that may be the one."""
        bare = ZERO
        if (stop_price := self.stops.get(key)) is not None and held > 0:
            selling = sum((order.remaining for order in orders if order.side == "sell"), ZERO)
            bare = floor_to(held, instrument.lot) - selling
            if bare < max(instrument.quantity_min, instrument.lot) or bare * stop_price < instrument.notional_min:
                bare = ZERO
        if bare <= 0 or any(order.state == "unresolved" for order in orders):
            self.bare.pop(key, None)
        elif key in self.bare:
            self.bare[key] = msgspec.structs.replace(self.bare[key], quantity=bare)
        else:
            self.bare[key] = Bare(bare, lived_ms, seq)

    def overdue(self, lived_ms: int, *, limit_ms: int, seq: int) -> Iterator[Finding]:
        """Find positions that have lacked their order for too long."""
        for key, bare in self.bare.items():
            if lived_ms - bare.since_ms > limit_ms:
                found = f"{bare.quantity} without one for {(lived_ms - bare.since_ms) // 1000} s of market time"
                yield Finding("P7", key, f"a stop at {self.stops[key]}", found, (bare.seq, seq))

    def keep(self, symbols: Sequence[str]) -> None:
        """Demand nothing of other symbols than these: no venue takes an order of them."""
        self.bare = {key: bare for key, bare in self.bare.items() if key.partition("|")[2] in symbols}

    def begin_anew(self, lived_ms: int) -> None:
        """Give everything its time again."""
        self.bare = {key: msgspec.structs.replace(bare, since_ms=lived_ms) for key, bare in self.bare.items()}
