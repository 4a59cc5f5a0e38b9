"""What is at risk: positions at their marks, and what was approved and has not become a position yet."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from domain.money import ZERO


class Reservation(msgspec.Struct):
    """An approved entry that is not finished."""

    symbol: str
    amount: Decimal
    """What is still to be filled of it, in quote currency."""


class Reservations(msgspec.Struct):
    """What is set aside for approved entries, in quote currency.

    A fill moves its worth from the reservation to the book, which whoever counts exposure folds at the same time: in
    between nothing is missing, and nothing counts twice.
    """

    by_proposal: dict[str, Reservation] = msgspec.field(default_factory=dict)

    def reserve(self, proposal_id: str, symbol: str, amount: Decimal) -> None:
        """Set an approved amount aside until it is filled or released.

        Raises:
            ValueError: the amount is not above zero, or the proposal has a reservation already.
        """
        if not amount.is_finite() or amount <= 0:
            raise ValueError(f"reserved amount of {proposal_id} must be above 0, was {amount}")
        if proposal_id in self.by_proposal:
            raise ValueError(f"{proposal_id} must be reserved once, was reserved before")
        self.by_proposal[proposal_id] = Reservation(symbol=symbol, amount=amount)

    def settle(self, proposal_id: str, filled_notional: Decimal) -> None:
        """Shrink a reservation by what was filled; one that was released before is left alone.

        Raises:
            ValueError: the filled notional is not above zero.
        """
        if not filled_notional.is_finite() or filled_notional <= 0:
            raise ValueError(f"filled notional of {proposal_id} must be above 0, was {filled_notional}")
        if (reservation := self.by_proposal.get(proposal_id)) is not None:
            reservation.amount = max(ZERO, reservation.amount - filled_notional)

    def release(self, proposal_id: str) -> None:
        """Let go of what is left of a reservation: its order is finished, or never was."""
        self.by_proposal.pop(proposal_id, None)

    def of(self, symbol: str) -> Decimal:
        """Return what is set aside for one symbol."""
        return sum((each.amount for each in self.by_proposal.values() if each.symbol == symbol), ZERO)

    @property
    def total(self) -> Decimal:
        """Return what is set aside for all symbols."""
        return sum((each.amount for each in self.by_proposal.values()), ZERO)


def worths(quantities: Mapping[str, Decimal], marks: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return what the position in each symbol is worth at its mark; one below zero is exposure too, by its size."""
    return {symbol: abs(quantity * marks.get(symbol, ZERO)) for symbol, quantity in quantities.items()}
