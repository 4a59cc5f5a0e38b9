"""What goes wrong, in Bybit's own codes and words; almost all of it comes with HTTP 200."""

from gateways.exchange.errors import Reason, Refused


class ApiError(Exception):
    """A request is answered with a code and a sentence."""

    def __init__(self, code: int, message: str, *, status: int = 200) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


_REASONS: dict[Reason, tuple[int, str]] = {
    Reason.UNKNOWN_SYMBOL: (170121, "Invalid symbol."),
    Reason.MARKET_CLOSED: (170157, "The trading pair is not available for api trading."),
    Reason.PRICE_FILTER: (170134, "Order price has too many decimals."),
    Reason.LOT_SIZE: (170137, "Order volume decimal too long or out of range."),
    Reason.NOTIONAL: (170140, "Order value exceeded lower limit."),
    Reason.NOTIONAL_MAX: (170124, "Order amount too large."),
    Reason.INSUFFICIENT_BALANCE: (170131, "Insufficient balance."),
    Reason.DUPLICATE_CLIENT_ID: (170141, "Duplicate clientOrderId."),
    Reason.WOULD_TAKE: (170218, "The LIMIT-MAKER order is rejected due to invalid price."),
    Reason.WOULD_TRIGGER: (110093, "expect Falling, but trigger_price >= current"),
    Reason.TOO_MANY_ORDERS: (170005, "Too many new orders."),
    Reason.UNKNOWN_ORDER: (170213, "Order does not exist."),
}


def error_of(refused: Refused) -> ApiError:
    """Return a refusal in the exchange's words."""
    return ApiError(*_REASONS.get(refused.reason, (170210, "New order rejected.")))


def malformed(name: str) -> ApiError:
    """Return that a parameter is not there, or cannot be read."""
    return ApiError(10001, f"params error: {name} invalid")


def not_supported(name: str) -> ApiError:
    """Return that a parameter asks for what there is not."""
    return ApiError(10001, f"params error: {name} is not supported here")


def outside_window() -> ApiError:
    """Return that a request came too late, or too early."""
    return ApiError(10002, "invalid request, please check your server timestamp or recv_window param")


def too_many_visits() -> ApiError:
    """Return that too much was asked."""
    return ApiError(10006, "Too many visits. Exceeded the API Rate Limit.")
