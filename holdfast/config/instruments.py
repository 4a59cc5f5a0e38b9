"""What Holdfast knows of common symbols: their assets, and the venue's steps and minimums."""

from decimal import Decimal

from domain.market import Instrument
from holdfast.config.settings import InstrumentRules

QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "USD", "EUR", "GBP", "JPY", "TRY", "BTC", "ETH", "BNB")
"""Assets that prices are counted in, those that end like another one first."""

_KNOWN: dict[str, tuple[str, str]] = {
    "BTC": ("0.01", "0.00001"),
    "ETH": ("0.01", "0.0001"),
    "BNB": ("0.01", "0.001"),
    "SOL": ("0.01", "0.001"),
    "XRP": ("0.0001", "0.1"),
    "DOGE": ("0.00001", "1"),
    "LUNA": ("0.0001", "0.01"),
}
"""Tick in USDT and lot, by base asset."""
_OTHERS = ("0.00000001", "0.00000001")
_NOTIONAL_MIN = Decimal(5)
_DOLLARS = frozenset({"FDUSD", "USDT", "USDC", "BUSD", "USD"})


def instrument_for(symbol: str, rules: InstrumentRules | None = None) -> Instrument:
    """Return a symbol's instrument: the configured rules, else what is known of it, else the finest steps there are.

    Raises:
        ValueError: its assets are neither configured nor to be told from its name.
    """
    given = rules or InstrumentRules()
    base, quote = given.base, given.quote
    if base is None or quote is None:
        named_base, named_quote = assets_of(symbol)
        base, quote = base or named_base, quote or named_quote
    tick, lot = _KNOWN.get(base, _OTHERS) if quote in _DOLLARS else _OTHERS
    known = Instrument(
        symbol=symbol,
        base=base,
        quote=quote,
        tick=Decimal(tick),
        lot=Decimal(lot),
        quantity_min=Decimal(lot),
        notional_min=_NOTIONAL_MIN if quote in _DOLLARS else Decimal(0),
    )
    return _refined(known, given)


def assets_of(symbol: str) -> tuple[str, str]:
    """Return base and quote of a symbol such as BTCUSDT or BTC/USDT.

    Raises:
        ValueError: its name does not show them.
    """
    separator = next((mark for mark in "/-_" if mark in symbol), "")
    if separator:
        base, _, rest = symbol.partition(separator)
        quote = rest.partition(":")[0]
    else:
        quote = next((known for known in QUOTES if symbol.endswith(known)), "")
        base = symbol.removesuffix(quote)
    if base and quote:
        return base, quote
    raise ValueError(f"a symbol must show its base and quote asset, as BTCUSDT or BTC/USDT does, was {symbol}")


def _refined(known: Instrument, given: InstrumentRules) -> Instrument:
    lot = known.lot if given.lot is None else given.lot
    return Instrument(
        symbol=known.symbol,
        base=known.base,
        quote=known.quote,
        tick=known.tick if given.tick is None else given.tick,
        lot=lot,
        quantity_min=(lot if given.lot else known.quantity_min) if given.quantity_min is None else given.quantity_min,
        notional_min=known.notional_min if given.notional_min is None else given.notional_min,
        quantity_max=given.quantity_max,
    )
