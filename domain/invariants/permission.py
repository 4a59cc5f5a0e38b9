"""The laws of permission: an entry is what the breaker approved, and who knows of a stop opens nothing."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from domain.invariants.finding import Finding

BREAKER = "breaker"
TURNS_KEPT = 100


class Approved(msgspec.Struct, frozen=True):
    """An approval that no order came of yet."""

    quantity: Decimal
    stop_price: Decimal | None
    seq: int


class Turn(msgspec.Struct, frozen=True):
    """From this sequence on, whether approvals and entries are stopped."""

    seq: int
    stops_approvals: bool
    stops_entries: bool


class Permission(msgspec.Struct):
    """What stops entries, as of each sequence that a witness may have come to."""

    reasons: dict[str, bool] = msgspec.field(default_factory=dict)
    """What stops approvals; true where it stops orders too that were approved before."""
    turns: list[Turn] = msgspec.field(default_factory=list)
    approved: dict[str, Approved] = msgspec.field(default_factory=dict)
    """By proposal."""

    def stop(self, reason: str, seq: int, *, stops_entries: bool = False) -> None:
        """Hear that entries end for a reason."""
        self.reasons[reason] = stops_entries
        self._turn(seq)

    def end(self, reason: str, seq: int) -> None:
        """Hear that one reason is gone."""
        if self.reasons.pop(reason, None) is not None:
            self._turn(seq)

    def resume(self, seq: int) -> None:
        """Hear that all of them are gone."""
        self.reasons.clear()
        self._turn(seq)

    def approve(
        self, proposal: str, quantity: Decimal, stop_price: Decimal | None, *, by: str, seen: int, seq: int
    ) -> Iterator[Finding]:
        """Hear of an approval."""
        if by != BREAKER:
            yield Finding("P4", proposal, "approved by the breaker", f"approved by {by}", (seq,))
        if (turn := self._turn_as_of(seen)) is not None and turn.stops_approvals:
            yield Finding("P5", proposal, "no approval", f"one by who had seen {seen}", (turn.seq, seq))
        self.approved[proposal] = Approved(quantity, stop_price, seq)

    def deny(self, proposal: str) -> None:
        """Hear that nothing comes of a proposal."""
        self.approved.pop(proposal, None)

    def enter(self, client_id: str, proposal: str, quantity: Decimal, *, seen: int, seq: int) -> Iterator[Finding]:
        """Hear of an entry's intent."""
        approved = self.approved.pop(proposal, None)
        if approved is None:
            yield Finding("P4", client_id, "an approval that was not used", f"none of {proposal!r}", (seq,))
        elif quantity > approved.quantity:
            yield Finding("P4", client_id, f"at most {approved.quantity}", f"{quantity}", (approved.seq, seq))
        if (turn := self._turn_as_of(seen)) is not None and turn.stops_entries:
            yield Finding("P5", client_id, "no entry", f"one by who had seen {seen}", (turn.seq, seq))

    def _turn(self, seq: int) -> None:
        self.turns.append(Turn(seq, bool(self.reasons), any(self.reasons.values())))
        del self.turns[:-TURNS_KEPT]

    def _turn_as_of(self, seen: int) -> Turn | None:
        return next((turn for turn in reversed(self.turns) if turn.seq <= seen), None)
