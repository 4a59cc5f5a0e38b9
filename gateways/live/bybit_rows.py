"""Bybit's rows, read with suspicion: orders, trades and the rules of symbols."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from domain.market import Instrument
from domain.money import Money
from domain.order import Fill
from domain.venue import OpenOrder
from gateways.live.dialect import Shown, Unreadable, VenueState
from gateways.live.fields import amount, amount_above_0, short, stamp, text

_STATES: dict[str, VenueState] = {
    "Created": "accepted",
    "New": "accepted",
    "PartiallyFilled": "accepted",
    "PendingCancel": "accepted",
    "Untriggered": "accepted",
    "Triggered": "accepted",
    "Active": "accepted",
    "Filled": "filled",
    "Cancelled": "canceled",
    "PartiallyFilledCanceled": "canceled",
    "Deactivated": "canceled",
    "Rejected": "rejected",
}
GAVE_WAY = "Triggered"
"""Status of a stop whose price was reached: what has become of it is told elsewhere, or in a moment."""


def newest_of_each(rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return, of the rows that bear one id of ours, the one that tells what has become of the order.

    A stop whose price is reached may go on as another order, with a number of its own at the venue and our id on both:
    that the first one is over ends nothing.  Where both have traded, nobody can say, and both are returned.
    """
    of_one: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        of_one.setdefault(str(row.get("orderLinkId") or row.get("orderId")), []).append(row)
    return [row for found in of_one.values() for row in (found if len(found) == 1 else _those_that_tell(found))]


def _those_that_tell(rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    traded = {text(row, "orderId") for row in rows if amount(row, "cumExecQty")}
    return rows if len(traded) > 1 else [max(rows, key=_how_late)]


def _how_late(row: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what puts one order's rows in order; where no time does, one that is open is later than an end."""
    status = text(row, "orderStatus")
    created, updated = (stamp(row, name) if row.get(name) else 0 for name in ("createdTime", "updatedTime"))
    is_open = _STATES.get(status) == "accepted"
    return amount(row, "cumExecQty") > 0, status != GAVE_WAY, created, is_open, updated


def shown_of(row: Mapping[str, Any]) -> Shown:
    """Return an order.  One that was rejected after it had traded has ended, and was not refused."""
    state = _STATES.get(text(row, "orderStatus"))
    if state is None:
        raise Unreadable(f"expected a status that is known, found {row['orderStatus']!r}")
    filled = amount(row, "cumExecQty")
    if state == "rejected" and filled:
        state = "canceled"
    # What somebody else placed may bear no id of its own.
    client_id = str(row.get("orderLinkId", ""))
    since = stamp(row, "createdTime") if row.get("createdTime") else 0
    return Shown(client_id, text(row, "orderId"), state, str(filled), at=stamp(row, "updatedTime"), since=since)


def open_order_of(row: Mapping[str, Any]) -> OpenOrder:
    """Return an order that rests, whoever sent it: one that somebody else sent may bear no id of its sender's."""
    side, kind, link = text(row, "side"), text(row, "orderType"), row.get("orderLinkId", "")
    if side not in ("Buy", "Sell") or not isinstance(link, str):
        raise Unreadable(f"expected Buy or Sell as side and text as orderLinkId, found {side!r} and {link!r:.80}")
    limit, stop = (Decimal(0) if not row.get(name) else amount(row, name) for name in ("price", "triggerPrice"))
    return OpenOrder(
        client_id=link,
        venue_id=text(row, "orderId"),
        symbol=text(row, "symbol"),
        side="buy" if side == "Buy" else "sell",
        type="stop" if stop and kind == "Market" else kind.lower(),
        quantity=amount(row, "qty"),
        filled=amount(row, "cumExecQty"),
        limit_price=limit or None,
        stop_price=stop or None,
    )


def fill_of(row: Mapping[str, Any], client_id: str, symbol: str, rules: Instrument | None) -> Fill:
    """Return a trade of an order; `rules` are those of its symbol, where they are known."""
    side = text(row, "side")
    if side not in ("Buy", "Sell") or text(row, "symbol") != symbol or text(row, "execType") != "Trade":
        raise Unreadable(f"expected a trade of {symbol}, found {side!r} of {row.get('symbol')!r}")
    return Fill(
        trade_id=f"{symbol}-{text(row, 'execId')}",
        client_id=client_id,
        symbol=symbol,
        side="buy" if side == "Buy" else "sell",
        quantity=amount_above_0(row, "execQty"),
        price=amount_above_0(row, "execPrice"),
        fee=_fee_of(row, rules),
        liquidity="maker" if row.get("isMaker") is True else "taker",
        at=stamp(row, "execTime"),
    )


def _fee_of(row: Mapping[str, Any], rules: Instrument | None) -> Money:
    """Return what a trade cost; where its asset is not told, by the venue's rule: a fee is paid in what is received."""
    fee = amount(row, "execFee")
    if row.get("feeCurrency") or rules is None:
        return Money(fee, text(row, "feeCurrency"))
    # What is given back to a maker comes in the other asset.
    return Money(fee, rules.base if (text(row, "side") == "Buy") == (fee >= 0) else rules.quote)


def _most_of_one_order(lots: Mapping[str, Any]) -> Decimal | None:
    """Return the lowest limit there is: a stop is a market order once its price is reached."""
    names = ("maxOrderQty", "maxLimitOrderQty", "maxMarketOrderQty")
    return min((most for name in names if name in lots and (most := short(amount(lots, name))) > 0), default=None)


def instrument_of(row: Mapping[str, Any]) -> Instrument:
    """Return the rules of a symbol."""
    lots, prices = row.get("lotSizeFilter"), row.get("priceFilter")
    if not isinstance(lots, dict) or not isinstance(prices, dict):
        raise Unreadable(f"expected {row.get('symbol')} to have rules, found none")
    return Instrument(
        symbol=text(row, "symbol"),
        base=text(row, "baseCoin"),
        quote=text(row, "quoteCoin"),
        tick=short(amount(prices, "tickSize")),
        lot=short(amount(lots, "basePrecision")),
        quantity_min=short(amount(lots, "minOrderQty")),
        notional_min=short(amount(lots, "minOrderAmt")),
        quantity_max=_most_of_one_order(lots),
    )
