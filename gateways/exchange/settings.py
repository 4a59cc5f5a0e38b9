"""What an exchange on loopback is started with."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from domain.market import Instrument
from gateways.exchange.scenario import Scenario

SPEED_MAX = 10_000
"""A minute's bar then takes six milliseconds, which is as fast as every tick of it can be told."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class ExchangeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How one exchange is set up.  Raises ValueError for a setting that cannot be."""

    home: Path
    """Folder of its keys, book and ledger; nobody else may have it."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 for any that is free."""
    exposed: bool = False
    """Whether `host` may be an address that other machines reach."""
    data: Path | None = None
    """A file or folder of recorded bars; None for the generated market."""
    symbols: Sequence[str] = ()
    """Which symbols, in which order; all of the files, or the generated market's three, where none are named."""
    instruments: Mapping[str, Instrument] = {}
    """Steps and minimums by symbol; for others they follow from the price."""
    speed: float = 1.0
    """Bars' time passes that many times as fast as the clock."""
    seed: int = 7
    """Of the generated market, of ticks and of depths."""
    balances: Mapping[str, Decimal] = msgspec.field(default_factory=lambda: {"USDT": Decimal(10_000)})
    """What the account has when its book is made."""
    history_bars: int = 3_000
    """Bars of the data that have passed when the exchange is made, and are served as klines."""
    fee_maker_bps: Decimal = Decimal(10)
    fee_taker_bps: Decimal = Decimal(10)
    fee_asset: str = "received"
    """`received`: out of what a trade brings; `quote`: on top in quote currency."""
    participation: Decimal = Decimal("0.5")
    """Share of what is traded beyond a resting order's price that the order gets."""
    key_may_withdraw: bool = False
    """What it says of its key when it is asked; it lets nobody withdraw."""
    scenario: Scenario = Scenario()
    """What it lies about from the start."""
    weight_max: int = 6_000
    """Request weight of one minute for one address; above it, 429 and then 418."""
    orders_max: int = 100
    """Orders of ten seconds."""

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65_536:
            raise ValueError(f"port must be in 0..65535, was {self.port}")
        if self.host not in LOOPBACK and not self.exposed:
            raise ValueError(f"host must be a loopback address unless the exchange may be exposed, was {self.host}")
        if not 0 < self.speed <= SPEED_MAX:
            raise ValueError(f"speed must be above 0 and at most {SPEED_MAX}, was {self.speed}")
        if self.fee_asset not in ("received", "quote"):
            raise ValueError(f"fee_asset must be received or quote, was {self.fee_asset}")
        if self.history_bars < 0:
            raise ValueError(f"history_bars must be at least 0, was {self.history_bars}")
