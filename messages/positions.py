"""What is held, and what it is worth."""

from decimal import Decimal

from domain.market import Instant
from messages.base import Event


class AccountOpened(Event, frozen=True):
    """The account's assets when the journal began."""

    cash: dict[str, Decimal]
    quote: str
    """The asset that worth is counted in."""
    namespace: str = ""
    """What every client order id of this journal carries, where its account may have other homes' orders too."""


class PositionChanged(Event, frozen=True):
    """A fill, or an import, changed what a strategy holds of a symbol.  Prices and profit in quote currency."""

    strategy: str
    symbol: str
    quantity: Decimal
    average_price: Decimal
    realised: Decimal
    cash: dict[str, Decimal]
    """The account's totals after it, by asset."""
    entered_at: Instant | None


class EquityMarked(Event, frozen=True):
    """What the account was worth when the bars that strategies decide on had closed, in quote currency."""

    at: Instant
    equity: Decimal
    cash: Decimal
    """Quote currency on the account, free and locked together."""
    unrealised: Decimal
    realised: Decimal
    drawdown: Decimal
    """Fall from the highest equity yet, as a fraction of it."""
