"""Who hears which event.  This table is the safety case: exposure grows only through `OrderApproved`.

An entry reaches the executor by no other event, and only the breaker records that one; with the breaker down nothing
is approved.  What reduces (exits of `OfferAnswered`, an operator's commands) the executor hears directly.
"""

from collections.abc import Sequence

from holdfast.parts import Shape
from messages.base import Event
from messages.imported import PositionImported, StateImported
from messages.market import (
    BarsClosed,
    BarsPassed,
    FramesClosed,
    HistoryLoaded,
    MarketEnded,
    OfferAnswered,
    Offered,
    OfferSkipped,
    RowRefused,
    SourceOpened,
)
from messages.node import (
    AnswerOperator,
    CommandDone,
    NodeStarted,
    OperatorCommanded,
    PartGaveUp,
    Perform,
    Restored,
    Salvaged,
    StateMarked,
)
from messages.orders import (
    CancelIntended,
    CancelOrder,
    ExitEnded,
    ExitOrdered,
    LookUpOrder,
    OrderAbsent,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderUnresolved,
    SubmitOrder,
)
from messages.parts import PartStarted
from messages.positions import AccountOpened, EquityMarked, PositionChanged
from messages.reconciliation import AccountAdopted, Reconciled
from messages.risk import BreakerReset, BreakerTripped, OrderApproved, OrderDenied
from messages.sentiment import HeadlinesAvailable, HeadlineScored, HeadlinesUnavailable
from messages.watch import InvariantViolated

Kinds = tuple[type[Event], ...]

MENDS: Kinds = (Restored, Salvaged)
"""What begins a new generation of the journal, and halts the node."""
ENDS: Kinds = (OrderFilled, OrderCanceled, OrderExpired, OrderRejected, OrderAbsent)

HEARS: dict[str, Kinds] = {
    "feed": (
        SourceOpened,
        HistoryLoaded,
        BarsClosed,
        BarsPassed,
        FramesClosed,
        RowRefused,
        Offered,
        OfferAnswered,
        OfferSkipped,
        OrderAbsent,
        MarketEnded,
    ),
    "sentiment": (SourceOpened, FramesClosed, HeadlineScored, HeadlinesUnavailable, HeadlinesAvailable),
    "strategy": (
        HistoryLoaded,
        FramesClosed,
        HeadlineScored,
        EquityMarked,
        PositionChanged,
        Offered,
        OfferAnswered,
        OfferSkipped,
        OrderDenied,
        OrderIntended,
        *ENDS,
    ),
    "breaker": (
        NodeStarted,
        AccountOpened,
        StateImported,
        PositionImported,
        BarsClosed,
        OfferAnswered,
        OrderApproved,
        OrderDenied,
        OrderIntended,
        OrderAccepted,
        OrderUnresolved,
        *ENDS,
        BreakerTripped,
        BreakerReset,
        OperatorCommanded,
        Reconciled,
        AccountAdopted,
        *MENDS,
        PartGaveUp,
        InvariantViolated,
    ),
    "reconciler": (
        NodeStarted,
        AccountOpened,
        PositionImported,
        OrderIntended,
        OrderAccepted,
        OrderUnresolved,
        *ENDS,
        CancelIntended,
        OperatorCommanded,
        Reconciled,
        AccountAdopted,
    ),
    "executor": (
        NodeStarted,
        AccountOpened,
        PositionImported,
        BarsClosed,
        OfferAnswered,
        OrderApproved,
        OrderDenied,
        OrderIntended,
        OrderAccepted,
        OrderUnresolved,
        *ENDS,
        CancelIntended,
        ExitOrdered,
        ExitEnded,
        OperatorCommanded,
        Reconciled,
        AccountAdopted,
        *MENDS,
        PartStarted,
    ),
    "venue": (SourceOpened, BarsClosed),
    "positions": (
        AccountOpened,
        StateImported,
        PositionImported,
        AccountAdopted,
        BarsClosed,
        FramesClosed,
        OfferAnswered,
        OrderIntended,
        OrderFilled,
        PositionChanged,
        EquityMarked,
    ),
    "watcher": (
        SourceOpened,
        AccountOpened,
        AccountAdopted,
        PositionImported,
        BarsClosed,
        OrderApproved,
        OrderDenied,
        OrderIntended,
        OrderAccepted,
        OrderUnresolved,
        *ENDS,
        ExitOrdered,
        ExitEnded,
        PositionChanged,
        BreakerTripped,
        BreakerReset,
        OperatorCommanded,
        *MENDS,
        PartGaveUp,
        InvariantViolated,
    ),
    "operator": (OperatorCommanded, CommandDone),
    "archivist": (EquityMarked,),
    "health": (EquityMarked,),
    "auditor": (EquityMarked,),
    "keeper": (),
    "herald": (
        SourceOpened,
        RowRefused,
        HeadlinesUnavailable,
        HeadlinesAvailable,
        OrderApproved,
        OrderDenied,
        OrderIntended,
        OrderUnresolved,
        *ENDS,
        ExitOrdered,
        BreakerTripped,
        BreakerReset,
        OperatorCommanded,
        Reconciled,
        AccountAdopted,
        PartGaveUp,
        InvariantViolated,
        MarketEnded,
    ),
}
"""By role; all strategies hear the same."""

REMEMBERING = ("positions", "venue", "executor", "breaker", "reconciler", "feed", "sentiment", "operator", "watcher")
"""Roles with a memory, besides the strategies."""

LEAVES_HOUSE: frozenset[type] = frozenset({SubmitOrder, CancelOrder, LookUpOrder, Perform, AnswerOperator})
"""What is delivered only once everything its sender knew is durable.

Look-ups too: a question about an order must not overtake the order itself while that waits for the disk.
"""


OPERATIONS = ("health", "herald", "archivist", "operator", "watcher")
WATCHER = "watcher"
"""Judges the others by what they record; whatever befalls it touches no trading."""
AUDITOR = "auditor"
"""One more of them, where days are audited on schedule: not on the stage, nor in a backtest."""
KEEPER = "keeper"
"""And one that has backups made on schedule; it hears no event."""


def node_names(shape: Shape) -> tuple[str, ...]:
    """Return the names of all actors of a node that are no supervisors, but for the auditor."""
    strategies = (f"strategy.{part.name}" for part in shape.strategies)
    return ("positions", "venue", "executor", "breaker", "reconciler", *strategies, "sentiment", "feed", *OPERATIONS)


def role_of(name: str) -> str:
    """Return the role behind an actor's name: `strategy.confidence` plays `strategy`."""
    return name.partition(".")[0]


def kinds_of(name: str) -> frozenset[str]:
    """Return the names of the events an actor folds."""
    return frozenset(kind.__name__ for kind in HEARS[role_of(name)])


def routes_for(names: Sequence[str]) -> dict[type, tuple[str, ...]]:
    """Return, for each kind of event, the actors that hear it, in the order given."""
    routes: dict[type, list[str]] = {}
    for name in names:
        for kind in HEARS[role_of(name)]:
            routes.setdefault(kind, []).append(name)
        if role_of(name) in (*REMEMBERING, "strategy"):
            routes.setdefault(StateMarked, []).append(name)
    return {kind: tuple(hearers) for kind, hearers in routes.items()}
