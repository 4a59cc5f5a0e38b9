"""NautilusTrader on the job of `benchmarks.backtest`; run by a Python that has it.  Prints one JSON object.

python nautilus.py BARS.csv FAST SLOW QUANTITY
"""

import json
import resource
import sys
import time
from decimal import Decimal
from typing import Any

import pandas as pd
from nautilus_trader import __version__
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TraderId, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy


class CrossConfig(StrategyConfig, frozen=True):  # type: ignore[misc, call-arg]
    """Which bars, which periods, how much."""

    bar_type: BarType
    instrument_id: InstrumentId
    fast: int
    slow: int
    quantity: str


class Cross(Strategy):  # type: ignore[misc]
    """Holds a quantity while the fast average is above the slow one."""

    def __init__(self, config: CrossConfig) -> None:
        super().__init__(config)
        self.fast = ExponentialMovingAverage(config.fast)
        self.slow = ExponentialMovingAverage(config.slow)
        self.fills: list[tuple[int, str, str]] = []

    def on_start(self) -> None:
        """Ask for bars."""
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.quantity = self.instrument.make_qty(Decimal(self.config.quantity))
        self.register_indicator_for_bars(self.config.bar_type, self.fast)
        self.register_indicator_for_bars(self.config.bar_type, self.slow)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Enter above, leave below."""
        if not self.slow.initialized:
            return
        is_flat = self.portfolio.is_flat(self.config.instrument_id)
        if self.fast.value > self.slow.value:
            if is_flat:
                self._send(OrderSide.BUY)
        elif self.fast.value < self.slow.value and not is_flat:
            self._send(OrderSide.SELL)

    def _send(self, side: OrderSide) -> None:
        self.submit_order(self.order_factory.market(self.config.instrument_id, side, self.quantity))

    def on_order_filled(self, event: Any) -> None:
        """Note a fill."""
        self.fills.append((event.ts_event // 1_000_000, "buy" if event.is_buy else "sell", str(event.last_px)))


def main() -> None:
    """Run the job once."""
    file, fast, slow, quantity = sys.argv[1:5]
    venue = Venue("SIM")
    instrument = instrument_at(venue)
    engine = BacktestEngine(
        BacktestEngineConfig(trader_id=TraderId("BENCH-001"), logging=LoggingConfig(bypass_logging=True))
    )
    engine.add_venue(
        venue=venue,
        oms_type=OmsType.NETTING,
        account_type=AccountType.CASH,
        base_currency=None,
        starting_balances=[Money(1_000_000, USDT), Money(0, BTC)],
    )
    engine.add_instrument(instrument)
    bar_type = BarType.from_str("BTCUSDT.SIM-1-MINUTE-LAST-EXTERNAL")
    table = pd.read_csv(file)
    table["timestamp"] = pd.to_datetime(table["ts"] + 60_000, unit="ms", utc=True)
    table = table.set_index("timestamp")[["open", "high", "low", "close", "volume"]]
    bars = BarDataWrangler(bar_type, instrument).process(table)
    engine.add_data(bars)
    config = CrossConfig(
        bar_type=bar_type, instrument_id=instrument.id, fast=int(fast), slow=int(slow), quantity=quantity
    )
    strategy = Cross(config)
    engine.add_strategy(strategy)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    engine.run()
    found = {
        "version": __version__,
        "bars": len(bars),
        "seconds": time.perf_counter() - began_s,
        "cpu_s": time.process_time() - began_cpu_s,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "fills": strategy.fills,
    }
    print(json.dumps(found))


def instrument_at(venue: Venue) -> CurrencyPair:
    """Return a pair with the steps and fees that our paper venue has."""
    return CurrencyPair(
        instrument_id=InstrumentId(Symbol("BTCUSDT"), venue),
        raw_symbol=Symbol("BTCUSDT"),
        base_currency=BTC,
        quote_currency=USDT,
        price_precision=2,
        size_precision=5,
        price_increment=Price.from_str("0.01"),
        size_increment=Quantity.from_str("0.00001"),
        lot_size=None,
        max_quantity=None,
        min_quantity=None,
        max_notional=None,
        min_notional=None,
        max_price=None,
        min_price=None,
        margin_init=Decimal(0),
        margin_maint=Decimal(0),
        maker_fee=Decimal("0.001"),
        taker_fee=Decimal("0.001"),
        ts_event=0,
        ts_init=0,
    )


main()
