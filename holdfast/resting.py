"""Symbols that a home's journal knows and its market has no more: they rest, and their past stays what it was.

Nothing is offered of them and nothing entered.  What memories fold of them takes their rules, which the journal has.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from actors.reconciler_memory import ReconcilerMemory
from domain.market import Instrument
from domain.money import ZERO
from holdfast.config.instruments import instrument_for
from holdfast.config.problems import ConfigurationError, Problem
from holdfast.config.settings import InstrumentRules
from holdfast.parts import Parts
from holdfast.recovery import recorded_of
from holdfast.routes import kinds_of
from persistence.reader import JournalReader

Rules = Mapping[str, InstrumentRules]


def with_resting(parts: Parts, symbols: tuple[str, ...], rules: Rules) -> Parts:
    """Return parts whose instruments are those of the journal too, in its order: what is rebuilt of it has the same.

    Raises:
        ConfigurationError: one of them is counted in another currency, or its rules are known to nobody.
    """
    known = parts.shape.instruments
    names = tuple(dict.fromkeys((*symbols, *known)))
    if names == tuple(known):
        return parts
    kept = {symbol: rules[symbol] for symbol in names if symbol not in known and symbol in rules}
    settings = msgspec.structs.replace(parts.settings, instruments={**kept, **parts.settings.instruments})
    instruments = {symbol: known.get(symbol) or _instrument(symbol, settings.instruments) for symbol in names}
    if strange := [symbol for symbol, each in instruments.items() if each.quote != parts.shape.quote]:
        expected = f"symbols of one quote asset, those of this home's journal too ({', '.join(symbols)})"
        found, hint = f"{parts.shape.quote} and {', '.join(strange)}", "run in another home"
        raise ConfigurationError([Problem("feed.symbols", expected, found, "the journal", hint)])
    shape = msgspec.structs.replace(parts.shape, instruments=instruments)
    given = parts.settings.instruments if parts.instruments_given is None else parts.instruments_given
    return msgspec.structs.replace(parts, settings=settings, shape=shape, instruments_given=given)


def demand_nothing_held(parts: Parts, symbols: tuple[str, ...], home: Path) -> None:
    """Refuse a configuration without a symbol of which something is held or on order: nobody would look after it.

    Raises:
        ConfigurationError: it names them, with what is held.
    """
    named = {*parts.source.symbols(), *parts.settings.feed.symbols}
    dropped = [symbol for symbol in symbols if symbol not in named]
    if not dropped or not (found := _held(parts, dropped, home)):
        return
    expected = f"all symbols of this home's journal of which something is held or on order ({', '.join(found)})"
    missing, hint = f"none of {'; '.join(found.values())}", "name them again, and flatten them first"
    raise ConfigurationError([Problem("feed.symbols", expected, missing, f"the market, for {home}", hint)])


def _held(parts: Parts, dropped: list[str], home: Path) -> Mapping[str, str]:
    """Return what is held and on order of these symbols, as the journal has it, for people."""
    memory = ReconcilerMemory(parts.shape.instruments, parts.shape.quote)
    with JournalReader(home) as reader:
        for record in reader.read(kinds=sorted(kinds_of("reconciler"))):
            memory.fold(recorded_of(record))
    quantities = memory.state.book.quantities()
    found = {}
    for symbol in dropped:
        quantity, lot = quantities.get(symbol, ZERO), parts.shape.instruments[symbol].lot
        orders = sum(order.terms.symbol == symbol for order in memory.state.orders.values())
        if abs(quantity) >= lot or orders:
            found[symbol] = f"{symbol} (held {quantity:f}, open orders {orders})"
    return found


def _instrument(symbol: str, rules: Rules) -> Instrument:
    try:
        return instrument_for(symbol, rules.get(symbol))
    except ValueError as error:
        problem = Problem(f"instruments.{symbol}", "its base and quote asset", str(error), "the journal")
        raise ConfigurationError([problem]) from error
