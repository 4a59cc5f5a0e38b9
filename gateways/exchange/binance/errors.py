"""What goes wrong, in the exchange's own codes and words."""

from gateways.exchange.errors import Reason, Refused


class ApiError(Exception):
    """A request is answered with an HTTP status, a code and a sentence."""

    def __init__(self, code: int, message: str, *, status: int = 400, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.status, self.retry_after_s = code, message, status, retry_after_s


_REASONS: dict[Reason, tuple[int, str]] = {
    Reason.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    Reason.MARKET_CLOSED: (-1013, "Market is closed."),
    Reason.PRICE_FILTER: (-1013, "Filter failure: PRICE_FILTER"),
    Reason.LOT_SIZE: (-1013, "Filter failure: LOT_SIZE"),
    Reason.NOTIONAL: (-1013, "Filter failure: NOTIONAL"),
    Reason.NOTIONAL_MAX: (-1013, "Filter failure: NOTIONAL"),
    Reason.INSUFFICIENT_BALANCE: (-2010, "Account has insufficient balance for requested action."),
    Reason.DUPLICATE_CLIENT_ID: (-2010, "Duplicate order sent."),
    Reason.WOULD_TAKE: (-2010, "Order would immediately match and take."),
    Reason.WOULD_TRIGGER: (-2010, "Stop price would trigger immediately."),
    # Open orders are counted by the engine: its refusal, although in the words of a filter, was seen with its code.
    Reason.TOO_MANY_ORDERS: (-2010, "Filter failure: MAX_NUM_ORDERS"),
    Reason.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
}


def error_of(refused: Refused) -> ApiError:
    """Return a refusal in the exchange's words."""
    return ApiError(*_REASONS[refused.reason])


def missing(name: str) -> ApiError:
    """Return that a parameter is not there."""
    return ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def malformed(name: str, legal: str) -> ApiError:
    """Return that a parameter cannot be read."""
    return ApiError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def outside_window() -> ApiError:
    """Return that a request came too late."""
    return ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")


def no_such_key(status: int = 401) -> ApiError:
    """Return that a key may not do this."""
    return ApiError(-2015, "Invalid API-key, IP, or permissions for action.", status=status)
