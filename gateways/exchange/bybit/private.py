"""What the account's owner may ask and order."""

import secrets
from collections.abc import Iterator
from itertools import islice
from typing import Any, cast

from domain.market import DAY_MS, Instant
from domain.money import ZERO
from domain.order import Side
from gateways.exchange.bybit import shapes
from gateways.exchange.bybit.errors import error_of, malformed, not_supported
from gateways.exchange.bybit.parameters import Parameters
from gateways.exchange.bybit.public import PublicApi, demand_spot
from gateways.exchange.clock import VenueClock
from gateways.exchange.engine import Engine
from gateways.exchange.errors import Reason, Refused
from gateways.exchange.gate import Gate
from gateways.exchange.ledger import FAR, Ledger, Search
from gateways.exchange.market import Listing
from gateways.exchange.orders import WAITS, Kind, Order, OrderRequest, TimeInForce
from gateways.exchange.veil import Veil

RECENT_MAX = 500
"""Finished orders that the real-time list still has."""
PAGE, PAGE_MAX = 20, 50
TRADES_PAGE, TRADES_PAGE_MAX = 50, 100
SPAN_MS = 7 * DAY_MS
"""The longest stretch of time that a list is told of at once, and that of one asked for without any."""
_FILTERS = ("Order", "StopOrder", "tpslOrder")
IDS = ("orderId", "orderLinkId")
_SAYS_NOTHING = ("", "0", "false")
_NOT_MODELLED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("takeProfit", "stopLoss", "tpLimitPrice", "slLimitPrice"), _SAYS_NOTHING),
    **dict.fromkeys(("slippageTolerance", "slippageToleranceType", "bboSideType", "bboLevel"), _SAYS_NOTHING),
    "isLeverage": _SAYS_NOTHING,
    # An order that would trade with another one of the account ends that one, which is the maker.
    "smpType": ("", "None", "CancelMaker"),
    "triggerBy": ("", "LastPrice"),
}
"""What would make another order of it, and the values with which it says no more than its absence.

Others that are not read are of no meaning to a spot order at Bybit either, which takes them and says nothing.
"""


