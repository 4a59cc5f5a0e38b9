"""The auditor: has each day audited once it is over, writes down what came of it, and warns."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Protocol

from actors.base import Log
from domain.market import DAY_MS, Instant
from messages.audit import AuditEnded, DayAudited
from messages.positions import EquityMarked
from supervision import Actor, Recorded, Seat, System


class Audits(Protocol):
    """Audits days beside the node: none of it is done in the caller's turn."""

    def due_after(self, at: Instant) -> Instant | None:
        """Return the first instant after this one at which the day before it is to be audited; None for never."""

    def begin(self, day: int, reply: Callable[[DayAudited], None]) -> str:
        """Begin to audit a day (counted from the epoch) and tell what came of it; or say why not."""


class Auditor(Actor):
    """Follows market time; a day whose hour has come is given away to be audited."""

    def __init__(self, system: System, seat: Seat, *, audits: Audits, score_min: Decimal, log: Log) -> None:
        """`score_min` is in percent; a score below it is a warning."""
        super().__init__(system, seat)
        self._audits = audits
        self._score_min = score_min
        self._log = log
        self._due_at: Instant | None = None

    def started(self) -> None:
        """Go on from where the market stands: an hour that came while the node was down is not missed."""
        if at := self.market_ms():
            self._due_at = self._audits.due_after(at)

    def receive(self, message: Any) -> Any:
        """Follow the market, and take in what came of an audit."""
        match message:
            case Recorded(event=EquityMarked(at=at)):
                self._market_came_to(at)
            case AuditEnded(audited=audited):
                self._ended(audited)
            case Recorded():
                pass
            case _:
                super().receive(message)
        return None

    def _market_came_to(self, at: Instant) -> None:
        if self._due_at is not None and at >= self._due_at:
            day = self._due_at // DAY_MS - 1
            if why_not := self._audits.begin(day, self._reply):
                self._log("warning", "audit.skipped", why=why_not)
            self._due_at = None
        if self._due_at is None:
            self._due_at = self._audits.due_after(at)

    def _reply(self, audited: DayAudited) -> None:
        # To whoever plays the auditor then: what was found is no less true after a restart of this one.
        self._system.tell(self.name, AuditEnded(audited))

    def _ended(self, audited: DayAudited) -> None:
        self.record(audited)
        is_low = audited.score is not None and audited.score < self._score_min
        values = {"day": audited.day, "score": None if audited.score is None else str(audited.score)}
        if audited.problem:
            self._log("warning", "audit.failed", **values, problem=audited.problem)
        elif is_low or not (audited.is_equal or audited.causes):
            self._log("warning", "audit.differs", **values, causes=audited.causes, first=audited.text)
        else:
            self._log("info", "audit.done", **values, causes=audited.causes)
