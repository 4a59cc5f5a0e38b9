"""Laws of audits on schedule: each in a process of its own, one at a time; what it finds is remembered."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from domain.market import DAY_MS, HOUR_MS, Instant
from gateways.calendar import Calendar
from gateways.side_process import Ended
from holdfast.audit import nightly
from holdfast.audit.child import audited_of
from holdfast.audit.compare import audit
from holdfast.audit.days import name_of, number_of
from holdfast.audit.nightly import Nightly, audited_from
from holdfast.config.loading import load_settings
from holdfast.config.settings import Settings
from holdfast.parts import Parts
from holdfast.staging import StagedNode
from holdfast.torture.lives import durable_seq
from messages.audit import DayAudited
from messages.codec import decode
from persistence.reader import JournalReader
from tests.endurance.nodes import NodeProcess, outcome_of, run_to_end
from tests.holdfast.audited import FIRST_DAY, SECOND_AT, write_bars
from tests.holdfast.test_equivalence import live_through, parts_for
from tests.holdfast.test_processes import holdfast

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WAIT_S = 60.0


@pytest.fixture(scope="module")
def parts() -> Parts:
    return parts_for(3)


@pytest.fixture(scope="module")
def lived(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("lived") / "home"
    live_through(parts, home, seed=5)
    return home


def settings_with(*overrides: str) -> Settings:
    return load_settings(None, environ={}, overrides=overrides).settings


def audits_in(home: Path) -> list[DayAudited]:
    with JournalReader(home) as reader:
        events = [decode(each.kind, each.version, each.payload) for each in reader.read(kinds=["DayAudited"])]
    return [event for event in events if isinstance(event, DayAudited)]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# -- on the stage --------------------------------------------------------------------------------------------------


class AtOnce:
    """Audits on the stage: really done, and told of half a second later."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.node: StagedNode | None = None

    def due_after(self, at: Instant) -> Instant | None:
        return Calendar("10 0 * * *").after(at)

    def begin(self, day: int, reply: Callable[[DayAudited], None]) -> str:
        found = audited_of(audit(self._home, name_of(day)))
        assert self.node is not None
        self.node.stage.after(0.5, lambda: reply(found))
        return ""


def test_each_day_that_is_over_is_audited_by_the_node_itself_and_trading_is_the_same(
    parts: Parts, lived: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    audits = AtOnce(home)
    with StagedNode(parts, home, seed=5, audits=audits, pause_s=lambda at, following: 0.01) as node:
        audits.node = node
        node.run()
        node.stop("end of data")

    found = audits_in(home)
    assert [each.day for each in found] == ["2024-01-01", "2024-01-02"]
    assert all(each.is_equal and each.score == 100 and not each.problem for each in found)
    assert set(found[0].scores) == {
        f"{side} {what}" for side in ("replay", "backtest") for what in ("decisions", "fills")
    }
    assert outcome_of(home) == outcome_of(lived)


def test_a_node_on_the_stage_has_no_auditor_unless_it_is_given_audits(parts: Parts, tmp_path: Path) -> None:
    with StagedNode(parts, tmp_path / "home", seed=5) as node:
        node.run(lambda: node.counted("EquityMarked") > 3)

        assert "auditor" not in node.system.names()


# -- when ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "due"),
    [
        ((), DAY_MS + 10 * 60_000),
        (("feed.speed=1",), DAY_MS + 10 * 60_000),
        (("feed.speed=1440",), DAY_MS + 10 * 60_000),
        (("audit.at='30 6 * * *'",), DAY_MS + 6 * HOUR_MS + 30 * 60_000),
        (("feed.speed=max",), None),
        (("feed.speed=1441",), None),
        (("audit.at=''",), None),
    ],
)
def test_days_are_audited_where_they_go_by_slowly_enough(
    tmp_path: Path, overrides: tuple[str, ...], due: Instant | None
) -> None:
    audits = Nightly(tmp_path, lambda: settings_with(*overrides))

    assert audits.due_after(DAY_MS) == due


def test_at_a_real_venue_no_day_is_audited(tmp_path: Path) -> None:
    settings = settings_with()
    real = msgspec.structs.replace(settings, venue=msgspec.structs.replace(settings.venue, kind="binance"))

    assert Nightly(tmp_path, lambda: real).due_after(DAY_MS) is None


# -- the process ---------------------------------------------------------------------------------------------------


@pytest.fixture
def audits(lived: Path) -> Iterator[Nightly]:
    audits = Nightly(lived, settings_with)
    yield audits
    audits.close()


def test_a_day_is_audited_beside_the_caller_and_nothing_is_left_behind(audits: Nightly, lived: Path) -> None:
    found: list[DayAudited] = []
    is_over = threading.Event()

    def end(audited: DayAudited) -> None:
        found.append(audited)
        is_over.set()

    before = files_in(lived) | left_in_memory()
    assert audits.begin(number_of("2024-01-02"), end) == ""
    (child,) = children_of(os.getpid())
    assert "the audit before is not over" in audits.begin(number_of("2024-01-01"), end)
    until(lambda: nice_of(child) == 19)
    assert is_over.wait(WAIT_S)

    assert [(each.day, each.score, each.is_equal) for each in found] == [("2024-01-02", Decimal(100), True)]
    assert files_in(lived) | left_in_memory() == before


