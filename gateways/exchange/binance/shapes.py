"""What the exchange's values look like in Binance's JSON: amounts as text with eight decimals, numbers as integers."""

from decimal import ROUND_DOWN, Decimal
from typing import Any

from domain.market import DAY_MS, Instant
from domain.money import ZERO
from gateways.exchange.klines import Kline
from gateways.exchange.market import Listing, Print
from gateways.exchange.orders import Holding, Order, Trade
from gateways.exchange.rules import NOTIONAL_MAX, PRICE_MAX, QUANTITY_MAX

KINDS = {
    "market": "MARKET",
    "limit": "LIMIT",
    "limit_maker": "LIMIT_MAKER",
    "stop": "STOP_LOSS",
    "stop_limit": "STOP_LOSS_LIMIT",
    "take_profit": "TAKE_PROFIT",
    "take_profit_limit": "TAKE_PROFIT_LIMIT",
}
_EIGHT = Decimal("0.00000001")


def amount(value: Decimal) -> str:
    """Return an amount as text with eight decimals."""
    return format(value.quantize(_EIGHT, ROUND_DOWN), "f")


def limits(weight_max: int, orders_max: int) -> list[dict[str, Any]]:
    """Return how much may be asked."""
    return [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": weight_max},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": orders_max},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
        {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61_000},
    ]


