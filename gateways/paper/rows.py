"""How values lie in the rows of the book, and how they are read back.  Amounts are exact decimal text."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from domain.money import Money
from domain.order import Fill, Side, Terms
from gateways.paper.matching import Working
from gateways.paper.texts import text

TERMS = "client_id, strategy, symbol, side, type, quantity, leg, limit_price, stop_price, valid_until"
FILL = "order_number, nth, traded_at, quantity, price, fee, fee_asset, liquidity"
WORKING = f"number, arrives_at, lock_asset, lock_amount, ifnull(triggered_at <= :now, 0), {TERMS}"
PLACE = (
    "arrives_at, symbol, strategy, leg, side, type, quantity, ifnull(limit_price, ''), ifnull(stop_price, ''), number"
)
"""The order of the queue, as `Working.place` has it."""


def trade_id(number: int, nth: int) -> str:
    """Return the id of an order's nth trade, counted from 1."""
    return f"p{number}-{nth}"


def terms_row(terms: Terms) -> tuple[str | int | None, ...]:
    """Return the values of the columns in `TERMS`."""
    return (
        terms.client_id,
        terms.strategy,
        terms.symbol,
        terms.side,
        terms.type,
        text(terms.quantity),
        terms.leg,
        None if terms.limit_price is None else text(terms.limit_price),
        None if terms.stop_price is None else text(terms.stop_price),
        terms.valid_until,
    )


def working(row: Sequence[Any]) -> Working:
    """Read an open order, before any of its trades, from the columns in `WORKING`."""
    number, arrives_at, lock_asset, lock_amount, triggered, *terms = row
    return Working(
        number=number,
        terms=_terms(terms),
        arrives_at=arrives_at,
        lock_asset=lock_asset,
        locked=Decimal(lock_amount),
        triggered=bool(triggered),
    )


def fill(row: Sequence[Any], *, client_id: str, symbol: str, side: Side) -> Fill:
    """Read a trade of that order from the columns in `FILL`."""
    number, nth, traded_at, quantity, price, fee, fee_asset, liquidity = row
    return Fill(
        trade_id=trade_id(number, nth),
        client_id=client_id,
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Money(Decimal(fee), fee_asset),
        liquidity=liquidity,
        at=traded_at,
    )


def _terms(row: Sequence[Any]) -> Terms:
    client_id, strategy, symbol, side, kind, quantity, leg, limit_price, stop_price, valid_until = row
    return Terms(
        client_id=client_id,
        strategy=strategy,
        symbol=symbol,
        side=side,
        type=kind,
        quantity=Decimal(quantity),
        leg=leg,
        limit_price=None if limit_price is None else Decimal(limit_price),
        stop_price=None if stop_price is None else Decimal(stop_price),
        valid_until=valid_until,
    )
