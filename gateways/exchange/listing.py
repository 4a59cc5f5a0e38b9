"""Which rules a symbol trades by, where nobody gave any: steps that follow from its price."""

from decimal import Decimal

from domain.market import Instrument

QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "USD", "EUR", "GBP", "JPY", "TRY", "BTC", "ETH", "BNB")
"""Assets that prices are counted in, those that end like another one first."""
_NOTIONAL_MIN = Decimal(5)


def instrument_of(symbol: str, price: Decimal) -> Instrument:
    """Return the rules of a symbol that trades near a price: 42,000 gives a tick of 0.01 and a lot of 0.00001.

    Raises:
        ValueError: its name does not show its assets.
    """
    quote = next((known for known in QUOTES if symbol.endswith(known) and symbol != known), "")
    if not quote:
        raise ValueError(f"a symbol must end with its quote asset, as BTCUSDT does, was {symbol}")
    size = price.adjusted()
    lot = Decimal(1).scaleb(max(-5, min(0, -size - 1)))
    return Instrument(
        symbol=symbol,
        base=symbol.removesuffix(quote),
        quote=quote,
        tick=Decimal(1).scaleb(max(-8, min(-2, size - 4))),
        lot=lot,
        quantity_min=lot,
        notional_min=_NOTIONAL_MIN if quote.endswith("USD") or quote in QUOTES[:4] else Decimal(0),
    )
