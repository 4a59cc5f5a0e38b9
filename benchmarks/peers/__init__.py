"""The job of `benchmarks.backtest` on other engines, each run by a Python that has it."""
