"""Why a position was left: an operator's flatten, or a price that was reached; stop cancelled, proof, then the sale."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateways.faulty import FaultyVenue, Line, LineFaults
from gateways.paper import PaperVenue
from holdfast.simulation.world import World, draw_world
from holdfast.staging import StagedNode
from holdfast.why.chain import Link, Why, explain
from holdfast.why.orders import read_orders
from messages.node import CommandReceived
from messages.orders import ExitOrdered
from persistence.reader import JournalReader
from supervision import Crashed, Stage
from tests.actors.values import commanded

pytestmark = pytest.mark.slow

HOURS = 4.0
EVERY_MINUTES = 10
"""Between two orders to flatten everything."""
LATE = LineFaults(answer_late=0.5, late_s_max=5.0)
"""The executor often waits for an answer when it hears of something."""


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(0, hours=HOURS)


@pytest.fixture(scope="module", params=["plain", "late", "crashing"])
def left(request: pytest.FixtureRequest, world: World) -> Iterator[list[Why]]:
    """Return the chain of every exit of a life in which somebody flattens often."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        live(world, home, how=request.param)
        with JournalReader(home) as reader:
            told = read_orders(reader)
            exits = [each for each in told.orders if told.intent(each).event.terms.leg == "exit"]
            yield [explain(reader, client_id) for client_id in exits]


def live(world: World, home: Path, *, how: str) -> None:
    line = Line(LATE if how == "late" else LineFaults(), 1)
    turns = 0

    def around(venue: PaperVenue, stage: Stage) -> FaultyVenue:
        return FaultyVenue(venue, line, after=stage.after, now=stage.clock.monotonic)

    def cue(point: str) -> None:
        nonlocal turns
        turns += point == "executor.before_release"
        if how == "crashing" and point == "executor.before_release" and turns % 23 == 0:
            raise Crashed("on cue: what it was about to say is not said")

    with StagedNode(world.parts, home, seed=3, around_venue=around, cue=cue) as node:
        for count in range(EVERY_MINUTES, int(HOURS * 60), EVERY_MINUTES):
            node.run(lambda count=count: node.counted("BarsClosed") >= count)  # type: ignore[misc]
            node.retry_quarantined()
            reason = "enough" if how == "plain" else f"enough after {count}"
            order = commanded("flatten", request_id=f"f{count}", reason=reason)
            node.system.tell("operator", CommandReceived(order, lambda ok, detail: None))
        node.run()
        assert node.ended
        node.commit()


def exit_of(why: Why) -> Link:
    return [link for link in why.links if link.step == "exit"][-1]


def demand_sold_after_proof(why: Why) -> None:
    """Demand that every order that rested was proven over before the sale was intended."""
    sale = [link for link in why.links if link.step == "intent"][-1].record
    ordered = exit_of(why).record
    ends: dict[str, int] = {}
    for link in why.links:
        if link.step == "cancel" and link.record.seq > ordered.seq:
            ends.setdefault(link.about.client_id, 0)
        if link.step == "end" and link.about.client_id in ends:
            ends[link.about.client_id] = link.record.seq
    assert all(ordered.seq < end < sale.seq for end in ends.values()), why.name


def test_a_sale_that_an_operator_ordered_is_told_with_the_command(left: list[Why]) -> None:
    flattened = [why for why in left if exit_of(why).about.why.startswith("op: ")]

    assert len(flattened) >= 5
    for why in flattened:
        ordered = exit_of(why)
        (command,) = [link for link in why.links if link.step == "command"]
        assert command.about.command == "flatten", why.name
        assert ordered.about.why == f"op: {command.about.reason}"
        assert command.record.seq < ordered.record.seq
        demand_sold_after_proof(why)


def test_a_sale_at_a_price_is_told_with_the_bar_that_reached_it(left: list[Why]) -> None:
    reached = [why for why in left if exit_of(why).about.why.startswith("take-profit ")]

    assert len(reached) >= 3
    for why in reached:
        ordered = exit_of(why)
        candle = [link for link in why.links if link.step == "candle"][-1]
        target, close = ordered.about.why.removeprefix("take-profit ").split(" reached at ")
        assert (f"{candle.about.close}", candle.about.symbol) == (close, why.symbol)
        assert candle.about.close >= type(candle.about.close)(target)
        assert candle.record.seq < ordered.record.seq
        assert not [link for link in why.links if link.step == "command"]
        demand_sold_after_proof(why)


def test_a_sale_that_a_strategy_wanted_is_told_with_its_signal(left: list[Why]) -> None:
    wanted = [why for why in left if exit_of(why).about.why == "restless"]

    assert len(wanted) >= 3
    for why in wanted:
        signal = [link for link in why.links if link.step == "signal"][-1]
        ordered = exit_of(why)
        assert isinstance(ordered.about, ExitOrdered)
        assert (signal.record.event.strategy, signal.about.symbol) == (ordered.about.strategy, why.symbol)
        assert type(signal.about).__name__ == "Exit"


def test_a_stop_that_made_room_is_told_as_cancelled_and_proven(left: list[Why]) -> None:
    cancelled = [why for why in left if "cancel" in [link.step for link in why.links]]

    assert len(cancelled) >= 5
    for why in cancelled:
        cancel = [link for link in why.links if link.step == "cancel"][-1]
        intents = {link.about.terms.client_id: link.about.terms for link in why.links if link.step == "intent"}
        assert intents[cancel.about.client_id].leg in ("stop", "entry", "exit")
        assert [link for link in why.links if link.step == "end" and link.record.seq > cancel.record.seq]
