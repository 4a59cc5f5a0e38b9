"""What the exchange's values look like in Bybit's JSON: everything is text, times too."""

from decimal import Decimal
from typing import Any

from domain.market import DAY_MS, Instant
from domain.money import ZERO
from gateways.exchange.klines import Kline
from gateways.exchange.market import Listing, Print
from gateways.exchange.orders import WAITS, Holding, Order, OrderRequest, Trade
from gateways.exchange.rules import NOTIONAL_MAX, QUANTITY_MAX

INTERVALS = {
    # The venue itself has no seconds: they are here for runs that cannot wait for minutes.
    "1s": "1s",
    "1": "1m",
    "3": "3m",
    "5": "5m",
    "15": "15m",
    "30": "30m",
    "60": "1h",
    "120": "2h",
    "240": "4h",
    "360": "6h",
    "720": "12h",
    "D": "1d",
    "W": "1w",
}
_OPEN = {"pending": "Created", "new": "New", "partially_filled": "PartiallyFilled", "filled": "Filled"}


def amount(value: Decimal) -> str:
    """Return an amount as text, without an exponent and without zeros at its end."""
    text = format(value, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def symbol_info(listing: Listing) -> dict[str, Any]:
    """Return a symbol as `instruments-info` has it."""
    instrument = listing.instrument
    return {
        "symbol": instrument.symbol,
        "baseCoin": instrument.base,
        "quoteCoin": instrument.quote,
        "innovation": "0",
        "status": "Trading" if listing.status == "TRADING" else "Closed",
        "marginTrading": "none",
        "lotSizeFilter": {
            "basePrecision": amount(instrument.lot),
            "quotePrecision": "0.00000001",
            "minOrderQty": amount(max(instrument.quantity_min, instrument.lot)),
            "maxOrderQty": amount(instrument.quantity_max or QUANTITY_MAX),
            "minOrderAmt": amount(instrument.notional_min),
            "maxOrderAmt": amount(NOTIONAL_MAX),
        },
        "priceFilter": {"tickSize": amount(instrument.tick)},
    }


def kline_row(kline: Kline) -> list[str]:
    """Return a kline as `kline` has it."""
    numbers = (kline.open, kline.high, kline.low, kline.close, kline.volume, kline.worth)
    return [str(kline.opened_at), *map(amount, numbers)]


def ticker(listing: Listing, now: Instant) -> dict[str, Any]:
    """Return what a day came to, and the best prices."""
    hours = listing.klines("1h", begin=now - DAY_MS, end=now, limit=25)
    opened = hours[0].open if hours else listing.last
    depth = listing.depth()
    bid, ask = depth.bids[:1], depth.asks[:1]
    return {
        "symbol": listing.instrument.symbol,
        "bid1Price": amount(bid[0].price if bid else ZERO),
        "bid1Size": amount(bid[0].quantity if bid else ZERO),
        "ask1Price": amount(ask[0].price if ask else ZERO),
        "ask1Size": amount(ask[0].quantity if ask else ZERO),
        "lastPrice": amount(listing.last),
        "prevPrice24h": amount(opened),
        "price24hPcnt": format((listing.last - opened) / opened if opened else ZERO, ".4f"),
        "highPrice24h": amount(max((kline.high for kline in hours), default=listing.last)),
        "lowPrice24h": amount(min((kline.low for kline in hours), default=listing.last)),
        "turnover24h": amount(sum((kline.worth for kline in hours), ZERO)),
        "volume24h": amount(sum((kline.volume for kline in hours), ZERO)),
        "usdIndexPrice": amount(listing.last),
    }


def public_trade(trade: Print) -> dict[str, Any]:
    """Return a public trade; the side is the taker's."""
    tick = trade.tick
    return {
        "execId": str(trade.number),
        "symbol": tick.symbol,
        "price": amount(tick.price),
        "size": amount(tick.quantity),
        "side": "Sell" if tick.buyer_is_maker else "Buy",
        "time": str(tick.at),
        "isBlockTrade": False,
    }


ENDED = ("Filled", "Cancelled", "PartiallyFilledCanceled", "Deactivated", "Rejected")
"""Statuses of orders that have ended; none is ever rejected once it was taken."""


def status_of(order: Order) -> str:
    """Return an order's status: what ended early and had traded has one of its own."""
    waits = order.request.kind in WAITS and not order.working_at
    if order.status in _OPEN:
        return "Untriggered" if waits and order.is_open else _OPEN[order.status]
    if order.executed:
        return "PartiallyFilledCanceled"
    return "Deactivated" if waits else "Cancelled"


def order_row(order: Order) -> dict[str, Any]:
    """Return an order as it is asked for, and as the stream tells it."""
    request = order.request
    is_open = order.is_open
    average = order.executed_worth / order.executed if order.executed else ZERO
    return {
        "orderId": str(order.order_id),
        "orderLinkId": request.client_id,
        "symbol": request.symbol,
        "side": request.side.capitalize(),
        "orderType": "Limit" if request.price else "Market",
        "orderStatus": status_of(order),
        "timeInForce": _time_in_force(request),
        "price": amount(request.price),
        "qty": amount(request.worth or order.quantity),
        "marketUnit": "quoteCoin" if request.worth else "baseCoin",
        "avgPrice": format(average, ".8f") if order.executed else "",
        "leavesQty": amount(order.remaining if is_open else ZERO),
        "leavesValue": amount(order.remaining * request.price if is_open else ZERO),
        "cumExecQty": amount(order.executed),
        "cumExecValue": amount(order.executed_worth),
        "cumExecFee": "",
        "cancelType": "UNKNOWN" if is_open or order.status == "filled" else "CancelByUser",
        "rejectReason": "EC_NoError",
        "stopOrderType": "tpslOrder" if request.kind in WAITS and not order.working_at else "",
        "triggerPrice": amount(request.stop_price),
        "triggerDirection": 0,
        "createType": "CreateByUser",
        "isLeverage": "0",
        "createdTime": str(order.created_at),
        "updatedTime": str(order.updated_at),
        "reduceOnly": False,
        "closeOnTrigger": False,
    }


def _time_in_force(request: OrderRequest) -> str:
    if request.kind == "limit_maker":
        return "PostOnly"
    return request.time_in_force if request.price else "IOC"


def ids_of(order: Order) -> dict[str, str]:
    """Return all that the answer to a new order, or to its cancel, says."""
    return {"orderId": str(order.order_id), "orderLinkId": order.request.client_id}


def execution_row(trade: Trade) -> dict[str, Any]:
    """Return a trade of the account's."""
    return {
        "symbol": trade.symbol,
        "orderId": str(trade.order_id),
        "orderLinkId": trade.client_id,
        "side": trade.side.capitalize(),
        "execId": str(trade.trade_id),
        "execPrice": amount(trade.price),
        "execQty": amount(trade.quantity),
        "execValue": amount(trade.price * trade.quantity),
        "execType": "Trade",
        "execFee": amount(trade.fee),
        "feeCurrency": trade.fee_asset,
        "feeCoin": trade.fee_asset,
        "feeRate": "",
        "isMaker": trade.is_maker,
        "execTime": str(trade.at),
        "seq": trade.trade_id,
    }


def wallet(holdings: dict[str, Holding]) -> list[dict[str, Any]]:
    """Return what the account has: it is one, unified."""
    coins = [
        {
            "coin": asset,
            "equity": amount(holding.free + holding.locked),
            "walletBalance": amount(holding.free + holding.locked),
            "locked": amount(holding.locked),
            "availableToWithdraw": "",
            "borrowAmount": "0",
            "accruedInterest": "0",
            "totalOrderIM": "0",
            "totalPositionIM": "0",
        }
        for asset, holding in holdings.items()
    ]
    return [{"accountType": "UNIFIED", "coin": coins}]
