"""Conditions that strategies share: whether a holding is flat, may be added to, or cools down."""

from domain.market import Bar, Instant
from domain.sizing import is_tradable
from domain.strategies.base import Holding, View


def is_flat(view: View, bar: Bar) -> bool:
    """Say whether nothing is held of the bar's symbol, or so little of it that the venue would not take it back.

    Fees paid in the base asset leave such dust behind; taken for a position, it would block every later entry.
    """
    quantity = view.holdings[bar.symbol].quantity
    return not is_tradable(quantity, price=bar.close, instrument=view.instruments[bar.symbol])


def may_enter(view: View, bar: Bar, *, cooldown_ms: int) -> bool:
    """Say whether the bar's symbol is flat, has no entry in flight and does not cool down from the last entry."""
    holding = view.holdings[bar.symbol]
    return not holding.entry_in_flight and not is_cooling(holding, view.at, cooldown_ms) and is_flat(view, bar)


def is_cooling(holding: Holding, at: Instant, cooldown_ms: int) -> bool:
    """Say whether the last entry filled less than `cooldown_ms` ago; where there never was one, nothing cools down."""
    return holding.entered_at is not None and at - holding.entered_at < cooldown_ms


def has_just_closed(bar: Bar, at: Instant, *, every_ms: int) -> bool:
    """Say whether the bar is the newest one there can be, for a strategy that is asked once in `every_ms`."""
    return 0 <= at - bar.closed_at < every_ms
