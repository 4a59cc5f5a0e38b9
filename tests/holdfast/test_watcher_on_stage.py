"""The watcher in a whole node: it finds a broken part within the run, and says nothing of a sound one."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import domain.steps
from actors.executor import Executor
from actors.positions import Positions
from actors.watcher import Watcher
from actors.watcher_memory import WatcherMemory
from domain.invariants.finding import ADVICE
from gateways.sample import SampleMarket
from holdfast.admin.protocol import Peer, Request
from holdfast.answers import Answers
from holdfast.cli.main import run_command_line
from holdfast.config.loading import load_settings
from holdfast.exit_codes import ExitCode
from holdfast.parts import Parts, gather
from holdfast.replay import replay_command, verify_everything
from holdfast.staging import StagedNode
from holdfast.violations import violations
from messages.node import CommandReceived
from messages.orders import OrderFilled, OrderIntended
from messages.positions import PositionChanged
from messages.risk import OrderApproved
from messages.watch import InvariantViolated
from supervision import Recorded
from tests.actors.values import commanded
from tests.endurance.mutants import (
    a_fee_in_coins_is_not_taken_off,
    a_stop_is_not_trimmed,
    fees_are_counted_twice,
    ids_begin_again,
)
from tests.endurance.mutation import Mutant, Mutated, Put
from tests.endurance.nodes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
PEER = Peer(uid=0, pid=1, user="op")
BNB = ("venue.fee_asset=BNB", "venue.balances={USDT = 10000, BNB = 10}")
OVERRIDES = ("feed.speed=max", "journal.snapshot_every=400", "venue.participation=0.0005")


def parts_for(*overrides: str, days: int = 1) -> Parts:
    settings = load_settings(None, environ={}, overrides=(*OVERRIDES, *overrides)).settings
    return msgspec.structs.replace(gather(settings, folder=ROOT), source=SampleMarket(days=days))


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder) / "home"


def live(parts: Parts, home: Path, *, seed: int = 0) -> list[Recorded]:
    """Live to the end of the data; return what was recorded."""
    records: list[Recorded] = []
    with StagedNode(parts, home, seed=seed, hear=records.extend) as node:
        node.run()
        assert node.ended
        node.commit()
    return records


def found_in(records: list[Recorded]) -> dict[str, int]:
    """Return which laws did not hold, and at which sequence each was first told."""
    found: dict[str, int] = {}
    for record in records:
        if isinstance(record.event, InvariantViolated):
            found.setdefault(record.event.code, record.seq)
    return found


def no_stop_is_placed(put: Put) -> None:
    """What was bought is left without its stop."""
    put(domain.steps, "_steps_to_protect", lambda *known: [])


def positions_tell_nothing(put: Put) -> None:
    """The position keeper keeps to itself what changed."""
    record = Positions.record

    def mutated(self: Positions, event: Any, **rest: Any) -> None:
        if not isinstance(event, PositionChanged):
            record(self, event, **rest)

    put(Positions, "record", mutated)


def positions_tell_too_much(put: Put) -> None:
    """A position is told as a little more than it is."""
    change = Positions._change

    def mutated(self: Positions, strategy: str, symbol: str) -> PositionChanged:
        told = change(self, strategy, symbol)
        return msgspec.structs.replace(told, quantity=told.quantity + 1)

    put(Positions, "_change", mutated)


def an_entry_is_larger_than_approved(put: Put) -> None:
    """The executor buys what was wished for twice."""
    place = Executor._place

    def mutated(self: Executor, step: Any) -> None:
        is_entry = step.terms.leg == "entry"
        doubled = msgspec.structs.replace(step.terms, quantity=step.terms.quantity * 2) if is_entry else step.terms
        place(self, msgspec.structs.replace(step, terms=doubled))

    put(Executor, "_place", mutated)


def an_intent_is_written_after_the_fact(put: Put) -> None:
    """An entry is sent whose intent nobody wrote down; the executor knows of it all the same."""
    record = Executor.record

    def mutated(self: Executor, event: Any, **rest: Any) -> None:
        if isinstance(event, OrderIntended) and event.terms.leg == "entry":
            self._known.state.intend(event.terms, event.proposal_id, seq=self.seq, seen=self.seq)
        else:
            record(self, event, **rest)

    put(Executor, "record", mutated)


BROKEN: tuple[tuple[Mutant, str, tuple[str, ...]], ...] = (
    (no_stop_is_placed, "P7", ()),
    (positions_tell_nothing, "P1", ()),
    (positions_tell_too_much, "P1", ()),
    (fees_are_counted_twice, "P2", ()),
    (an_entry_is_larger_than_approved, "P4", ()),
    (an_intent_is_written_after_the_fact, "O1", ()),
    (ids_begin_again, "O2", ()),
    (a_stop_is_not_trimmed, "P6", ()),
    (a_fee_in_coins_is_not_taken_off, "P6", ("venue.fee_asset=received",)),
)


@pytest.mark.parametrize(("mutant", "code", "overrides"), BROKEN, ids=[mutant.__name__ for mutant, *_ in BROKEN])
def test_a_broken_part_is_found_within_the_run(
    mutant: Mutant, code: str, overrides: tuple[str, ...], home: Path
) -> None:
    records: list[Recorded] = []
    with Mutated(mutant), StagedNode(parts_for(*overrides), home, seed=1, hear=records.extend) as node:
        node.run(until=lambda: code in found_in(records), steps_max=3_000_000)

    assert code in found_in(records)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("overrides", [(), ("venue.fee_asset=received",), BNB])
def test_a_sound_node_breaks_no_law(overrides: tuple[str, ...], seed: int, home: Path) -> None:
    records = live(parts_for(*overrides), home, seed=seed)

    assert found_in(records) == {}
    assert sum(isinstance(record.event, OrderIntended) for record in records) > 50
    assert [check.problems for check in verify_everything(home)] == [[], [], [], []]


def test_after_a_violation_nothing_is_approved_and_what_is_held_is_still_sold(home: Path) -> None:
    with Mutated(fees_are_counted_twice):
        records = live(parts_for(), home)

    since = found_in(records)["P2"]
    approvals = [record.seq for record in records if isinstance(record.event, OrderApproved) and record.seen >= since]
    sells = [record for record in records if isinstance(record.event, OrderIntended) and record.seq > since]
    assert approvals == []
    assert [sell for sell in sells if sell.event.terms.side == "sell"]
    assert len([each for each in records if isinstance(each.event, InvariantViolated)]) == 1


def test_a_violation_outlives_the_process_and_ends_with_a_resume(home: Path) -> None:
    with Mutated(fees_are_counted_twice), StagedNode(parts_for(), home, seed=1) as node:
        node.run(until=lambda: node.counted("InvariantViolated") > 0)
        node.commit()

    with StagedNode(parts_for(), home, seed=2) as node:
        answers = Answers(node.system, home, symbols=(), is_paper=True, durable_seq=lambda: node.durable_seq)
        node.run(until=lambda: node.counted("BarsClosed") > 3)
        status = answers.answer(Request("status", {}, PEER))
        told = answers.answer(Request("violations", {"n": 10}, PEER))
        node.system.tell("operator", CommandReceived(commanded("resume"), lambda ok, detail: None))
        node.run(until=lambda: node.counted("OrderApproved") > 0)
        resumed = answers.answer(Request("status", {}, PEER))
        answers.close()

        assert (status["state"], status["violated"]) == ("reduce_only", ["P2 account"])
        assert [(each["code"], each["subject"]) for each in told] == [("P2", "account")]
        assert told[0]["advice"] == ADVICE["P2"]
        assert resumed["state"] == "active"
        assert node.counted("OrderApproved") > 0


def test_a_journal_that_nobody_watched_is_held_to_the_laws_afterwards(home: Path) -> None:
    with Mutated(fees_are_counted_twice), Mutated(the_watcher_is_silent):
        live(parts_for(), home)

    assert violations(home, 10) == []
    assert run_command_line(["ctl", "violations", "--home", str(home), "--json"]) == ExitCode.OK
    (check,) = [check for check in verify_everything(home) if check.name == "invariants"]
    assert [problem[:10] for problem in check.problems] == ["P2 account"]
    assert replay_command(home, to=None, verify=True, as_json=True) == ExitCode.DAMAGED


def test_what_was_told_while_the_node_ran_is_no_news_to_a_replay(home: Path) -> None:
    with Mutated(fees_are_counted_twice):
        live(parts_for(), home)

    (check,) = [check for check in verify_everything(home) if check.name == "invariants"]
    assert (check.problems, check.passed_over) == ([], 1)


def the_watcher_is_silent(put: Put) -> None:
    """What is found is not recorded."""
    put(Watcher, "react", lambda self: None)


def the_watcher_cannot_fold_fills(put: Put) -> None:
    """A fault of the watcher's own."""

    def mutated(self: WatcherMemory, fill: Any, strategy: str, seq: int) -> None:
        raise ValueError("a fault of the watcher")

    put(WatcherMemory, "_fill", mutated)


