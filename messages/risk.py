"""Verdicts of the breaker."""

from decimal import Decimal
from typing import Literal

from domain.market import Instant
from domain.proposal import Entry, Reason
from messages.base import Event


class OrderApproved(Event, frozen=True):
    """An entry may become an order, of this quantity, which is at most what was proposed."""

    proposal_id: str
    strategy: str
    entry: Entry
    quantity: Decimal
    reserved: Decimal
    """Quote currency set aside for it, fees and slippage included."""
    offer_at: Instant
    reduced_by: Reason | None = None


class OrderDenied(Event, frozen=True):
    """A proposal was refused before it left the house."""

    proposal_id: str
    strategy: str
    symbol: str
    reason: Reason
    detail: str


class BreakerTripped(Event, frozen=True):
    """A limit was crossed; entries are denied until it is reset."""

    limit: Literal["daily_loss", "drawdown"]
    value: Decimal
    allowed: Decimal


class BreakerReset(Event, frozen=True):
    """A trip ended: by the new day for the daily loss, by an operator with a reason for the drawdown."""

    limit: Literal["daily_loss", "drawdown"]
    reason: str
