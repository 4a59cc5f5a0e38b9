"""Strategies that ship with Holdfast, and the interface they share with yours."""

from domain.strategies.base import Holding, Score, Strategy, View

__all__ = ["Holding", "Score", "Strategy", "View"]
