"""The laws of the auditor: each day once, at its hour; what was found is written down, and a low score warned of."""

from collections.abc import Callable
from typing import Any

from actors.auditor import Auditor
from domain.market import DAY_MS, HOUR_MS, Instant
from gateways.calendar import Calendar
from messages.audit import DayAudited
from messages.positions import EquityMarked
from supervision import MailboxSpec
from tests.actors.alone import Alone
from tests.actors.values import D

DAY = 19_724
BEGIN = DAY * DAY_MS
TEN_PAST = "10 0 * * *"


class Desk:
    """An auditor alone, with audits that take as long as the test says."""

    def __init__(
        self, *, at: str = TEN_PAST, why_not: str = "", market_ms: Instant = 0, score_min: str = "100"
    ) -> None:
        self._at = at
        self._why_not = why_not
        self._score_min = D(score_min)
        self.begun: list[tuple[int, Callable[[DayAudited], None]]] = []
        self.log: list[tuple[str, str, dict[str, Any]]] = []
        self.alone = Alone("auditor", self._make, mailbox=MailboxSpec(retains=True))
        self.alone.stage.clock.advance_market(market_ms)
        self.alone.live()

    def due_after(self, at: Instant) -> Instant | None:
        return Calendar(self._at).after(at) if self._at else None

    def begin(self, day: int, reply: Callable[[DayAudited], None]) -> str:
        self.begun.append((day, reply))
        return self._why_not

    def mark(self, *instants: Instant) -> None:
        for at in instants:
            self.alone.happen(EquityMarked(at, D(1_000), D(1_000), D(0), D(0), D(0)), at=at)

    def days(self) -> list[int]:
        return [day for day, _ in self.begun]

    def logged(self) -> list[tuple[str, str]]:
        return [(level, name) for level, name, _ in self.log]

    def _make(self, system: Any, seat: Any) -> Auditor:
        log = lambda level, event, **values: self.log.append((level, event, values))  # noqa: E731
        return Auditor(system, seat, audits=self, score_min=self._score_min, log=log)


def audited(score: str | None, **values: Any) -> DayAudited:
    return DayAudited(day="2024-01-02", score=None if score is None else D(score), **values)


def test_a_day_is_audited_once_at_the_first_mark_past_its_hour() -> None:
    desk = Desk()

    desk.mark(*(BEGIN + quarter * HOUR_MS // 4 for quarter in range(1, 5 * 24)))

    assert desk.days() == [DAY]


def test_every_day_has_its_turn() -> None:
    desk = Desk()

    desk.mark(*(BEGIN + hour * HOUR_MS for hour in range(1, 3 * 24 + 2)))

    assert desk.days() == [DAY, DAY + 1, DAY + 2]


def test_an_hour_that_came_while_the_node_was_down_is_not_missed() -> None:
    desk = Desk(market_ms=BEGIN + 23 * HOUR_MS)

    desk.mark(BEGIN + 30 * HOUR_MS, BEGIN + 31 * HOUR_MS)

    assert desk.days() == [DAY]


def test_a_restart_of_the_auditor_neither_forgets_a_day_nor_has_one_twice() -> None:
    desk = Desk()

    desk.mark(BEGIN + HOUR_MS, BEGIN + 23 * HOUR_MS)
    desk.alone.crash()
    desk.mark(BEGIN + 25 * HOUR_MS)
    desk.alone.crash()
    desk.mark(BEGIN + 26 * HOUR_MS)

    assert desk.days() == [DAY]
    assert desk.alone.crashes() == 2


def test_without_an_hour_no_day_is_audited() -> None:
    desk = Desk(at="")

    desk.mark(*(BEGIN + hour * HOUR_MS for hour in range(1, 60)))

    assert desk.days() == []


def test_an_audit_that_is_not_begun_is_said_and_the_next_day_has_its_turn() -> None:
    desk = Desk(why_not="2024-01-02: the audit before is not over")

    desk.mark(BEGIN + HOUR_MS, BEGIN + 25 * HOUR_MS, BEGIN + 49 * HOUR_MS)

    assert desk.days() == [DAY, DAY + 1]
    assert desk.log[0] == ("warning", "audit.skipped", {"why": "2024-01-02: the audit before is not over"})


def test_what_was_found_is_remembered_also_by_the_next_auditor() -> None:
    desk = Desk()
    desk.mark(BEGIN + HOUR_MS, BEGIN + 25 * HOUR_MS)
    found = audited("100.00", is_equal=True)

    desk.alone.crash()
    desk.begun[0][1](found)
    desk.alone.rest()

    assert desk.alone.said_of(DayAudited) == [found]
    assert desk.logged() == [("info", "audit.done")]


def test_a_low_score_and_an_audit_that_failed_are_warnings() -> None:
    cases = [
        (audited("99.99", causes={"revised bar": 1}), "100", ("warning", "audit.differs")),
        (audited("99.99", causes={"revised bar": 1}), "99", ("info", "audit.done")),
        (audited("100.00"), "100", ("warning", "audit.differs")),
        (audited(None, is_equal=True), "100", ("info", "audit.done")),
        (audited(None, problem="no such day"), "0", ("warning", "audit.failed")),
    ]
    for found, score_min, said in cases:
        desk = Desk(score_min=score_min)
        desk.mark(BEGIN + HOUR_MS, BEGIN + 25 * HOUR_MS)

        desk.begun[0][1](found)
        desk.alone.rest()

        assert desk.logged() == [said]
