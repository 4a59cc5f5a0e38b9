"""What the account's owner may ask and order."""

import secrets
from decimal import Decimal
from typing import Any, cast

from domain.market import DAY_MS, Instant
from domain.money import ZERO
from domain.order import Side
from gateways.exchange.binance import shapes
from gateways.exchange.binance.errors import ApiError, error_of, missing
from gateways.exchange.binance.parameters import Parameters
from gateways.exchange.binance.public import FAR, PublicApi
from gateways.exchange.clock import VenueClock
from gateways.exchange.engine import Engine
from gateways.exchange.errors import Reason, Refused
from gateways.exchange.ledger import Ledger
from gateways.exchange.orders import WAITS, Kind, Order, OrderRequest, TimeInForce
from gateways.exchange.rules import demand_by_filters
from gateways.exchange.veil import Veil

_KINDS = {name: kind for kind, name in shapes.KINDS.items()}
_WITH_PRICE = frozenset({"limit", "limit_maker", "stop_limit", "take_profit_limit"})
_NEEDED_BY = {
    "timeInForce": _WITH_PRICE - {"limit_maker"},
    "price": _WITH_PRICE,
    "stopPrice": WAITS,
    "quoteOrderQty": frozenset({"market"}),
}
"""Kinds that take a parameter; with all others it is refused."""


