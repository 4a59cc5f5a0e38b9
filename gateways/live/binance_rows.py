"""Binance's rows, read with suspicion: orders, trades and the rules of symbols."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from domain.market import Instrument
from domain.money import Money
from domain.order import Fill
from domain.venue import OpenOrder
from gateways.live.dialect import Shown, Unreadable, VenueState
from gateways.live.fields import amount, amount_above_0, number, short, text

_STATES: dict[str, VenueState] = {
    "NEW": "accepted",
    "PENDING_NEW": "accepted",
    "PARTIALLY_FILLED": "accepted",
    "PENDING_CANCEL": "accepted",
    "FILLED": "filled",
    "CANCELED": "canceled",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
    "REJECTED": "rejected",
}
TYPES = {"market": "MARKET", "limit": "LIMIT", "stop": "STOP_LOSS"}
NO_PRICE = "0.00000000"
_OUR_TYPES = {theirs: ours for ours, theirs in TYPES.items()}


def instrument_of(row: Mapping[str, Any]) -> Instrument:
    """Return the rules of a symbol."""
    filters = {each.get("filterType"): each for each in row.get("filters", ()) if isinstance(each, dict)}
    worth = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {"minNotional": "0"}
    try:
        return Instrument(
            symbol=text(row, "symbol"),
            base=text(row, "baseAsset"),
            quote=text(row, "quoteAsset"),
            tick=short(amount(filters["PRICE_FILTER"], "tickSize")),
            lot=short(amount(filters["LOT_SIZE"], "stepSize")),
            quantity_min=short(amount(filters["LOT_SIZE"], "minQty")),
            notional_min=short(amount(worth, "minNotional")),
            quantity_max=_most_of_one_order(filters),
        )
    except KeyError as missing:
        raise Unreadable(f"expected {row['symbol']} to have the filter {missing}, found none") from missing


def _most_of_one_order(filters: Mapping[Any, Any]) -> Decimal | None:
    """Return the lower of two limits: a stop is a market order once its price is reached.  No limit is told as 0."""
    given = (filters[name] for name in ("LOT_SIZE", "MARKET_LOT_SIZE") if "maxQty" in filters.get(name, ()))
    return min((most for each in given if (most := short(amount(each, "maxQty"))) > 0), default=None)


def shown_of(row: Mapping[str, Any]) -> Shown:
    """Return an order, with its trades where the row has them."""
    state = _STATES.get(text(row, "status"))
    if state is None:
        raise Unreadable(f"expected a status that is known, found {row['status']!r}")
    # Of a cancel's answer, the first is the cancel's own id, and the second the order's.
    client_id = row.get("origClientOrderId") or text(row, "clientOrderId")
    at = number({"time": row.get("transactTime", row.get("updateTime", 0))}, "time")
    shown = Shown(str(client_id), str(number(row, "orderId")), state, text(row, "executedQty"), at=at)
    fills = row.get("fills")
    if not isinstance(fills, list) or not all(isinstance(fill, dict) for fill in fills):
        return shown
    made = tuple(fill_of({**fill, "time": at}, shown.client_id, text(row, "symbol"), row) for fill in fills)
    return Shown(shown.client_id, shown.venue_id, state, shown.filled, made, at)


def open_order_of(row: Mapping[str, Any]) -> OpenOrder:
    """Return an order that rests, whoever sent it."""
    side, kind = text(row, "side"), text(row, "type")
    if side not in ("BUY", "SELL"):
        raise Unreadable(f"expected BUY or SELL as side, found {side!r}")
    return OpenOrder(
        client_id=text(row, "clientOrderId"),
        venue_id=str(number(row, "orderId")),
        symbol=text(row, "symbol"),
        side="buy" if side == "BUY" else "sell",
        type=_OUR_TYPES.get(kind, kind.lower()),
        quantity=amount(row, "origQty"),
        filled=amount(row, "executedQty"),
        limit_price=_price(row, "price"),
        stop_price=_price(row, "stopPrice"),
    )


def _price(row: Mapping[str, Any], name: str) -> Decimal | None:
    """Return a price; None where the order has none, which the venue writes as nothing."""
    return None if row.get(name, NO_PRICE) == NO_PRICE else amount(row, name) or None


def number_of(fill: Fill) -> int:
    """Return the venue\'s number of a trade."""
    return int(fill.trade_id.rpartition("-")[2])


def fill_of(row: Mapping[str, Any], client_id: str, symbol: str, order: Mapping[str, Any] | None = None) -> Fill:
    """Return a trade; where it came with its order, what it lacks is read from there."""
    is_buyer = row.get("isBuyer") if order is None else text(order, "side") == "BUY"
    if not isinstance(is_buyer, bool):
        raise Unreadable(f"expected a trade to have a side, found {is_buyer!r}")
    trade = number(row, "id" if order is None else "tradeId")
    return Fill(
        # Numbers of trades are unique within a symbol only.
        trade_id=f"{symbol}-{trade}",
        client_id=client_id,
        symbol=symbol,
        side="buy" if is_buyer else "sell",
        quantity=amount_above_0(row, "qty"),
        price=amount_above_0(row, "price"),
        fee=Money(amount(row, "commission"), text(row, "commissionAsset")),
        liquidity="maker" if row.get("isMaker") else "taker",
        at=number(row, "time"),
    )