def test_a_fault_of_the_watcher_touches_no_trading_and_is_seen(home: Path, tmp_path: Path) -> None:
    sound = live(parts_for(), tmp_path / "sound")
    lines: list[tuple[str, dict[str, Any]]] = []

    records: list[Recorded] = []
    log = lambda level, event, **values: lines.append((event, values))  # noqa: E731
    with (
        Mutated(the_watcher_cannot_fold_fills),
        StagedNode(parts_for(), home, seed=0, hear=records.extend, log=log, pause_s=lambda at, following: 1.0) as node,
    ):
        node.run()
        answers = Answers(node.system, home, symbols=(), is_paper=True, durable_seq=lambda: node.durable_seq)
        status = answers.answer(Request("status", {}, PEER))
        answers.close()

    assert fills_of(records) == fills_of(sound)
    assert status["state"] == "active"
    assert status["poisoned"].keys() == {"watcher"}
    warned = [values["warnings"] for event, values in lines if event == "health.warning"]
    assert any("watcher" in warning for warnings in warned for warning in warnings)


def fills_of(records: list[Recorded]) -> list[tuple[str, str, str]]:
    """Return every fill: its symbol, side and quantity."""
    fills = [record.event.fill for record in records if isinstance(record.event, OrderFilled)]
    return [(fill.symbol, fill.side, str(fill.quantity)) for fill in fills]
