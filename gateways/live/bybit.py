"""Bybit v5 spot, on a unified account: its requests, its answers, and what its codes prove.

Source: the venue's REST documentation (v5), and what ccxt 4.5.90 was seen to send and to receive.  Almost everything
comes with HTTP 200; a `retCode` other than 0 is an error.  Orders bear our id as `orderLinkId`: ccxt's own name for it
is ignored by half of the questions, which then answer about another order.

That an order or a cancel was taken says no more than that: what becomes of it is decided later, and has to be asked.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from domain.market import HOUR_MS, SECOND_MS, TIMEFRAMES_MS, Instant, Instrument
from domain.order import Fill, Terms
from domain.sources import Row
from domain.venue import OpenOrder, VenueProfile
from gateways.live.bybit_codes import error_of
from gateways.live.bybit_rows import fill_of, instrument_of, newest_of_each, open_order_of, shown_of
from gateways.live.bybit_stretches import SPAN_MS, older_trades, place_in_trades, stretch, stretches
from gateways.live.dialect import Page, Shown, Taken, Unreadable, VenueError
from gateways.live.fields import amount, fields, number, text
from gateways.live.wire import Call, Lane, Received

WINDOW_MS_MAX = 60_000
"""The longest that we let a signed request be good for (`X-BAPI-RECV-WINDOW`)."""
PAGE, TRADES_PAGE = 50, 100
TIME_MIN_MS = 10**12
"""In 2001: a time before that, or of another length, is none in milliseconds."""
BAN_S = 600.0
"""Pause after a 403: whoever asks too often is to stay away for ten minutes."""
BUSY_S = 1.0
"""Pause where the venue does not say when there may be more: its limits are for a second."""
TOO_OFTEN, BANNED = 10006, 10018
_INTERVALS = {
    "1m": "1",
    "3m": "3",
    "5m": "5",
    "15m": "15",
    "30m": "30",
    "1h": "60",
    "2h": "120",
    "4h": "240",
    "6h": "360",
    "12h": "720",
    "1d": "D",
}


class Bybit:
    """The dialect of Bybit v5 spot."""

    exchange_id = "bybit"
    weight_per_s = 40.0
    burst = 40.0
    order_weight = 4.0
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
        # Its documentation has it that `triggerDirection` is for contracts only.
        refuses_late_stops=False,
    )

    def __init__(self) -> None:
        self._rules: Mapping[str, Instrument] = {}

    def know(self, rules: Mapping[str, Instrument]) -> None:
        """Take over the rules of the symbols that are traded: not every trade says in what its fee was paid."""
        self._rules = rules

    def settings(self) -> Mapping[str, Any]:
        """Keep ccxt to spot on a unified account, and from asking about anything else."""
        options = {
            "defaultType": "spot",
            "fetchMarkets": {"types": ["spot"]},
            "enableUnifiedMargin": False,
            "enableUnifiedAccount": True,
            "unifiedMarginStatus": 6,
            "timeDifference": 0,
            "adjustForTimeDifference": False,
        }
        return {"options": options, "has": {"fetchCurrencies": False}}

    # -- requests ------------------------------------------------------------------------------------------------

    def time(self) -> Call:
        """Ask for the venue's clock."""
        return Call(lane=Lane.QUERY, method="GET", path="v5/market/time", api="public")

    def place(self, terms: Terms, *, good_for_ms: int) -> Call:
        """Place an order; its window is the deadline that the venue enforces."""
        params: dict[str, str | int] = {
            "category": "spot",
            "symbol": terms.symbol,
            "side": terms.side.capitalize(),
            "orderType": "Limit" if terms.limit_price is not None else "Market",
            "qty": f"{terms.quantity:f}",
            "marketUnit": "baseCoin",
            "orderLinkId": terms.client_id,
        }
        if terms.limit_price is not None:
            params |= {"price": f"{terms.limit_price:f}", "timeInForce": "GTC"}
        if terms.stop_price is not None:
            # Without a direction the venue takes it from the price of that moment, and makes of a stop that comes too
            # late an order that waits for the price to come back.
            direction = 1 if terms.side == "buy" else 2
            params |= {"orderFilter": "tpslOrder", "triggerPrice": f"{terms.stop_price:f}"}
            params |= {"triggerDirection": direction}
        return Call(
            lane=Lane.STOP if terms.leg == "stop" else Lane.ORDER,
            method="POST",
            path="v5/order/create",
            api="private",
            params=params,
            # Its window begins where it was reckoned from, however long it takes until it is signed and sent.
            begins_at_ms=terms.valid_until - good_for_ms,
            good_for_ms=max(1, min(good_for_ms, WINDOW_MS_MAX)),
            weight=self.order_weight,
        )

    def cancel(self, client_id: str, symbol: str) -> Sequence[Call]:
        """Cancel an order by its client id, be it in the book or one that waits for its price."""
        named = {"category": "spot", "symbol": symbol, "orderLinkId": client_id}
        kinds = [named | {"orderFilter": kind} for kind in ("Order", "tpslOrder")]
        call = Call(lane=Lane.CANCEL, method="POST", path="v5/order/cancel", api="private", weight=2)
        return [msgspec.structs.replace(call, params=params) for params in kinds]

    def find(self, client_id: str, symbol: str) -> Sequence[Call]:
        """Ask for one order by its client id: the real-time list forgets finished ones, which are in the history."""
        params = {"symbol": symbol, "orderLinkId": client_id}
        return (_query("v5/order/realtime", params), _query("v5/order/history", params))

    def listings(self, symbol: str, since: Instant, now: Instant) -> Sequence[Sequence[Call]]:
        """Ask for all open orders, and for all finished ones since the order's time: it would be among either."""
        params = {"symbol": symbol, "limit": str(PAGE)}
        finished = (_query("v5/order/history", params | of_time) for of_time in stretches(since, now))
        return ((_query("v5/order/realtime", params), *finished),)

    def trades_of(self, shown: Shown, symbol: str) -> Call:
        """Ask for an order's trades, page by page, and one stretch of time after the other, the newest first."""
        params = {"symbol": symbol, "orderId": shown.venue_id, "limit": str(TRADES_PAGE)}
        until, cursor = place_in_trades(shown)
        params |= stretch(until - SPAN_MS) if until else {}
        return _query("v5/execution/list", params | ({"cursor": cursor} if cursor else {}))

    def rules(self) -> Call:
        """Ask for the rules of all symbols."""
        params = {"category": "spot"}
        return Call(lane=Lane.QUERY, method="GET", path="v5/market/instruments-info", api="public", params=params)

    def balances(self) -> Call:
        """Ask for what the account holds."""
        params = {"accountType": "UNIFIED"}
        return Call(lane=Lane.QUERY, method="GET", path="v5/account/wallet-balance", api="private", params=params)

    def open_orders(self, after: str = "") -> Call:
        """Ask for a page of the open orders of all symbols."""
        params = {"limit": str(PAGE)} | ({"cursor": after} if after else {})
        return _query("v5/order/realtime", params)

    def permissions(self) -> Call:
        """Ask for what the key permits."""
        return Call(lane=Lane.QUERY, method="GET", path="v5/user/query-api", api="private")

    def bars(self, symbol: str, timeframe: str, *, since: Instant, limit: int) -> Call:
        """Ask for bars that open at `since` or later."""
        # With a beginning alone, some versions answered the newest ones after it, and not the first.
        span = TIMEFRAMES_MS.get(timeframe, HOUR_MS)
        first = -(-since // span) * span
        return self._bars(symbol, timeframe, limit, {"start": str(first), "end": str(first + limit * span - 1)})

    def newest_bars(self, symbol: str, timeframe: str, *, limit: int) -> Call:
        """Ask for the newest bars."""
        return self._bars(symbol, timeframe, limit, {})

    def _bars(self, symbol: str, timeframe: str, limit: int, more: Mapping[str, str]) -> Call:
        # What the venue has no word for is asked in ours, and refused by it.
        interval = _INTERVALS.get(timeframe, timeframe)
        params = {"category": "spot", "symbol": symbol, "interval": interval, "limit": str(limit), **more}
        return Call(lane=Lane.DATA, method="GET", path="v5/market/kline", api="public", params=params)

    # -- answers -------------------------------------------------------------------------------------------------

    def read_time(self, received: Received) -> int:
        """Return the venue's time in milliseconds."""
        time_ms = number(fields(received), "time")
        if not TIME_MIN_MS <= time_ms < 10 * TIME_MIN_MS:
            raise Unreadable(f"expected milliseconds since the epoch, found {str(time_ms)[:20]}")
        return time_ms

    def read_rules(self, received: Received, symbols: Sequence[str]) -> Mapping[str, Instrument]:
        """Return the rules of these symbols, of those too that rest: what is held of them must be looked after."""
        return {text(row, "symbol"): instrument_of(row) for row in _rows(received) if row.get("symbol") in symbols}

    def read_symbols(self, received: Received) -> Sequence[str]:
        """Return all symbols that an answer with rules names."""
        return [text(row, "symbol") for row in _rows(received)]

    def read_balances(self, received: Received) -> Mapping[str, Decimal]:
        """Return totals by asset."""
        totals: dict[str, Decimal] = {}
        for account in _rows(received):
            coins = account.get("coin")
            if not isinstance(coins, list) or not all(isinstance(coin, dict) for coin in coins):
                raise Unreadable(f"expected a list of coins, found {type(coins).__name__}")
            totals |= {text(coin, "coin"): amount(coin, "walletBalance") for coin in coins}
        return {asset: total for asset, total in sorted(totals.items()) if total}

    def read_open_orders(self, received: Received) -> tuple[Sequence[OpenOrder], str]:
        """Return a page of open orders, and the cursor of the next one."""
        cursor = _result(received).get("nextPageCursor")
        return [open_order_of(row) for row in newest_of_each(_rows(received))], str(cursor or "")

    def read_may_withdraw(self, received: Received) -> bool:
        """Return whether the key permits withdrawals."""
        permissions = _result(received).get("permissions")
        of_wallet = permissions.get("Wallet") if isinstance(permissions, dict) else None
        if not isinstance(of_wallet, list):
            raise Unreadable(f"expected a list as permissions of the wallet, found {of_wallet!r:.80}")
        return "Withdraw" in of_wallet

    def read_bars(self, received: Received, symbol: str, timeframe: str) -> Sequence[Row]:
        """Return bars as rows, oldest first: numbers stay the texts that they came as."""
        bars = []
        for each in _list(received):
            is_bar = isinstance(each, list) and len(each) >= 6 and all(isinstance(word, str) for word in each)
            if not is_bar or not each[0].isdecimal():
                raise Unreadable(f"expected a bar as a list of numbers, found {each!r:.80}")
            bars.append(Row(symbol, timeframe, int(each[0]), *each[1:6]))
        return sorted(bars, key=lambda row: row.opened_at)

    def read_order(self, received: Received) -> Shown | Taken | None:
        """Return the one order of a list, or what an order or a cancel that was taken is called."""
        result = _result(received)
        if "list" not in result:
            return Taken(text(result, "orderLinkId"), text(result, "orderId"))
        listed = newest_of_each(_rows(received))
        if len(listed) > 1:
            raise Unreadable(f"expected one order, found {len(listed)}")
        return shown_of(listed[0]) if listed else None

    def read_list(self, received: Received, call: Call) -> Page:
        """Return a page of orders."""
        orders = [shown_of(row) for row in newest_of_each(_rows(received))]
        cursor = _result(received).get("nextPageCursor")
        if cursor:
            rest = msgspec.structs.replace(call, params={**call.params, "cursor": str(cursor)})
            return Page(orders, rest=rest)
        # Without a beginning, the history is that of the last days.
        return Page(orders, is_cut=call.path.endswith("history") and "startTime" not in call.params)

    def read_trades(self, received: Received, shown: Shown, symbol: str) -> tuple[tuple[Fill, ...], str]:
        """Return trades of an order, oldest first, and where older ones are: the end of their stretch, and a cursor."""
        mine = [row for row in reversed(_rows(received)) if text(row, "orderId") == shown.venue_id]
        fills = tuple(fill_of(row, shown.client_id, symbol, self._rules.get(symbol)) for row in mine)
        cursor = _result(received).get("nextPageCursor")
        # A page that adds nothing is followed by others like it, for ever.
        if cursor and not set(fills) <= set(shown.fills or ()):
            return fills, f"{place_in_trades(shown)[0]}|{cursor}"
        return fills, older_trades(shown)

    def error_in(self, received: Received) -> VenueError | None:
        """Return the error that the venue has named: a code other than 0, with a message."""
        body = received.body
        if not isinstance(body, dict) or type(body.get("retCode")) is not int:
            return None
        code, message = body["retCode"], body.get("retMsg")
        return error_of(code, str(message), received.status) if code else None

    def pause_of(self, received: Received) -> float:
        """Return how long an answer asks to wait."""
        body = received.body if isinstance(received.body, dict) else {}
        code = body.get("retCode")
        if code == BANNED or (received.status == 403 and code is None):
            return BAN_S
        if received.status == 429:
            given = received.headers.get("retry-after", "")
            return float(given) if given.isdecimal() else BUSY_S
        if code != TOO_OFTEN:
            return 0.0
        reset, now = received.headers.get("x-bapi-limit-reset-timestamp", ""), body.get("time")
        if not reset.isdecimal() or not isinstance(now, int):
            return BUSY_S
        return min(BAN_S, max(0.1, (int(reset) - now) / SECOND_MS))

    def used_weight(self, received: Received) -> tuple[float, float] | None:
        """Return how many requests of this kind the venue has counted in this second."""
        limit = received.headers.get("x-bapi-limit", "")
        left = received.headers.get("x-bapi-limit-status", "")
        if not limit.isdecimal() or not left.isdecimal() or not 0 < int(limit) >= int(left):
            return None
        return float(limit) - float(left), float(limit)


def _query(path: str, params: Mapping[str, str]) -> Call:
    return Call(lane=Lane.QUERY, method="GET", path=path, api="private", params={"category": "spot", **params})


def _result(received: Received) -> Mapping[str, Any]:
    body = fields(received)
    if number(body, "retCode") or not isinstance(body.get("result"), dict):
        raise Unreadable(f"expected retCode 0 and a result, found {body.get('retCode')!r:.40}")
    result: Mapping[str, Any] = body["result"]
    return result


def _list(received: Received) -> Sequence[Any]:
    found = _result(received).get("list")
    if not isinstance(found, list):
        raise Unreadable(f"expected a list, found {type(found).__name__}")
    return found


def _rows(received: Received) -> Sequence[Mapping[str, Any]]:
    found = _list(received)
    if not all(isinstance(row, dict) for row in found):
        raise Unreadable("expected a list of objects, found others in it")
    return found
