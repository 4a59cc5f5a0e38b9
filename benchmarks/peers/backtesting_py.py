"""backtesting.py on the job of `benchmarks.backtest`; run by a Python that has it.  Prints one JSON object.

python backtesting_py.py BARS.csv FAST SLOW QUANTITY
"""

import json
import resource
import sys
import time
from typing import Any

import backtesting
import pandas as pd
from backtesting import Backtest, Strategy


def strategy_of(fast: int, slow: int, size: int) -> type[Any]:
    """Return a strategy that holds a size while the fast average is above the slow one."""

    class Cross(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            close = pd.Series(self.data.Close)
            self.fast = self.I(lambda: close.ewm(span=fast, adjust=False).mean().to_numpy(), name="fast")
            self.slow = self.I(lambda: close.ewm(span=slow, adjust=False).mean().to_numpy(), name="slow")

        def next(self) -> None:
            if len(self.data) < slow:
                return
            if self.fast[-1] > self.slow[-1]:
                if not self.position:
                    self.buy(size=size)
            elif self.fast[-1] < self.slow[-1] and self.position:
                self.position.close()

    return Cross


def main() -> None:
    """Run the job once."""
    file, fast, slow, quantity = sys.argv[1:5]
    table = pd.read_csv(file)
    table.index = pd.to_datetime(table["ts"], unit="ms")
    table = table.rename(columns=str.capitalize)[["Open", "High", "Low", "Close", "Volume"]]
    kind = strategy_of(int(fast), int(slow), int(quantity))
    test = Backtest(table, kind, cash=1_000_000, commission=0.001, finalize_trades=False)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    stats = test.run()
    seconds, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    strategy = stats._strategy
    entries = [(trade.entry_time, "buy", trade.entry_price) for trade in (*strategy.closed_trades, *strategy.trades)]
    exits = [(trade.exit_time, "sell", trade.exit_price) for trade in strategy.closed_trades]
    fills = sorted((int(at.timestamp() * 1000), side, f"{price:.2f}") for at, side, price in (*entries, *exits))
    found = {
        "version": backtesting.__version__,
        "bars": len(table),
        "seconds": seconds,
        "cpu_s": cpu_s,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "fills": fills,
    }
    print(json.dumps(found))


main()
