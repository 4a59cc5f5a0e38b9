"""Every kind of event there is, by the name it has in the journal, and how older versions are read."""

from collections.abc import Callable
from typing import Any

from messages.audit import DayAudited
from messages.base import Event
from messages.imported import PastImported, PositionImported, StateImported
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
    BackedUp,
    CommandDone,
    ConfigurationChanged,
    NodeFailed,
    NodeStarted,
    NodeStopped,
    OperatorCommanded,
    PartGaveUp,
    Restored,
    Salvaged,
    StateHashed,
    StateMarked,
)
from messages.orders import (
    CancelIntended,
    ExitEnded,
    ExitOrdered,
    OrderAbsent,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderIntended,
    OrderRejected,
    OrderUnresolved,
)
from messages.parts import PartCrashed, PartStarted, SupervisorReported
from messages.positions import AccountOpened, EquityMarked, PositionChanged
from messages.reconciliation import AccountAdopted, Reconciled
from messages.risk import BreakerReset, BreakerTripped, OrderApproved, OrderDenied
from messages.sentiment import HeadlinesAvailable, HeadlineScored, HeadlinesUnavailable
from messages.watch import InvariantViolated

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns an event's plain JSON values of one version into those of the next."""

EVENTS: tuple[type[Event], ...] = (
    SourceOpened,
    HistoryLoaded,
    BarsClosed,
    BarsPassed,
    FramesClosed,
    RowRefused,
    Offered,
    OfferAnswered,
    OfferSkipped,
    MarketEnded,
    HeadlineScored,
    HeadlinesUnavailable,
    HeadlinesAvailable,
    OrderApproved,
    OrderDenied,
    BreakerTripped,
    BreakerReset,
    Reconciled,
    AccountAdopted,
    OrderIntended,
    OrderAccepted,
    OrderRejected,
    OrderUnresolved,
    OrderFilled,
    OrderCanceled,
    OrderExpired,
    OrderAbsent,
    CancelIntended,
    ExitOrdered,
    ExitEnded,
    AccountOpened,
    StateImported,
    PositionImported,
    PastImported,
    PositionChanged,
    EquityMarked,
    NodeStarted,
    NodeStopped,
    NodeFailed,
    ConfigurationChanged,
    OperatorCommanded,
    CommandDone,
    BackedUp,
    Restored,
    Salvaged,
    StateMarked,
    StateHashed,
    PartGaveUp,
    PartStarted,
    PartCrashed,
    SupervisorReported,
    DayAudited,
    InvariantViolated,
)

KINDS: dict[str, type[Event]] = {event.__name__: event for event in EVENTS}


def _with_sizing(values: dict[str, Any]) -> dict[str, Any]:
    """Give the entries of an answer or approval of version 1 what their quantity was made of: it was not told."""
    entries = values["proposals"] if "proposals" in values else [values["entry"]]
    for entry in entries:
        if entry["type"] == "entry":
            entry.setdefault("sizing", "")
    return values


UPCASTS: dict[str, tuple[Upcast, ...]] = {"OfferAnswered": (_with_sizing,), "OrderApproved": (_with_sizing,)}
"""For each kind that has changed, its steps from version 1 on; a kind's version is one more than it has steps."""
