"""What would be taken over, for people and tools."""

from typing import Any

import msgspec

from domain.imported import Counters, HeldPosition, PastTrade
from domain.money import plain
from holdfast.imports.opening import Opening


def opening_view(opening: Opening) -> dict[str, Any]:
    """Return what an account would be opened with, as JSON values; money as text."""
    taken = opening.taken
    assert taken is not None
    return {
        "files": msgspec.to_builtins(opening.files),
        "account": {asset: plain(amount) for asset, amount in opening.cash.items()},
        "positions": [_position_view(position) for position in taken.positions],
        "last_entries": msgspec.to_builtins(taken.entries),
        "trades": _trades_view(taken.trades),
        "performance": _counters_view(taken.counters),
        "kept": list(taken.kept),
        "notices": list(taken.notices),
    }


def _position_view(position: HeldPosition) -> dict[str, Any]:
    prices = {"stop_price": position.stop_price, "take_profit": position.take_profit}
    return {
        "strategy": position.strategy,
        "symbol": position.symbol,
        "quantity": plain(position.quantity),
        "average_price": plain(position.average_price),
        "entered_at": position.entered_at,
    } | {name: None if price is None else plain(price) for name, price in prices.items()}


def _trades_view(trades: tuple[PastTrade, ...]) -> dict[str, Any]:
    instants = [trade.at for trade in trades]
    return {"count": len(trades), "first_at": min(instants, default=None), "last_at": max(instants, default=None)}


def _counters_view(counters: Counters | None) -> dict[str, Any] | None:
    if counters is None:
        return None
    return {
        "trades": counters.trades,
        "wins": counters.wins,
        "losses": counters.losses,
        "draws": counters.draws,
        "realised": plain(counters.realised),
        "fees": {asset: plain(amount) for asset, amount in counters.fees.items()},
        "peak_equity": None if counters.peak_equity is None else plain(counters.peak_equity),
        "started_at": counters.started_at,
    }
