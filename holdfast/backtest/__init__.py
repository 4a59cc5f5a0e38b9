"""Backtests: the node's own actors on the stage, over recorded bars."""
