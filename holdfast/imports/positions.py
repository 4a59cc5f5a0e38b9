"""The positions of a foreign state, each with an instrument of this market and a strategy that looks after it."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from domain.imported import HeldPosition
from domain.market import Instrument
from domain.money import ZERO, floor_to
from domain.sizing import is_tradable
from holdfast.config.problems import nearest
from holdfast.imports.here import Here
from holdfast.imports.kinds import shown
from holdfast.imports.walker import WRONG, Row, Walker

SHARE_MIN = Decimal("0.05")
"""A stop or target below this part of what was paid is taken for a share or a percentage that was meant."""


def hold_positions(rows: list[tuple[Walker, Row]], here: Here) -> tuple[list[HeldPosition], list[str]]:
    """Return the positions that can be held, those of nothing too, and what is to be said of them."""
    held: dict[tuple[str, str], HeldPosition] = {}
    notices: list[str] = []
    for walker, row in rows:
        found = _hold(walker, row, here)
        if found is None:
            continue
        position, instrument = found
        if (position.strategy, position.symbol) in held:
            expected = f"one position of {position.strategy} in {position.symbol}"
            walker.report(row.path, expected=expected, found="a second one")
        held[position.strategy, position.symbol] = position
        notices += _notices_of(row, position, instrument)
    return list(held.values()), notices


def _hold(walker: Walker, row: Row, here: Here) -> tuple[HeldPosition, Instrument] | None:
    values = {name: value for name, value in row.values.items() if value is not WRONG}
    instrument = _instrument(walker, row, values.get("symbol"), here)
    strategy = _strategy(walker, row, instrument, here)
    if values.get("quantity") and "average_price" not in row.values:
        walker.report(row.path_of("average_price"), expected="what was paid for one", found="nothing")
        return None
    if instrument is not None:
        _check_prices(walker, row, values, instrument)
    if instrument is None or strategy is None or not row.is_whole:
        return None
    position = HeldPosition(
        strategy=strategy,
        symbol=instrument.symbol,
        quantity=values["quantity"],
        average_price=values.get("average_price", ZERO),
        entered_at=values.get("entered_at"),
        stop_price=values.get("stop_price"),
        take_profit=values.get("take_profit"),
    )
    return position, instrument


def _instrument(walker: Walker, row: Row, symbol: str | None, here: Here) -> Instrument | None:
    if symbol is None:
        return None
    instrument = here.instrument(symbol)
    if instrument is None:
        expected = f"a symbol of the feed ({', '.join(here.instruments)})"
        walker.report(row.path_of("symbol"), expected=expected, found=shown(symbol))
    return instrument


def _strategy(walker: Walker, row: Row, instrument: Instrument | None, here: Here) -> str | None:
    """Return who looks after a position: whom it names, else the first that trades its symbol."""
    name = row.values.get("strategy")
    if name is WRONG:
        return None
    if name is not None and name not in here.strategies:
        meant = nearest(name, here.strategies)
        expected = f"a strategy that is enabled ({', '.join(here.strategies)})"
        hint = f"did you mean `{meant}`?" if meant else ""
        walker.report(row.path_of("strategy"), expected=expected, found=shown(name), hint=hint)
        return None
    if instrument is None:
        return None
    traders = here.traders(instrument.symbol)
    if name in traders or (name is None and traders):
        return name or traders[0]
    expected = f"a symbol that {name or 'an enabled strategy'} trades"
    walker.report(row.path_of("symbol"), expected=expected, found=instrument.symbol)
    return None


def _check_prices(walker: Walker, row: Row, values: Mapping[str, Any], instrument: Instrument) -> None:
    paid, stop, target = (values.get(name) for name in ("average_price", "stop_price", "take_profit"))
    for name, price in (("stop_price", stop), ("take_profit", target)):
        if price is not None and paid is not None and price < paid * SHARE_MIN:
            expected = f"a price, at least {SHARE_MIN} of the {paid:f} that was paid"
            hint = "a share or a percentage is no price"
            walker.report(row.path_of(name), expected=expected, found=f"{price:f}", hint=hint)
    if stop is not None and not floor_to(stop, instrument.tick):
        expected = f"at least {instrument.tick:f}, the smallest step of the price"
        walker.report(row.path_of("stop_price"), expected=expected, found=f"{stop:f}")
    if stop is not None and target is not None and stop >= target:
        walker.report(row.path_of("stop_price"), expected=f"less than the target {target:f}", found=f"{stop:f}")


def _notices_of(row: Row, held: HeldPosition, instrument: Instrument) -> Iterator[str]:
    if not held.quantity:
        yield f"{row.path} holds nothing"
        return
    if "strategy" not in row.values:
        yield f"{row.path} names no strategy; {held.strategy} looks after {held.symbol}"
    if held.stop_price is None:
        yield f"{row.path} has no stop_price; nothing will protect {held.symbol}"
    if not is_tradable(held.quantity, price=held.average_price, instrument=instrument):
        yield f"{row.path} is so small that the venue will not take it back"
