"""The node's answers to people and tools: plain values from the states of its actors."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from actors.breaker_memory import BreakerState
from actors.positions import PositionsState
from actors.sentiment import SentimentState
from domain.execution import Execution
from domain.money import plain
from domain.order import Order
from supervision import DeadLetters, Poison, Vitals

AWAITS_VERDICT = "no verdict yet: entries wait until the books are held against the venue's account"


def holdings_view(state: PositionsState) -> dict[str, Any]:
    """Return what is held by symbol, and by strategy below it; money as text."""
    view = {}
    for symbol in state.book.symbols():
        net = state.book.net(symbol)
        view[symbol] = {
            "quantity": plain(net.quantity),
            "average_price": plain(net.average_price),
            "realised": plain(net.realised),
            "mark": plain(state.marks.get(symbol, Decimal(0))),
        }
    return view


def lots_view(state: PositionsState) -> list[dict[str, str]]:
    """Return what each strategy holds of each symbol."""
    return [
        {
            "strategy": strategy,
            "symbol": symbol,
            "quantity": plain(lot.quantity),
            "average_price": plain(lot.average_price),
            "realised": plain(lot.realised),
        }
        for strategy, lots in state.book.positions.items()
        for symbol, lot in lots.items()
    ]


def cash_view(state: PositionsState) -> dict[str, str]:
    """Return the account's totals by asset."""
    return {asset: plain(amount) for asset, amount in sorted(state.book.cash.items())}


def worth_view(state: PositionsState) -> dict[str, str]:
    """Return what the account is worth at the newest marks, in quote currency."""
    return {
        "equity": plain(state.book.equity(state.marks)),
        "unrealised": plain(state.book.unrealised(state.marks)),
        "realised": plain(state.book.realised()),
        "quote": state.book.quote,
    }


def orders_view(known: Execution, *, with_finished: bool) -> list[dict[str, Any]]:
    """Return the orders that are not finished, and the newest finished ones if asked."""
    finished = known.finished.values() if with_finished else ()
    return [order_view(order) for order in (*finished, *known.orders.values())]


def order_view(order: Order) -> dict[str, Any]:
    """Return one order."""
    terms = order.terms
    view = {
        "client_id": terms.client_id,
        "strategy": terms.strategy,
        "symbol": terms.symbol,
        "side": terms.side,
        "type": terms.type,
        "leg": terms.leg,
        "quantity": plain(terms.quantity),
        "filled": plain(order.filled),
        "state": order.state,
        "venue_id": order.venue_id,
    }
    prices = {"limit_price": terms.limit_price, "stop_price": terms.stop_price}
    return view | {name: plain(price) for name, price in prices.items() if price is not None}


def breaker_view(state: BreakerState) -> dict[str, Any]:
    """Return the node's state and why it is what it is."""
    reasons = {"halted": state.halted, "reduced": state.reduced, "paused": state.paused}
    reasons["waits"] = AWAITS_VERDICT if state.awaits_verdict else ""
    return {
        "state": state.mode,
        "reasons": {name: why for name, why in reasons.items() if why},
        "tripped": list(state.watch.tripped),
        "violated": list(state.violated),
        "blocked": blocked_view(state),
        "awaits_verdict": state.awaits_verdict,
    }


def blocked_view(state: BreakerState) -> dict[str, str]:
    """Return the symbols that take no entry though the node does, each with why."""
    unresolved = {
        symbol: f"the fate of the order {client_id} is not known" for client_id, symbol in state.unresolved.items()
    }
    return unresolved | {symbol: why for symbol, why in state.unreconciled.items() if symbol}


def headlines_view(state: SentimentState) -> str:
    """Say whether headlines can be read, and why not."""
    return f"cannot be read: {state.problem}" if state.problem else "available"


def tree_view(vitals: Iterable[Vitals]) -> dict[str, Any]:
    """Return the supervisors with their children below them."""
    nodes = {each.name: _vitals_view(each) | {"children": []} for each in vitals}
    root: dict[str, Any] = {}
    for each in vitals:
        if each.parent:
            nodes[each.parent]["children"].append(nodes[each.name])
        else:
            root = nodes[each.name]
    return root


def actors_view(vitals: Iterable[Vitals]) -> dict[str, dict[str, Any]]:
    """Return the vitals of every actor by name."""
    return {each.name: {k: v for k, v in _vitals_view(each).items() if k != "name"} for each in vitals}


def poisoned_view(vitals: Iterable[Vitals]) -> dict[str, str]:
    """Return who cannot fold which event, and why: `sequence 812, BarsClosed: ValueError: ...`."""
    return {each.name: each.last_exit.removeprefix("poisoned(")[:-1] for each in vitals if each.is_poisoned}


def dead_letters_view(letters: DeadLetters) -> list[dict[str, Any]]:
    """Return what could not be delivered, the most frequent first."""
    return [letter._asdict() | {"count": count} for letter, count in letters.counts.most_common()]


def quarantine_view(cases: Iterable[Poison]) -> list[dict[str, Any]]:
    """Return the messages that are not delivered any more."""
    return [case._asdict() for case in cases]


def builtins(value: Any) -> Any:
    """Return any value of ours as JSON values."""
    return msgspec.to_builtins(value)


def _vitals_view(each: Vitals) -> dict[str, Any]:
    status = "up" if each.up else ("stopped" if each.retired else "down")
    view: dict[str, Any] = {
        "name": each.name,
        "status": status,
        "restarts": each.restarts,
        "handled": each.handled,
        "mailbox_depth": each.mailbox_depth,
        "message_age_s": round(each.oldest_s, 3),
        "epoch": each.epoch,
    }
    if each.last_exit:
        view["last_exit"] = each.last_exit
    return view
