"""Values and rules: what Holdfast knows of markets, orders, positions and risk.

No I/O, no threads, no clock.  Decisions are made here, on values that were handed in.
"""
