"""The memories of a node by name: what its actors fold, and what a replay rebuilds without any actor."""

from actors.breaker_memory import BreakerMemory
from actors.executor_memory import ExecutorMemory
from actors.feed_memory import FeedMemory
from actors.operator import OperatorMemory
from actors.positions import PositionsMemory
from actors.reconciler_memory import ReconcilerMemory
from actors.sentiment import SentimentMemory
from actors.strategy import StrategyMemory
from actors.venue import VenueMemory
from actors.watcher_memory import WatcherMemory
from holdfast.parts import Shape, StrategyPart
from supervision import Memory


def remembering_names(shape: Shape) -> tuple[str, ...]:
    """Return the names of all actors with a memory, in the order they start."""
    strategies = tuple(f"strategy.{part.name}" for part in shape.strategies)
    guard = ("positions", "venue", "executor", "breaker", "reconciler")
    return ("operator", "watcher", *guard, "sentiment", *strategies, "feed")


def new_memory(name: str, shape: Shape) -> Memory:
    """Return an empty memory for an actor."""
    match name:
        case "positions":
            return PositionsMemory(shape.instruments, shape.quote)
        case "venue":
            return VenueMemory()
        case "executor":
            return ExecutorMemory()
        case "breaker":
            return BreakerMemory(shape.instruments, shape.quote)
        case "reconciler":
            return ReconcilerMemory(shape.instruments, shape.quote)
        case "feed":
            return FeedMemory(shape.frames)
        case "sentiment":
            return SentimentMemory()
        case "operator":
            return OperatorMemory()
        case "watcher":
            return watcher_memory(shape)
    return strategy_memory(next(part for part in shape.strategies if name == f"strategy.{part.name}"))


def strategy_memory(part: StrategyPart) -> StrategyMemory:
    """Return an empty memory for a strategy."""
    memory = StrategyMemory(part.name, part.make(), version=part.version)
    memory.watch(part.symbols)
    return memory


def watcher_memory(shape: Shape) -> WatcherMemory:
    """Return an empty memory for the watcher."""
    return WatcherMemory(shape.instruments, demands_stops=shape.demands_stops)
