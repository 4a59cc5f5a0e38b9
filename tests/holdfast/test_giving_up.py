"""A part of trading that gives up ends entries on record, whoever else is down; one that only helps people does not."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from actors.breaker_memory import BreakerState
from gateways.sample import SampleMarket
from holdfast.config.loading import load_settings
from holdfast.parts import Parts, gather
from holdfast.secrets import Secret
from holdfast.staging import StagedNode
from messages.codec import decode
from messages.node import BreakerAsked, Mark, PartGaveUp, StateHashed
from persistence.reader import JournalReader
from supervision import Break, Lane, SupervisorReport
from tests.endurance.nodes import ROOT

pytestmark = pytest.mark.slow
PATIENT = ("root", "trading", "guard")
"""Who lives on while others give up at once."""
GUARD = ("positions", "venue", "executor", "breaker")
OVERRIDES = (
    "feed.speed=max",
    "journal.snapshot_every=1000000",
    "supervision.strategies.intensity=0",
    "supervision.operations.intensity=5",
    "supervision.operations.period_s=3600",
    *(f"supervision.{name}.intensity=100" for name in PATIENT),
    *(f"supervision.{name}.period_s=3600" for name in PATIENT),
    "supervision.backoff.base_s=5",
)
"""Who crashes is down for five seconds, unless its supervisor gives up over that."""


def parts_with(*overrides: str) -> Parts:
    settings = load_settings(None, environ={}, overrides=(*OVERRIDES, *overrides)).settings
    return msgspec.structs.replace(gather(settings, folder=ROOT), source=SampleMarket(days=1))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def node(home: Path) -> Iterator[StagedNode]:
    with StagedNode(parts_with(), home, seed=1) as node:
        node.run(lambda: node.counted("OfferAnswered") >= 4)
        yield node


def recorded(home: Path, kind: str) -> list[object]:
    with JournalReader(home) as reader:
        return [decode(record.kind, record.version, record.payload) for record in reader.read(kinds=[kind])]


def until_down(node: StagedNode, name: str) -> None:
    node.run(lambda: not node.switchboard.is_up(name))


def mode(node: StagedNode) -> str:
    return msgspec.json.decode(node.ask("breaker", BreakerAsked()), type=BreakerState).mode


@pytest.mark.parametrize("also_down", ["", "health", "herald", "operator", "breaker"])
def test_a_part_that_gives_up_ends_entries_on_record_whoever_else_is_down(
    node: StagedNode, home: Path, also_down: str
) -> None:
    if also_down:
        node.crash(also_down)
        until_down(node, also_down)

    node.crash("strategy.ema_cross")
    until_down(node, "strategies")
    others_are_down = bool(also_down) and not node.switchboard.is_up(also_down)
    node.run()
    node.commit()

    (gave_up,) = recorded(home, "PartGaveUp")
    assert isinstance(gave_up, PartGaveUp)
    assert others_are_down == bool(also_down)
    assert gave_up.part == "strategies"
    assert gave_up.reason.startswith("strategy.ema_cross: crash(")
    assert mode(node) == "reduce_only"


def test_a_secret_in_the_error_of_a_part_that_gave_up_is_not_remembered(node: StagedNode, home: Path) -> None:
    planted = Secret("planted-secret-77ac01")

    node.system.tell("strategy.ema_cross", Break(f"it knows {planted.reveal()}"), Lane.SYSTEM)
    until_down(node, "strategies")
    node.commit()

    (gave_up,) = recorded(home, "PartGaveUp")
    assert "it knows ***" in str(gave_up)


def test_what_only_helps_people_gives_up_without_touching_trading(home: Path) -> None:
    with StagedNode(parts_with("supervision.operations.intensity=0"), home, seed=1) as node:
        node.run(lambda: node.counted("OfferAnswered") >= 4)
        node.crash("herald")
        node.run()
        node.commit()

        assert [report.supervisor for report in surrenders(node)] == ["operations"]
        assert recorded(home, "PartGaveUp") == []
        assert mode(node) == "active"


def test_a_marker_completes_without_the_parts_that_were_given_up(node: StagedNode, home: Path) -> None:
    node.crash("strategy.ema_cross")
    until_down(node, "strategies")

    node.system.tell("archivist", Mark("a test"))
    node.run(lambda: node.counted("StateHashed") > 0)
    node.commit()

    (hashed,) = recorded(home, "StateHashed")
    assert isinstance(hashed, StateHashed)
    assert not [name for name in hashed.parts if name.startswith("strategy.")]
    guard = {"positions", "venue", "executor", "breaker", "reconciler"}
    assert {*guard, "feed", "sentiment", "operator", "watcher"} == set(hashed.parts)


@pytest.mark.parametrize("crashing", [("executor",), ("positions", "breaker", "venue")])
def test_the_guard_gives_the_node_up_with_one_crash_more_than_its_own_intensity(
    home: Path, crashing: tuple[str, ...]
) -> None:
    budget = 3
    # Of intensities above the guard's there is plenty: they do not come into it.
    with StagedNode(parts_with(f"supervision.guard.intensity={budget}"), home, seed=1) as node:
        node.run(lambda: node.counted("OfferAnswered") >= 4)
        for number in range(budget):
            name = crashing[number % len(crashing)]
            node.crash(name)
            until_down(node, name)
            node.run(lambda: all(map(node.switchboard.is_up, GUARD)))
            assert node.root_exit is None

        node.crash(crashing[0])
        node.run(lambda: node.root_exit is not None)
        node.commit()

        assert node.root_exit is not None
        assert "reached_max_restart_intensity" in node.root_exit.detail
        assert [report.supervisor for report in surrenders(node)] == ["guard"]
        assert not any(node.switchboard.is_up(name) for name in node.system.names())
        (gave_up,) = recorded(home, "PartGaveUp")
        assert isinstance(gave_up, PartGaveUp)
        assert gave_up.part == "guard"


def test_a_guard_that_crashes_itself_is_started_anew(node: StagedNode) -> None:
    node.crash("guard")
    until_down(node, "guard")
    node.run(lambda: node.switchboard.is_up("guard") and node.switchboard.is_up("breaker"))

    assert node.root_exit is None
    assert surrenders(node) == []


def surrenders(node: StagedNode) -> list[SupervisorReport]:
    return [each for each in node.reports if isinstance(each, SupervisorReport) and each.context == "shutdown"]