class PrivateApi:
    """Answers about the account, as JSON has it.  Every method raises ApiError for what is refused."""

    def __init__(
        self,
        engine: Engine,
        ledger: Ledger,
        public: PublicApi,
        clock: VenueClock,
        veil: Veil,
        fees: tuple[Decimal, Decimal],
        *,
        key_may_withdraw: bool = False,
    ) -> None:
        self._engine, self._ledger, self._public, self._clock, self._veil = engine, ledger, public, clock, veil
        self._fees = fees
        self._key_may_withdraw = key_may_withdraw

    def create_order(self, asked: Parameters) -> Any:
        """Take an order."""
        request = self._order_request(asked)
        usual = "FULL" if request.kind in ("market", "limit") else "ACK"
        answer_kind = asked.one_of("newOrderRespType", ("ACK", "RESULT", "FULL"), -1100, usual)
        asked.demand_all_read()
        try:
            order, trades = self._engine.place(request, share=self._veil.share_at_once)
        except Refused as refused:
            raise error_of(refused) from refused
        self._veil.hide(order)
        return shapes.order_answer(order, trades, answer_kind)

    def test_order(self, asked: Parameters) -> Any:
        """Say whether an order could be read, and keeps to its symbol's filters."""
        request = self._order_request(asked)
        asked.one_of("newOrderRespType", ("ACK", "RESULT", "FULL"), -1100, "ACK")
        asked.demand_all_read()
        try:
            demand_by_filters(request, self._public.listing(request.symbol))
        except Refused as refused:
            raise error_of(refused) from refused
        return {}

    def query_order(self, asked: Parameters) -> Any:
        """Tell an order, by its number or its client id."""
        symbol, order_id, client_id = self._named(asked)
        asked.demand_all_read()
        order = self._engine.account.find(symbol, order_id=order_id, client_id=client_id)
        is_named = order is not None and client_id in (None, order.request.client_id)
        if order is None or not is_named or self._veil.hides(order.order_id, self._clock.now()):
            raise ApiError(-2013, "Order does not exist.")
        return shapes.order_row(self._veil.as_shown(order, self._clock.now()))

    def cancel_order(self, asked: Parameters) -> Any:
        """Cancel an order, by its number or its client id."""
        symbol, order_id, client_id = self._named(asked)
        by = asked.client_id("newClientOrderId") or _new_client_id()
        asked.demand_all_read()
        share = self._veil.share_at_cancel
        before = self._engine.account.find(symbol, order_id=order_id, client_id=client_id)
        shown = None if before is None else (before.executed, before.executed_worth)
        try:
            order = self._engine.cancel(symbol, order_id=order_id, client_id=client_id, by=by, share_first=share)
        except Refused as refused:
            raise error_of(refused) from refused
        if share and shown is not None:
            order = self._veil.keep_back(order, *shown, now=self._clock.now())
        return shapes.cancel_answer(order, by)

    def cancel_all(self, asked: Parameters) -> Any:
        """Cancel every open order of a symbol."""
        symbol = self._public.listing(asked.text("symbol")).instrument.symbol
        asked.demand_all_read()
        orders = self._engine.account.open_orders(symbol)
        if not orders:
            raise error_of(Refused(Reason.UNKNOWN_ORDER, "none is open"))
        by = _new_client_id()
        return [
            shapes.cancel_answer(self._engine.cancel(symbol, order_id=order.order_id, client_id=None, by=by), by)
            for order in orders
        ]

    def open_orders(self, asked: Parameters) -> Any:
        """Tell open orders, of one symbol or of all."""
        symbol = asked.text_or("symbol", "")
        if symbol:
            self._public.listing(symbol)
        return [shapes.order_row(order) for order in self._shown(self._engine.account.open_orders(symbol or None))]

    def all_orders(self, asked: Parameters) -> Any:
        """Tell orders of a symbol, whatever has become of them."""
        begin, end = _stretch(asked)
        found = self._ledger.orders(
            self._public.listing(asked.text("symbol")).instrument.symbol,
            first_id=asked.whole("orderId"),
            begin=begin,
            end=end,
            limit=asked.limit(500, 1_000),
        )
        return [shapes.order_row(order) for order in self._shown(found)]

    def my_trades(self, asked: Parameters) -> Any:
        """Tell the account's trades in a symbol."""
        begin, end = _stretch(asked)
        found = self._ledger.trades(
            self._public.listing(asked.text("symbol")).instrument.symbol,
            order_id=asked.whole("orderId"),
            first_id=asked.whole("fromId"),
            begin=begin,
            end=end,
            limit=asked.limit(500, 1_000),
        )
        now = self._clock.now()
        return [
            shapes.trade_row(trade)
            for trade in found
            if not (self._veil.hides(trade.order_id, now) or self._veil.hides_trade(trade, now))
        ]

    def account(self, asked: Parameters) -> Any:
        """Tell what the account has."""
        maker, taker = (format(fee, ".8f") for fee in self._fees)
        account = self._engine.account
        is_short = asked.one_of("omitZeroBalances", ("true", "false"), -1100, "false") == "true"
        holdings = account.holdings() if is_short else account.all_holdings()
        return {
            "makerCommission": int(self._fees[0] * 10_000),
            "takerCommission": int(self._fees[1] * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {"maker": maker, "taker": taker, "buyer": "0.00000000", "seller": "0.00000000"},
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": self._clock.now(),
            "accountType": "SPOT",
            "balances": shapes.balances(holdings),
            "permissions": ["SPOT"],
            "uid": 1,
        }

    def restrictions(self, asked: Parameters) -> Any:
        """Tell what the key permits."""
        return {
            "ipRestrict": False,
            "createTime": 0,
            "enableReading": True,
            "enableSpotAndMarginTrading": True,
            "enableWithdrawals": self._key_may_withdraw,
            "enableInternalTransfer": False,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableMargin": False,
            "enableFutures": False,
        }

    def _named(self, asked: Parameters) -> tuple[str, int | None, str | None]:
        symbol = self._public.listing(asked.text("symbol")).instrument.symbol
        order_id, client_id = asked.whole("orderId"), asked.client_id("origClientOrderId")
        if order_id is None and client_id is None:
            raise ApiError(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
        return symbol, order_id, client_id

    def _shown(self, orders: list[Order]) -> list[Order]:
        now = self._clock.now()
        return [self._veil.as_shown(order, now) for order in orders if not self._veil.hides(order.order_id, now)]

    def _order_request(self, asked: Parameters) -> OrderRequest:
        symbol = self._public.listing(asked.text("symbol")).instrument.symbol
        side = asked.one_of("side", ("BUY", "SELL"), -1117).lower()
        kind = cast(Kind, _KINDS[asked.one_of("type", tuple(_KINDS), -1116)])
        for name, kinds in _NEEDED_BY.items():
            if kind not in kinds and asked.text_or(name, ""):
                raise ApiError(-1106, f"Parameter '{name}' sent when not required.")
        worth = asked.amount("quoteOrderQty")
        force = "GTC"
        if kind in _NEEDED_BY["timeInForce"]:
            force = asked.one_of("timeInForce", ("GTC", "IOC", "FOK"), -1115)
        if kind == "market" and not worth and "quantity" not in asked:
            raise missing("quantity")
        return OrderRequest(
            client_id=asked.client_id("newClientOrderId") or _new_client_id(),
            symbol=symbol,
            side=cast(Side, side),
            kind=kind,
            quantity=ZERO if worth else asked.amount("quantity", needed=True),
            worth=worth,
            price=asked.amount("price", needed=True) if kind in _WITH_PRICE else ZERO,
            stop_price=asked.amount("stopPrice", needed=True) if kind in WAITS else ZERO,
            time_in_force=cast(TimeInForce, force),
        )


def _stretch(asked: Parameters) -> tuple[Instant, Instant]:
    begin, end = asked.whole("startTime") or 0, asked.whole("endTime") or FAR
    if begin and end < FAR and end - begin > DAY_MS:
        raise ApiError(-1127, "More than 24 hours between startTime and endTime.")
    return begin, end


def _new_client_id() -> str:
    return secrets.token_hex(11)