def test_a_day_that_cannot_be_audited_is_told_with_the_reason(audits: Nightly) -> None:
    found: list[DayAudited] = []

    assert audits.begin(number_of("2020-01-01"), found.append) == ""
    until(lambda: bool(found))

    assert found[0].score is None
    assert "expected a day of this journal" in found[0].problem


def test_an_audit_ends_with_its_node_and_no_other_is_begun(audits: Nightly) -> None:
    found: list[DayAudited] = []
    before = left_in_memory()
    assert audits.begin(number_of("2024-01-02"), found.append) == ""
    (child,) = children_of(os.getpid())

    audits.close()

    assert not Path(f"/proc/{child}").exists()
    assert "the node is ending" in audits.begin(number_of("2024-01-02"), found.append)
    assert found == []
    assert left_in_memory() == before


def test_without_room_none_is_begun(lived: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nightly, "COPIES", 10**12)
    audits = Nightly(lived, settings_with)

    assert "expected room for" in audits.begin(number_of("2024-01-02"), lambda audited: None)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (Ended(-9, "", "", is_overdue=True), "within 30 s"),
        (Ended(1, "", "Traceback\nMemoryError: none left\n", is_overdue=False), "ended with 1: MemoryError: none left"),
        (Ended(-9, '{"day":', "", is_overdue=False), "ended with -9: nothing"),
    ],
)
def test_an_audit_that_failed_is_told_as_a_problem(end: Ended, said: str) -> None:
    found = audited_from("2024-01-02", end, limit_s=30.0)

    assert said in found.problem
    assert (found.score, found.is_equal) == (None, False)


# -- a real node ---------------------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return the configuration of a node whose market is an hour before midnight when it begins."""
    bars = write_bars(tmp_path / "bars")
    start = (SECOND_AT - HOUR_MS) // 1000
    text = f"""
[feed]
source = "files"
path = "{bars}"
start = {start}000
warmup_bars = 20
speed = 1400
[health]
heartbeat_s = 1.0
"""
    (tmp_path / "config.toml").write_text(text)
    return tmp_path / "config.toml"


def test_a_real_node_audits_the_day_that_ended_and_tells_of_it(config: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    node = NodeProcess(home, ["--config", str(config)])
    try:
        until(lambda: durable_seq(home) > 50 and bool(audits_in(home)))
        shown = json.loads(holdfast("ctl", "performance", "--json", "--home", str(home)).stdout)
    finally:
        node.process.send_signal(signal.SIGTERM)
        said = node.end()[1]

    (found,) = audits_in(home)
    assert (found.day, found.is_equal, found.problem) == (FIRST_DAY, True, "")
    assert shown["audit"]["day"] == FIRST_DAY
    assert "audit.done" in said
    assert json.loads(holdfast("replay", "--verify", "--json", "--home", str(home)).stdout)["verified"]


def test_an_audit_leaves_when_its_node_is_killed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run_to_end(home, ["--set", "feed.speed=max", "--set", "feed.end=2024-01-11"])
    node = NodeProcess(home, ["--set", "feed.speed=1400"])
    until(lambda: bool(children_of(node.process.pid)) or node.process.poll() is not None)
    (child,) = children_of(node.process.pid)
    until(lambda: nice_of(child) == 19)
    lived_in = left_in_memory(node.process.pid)

    node.kill()

    killed_at = time.monotonic()
    until(lambda: not Path(f"/proc/{child}").exists())
    assert time.monotonic() < killed_at + 3.0, "ten days take longer to be lived again"
    assert lived_in or not nightly.MEMORY.is_dir()
    assert not left_in_memory(node.process.pid)


def test_a_node_at_full_speed_audits_nothing(config: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"

    run_to_end(home, ["--config", str(config), "--set", "feed.speed=max"])

    assert audits_in(home) == []


def files_in(home: Path) -> set[str]:
    """Return the files of a home, but for those that SQLite keeps beside a database that somebody has read."""
    return {path.name for path in home.iterdir() if not path.name.endswith(("-wal", "-shm"))}


def left_in_memory(pid: int | None = None) -> set[str]:
    """Return the folders in which audits of a process, else of this one, live a day again."""
    return {path.name for path in nightly.MEMORY.glob(f"{nightly.PREFIX}{pid or os.getpid()}-*")}


def children_of(pid: int) -> list[int]:
    """Return the audits that a process has begun."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = stat.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == pid and nightly.MODULE.encode() in command:
            found.append(int(stat.parent.name))
    return found


def nice_of(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[16])
    except OSError:
        return None
