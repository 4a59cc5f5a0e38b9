"""The laws of the health watcher: it beats, warns of each thing once as long as it lasts, and says what it is told."""

from typing import Any

import msgspec
import pytest

from actors.health import Health, HealthLimits, Machine
from domain.market import DAY_MS, HOUR_MS
from domain.performance import Performance
from messages.base import Message
from messages.market import Unsettled
from messages.node import StateTooLarge, SummaryTold, SummaryWanted
from messages.orders import ForeignOrderSeen
from messages.positions import EquityMarked
from supervision.stage import StageClock
from tests.actors.alone import Alone
from tests.actors.values import T0, D

BEAT_S = 15.0
WELL = Machine(cpu_percent=1.0, memory_mb=100.0, disk_free_mb=1_000.0, threads=9, files=20)
LIMITS = HealthLimits(memory_mb=512.0, disk_free_mb=64.0, message_age_s=30.0, journal_lag=100)


class Watch:
    """A health watcher alone, on a machine that is as the test says."""

    def __init__(self) -> None:
        self.machine = WELL
        self.look_takes_s = 0.0
        self.lag = 0
        self.log: list[tuple[str, str, dict[str, Any]]] = []
        self.alone = Alone("health", self._make).live()

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the values of the lines of one name."""
        return [values for _, name, values in self.log if name == event]

    def warnings(self) -> list[list[str]]:
        return [values["warnings"] for values in self.logged("health.warning")]

    def _look(self) -> Machine:
        clock = self.alone.stage.clock
        assert isinstance(clock, StageClock)
        clock.now_s += self.look_takes_s
        return self.machine

    def _make(self, system: Any, seat: Any) -> Health:
        return Health(
            system,
            seat,
            machine=self._look,
            limits=LIMITS,
            log=lambda level, event, **values: self.log.append((level, event, values)),
            beat_s=BEAT_S,
            summary_after=lambda at: (at // DAY_MS + 1) * DAY_MS,
            durable_seq=lambda: system.switchboard.last_seq - self.lag,
        )


def worth_at(at: int) -> EquityMarked:
    return EquityMarked(at, D(1_000), D(1_000), D(0), D(0), D(0))


def test_it_beats_and_each_beat_tells_how_the_node_is() -> None:
    watch = Watch()

    watch.alone.rest(3 * BEAT_S + 1)

    beats = watch.logged("heartbeat")
    assert len(beats) == 3
    assert beats[0] == beats[0] | {"memory_mb": 100.0, "disk_free_mb": 1_000.0, "journal_lag": 0}
    assert watch.warnings() == []


@pytest.mark.parametrize(
    ("machine", "sentence"),
    [
        ({"memory_mb": 513.0}, "memory must be at most 512 MB, was 513"),
        ({"disk_free_mb": 63.0}, "free disk must be at least 64 MB, was 63"),
    ],
)
def test_a_machine_beyond_a_limit_is_warned_of_once_as_long_as_it_lasts(
    machine: dict[str, float], sentence: str
) -> None:
    watch = Watch()
    ill = msgspec.structs.replace(WELL, **machine)
    illness = [ill, msgspec.structs.replace(ill, **{name: value * 1.001 for name, value in machine.items()})]

    for state in (*illness, WELL, WELL, *illness):
        watch.machine = state
        watch.alone.rest(BEAT_S)

    assert [warnings[0] for warnings in watch.warnings()] == [sentence, sentence]


def test_a_journal_that_lags_behind_is_warned_of() -> None:
    watch = Watch()
    watch.lag = 101

    watch.alone.rest(BEAT_S + 1)

    assert watch.warnings() == [["events not on disk must be at most 100, were 101"]]


def test_what_is_new_is_told_with_what_lasts() -> None:
    watch = Watch()
    watch.machine = msgspec.structs.replace(WELL, memory_mb=600.0)
    watch.alone.rest(BEAT_S + 1)

    watch.machine = msgspec.structs.replace(watch.machine, disk_free_mb=1.0)
    watch.alone.rest(BEAT_S)

    assert [len(warnings) for warnings in watch.warnings()] == [1, 2]


def test_an_actor_that_is_busy_with_one_message_for_too_long_is_named() -> None:
    """On a stage only the one that looks can be busy: here its own look at the machine takes half a minute."""
    watch = Watch()
    watch.look_takes_s = 31.0

    watch.alone.rest(BEAT_S + 1)

    assert watch.warnings() == [["health has been busy with Beat for 31 s"]]


@pytest.mark.parametrize(
    ("told", "level", "event"),
    [
        (Unsettled(("venue: waits for an answer",), 31.25), "warning", "market.not_settled"),
        (ForeignOrderSeen("somebody", "filled"), "warning", "order.foreign"),
        (StateTooLarge("feed", 20, 10), "warning", "snapshot.left_out"),
    ],
)
def test_what_others_have_noticed_is_said(told: Message, level: str, event: str) -> None:
    watch = Watch()

    watch.alone.tell(told)

    assert [(line[0], line[1]) for line in watch.log] == [(level, event)]


def test_a_summary_is_asked_for_once_a_day_of_the_market_and_said() -> None:
    watch = Watch()

    for hour in (1, 2, 23, 24, 25, 47, 48):
        watch.alone.happen(worth_at(T0 + hour * HOUR_MS))
    asked = list(watch.alone.told)
    watch.alone.tell(SummaryTold(Performance().summary()))

    assert asked == [("positions", SummaryWanted("health"))] * 2
    assert len(watch.logged("performance.summary")) == 1


def test_a_watcher_that_was_started_anew_goes_on_beating() -> None:
    watch = Watch()
    watch.alone.rest(BEAT_S + 1)

    watch.alone.crash()
    watch.alone.rest(2 * BEAT_S + 1)

    assert len(watch.logged("heartbeat")) == 3


def test_it_records_nothing() -> None:
    watch = Watch()
    watch.machine = msgspec.structs.replace(WELL, memory_mb=600.0, disk_free_mb=1.0)

    watch.alone.happen(worth_at(T0), worth_at(T0 + DAY_MS))
    watch.alone.rest(10 * BEAT_S)

    assert watch.alone.said == []
