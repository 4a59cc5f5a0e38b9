"""What keeps an exchange from starting, and why it takes no request."""

from enum import StrEnum


class HomeTaken(Exception):
    """Another exchange runs on this home."""


class AddressTaken(OSError):
    """The address cannot be listened on."""


class ExchangeFailed(OSError):
    """What the exchange did cannot be written down, or read again; it serves nobody any more."""


class Reason(StrEnum):
    """Why the exchange refuses a request, in no exchange's dialect."""

    UNKNOWN_SYMBOL = "unknown_symbol"
    MARKET_CLOSED = "market_closed"
    PRICE_FILTER = "price_filter"
    LOT_SIZE = "lot_size"
    NOTIONAL = "notional"
    NOTIONAL_MAX = "notional_max"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    DUPLICATE_CLIENT_ID = "duplicate_client_id"
    WOULD_TAKE = "would_take"
    WOULD_TRIGGER = "would_trigger"
    TOO_MANY_ORDERS = "too_many_orders"
    UNKNOWN_ORDER = "unknown_order"


class Refused(Exception):
    """The exchange does not do what it was asked; the book is as before."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail
