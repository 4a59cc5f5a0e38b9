"""The health watcher: looks at actors and machine, and says what it sees."""

from collections.abc import Callable
from typing import Any

import msgspec

from actors.base import Log
from domain.market import Instant
from domain.performance import Summary
from messages.market import Unsettled
from messages.node import Beat, StateTooLarge, SummaryTold, SummaryWanted
from messages.orders import ForeignOrderSeen
from messages.positions import EquityMarked
from supervision import Actor, Recorded, Seat, System, Vitals

POSITIONS = "positions"


class Machine(msgspec.Struct, frozen=True):
    """What the machine gives this process."""

    cpu_percent: float
    memory_mb: float
    disk_free_mb: float
    threads: int
    files: int


class HealthLimits(msgspec.Struct, frozen=True):
    """From where on a reading is a warning."""

    memory_mb: float
    disk_free_mb: float
    message_age_s: float
    journal_lag: int = 5_000
    """Events that are numbered and not yet on disk."""


class Health(Actor):
    """Beats; each beat reads the vitals and warns of what is beyond its limit."""

    def __init__(
        self,
        system: System,
        seat: Seat,
        *,
        machine: Callable[[], Machine],
        limits: HealthLimits,
        log: Log,
        beat_s: float,
        summary_after: Callable[[Instant], Instant],
        durable_seq: Callable[[], int],
    ) -> None:
        super().__init__(system, seat)
        self._machine = machine
        self._limits = limits
        self._log = log
        self._beat_s = beat_s
        self._summary_after = summary_after
        self._durable_seq = durable_seq
        self._summary_at: Instant | None = None
        self._warned: set[str] = set()
        """What was beyond its limit at the last beat."""

    def started(self) -> None:
        """Begin to beat."""
        self.after(self._beat_s, Beat())

    def receive(self, message: Any) -> Any:
        """Beat, answer, or pass on what others noticed."""
        match message:
            case Beat():
                self._beat()
            case Recorded(event=EquityMarked(at=at)):
                self._market_came_to(at)
            case SummaryTold(summary=summary):
                self._log("info", "performance.summary", **_plain(summary))
            case Unsettled(parts=parts, waited_s=waited_s):
                self._log("warning", "market.not_settled", waits_for=list(parts), waited_s=round(waited_s, 1))
            case ForeignOrderSeen(client_id=client_id, state=state):
                self._log("warning", "order.foreign", order=client_id, state=state)
            case StateTooLarge(actor=actor, size=size, size_max=size_max):
                self._log("warning", "snapshot.left_out", actor=actor, bytes=size, bytes_max=size_max)
            case Recorded():
                pass
            case _:
                super().receive(message)
        return None

    def _beat(self) -> None:
        self.after(self._beat_s, Beat())
        machine, vitals, lag = self._reading()
        self._log(
            "info",
            "heartbeat",
            cpu_percent=machine.cpu_percent,
            memory_mb=machine.memory_mb,
            disk_free_mb=machine.disk_free_mb,
            journal_lag=lag,
            actors_up=sum(each.up for each in vitals),
            restarts=sum(each.restarts for each in vitals),
            mailbox_depth_max=max((each.mailbox_depth for each in vitals), default=0),
            message_age_s_max=round(max((each.oldest_s for each in vitals), default=0.0), 3),
        )
        warnings = self._warnings_of(machine, vitals, lag)
        # What lasts is said once, however its number goes up and down.
        if warnings.keys() - self._warned:
            self._log("warning", "health.warning", warnings=list(warnings.values()))
        self._warned = set(warnings)

    def _reading(self) -> tuple[Machine, list[Vitals], int]:
        switchboard = self._system.switchboard
        return self._machine(), switchboard.vitals(), switchboard.last_seq - self._durable_seq()

    def _warnings_of(self, machine: Machine, vitals: list[Vitals], lag: int) -> dict[str, str]:
        """Return what is beyond its limit, as a sentence by what it is about."""
        limits = self._limits
        found = {}
        if machine.memory_mb > limits.memory_mb:
            found["memory"] = f"memory must be at most {limits.memory_mb:.0f} MB, was {machine.memory_mb:.0f}"
        if machine.disk_free_mb < limits.disk_free_mb:
            free = f"{machine.disk_free_mb:.0f}"
            found["disk"] = f"free disk must be at least {limits.disk_free_mb:.0f} MB, was {free}"
        if lag > limits.journal_lag:
            found["journal"] = f"events not on disk must be at most {limits.journal_lag}, were {lag}"
        for each in vitals:
            if each.is_poisoned:
                found[each.name] = f"{each.name} is down: {each.last_exit}"
            elif each.busy_s > limits.message_age_s:
                found[each.name] = f"{each.name} has been busy with {each.busy_with} for {each.busy_s:.0f} s"
            elif each.oldest_s > limits.message_age_s:
                found[each.name] = f"a message to {each.name} has waited for {each.oldest_s:.0f} s"
        return found

    def _market_came_to(self, at: Instant) -> None:
        if self._summary_at is not None and at >= self._summary_at:
            self.tell(POSITIONS, SummaryWanted(self.name))
            self._summary_at = None
        if self._summary_at is None:
            self._summary_at = self._summary_after(at)


def _plain(summary: Summary) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(summary)
    return {key: value for key, value in plain.items() if value is not None}
