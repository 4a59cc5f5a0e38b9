"""The keys of a foreign state: what each is called, here and elsewhere, and what may stand under it.

Large and small letters, `_` and `-` make no difference: `entryPrice` is `entry_price`.
"""

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from holdfast.config.kinds import Kind
from holdfast.imports.kinds import ABOVE_ZERO, COUNT, MOMENT, MONEY, QUANTITY, TEXT, Amount, Version, Word, Yes


class Field(msgspec.Struct, frozen=True):
    """One key of an object: its names, our own first, and what it may hold."""

    kind: Kind
    names: tuple[str, ...]
    is_required: bool = False

    @property
    def name(self) -> str:
        """Return our own name for it."""
        return self.names[0]


class Fields(msgspec.Struct, frozen=True):
    """The keys that an object may have."""

    by_name: Mapping[str, Field]
    """By every name there is for them, as `same` writes it."""
    required: tuple[Field, ...]


@lru_cache(maxsize=4_096)
def same(key: str) -> str:
    """Return what all spellings of a key have in common."""
    return key.lower().replace("_", "").replace("-", "").replace(" ", "")


def plain_symbol(symbol: str) -> str:
    """Return what `BTC/USDT`, `btc-usdt` and `BTCUSDT` have in common."""
    return symbol.upper().replace("/", "").replace("-", "").replace("_", "")


def _fields(*fields: Field) -> Fields:
    return Fields(
        by_name={same(name): field for field in fields for name in field.names},
        required=tuple(field for field in fields if field.is_required),
    )


SYMBOL = Field(TEXT, ("symbol", "pair"), is_required=True)

POSITION = _fields(
    SYMBOL,
    Field(QUANTITY, ("quantity", "qty", "amount", "size"), is_required=True),
    Field(ABOVE_ZERO, ("average_price", "avg_price", "average_entry_price", "avg_entry_price", "entry_price")),
    Field(MOMENT, ("entered_at", "entry_time", "entry_at", "opened_at", "open_time", "entry_timestamp")),
    Field(TEXT, ("strategy", "strategy_name")),
    Field(ABOVE_ZERO, ("stop_price", "stop_loss", "stop_loss_price", "stop")),
    Field(ABOVE_ZERO, ("take_profit", "take_profit_price", "target_price")),
    # Keys that would turn a position into something else, if they were passed over.
    Field(Word(("long", "buy"), 'long ("long" or "buy"), which is all that is traded here'), ("side", "direction")),
    Field(Word(("open",), '"open": what is closed belongs to the trades'), ("status", "state")),
    Field(Yes("true: what is closed belongs to the trades"), ("is_open",)),
    Field(Amount(at_least=1, at_most=1, noun="1, for nothing is borrowed here:"), ("leverage",)),
)

TRADE = _fields(
    SYMBOL,
    Field(Word(("buy", "sell"), '"buy" or "sell"'), ("side",), is_required=True),
    Field(ABOVE_ZERO, ("quantity", "qty", "amount", "size"), is_required=True),
    Field(ABOVE_ZERO, ("price", "average_price", "avg_price"), is_required=True),
    Field(MONEY, ("fee", "commission")),
    Field(TEXT, ("fee_asset", "fee_currency", "commission_asset")),
    Field(MOMENT, ("at", "time", "timestamp", "datetime", "executed_at", "filled_at"), is_required=True),
    Field(TEXT, ("id", "trade_id")),
)

COUNTERS = _fields(
    Field(COUNT, ("trades", "total_trades", "trade_count", "number_of_trades")),
    Field(COUNT, ("wins", "winning_trades", "win_count")),
    Field(COUNT, ("losses", "losing_trades", "loss_count")),
    Field(COUNT, ("draws", "breakeven_trades")),
    Field(
        MONEY,
        ("realised", "realized", "realised_profit", "realized_profit", "realised_pnl", "realized_pnl"),
    ),
    Field(ABOVE_ZERO, ("peak_equity", "equity_peak", "max_equity", "high_water_mark")),
    Field(MOMENT, ("started_at", "start_time")),
)
FEES = frozenset(map(same, ("fees", "total_fees", "fees_paid")))
"""The one counter that is a number, or an object with a number for each asset."""

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "version": ("version", "schema_version", "format_version"),
    "quote": ("quote", "quote_asset", "quote_currency"),
    "cash": ("cash", "balances", "balance"),
    "positions": ("positions", "open_positions", "holdings"),
    "trades": ("trades", "trade_history", "past_trades", "fills"),
    "performance": ("performance", "stats", "statistics", "metrics"),
    "last_entries": ("last_entries", "last_entry", "last_entry_at", "last_entry_times", "last_entry_time"),
}
"""What a state consists of."""
SECTION_OF = {same(name): section for section, names in SECTIONS.items() for name in names}
VERSION = Version(newest=1)
"""Of the format; a state that says none is of the first."""