class PrivateApi:
    """Answers about the account, as JSON has it.  Every method raises ApiError for what is refused."""

    def __init__(
        self,
        engine: Engine,
        ledger: Ledger,
        public: PublicApi,
        clock: VenueClock,
        veil: Veil,
        gate: Gate,
        *,
        key_may_withdraw: bool = False,
    ) -> None:
        self._engine, self._ledger, self._public, self._clock = engine, ledger, public, clock
        self._veil, self._gate, self._key_may_withdraw = veil, gate, key_may_withdraw

    def create_order(self, asked: Parameters) -> Any:
        """Take an order; the answer says what it is called, and not what became of it."""
        request = self._order_request(asked)
        try:
            if self._engine.account.find(request.symbol, order_id=None, client_id=request.client_id) is not None:
                raise Refused(Reason.DUPLICATE_CLIENT_ID, f"an order had the client id {request.client_id}")
            order, _ = self._engine.place(request, share=self._veil.share_at_once)
        except Refused as refused:
            raise error_of(refused) from refused
        self._veil.hide(order)
        return shapes.ids_of(order)

    def cancel_order(self, asked: Parameters) -> Any:
        """Cancel an order, by its number or its client id."""
        symbol = self._public.listing(asked).instrument.symbol
        order_id, link_id = self._named(asked)
        if order_id is None and link_id is None:
            raise malformed("orderId")
        # Its number goes first; then the other one is not looked at.
        link_id = link_id if order_id is None else None
        share, before = self._veil.share_at_cancel, None
        found = self._engine.account.find(symbol, order_id=order_id, client_id=link_id)
        if found is not None and share:
            before = (found.executed, found.executed_worth)
        waits_for_price = asked.one_of("orderFilter", _FILTERS, "Order") != "Order"
        try:
            if found is not None and _waits(found) != waits_for_price:
                raise Refused(Reason.UNKNOWN_ORDER, "it is of another kind than the request names")
            order = self._engine.cancel(symbol, order_id=order_id, client_id=link_id, share_first=share)
        except Refused as refused:
            raise error_of(refused) from refused
        if before is not None:
            self._veil.keep_back(order, *before, now=self._clock.now())
        return shapes.ids_of(order)

    def cancel_all(self, asked: Parameters) -> Any:
        """Cancel every open order, of one symbol or of all, or only those that wait for their price, or that do not."""
        orders = self._engine.account.open_orders(self._symbol(asked))
        if "orderFilter" in asked:
            waiting = asked.one_of("orderFilter", _FILTERS) != "Order"
            orders = [order for order in orders if _waits(order) == waiting]
        for order in orders:
            self._engine.cancel(order.request.symbol, order_id=order.order_id, client_id=None)
        return {"list": [shapes.ids_of(order) for order in orders], "success": "1"}

    def realtime(self, asked: Parameters) -> Any:
        """Tell open orders; by name, or with `openOnly=1`, also those that ended since the exchange was started."""
        symbol, (order_id, link_id) = self._symbol(asked), self._named(asked)
        link_id = link_id if order_id is None else None
        is_named = order_id is not None or link_id is not None
        if is_named or asked.whole("openOnly") == 1:
            since = max(self._gate.began_at, self._gate.forgot_at)
            closed = self._ledger.closed_orders(Search(symbol, order_id, link_id, RECENT_MAX))
            found = [order for order in closed if order.updated_at >= since]
        else:
            found = []
        if is_named or asked.whole("openOnly") != 1:
            found += reversed(self._engine.account.open_orders(symbol))
        if is_named:
            found = [order for order in found if _is_named(order, order_id, link_id)]
        return self._page(found, asked)

    def history(self, asked: Parameters) -> Any:
        """Tell orders that have ended, or those of them with one status, newest first."""
        search = self._search(asked, asked.limit(PAGE, PAGE_MAX))
        status = asked.one_of("orderStatus", shapes.ENDED) if "orderStatus" in asked else ""
        now = self._clock.now()
        closed = (
            order
            for order in self._closed(search)
            if not status or shapes.status_of(self._veil.as_shown(order, now)) == status
        )
        found = list(islice(closed, search.limit))
        cursor = str(found[-1].order_id) if len(found) >= search.limit else ""
        return _listed(self._rows(found)) | {"nextPageCursor": cursor}

    def _closed(self, search: Search) -> Iterator[Order]:
        """Yield orders that have ended, newest first: a status is more than the ledger can search by."""
        while found := self._ledger.closed_orders(search):
            yield from found
            search = search._replace(before_id=found[-1].order_id)

    def executions(self, asked: Parameters) -> Any:
        """Tell the account's trades, newest first."""
        search = self._search(asked, asked.limit(TRADES_PAGE, TRADES_PAGE_MAX))
        found = self._ledger.newest_trades(search)
        cursor, now = str(found[-1].trade_id) if len(found) >= search.limit else "", self._clock.now()
        rows = [
            shapes.execution_row(trade)
            for trade in found
            if not (self._veil.hides(trade.order_id, now) or self._veil.hides_trade(trade, now))
        ]
        return _listed(rows) | {"nextPageCursor": cursor}

    def _search(self, asked: Parameters, limit: int) -> Search:
        """Read what a list is to be of; where an order's number is given, its client id is not looked at."""
        order_id, link_id = self._named(asked)
        begin, end = self._stretch(asked)
        return Search(
            self._symbol(asked),
            order_id,
            link_id if order_id is None else None,
            limit,
            before_id=asked.whole("cursor"),
            begin=begin,
            end=end,
        )

    def _stretch(self, asked: Parameters) -> tuple[Instant, Instant]:
        """Read of which time a list is to be."""
        begin, end = asked.whole("startTime"), asked.whole("endTime")
        if begin is None:
            return (self._clock.now() - SPAN_MS, FAR) if end is None else (end - SPAN_MS, end)
        if end is not None and not 0 <= end - begin <= SPAN_MS:
            raise malformed("endTime")
        return begin, begin + SPAN_MS if end is None else end

    def wallet(self, asked: Parameters) -> Any:
        """Tell what the account has, or what it has of some coins."""
        asked.one_of("accountType", ("UNIFIED",))
        account = self._engine.account
        if "coin" not in asked:
            return {"list": shapes.wallet(account.holdings())}
        known, named = account.all_holdings(), asked.text("coin").split(",")
        if not known.keys() >= set(named):
            raise malformed("coin")
        return {"list": shapes.wallet({coin: known[coin] for coin in named})}

    def key(self, asked: Parameters) -> Any:
        """Tell what the key permits."""
        return {
            "id": "1",
            "readOnly": 0,
            "permissions": {"Spot": ["SpotTrade"], "Wallet": ["Withdraw"] if self._key_may_withdraw else []},
            "ips": ["*"],
            "type": 1,
            "unified": 0,
            "uta": 1,
            "userID": 1,
            "isMaster": True,
        }

    def account_info(self, asked: Parameters) -> Any:
        """Tell of which kind the account is."""
        return {"unifiedMarginStatus": 6, "marginMode": "REGULAR_MARGIN", "updatedTime": str(self._clock.now())}

    def _symbol(self, asked: Parameters) -> str | None:
        demand_spot(asked)
        return self._public.listing(asked).instrument.symbol if "symbol" in asked else None

    def _named(self, asked: Parameters) -> tuple[int | None, str | None]:
        return asked.whole("orderId"), asked.link_id()

    def _page(self, found: list[Order], asked: Parameters) -> Any:
        """Return a page of a list that is short enough to be made anew each time; newest first."""
        limit, before = asked.limit(PAGE, PAGE_MAX), asked.whole("cursor")
        ordered = sorted(found, key=lambda order: -order.order_id)
        left = [order for order in ordered if before is None or order.order_id < before]
        cursor = str(left[limit - 1].order_id) if len(left) > limit else ""
        return _listed(self._rows(left[:limit])) | {"nextPageCursor": cursor}

    def _rows(self, orders: list[Order]) -> list[dict[str, Any]]:
        now = self._clock.now()
        shown = [self._veil.as_shown(order, now) for order in orders if not self._veil.hides(order.order_id, now)]
        return [shapes.order_row(order) for order in shown]

    def _order_request(self, asked: Parameters) -> OrderRequest:
        listing = self._public.listing(asked)
        _demand_modelled(asked)
        side = asked.one_of("side", ("Buy", "Sell")).lower()
        is_market = asked.one_of("orderType", ("Market", "Limit")) == "Market"
        waits = asked.one_of("orderFilter", _FILTERS, "Order") != "Order"
        force = asked.one_of("timeInForce", ("GTC", "IOC", "FOK", "PostOnly"), "GTC")
        stop_price = asked.amount("triggerPrice") if waits else ZERO
        if waits:
            kind = _waiting_kind(asked, side, is_market=is_market, listing=listing)
        else:
            kind = "market" if is_market else "limit_maker" if force == "PostOnly" else "limit"
        # The quantity of a market buy is in quote currency unless the request says that it is not.
        unit = asked.one_of("marketUnit", ("baseCoin", "quoteCoin"), "quoteCoin" if side == "buy" else "baseCoin")
        in_quote = is_market and not waits and unit == "quoteCoin"
        quantity = asked.amount("qty")
        return OrderRequest(
            client_id=asked.link_id() or secrets.token_hex(11),
            symbol=listing.instrument.symbol,
            side=cast(Side, side),
            kind=kind,
            quantity=ZERO if in_quote else quantity,
            worth=quantity if in_quote else ZERO,
            price=ZERO if is_market else asked.amount("price"),
            stop_price=stop_price,
            time_in_force=cast(TimeInForce, "GTC" if is_market or force == "PostOnly" else force),
        )


def _demand_modelled(asked: Parameters) -> None:
    """Refuse an order that would have to be another one than it could become here."""
    for name, harmless in _NOT_MODELLED.items():
        if asked.text(name, "") not in harmless:
            raise not_supported(name)
    if "triggerPrice" in asked and asked.one_of("orderFilter", _FILTERS, "Order") == "Order":
        raise not_supported("triggerPrice without the orderFilter of an order that waits")


def _waiting_kind(asked: Parameters, side: str, *, is_market: bool, listing: Listing) -> Kind:
    """Return the kind of an order that waits: to which side of its price the market is to go, and what it does then."""
    direction = asked.whole("triggerDirection")
    rises = asked.amount("triggerPrice") > listing.last if not direction else direction == 1
    is_stop = (side == "buy") == rises
    kind = ("stop" if is_stop else "take_profit") + ("" if is_market else "_limit")
    assert kind in WAITS
    return cast(Kind, kind)


def _waits(order: Order) -> bool:
    return order.request.kind in WAITS and not order.working_at


def _is_named(order: Order, order_id: int | None, link_id: str | None) -> bool:
    return order.order_id == order_id if order_id is not None else order.request.client_id == link_id


def _listed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"category": "spot", "list": rows}
