"""A poison event in a whole node on the stage: halted, visible, mendable, wherever death falls in between."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.breaker_memory import BreakerMemory
from actors.executor_memory import ExecutorMemory
from actors.positions import PositionsMemory
from actors.strategy import StrategyMemory
from domain.market import MINUTE_MS, Bar
from domain.order import Terms
from gateways.paper import PaperVenue
from holdfast.admin.protocol import Peer, Request
from holdfast.answers import Answers
from holdfast.replay import rebuild, verify_everything
from holdfast.rerun.command import rerun
from holdfast.simulation.oracle import Witness
from holdfast.simulation.world import World, draw_world
from holdfast.staging import StagedNode
from messages.node import Command, CommandReceived
from supervision import Memory, Recorded, Stage
from tests.actors.values import commanded

pytestmark = pytest.mark.slow

POISONED: dict[str, tuple[type[Memory], str]] = {
    "strategy.ada": (StrategyMemory, "FramesClosed"),
    "breaker": (BreakerMemory, "BarsClosed"),
    "executor": (ExecutorMemory, "BarsClosed"),
    "positions": (PositionsMemory, "BarsClosed"),
}
"""Who cannot fold which kind of event, though nothing is lost when it is passed over."""
AT_MINUTE = 40
LOOK_S = 600.0


class Life:
    """One life of a node, with what it sends and what it says."""

    def __init__(self, node: StagedNode, sent: list[Terms]) -> None:
        self.node = node
        self.sent = sent
        self.answers = Answers(node.system, node.home, symbols=(), is_paper=True, durable_seq=lambda: node.durable_seq)
        self.said: list[tuple[bool, str]] = []

    @property
    def poisoned(self) -> dict[str, Any]:
        """Return who is poisoned, as the vitals have it."""
        return {each.name: each.last_exit for each in self.node.switchboard.vitals() if each.is_poisoned}

    def has_halted(self) -> bool:
        """Say whether the node has halted itself, and see to it that this is on disk."""
        is_halted = self.node.counted("OperatorCommanded") > 0
        if is_halted:
            self.node.commit()
        return is_halted

    @property
    def entries(self) -> int:
        """Return how many entries were sent to the venue."""
        return sum(terms.leg == "entry" for terms in self.sent)

    def ask(self, method: str, **params: Any) -> Any:
        """Ask as `holdfast ctl` does."""
        return self.answers.answer(Request(method, params, Peer(uid=0, pid=1, user="op")))

    def give(self, command: Command, *, target: str = "") -> None:
        """Give a command, and leave its answer to come."""
        order = commanded(command, request_id=f"{command}-{target.replace(' ', '-')}", target=target)
        self.node.system.tell("operator", CommandReceived(order, lambda ok, detail: self.said.append((ok, detail))))

    def order(self, command: Command, *, target: str = "") -> tuple[bool, str]:
        """Give a command, and return its answer."""
        before = len(self.said)
        self.give(command, target=target)
        self.node.stage.run_until(lambda: len(self.said) > before)
        return self.said[-1]

    def until(self, is_so: Callable[[], bool]) -> None:
        """Let the node live until something is so, which must be within ten minutes."""
        late = self.node.stage.clock.now_s + LOOK_S
        self.node.run(lambda: is_so() or self.node.stage.clock.now_s > late)
        assert is_so()

    def look_on(self) -> None:
        """Let ten minutes pass."""
        until = self.node.stage.clock.now_s + LOOK_S
        self.node.run(lambda: self.node.stage.clock.now_s > until)


DEATHS: dict[str, Callable[[Life], bool]] = {
    "over the crash": lambda life: life.node.counted("PartCrashed") > 0,
    "over the poison": lambda life: bool(life.poisoned),
    "over the halt": lambda life: life.node.counted("OperatorCommanded") > 0,
    "once it is halted on disk": lambda life: life.has_halted(),
}
"""When the node dies, and comes back to the same event."""


@pytest.fixture(params=POISONED)
def part(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, world: World) -> str:
    """Return who cannot fold an event, from now on and for good."""
    name = str(request.param)
    memory, kind = POISONED[name]
    fold = memory.fold

    def choosy(self: Memory, record: Recorded) -> None:
        if (record.kind, record.at) == (kind, world.begins_at + AT_MINUTE * MINUTE_MS):
            raise ValueError("this one will not do")
        fold(self, record)

    monkeypatch.setattr(memory, "fold", choosy)
    return name


@pytest.fixture
def world() -> World:
    return next(
        world for world in (draw_world(number, hours=2.0) for number in range(20)) if len(strategies(world)) == 1
    )


def strategies(world: World) -> tuple[str, ...]:
    return tuple(part.name for part in world.parts.shape.strategies)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@contextmanager
def living(world: World, home: Path, *, seed: int = 1) -> Iterator[Life]:
    sent: list[Terms] = []

    def around(venue: PaperVenue, stage: Stage) -> Witness:
        return Witness(venue, sent.append)

    with StagedNode(world.parts, home, seed=seed, around_venue=around) as node:
        yield Life(node, sent)


def demand_halted_and_visible(life: Life, part: str) -> int:
    """Demand what an operator must see, and that nothing is opened; return the event's sequence."""
    life.until(lambda: bool(life.poisoned))
    before, market_at = life.entries, life.node.stage.clock.market_ms()
    life.look_on()
    life.node.commit()
    status, newest = life.ask("status"), life.ask("crashes", n=1)[0]
    said = status["poisoned"][part]
    head, _, why = said.partition(": ")

    assert (life.entries, life.node.stage.clock.market_ms()) == (before, market_at)
    assert (status["state"], list(status["poisoned"]), part in status["down"]) == ("halted", [part], True)
    assert why == "ValueError: this one will not do"
    assert newest["actor"] == part
    assert newest["reason"].startswith("poisoned(")
    return int(head.split()[1].rstrip(","))