def symbol_info(listing: Listing) -> dict[str, Any]:
    """Return a symbol as `exchangeInfo` has it."""
    instrument = listing.instrument
    lot, tick = amount(instrument.lot), amount(instrument.tick)
    least = amount(max(instrument.quantity_min, instrument.lot))
    most = amount(instrument.quantity_max or QUANTITY_MAX)
    return {
        "symbol": instrument.symbol,
        "status": listing.status,
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(KINDS.values()),
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": amount(PRICE_MAX), "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": least, "maxQty": most, "stepSize": lot},
            {"filterType": "MARKET_LOT_SIZE", "minQty": least, "maxQty": most, "stepSize": lot},
            {
                "filterType": "NOTIONAL",
                "minNotional": amount(instrument.notional_min),
                "applyMinToMarket": True,
                "maxNotional": amount(NOTIONAL_MAX),
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_MAKER"],
    }


def kline_row(kline: Kline) -> list[Any]:
    """Return a kline as `klines` has it."""
    return [
        kline.opened_at,
        *map(amount, (kline.open, kline.high, kline.low, kline.close, kline.volume)),
        kline.closed_at - 1,
        amount(kline.worth),
        kline.trades,
        amount(kline.bought),
        amount(kline.bought_worth),
        "0",
    ]


def ticker_24h(listing: Listing, now: Instant) -> dict[str, Any]:
    """Return what a day came to."""
    hours = listing.klines("1h", begin=now - DAY_MS, end=now, limit=25) or listing.klines(
        "1m", begin=0, end=now, limit=1
    )
    depth = listing.depth()
    opened, last = (hours[0].open, hours[-1].close) if hours else (listing.last, listing.last)
    volume = sum((kline.volume for kline in hours), ZERO)
    worth = sum((kline.worth for kline in hours), ZERO)
    prints = listing.prints
    return {
        "symbol": listing.instrument.symbol,
        "priceChange": amount(last - opened),
        "priceChangePercent": format((last - opened) / opened * 100, ".3f"),
        "weightedAvgPrice": amount(worth / volume if volume else last),
        "prevClosePrice": amount(opened),
        "lastPrice": amount(last),
        "lastQty": amount(prints[-1].tick.quantity if prints else ZERO),
        "bidPrice": amount(depth.bids[0].price if depth.bids else ZERO),
        "bidQty": amount(depth.bids[0].quantity if depth.bids else ZERO),
        "askPrice": amount(depth.asks[0].price if depth.asks else ZERO),
        "askQty": amount(depth.asks[0].quantity if depth.asks else ZERO),
        "openPrice": amount(opened),
        "highPrice": amount(max((kline.high for kline in hours), default=last)),
        "lowPrice": amount(min((kline.low for kline in hours), default=last)),
        "volume": amount(volume),
        "quoteVolume": amount(worth),
        "openTime": now - DAY_MS,
        "closeTime": now,
        "firstId": prints[0].number if prints else -1,
        "lastId": prints[-1].number if prints else -1,
        "count": sum(kline.trades for kline in hours),
    }


def book_ticker(listing: Listing) -> dict[str, Any]:
    """Return the best bid and ask."""
    depth = listing.depth()
    bid, ask = depth.bids[:1], depth.asks[:1]
    return {
        "symbol": listing.instrument.symbol,
        "bidPrice": amount(bid[0].price if bid else ZERO),
        "bidQty": amount(bid[0].quantity if bid else ZERO),
        "askPrice": amount(ask[0].price if ask else ZERO),
        "askQty": amount(ask[0].quantity if ask else ZERO),
    }


def agg_trade(trade: Print) -> dict[str, Any]:
    """Return a public trade as `aggTrades` has it; every one stands for itself."""
    tick = trade.tick
    return {
        "a": trade.number,
        "p": amount(tick.price),
        "q": amount(tick.quantity),
        "f": trade.number,
        "l": trade.number,
        "T": tick.at,
        "m": tick.buyer_is_maker,
        "M": True,
    }


def public_trade(trade: Print) -> dict[str, Any]:
    """Return a public trade as `trades` has it."""
    tick = trade.tick
    return {
        "id": trade.number,
        "price": amount(tick.price),
        "qty": amount(tick.quantity),
        "quoteQty": amount(tick.price * tick.quantity),
        "time": tick.at,
        "isBuyerMaker": tick.buyer_is_maker,
        "isBestMatch": True,
    }


def order_core(order: Order) -> dict[str, Any]:
    """Return what every answer about an order has."""
    request = order.request
    core = {
        "symbol": request.symbol,
        "orderId": order.order_id,
        "orderListId": -1,
        "clientOrderId": request.client_id,
        "price": amount(request.price),
        "origQty": amount(order.quantity),
        "executedQty": amount(order.executed),
        "cummulativeQuoteQty": amount(order.executed_worth),
        "origQuoteOrderQty": amount(request.worth),
        "status": order.status.upper(),
        "timeInForce": request.time_in_force,
        "type": KINDS[request.kind],
        "side": request.side.upper(),
        "workingTime": order.working_at or -1,
        "selfTradePreventionMode": "EXPIRE_MAKER",
    }
    return core | ({"stopPrice": amount(request.stop_price)} if request.stop_price else {})


def order_row(order: Order) -> dict[str, Any]:
    """Return an order as it is asked for."""
    rest = {
        "stopPrice": amount(order.request.stop_price),
        "icebergQty": amount(ZERO),
        "time": order.created_at,
        "updateTime": order.updated_at,
        "isWorking": bool(order.working_at),
    }
    return order_core(order) | rest


def order_answer(order: Order, trades: list[Trade], kind: str) -> dict[str, Any]:
    """Return the answer to a new order: short, with what became of it, or with its trades too."""
    core = order_core(order) | {"transactTime": order.updated_at}
    if kind == "ACK":
        return {name: core[name] for name in ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")}
    if kind == "RESULT":
        return core
    fills = [
        {
            "price": amount(trade.price),
            "qty": amount(trade.quantity),
            "commission": amount(trade.fee),
            "commissionAsset": trade.fee_asset,
            "tradeId": trade.trade_id,
        }
        for trade in trades
    ]
    return core | {"fills": fills}


def cancel_answer(order: Order, canceled_by: str) -> dict[str, Any]:
    """Return the answer to a cancel: the client id is that of the request, the order's own stands beside it."""
    renamed = {"origClientOrderId": order.request.client_id, "clientOrderId": canceled_by}
    return order_core(order) | renamed | {"transactTime": order.updated_at}


def trade_row(trade: Trade) -> dict[str, Any]:
    """Return a trade of the account's."""
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": -1,
        "price": amount(trade.price),
        "qty": amount(trade.quantity),
        "quoteQty": amount(trade.price * trade.quantity),
        "commission": amount(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.at,
        "isBuyer": trade.side == "buy",
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def balances(holdings: dict[str, Holding]) -> list[dict[str, str]]:
    """Return what the account has."""
    return [
        {"asset": asset, "free": amount(holding.free), "locked": amount(holding.locked)}
        for asset, holding in holdings.items()
    ]
