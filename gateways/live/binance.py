"""Binance spot: its requests, its answers, and what its error codes prove.

Source: the venue's REST documentation (spot), and what ccxt 4.5.90 was seen to send and to receive.  Its error codes
are at "Error codes for Binance"; a code is on a list here only where the documentation says that nothing was done.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from domain.market import Instant, Instrument
from domain.order import Fill, Terms
from domain.sources import Row
from domain.venue import OpenOrder, VenueProfile
from gateways.live.binance_rows import TYPES, fill_of, instrument_of, number_of, open_order_of, shown_of
from gateways.live.dialect import Meaning, Page, Shown, Unreadable, VenueError
from gateways.live.fields import amount, fields, number, rows, text
from gateways.live.wire import Call, Lane, Received

WINDOW_MS_MAX = 60_000
"""The longest that the venue lets a signed request be good for (`recvWindow`)."""
RECENT_MAX = 1_000
WEIGHT_PER_MINUTE = 6_000.0
TIME_MIN_MS = 10**12
"""In 2001: a time before that, or of another length, is none in milliseconds."""
BAN_S = 120.0
"""Pause after a 418 or 429 that does not say how long; the shortest ban is two minutes."""

_REFUSALS = frozenset(
    {
        -1002,  # not authorised
        -1013,  # a filter of the symbol
        -1014,  # combination of order terms
        -1016,  # no longer served
        -1020,  # not supported
        -1022,  # signature
        *range(-1136, -1099),  # what is wrong with a parameter: looked at before anything is done
        -2008,  # key unknown
        -2010,  # order refused by the matching engine, except as a duplicate
        -2014,  # key malformed
        -2015,  # key, address or permission
        -2016,  # no trading window
    }
)
_KEYS = frozenset({-1022, -2008, -2014, -2015})
_CLOCK = -1021
_BUSY = frozenset({-1003, -1015})
"""Too many requests, too many orders."""
_NOT_FOUND = frozenset({-2011, -2013})
_ARCHIVED = -2026
"""The order was canceled or expired more than 90 days ago, with nothing executed."""
_DUPLICATE = "duplicate order"
_REACHED = "would trigger immediately"


class Binance:
    """The dialect of Binance spot."""

    exchange_id = "binance"
    weight_per_s = WEIGHT_PER_MINUTE / 60
    burst = WEIGHT_PER_MINUTE / 10
    order_weight = 1.0
    profile = VenueProfile(
        enforces_deadline=True,
        in_flight_outlives_us=True,
        visibility_lag_ms=10_000,
        skew_ms=2_000,
        negatives_needed=2,
        answer_within_s=15.0,
        look_again_s=2.0,
        market_lock=Decimal("0.02"),
        fee_lock=Decimal("0.001"),
        base_fee=Decimal("0.001"),
    )

    def know(self, rules: Mapping[str, Instrument]) -> None:
        """Ignore the rules of symbols: each answer says all that it takes to read it."""

    def settings(self) -> Mapping[str, Any]:
        """Keep ccxt to spot, and from asking about anything else."""
        options = {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "fetchCurrencies": False,
            "fetchMargins": False,
            "timeDifference": 0,
            "adjustForTimeDifference": False,
        }
        return {"options": options}

    # -- requests ------------------------------------------------------------------------------------------------

    def time(self) -> Call:
        """Ask for the venue's clock."""
        return Call(lane=Lane.QUERY, method="GET", path="time", api="public", weight=1)

    def place(self, terms: Terms, *, good_for_ms: int) -> Call:
        """Place an order; `recvWindow` is the deadline that the venue enforces."""
        params = {
            "symbol": terms.symbol,
            "side": terms.side.upper(),
            "type": TYPES[terms.type],
            "quantity": f"{terms.quantity:f}",
            "newClientOrderId": terms.client_id,
            "newOrderRespType": "FULL",
            # Its window begins where it was reckoned from, however long it takes until it is signed and sent.
            "timestamp": str(terms.valid_until - good_for_ms),
            "recvWindow": str(max(1, min(good_for_ms, WINDOW_MS_MAX))),
        }
        if terms.limit_price is not None:
            params |= {"price": f"{terms.limit_price:f}", "timeInForce": "GTC"}
        if terms.stop_price is not None:
            params["stopPrice"] = f"{terms.stop_price:f}"
        lane = Lane.STOP if terms.leg == "stop" else Lane.ORDER
        return Call(lane=lane, method="POST", path="order", api="private", params=params, weight=self.order_weight)

    def cancel(self, client_id: str, symbol: str) -> Sequence[Call]:
        """Cancel an order by its client id."""
        params = {"symbol": symbol, "origClientOrderId": client_id}
        return (Call(lane=Lane.CANCEL, method="DELETE", path="order", api="private", params=params, weight=1),)

    def find(self, client_id: str, symbol: str) -> Sequence[Call]:
        """Ask for one order by its client id."""
        params = {"symbol": symbol, "origClientOrderId": client_id}
        return (Call(lane=Lane.QUERY, method="GET", path="order", api="private", params=params, weight=4),)

    def listings(self, symbol: str, since: Instant, now: Instant) -> Sequence[Sequence[Call]]:
        """Ask for the newest orders; where those are too many, for those of the order's time."""
        return ((self.list_recent(symbol),), *(((self.list_since(symbol, since),),) if since > 0 else ()))

    def list_recent(self, symbol: str) -> Call:
        """Ask for the symbol's newest orders."""
        params = {"symbol": symbol, "limit": str(RECENT_MAX)}
        return Call(lane=Lane.QUERY, method="GET", path="allOrders", api="private", params=params, weight=20)

    def list_since(self, symbol: str, since: Instant) -> Call:
        """Ask for the symbol's orders from an instant on."""
        params = {"symbol": symbol, "startTime": str(since), "limit": str(RECENT_MAX)}
        return Call(lane=Lane.QUERY, method="GET", path="allOrders", api="private", params=params, weight=20)

    def trades_of(self, shown: Shown, symbol: str) -> Call:
        """Ask for an order's trades: for the newest, and where those are too many for all, from a number on."""
        params = {"symbol": symbol, "orderId": shown.venue_id, "limit": str(RECENT_MAX)}
        if shown.trades_from:
            params["fromId"] = shown.trades_from
        return Call(lane=Lane.QUERY, method="GET", path="myTrades", api="private", params=params, weight=20)

    def rules(self) -> Call:
        """Ask for the rules of all symbols, without who may trade each of them, which is longer than all the rest."""
        params = {"showPermissionSets": "false"}
        return Call(lane=Lane.QUERY, method="GET", path="exchangeInfo", api="public", params=params, weight=20)

    def balances(self) -> Call:
        """Ask for what the account holds."""
        return Call(lane=Lane.QUERY, method="GET", path="account", api="private", weight=20)

    def permissions(self) -> Call:
        """Ask for what the key permits."""
        return Call(lane=Lane.QUERY, method="GET", path="account/apiRestrictions", api="sapi", weight=1)

    def open_orders(self, after: str = "") -> Call:
        """Ask for the open orders of all symbols, which come in one answer."""
        return Call(lane=Lane.QUERY, method="GET", path="openOrders", api="private", weight=80)

    def bars(self, symbol: str, timeframe: str, *, since: Instant, limit: int) -> Call:
        """Ask for bars that open at `since` or later, oldest first."""
        params = {"symbol": symbol, "interval": timeframe, "startTime": str(since), "limit": str(limit)}
        return Call(lane=Lane.DATA, method="GET", path="klines", api="public", params=params, weight=2)

    def newest_bars(self, symbol: str, timeframe: str, *, limit: int) -> Call:
        """Ask for the newest bars."""
        params = {"symbol": symbol, "interval": timeframe, "limit": str(limit)}
        return Call(lane=Lane.DATA, method="GET", path="klines", api="public", params=params, weight=2)

    # -- answers -------------------------------------------------------------------------------------------------

    def read_time(self, received: Received) -> int:
        """Return the venue's time in milliseconds."""
        time_ms = number(fields(received), "serverTime")
        if not TIME_MIN_MS <= time_ms < 10 * TIME_MIN_MS:
            raise Unreadable(f"expected milliseconds since the epoch, found {str(time_ms)[:20]}")
        return time_ms

    def read_rules(self, received: Received, symbols: Sequence[str]) -> Mapping[str, Instrument]:
        """Return the rules of these symbols, of those too that rest: what is held of them must be looked after."""
        wanted = [row for row in _listed(received) if row.get("symbol") in symbols]
        return {text(row, "symbol"): instrument_of(row) for row in wanted}

    def read_symbols(self, received: Received) -> Sequence[str]:
        """Return all symbols that an answer with rules names."""
        return [text(row, "symbol") for row in _listed(received)]

    def read_balances(self, received: Received) -> Mapping[str, Decimal]:
        """Return totals by asset."""
        held = fields(received).get("balances")
        if not isinstance(held, list) or not all(isinstance(row, dict) for row in held):
            raise Unreadable(f"expected a list of balances, found {type(held).__name__}")
        totals = {text(row, "asset"): amount(row, "free") + amount(row, "locked") for row in held}
        return {asset: total for asset, total in sorted(totals.items()) if total}

    def read_may_withdraw(self, received: Received) -> bool:
        """Return whether the key permits withdrawals."""
        may_withdraw = fields(received).get("enableWithdrawals")
        if not isinstance(may_withdraw, bool):
            raise Unreadable(f"expected true or false as enableWithdrawals, found {may_withdraw!r:.80}")
        return may_withdraw

    def read_open_orders(self, received: Received) -> tuple[Sequence[OpenOrder], str]:
        """Return all open orders."""
        return [open_order_of(row) for row in rows(received)], ""

    def read_bars(self, received: Received, symbol: str, timeframe: str) -> Sequence[Row]:
        """Return bars as rows: numbers stay the texts that they came as."""
        found = received.body
        if received.status != 200 or not isinstance(found, list):
            raise Unreadable(f"expected a JSON list with status 200, found status {received.status}")
        bars = []
        for each in found:
            if not isinstance(each, list) or len(each) < 6 or not isinstance(each[0], int):
                raise Unreadable(f"expected a bar as a list of numbers, found {each!r:.80}")
            bars.append(Row(symbol, timeframe, each[0], *map(str, each[1:6])))
        return bars

    def read_order(self, received: Received) -> Shown:
        """Return the order that an answer shows."""
        return shown_of(fields(received))

    def read_list(self, received: Received, call: Call) -> Page:
        """Return the orders of a list, which is cut where it is as long as it may be."""
        listed = rows(received)
        return Page([shown_of(row) for row in listed], is_cut=len(listed) >= RECENT_MAX)

    def read_trades(self, received: Received, shown: Shown, symbol: str) -> tuple[tuple[Fill, ...], str]:
        """Return trades of an order, oldest first, and the number that further ones begin with."""
        listed = rows(received)
        mine = [row for row in listed if str(number(row, "orderId")) == shown.venue_id]
        fills = tuple(sorted((fill_of(row, shown.client_id, symbol) for row in mine), key=number_of))
        if not fills or len(listed) < RECENT_MAX:
            return fills, ""
        if not shown.trades_from:
            return (), "0"  # Without a number to begin with these are the newest, and older ones were left out.
        following = number_of(fills[-1]) + 1
        return fills, str(following) if following > int(shown.trades_from) else ""

    def error_in(self, received: Received) -> VenueError | None:
        """Return the error that the venue has named: a code below zero, with a message."""
        body = received.body
        if not isinstance(body, dict) or not isinstance(body.get("code"), int) or not isinstance(body.get("msg"), str):
            return None
        code, message = body["code"], body["msg"]
        if code >= 0:
            return None
        return VenueError(str(code), message, _meaning(code, message, received.status), blames_keys=code in _KEYS)

    def pause_of(self, received: Received) -> float:
        """Return how long a 429 or 418 asks to wait."""
        if received.status not in (418, 429):
            return 0.0
        given = received.headers.get("retry-after", "")
        return float(given) if given.isdecimal() else BAN_S

    def used_weight(self, received: Received) -> tuple[float, float] | None:
        """Return the weight of this minute as the venue has counted it."""
        used = received.headers.get("x-mbx-used-weight-1m", "")
        return (float(used), WEIGHT_PER_MINUTE) if used.isdecimal() else None


def _listed(received: Received) -> Sequence[Mapping[str, Any]]:
    """Return the rows of an answer with rules."""
    listed = fields(received).get("symbols")
    if not isinstance(listed, list):
        raise Unreadable(f"expected a list of symbols, found {type(listed).__name__}")
    return [row for row in listed if isinstance(row, dict)]


def _meaning(code: int, message: str, status: int) -> Meaning:
    if status >= 500:
        return "nothing"
    if code == -2010 and _DUPLICATE in message.lower():
        return "exists"
    if code == -2010 and _REACHED in message.lower():
        return "reached"
    if code == _CLOCK:
        return "clock"
    if code in _BUSY:
        return "busy"
    if code in _NOT_FOUND:
        return "not_found"
    if code == _ARCHIVED:
        return "archived"
    return "rejected" if code in _REFUSALS else "nothing"
