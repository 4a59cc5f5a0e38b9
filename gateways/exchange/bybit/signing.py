"""Who may ask: key, time, window and signature, all of them in headers."""

import hashlib
import hmac
from collections.abc import Mapping

from domain.market import Instant
from gateways.exchange.bybit.errors import ApiError, outside_window
from gateways.exchange.bybit.parameters import Parameters
from gateways.exchange.reading import is_same

WINDOW_MS = 5_000
AHEAD_MAX_MS = 1_000
STREAM_REALM = "GET/realtime"


def signature_of(payload: str, secret: str) -> str:
    """Return the signature of a payload."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def demand_key(given: str, key: str, *, is_revoked: bool) -> None:
    """Refuse a key that is none, or not this one."""
    if is_revoked or not is_same(given, key):
        raise ApiError(10003, "API key is invalid.")


def demand_signed(headers: Mapping[str, str], parameters: Parameters, secret: str, now: Instant) -> None:
    """Refuse a request that is too old by the exchange's clock, from the future, or not signed with the secret."""
    timestamp, window = headers.get("X-BAPI-TIMESTAMP", ""), headers.get("X-BAPI-RECV-WINDOW", "")
    if not timestamp.isdecimal() or not (window or "0").isdecimal() or len(timestamp) > 18 or len(window) > 9:
        raise ApiError(10001, "params error: timestamp or recv_window invalid")
    good_for = int(window) if window else WINDOW_MS
    if not now - good_for <= int(timestamp) < now + AHEAD_MAX_MS:
        raise outside_window()
    signed = timestamp + headers.get("X-BAPI-API-KEY", "") + window + parameters.payload
    given = headers.get("X-BAPI-SIGN", "").lower()
    if not is_same(given, signature_of(signed, secret)):
        raise ApiError(10004, "error sign! please check your signature generation algorithm.")
