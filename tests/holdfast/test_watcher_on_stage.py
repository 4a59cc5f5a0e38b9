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
from gateways.sample import SampleMarket
from holdfast.config.loading import load_settings
from holdfast.parts import Parts, gather
from holdfast.staging import StagedNode
from messages.orders import OrderIntended
from messages.positions import PositionChanged
from messages.watch import InvariantViolated
from supervision import Recorded
from tests.endurance.mutants import (
    a_fee_in_coins_is_not_taken_off,
    a_stop_is_not_trimmed,
    fees_are_counted_twice,
    ids_begin_again,
)
from tests.endurance.mutation import Mutant, Mutated, Put
from tests.endurance.nodes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
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
    put(domain.steps, "_steps_to_protect", lambda plan, orders, sellable, here: [])


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
