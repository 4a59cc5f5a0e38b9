"""What is at risk: positions at their marks, and what was approved and has not become a position yet."""

from decimal import Decimal

import msgspec

from domain.money import ZERO


class Reservation(msgspec.Struct):
    """An approved entry that is not finished."""

    symbol: str
    amount: Decimal
    """What is still to be filled of it, in quote currency."""


class Exposure(msgspec.Struct):
    """All that the breaker counts against its limits, in quote currency.

    A fill moves its worth from the reservation to the position at once, so that between the fill and the position's
    own report nothing is missing.  The report then says what the position is worth by itself.
    """

    held: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """Worth of the positions by symbol; a lot below zero is exposure too and counts by its size."""
    reservations: dict[str, Reservation] = msgspec.field(default_factory=dict)
    """By proposal."""

    def hold(self, symbol: str, worth: Decimal) -> None:
        """Set what the position in a symbol is worth at its mark.

        Raises:
            ValueError: the worth is not finite.
        """
        if not worth.is_finite():
            raise ValueError(f"worth of {symbol} must be finite, was {worth}")
        if worth:
            self.held[symbol] = abs(worth)
        else:
            self.held.pop(symbol, None)

    def reserve(self, proposal_id: str, symbol: str, amount: Decimal) -> None:
        """Set an approved amount aside until it is filled or released.

        Raises:
            ValueError: the amount is not above zero, or the proposal has a reservation already.
        """
        if not amount.is_finite() or amount <= 0:
            raise ValueError(f"reserved amount of {proposal_id} must be above 0, was {amount}")
        if proposal_id in self.reservations:
            raise ValueError(f"{proposal_id} must be reserved once, was reserved before")
        self.reservations[proposal_id] = Reservation(symbol=symbol, amount=amount)

    def settle(self, proposal_id: str, filled_notional: Decimal) -> None:
        """Move what was filled from the reservation to the position.

        A fill that comes after the release changes nothing here; the position's own report counts it.

        Raises:
            ValueError: the filled notional is not above zero.
        """
        if not filled_notional.is_finite() or filled_notional <= 0:
            raise ValueError(f"filled notional of {proposal_id} must be above 0, was {filled_notional}")
        reservation = self.reservations.get(proposal_id)
        if reservation is None:
            return
        reservation.amount = max(ZERO, reservation.amount - filled_notional)
        self.held[reservation.symbol] = self.held.get(reservation.symbol, ZERO) + filled_notional

    def release(self, proposal_id: str) -> None:
        """Let go of what is left of a reservation: its order is finished, or never was."""
        self.reservations.pop(proposal_id, None)

    def of(self, symbol: str) -> Decimal:
        """Return position and reservations of one symbol."""
        reserved = (each.amount for each in self.reservations.values() if each.symbol == symbol)
        return sum(reserved, self.held.get(symbol, ZERO))

    @property
    def reserved(self) -> Decimal:
        """Return what is set aside, for all symbols."""
        return sum((each.amount for each in self.reservations.values()), ZERO)

    @property
    def total(self) -> Decimal:
        """Return positions and reservations of all symbols."""
        return sum(self.held.values(), self.reserved)