def mend(life: Life, part: str, sequence: int) -> None:
    """Excuse the event, and demand that nothing is opened before the node is resumed."""
    before = life.entries

    assert life.order("excuse", target=f"{part} {sequence}")[0]
    demand_mended_and_halted_until_resumed(life, before)


def demand_mended_and_halted_until_resumed(life: Life, before: int) -> None:
    life.until(lambda: all(each.up for each in life.node.switchboard.vitals()))
    until = life.node.stage.clock.market_ms() + 10 * MINUTE_MS
    life.until(lambda: life.node.stage.clock.market_ms() > until)
    status = life.ask("status")

    assert (status["state"], "poisoned" in status, life.entries) == ("halted", False, before)
    assert life.order("resume")[0]
    life.node.run()
    assert life.node.ended
    assert life.ask("status")["state"] == "active"
    assert life.entries > before
    life.node.commit()


def demand_proven(home: Path) -> None:
    assert not [(check.name, check.problems) for check in verify_everything(home) if check.problems]


def test_a_poison_event_leaves_a_node_halted_visible_and_mendable(world: World, home: Path, part: str) -> None:
    with living(world, home) as life:
        mend(life, part, demand_halted_and_visible(life, part))

    demand_proven(home)


@pytest.mark.parametrize("death", DEATHS)
def test_a_death_over_a_poison_event_changes_nothing(world: World, home: Path, part: str, death: str) -> None:
    with living(world, home) as life:
        life.node.run(lambda: DEATHS[death](life))
        assert DEATHS[death](life)
        life.node.kill()

    with living(world, home, seed=2) as life:
        mend(life, part, demand_halted_and_visible(life, part))

    demand_proven(home)


def test_a_replay_sets_aside_who_cannot_fold_one_of_many_bars_that_it_folds_together(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with living(world, home) as life:
        life.node.run()
        life.node.commit()
    sound, _ = rebuild(home)
    price = PositionsMemory.price

    def choosy(self: PositionsMemory, bars: tuple[Bar, ...]) -> None:
        if bars[0].closed_at == world.begins_at + AT_MINUTE * MINUTE_MS:
            raise ValueError("this one will not do")
        assert bars[0].closed_at < world.begins_at + AT_MINUTE * MINUTE_MS, "it takes in nothing after that"
        price(self, bars)

    monkeypatch.setattr(PositionsMemory, "price", choosy)
    rebuilt, notes = rebuild(home)

    (note,) = notes
    assert note.startswith("positions cannot fold ")
    assert note.endswith("BarsClosed: ValueError: this one will not do")
    assert rebuilt.states() | {"positions": b""} == sound.states() | {"positions": b""}


def test_an_excuse_that_is_on_disk_holds_in_the_next_life(world: World, home: Path, part: str) -> None:
    with living(world, home) as life:
        sequence = demand_halted_and_visible(life, part)
        life.give("excuse", target=f"{part} {sequence}")
        commands = life.node.counted("OperatorCommanded")
        life.node.run(lambda: life.node.counted("OperatorCommanded") > commands)
        life.node.commit()
        assert life.poisoned, "it dies before the excuse is acted on"
        life.node.kill()

    with living(world, home, seed=2) as life:
        demand_mended_and_halted_until_resumed(life, life.entries)

    demand_proven(home)


def test_a_journal_with_an_excuse_is_run_again_to_the_same_decisions(world: World, home: Path, part: str) -> None:
    with living(world, home) as life:
        life.until(life.has_halted)
        life.node.kill()
    with living(world, home, seed=2) as life:
        mend(life, part, demand_halted_and_visible(life, part))

    compared = rerun(home)
    assert compared.difference is None, compared.difference
