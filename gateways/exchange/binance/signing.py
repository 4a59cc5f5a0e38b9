"""Who may ask: the key, the signature over exactly what was sent, and the time until which a request is good."""

import hashlib
import hmac
import re

from domain.market import Instant
from gateways.exchange.binance.errors import ApiError, missing, no_such_key, outside_window
from gateways.exchange.binance.parameters import Parameters
from gateways.exchange.reading import is_same

WINDOW_MS, WINDOW_MAX_MS = 5_000, 60_000
AHEAD_MAX_MS = 1_000
_SIGNATURE = re.compile(r"(?:^|&)signature=([0-9a-fA-F]*)")


def signature_of(payload: str, secret: str) -> str:
    """Return the signature of a payload."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def demand_key(given: str | None, key: str, *, is_revoked: bool) -> None:
    """Refuse a key that is none, or not this one."""
    if not given:
        raise ApiError(-2014, "API-key format invalid.", status=401)
    if is_revoked or not is_same(given, key):
        raise no_such_key()


def demand_signature(parameters: Parameters, secret: str) -> None:
    """Refuse a request whose signature is not that of all the rest of it."""
    found = _SIGNATURE.search(parameters.payload)
    if found is None:
        raise missing("signature")
    rest = parameters.payload[: found.start()] + parameters.payload[found.end() :]
    if not is_same(found[1].lower(), signature_of(rest, secret)):
        raise ApiError(-1022, "Signature for this request is not valid.")


def demand_time(parameters: Parameters, now: Instant) -> None:
    """Refuse a request that is too old by the exchange's clock, or from the future."""
    timestamp, window = parameters.whole("timestamp"), parameters.whole("recvWindow")
    if timestamp is None:
        raise missing("timestamp")
    window = WINDOW_MS if window is None else window
    if not 0 < window <= WINDOW_MAX_MS:
        raise ApiError(-1131, "recvWindow must be less than 60000")
    if timestamp >= now + AHEAD_MAX_MS:
        raise ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now - timestamp > window:
        raise outside_window()
