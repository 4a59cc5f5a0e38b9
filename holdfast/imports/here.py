"""What this node trades, asked in the words of a foreign state."""

from domain.market import Instrument
from holdfast.imports.fields import plain_symbol
from holdfast.parts import Parts


class Here:
    """The node's market and its strategies."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.instruments = parts.shape.instruments
        self.quote = parts.shape.quote
        self.strategies = {part.name: part for part in parts.shape.strategies}
        """Those that are enabled."""
        # Of two that are written alike but for a separator, the first one is meant.
        self._by_plain = {plain_symbol(symbol): self.instruments[symbol] for symbol in reversed([*self.instruments])}

    def instrument(self, symbol: str) -> Instrument | None:
        """Return the instrument a symbol means, however it is written; None where it is not traded."""
        return self.instruments.get(symbol.upper()) or self._by_plain.get(plain_symbol(symbol))

    def traders(self, symbol: str) -> list[str]:
        """Name the strategies that trade a symbol, in their order."""
        return [name for name, part in self.strategies.items() if symbol in part.symbols]
