"""Laws of `holdfast replay --rerun` with an operator: commands take effect where they did, whatever they came amid."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.cli.main import run_command_line
from holdfast.parts import Parts
from holdfast.rerun.command import rerun
from holdfast.staging import StagedNode
from messages.node import Command, OperatorCommanded
from tests.holdfast.test_equivalence import live_through, parts_for
from tests.holdfast.test_rerun import demand_equal, forge, home, parts

__all__ = ["home", "parts"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def command(name: Command, number: int) -> OperatorCommanded:
    return OperatorCommanded(f"r{number}", name, "tester", 1, 1_700_000_000_000, reason="a test")


def operate_through(
    parts: Parts,
    home: Path,
    *,
    seed: int,
    between: Callable[[StagedNode], bool],
    turns_between: tuple[int, int] = (200, 800),
    bars_max: int = 100_000,
) -> int:
    """Live to the end, or for so many bars; give a command every so many turns, as soon as `between` allows."""
    draw = random.Random(seed)
    given = 0
    with StagedNode(parts, home, seed=seed, pause_s=lambda at, following: 0.1) as node:
        while not node.ended and node.counted("BarsClosed") < bars_max:
            turns = node.stage.steps + draw.randint(*turns_between)
            node.run(lambda turns=turns: node.stage.steps >= turns and between(node))  # type: ignore[misc]
            name: Command = draw.choice(["flatten", "halt", "resume", "pause", "resume", "cancel-all", "resume"])
            node.switchboard.record("node", [command(name, given)])
            given += 1
        node.stage.run_until(lambda: not node.switchboard.unsettled())
        node.commit()
    return given


def test_commands_take_effect_at_the_same_market_instant(parts: Parts, home: Path) -> None:
    given = operate_through(parts, home, seed=1, between=lambda node: not node.switchboard.unsettled())

    demand_equal(rerun(home), fills_min=10)
    assert given >= 10


# In 9 the market goes on amid what a flatten has begun, and later its end comes amid another.
@pytest.mark.parametrize("seed", [9])
def test_commands_amid_work_take_effect_where_they_did(parts: Parts, home: Path, seed: int) -> None:
    operate_through(parts, home, seed=seed, between=lambda node: True)

    demand_equal(rerun(home), fills_min=5)


@pytest.mark.parametrize("seed", range(20))
def test_commands_that_come_in_each_others_way_take_effect_where_they_did(parts: Parts, home: Path, seed: int) -> None:
    given = operate_through(parts, home, seed=seed, between=lambda node: True, turns_between=(10, 120), bars_max=240)

    compared = rerun(home)
    assert compared.difference is None, compared.difference
    assert given >= 20


def lived_through_a_death(home: Path, *, wait_for: int) -> None:
    """Live to the end, but die with orders on their way that are lost, just after a `cancel-all`."""
    heard: list[str] = []
    with StagedNode(
        parts_for(1), home, seed=1, hear=lambda records: heard.extend(each.kind for each in records)
    ) as node:
        node.run(lambda: heard.count("OrderIntended") >= wait_for)
        node.switchboard.record("node", [command("cancel-all", 1)])
        node.commit()
        node.kill()
    live_through(parts_for(1), home, seed=2)


def test_a_difference_where_a_command_and_a_death_came_together_is_not_called_one(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lived_through_a_death(home, wait_for=3)

    assert run_command_line(["replay", "--rerun", "--json", "--home", str(home)]) == 1
    view = json.loads(capsys.readouterr().out)
    assert view["equal"] is None
    assert (view["untold"]["command"], view["untold"]["died"]) == ("cancel-all", "the process")
    assert view["untold"]["command_seq"] < view["untold"]["died_seq"]
    assert run_command_line(["replay", "--rerun", "--home", str(home)]) == 1
    assert capsys.readouterr().out.startswith("CANNOT BE TOLD from ")


def test_a_difference_elsewhere_is_called_one_though_a_command_and_a_death_came_together(
    home: Path, tmp_path: Path
) -> None:
    lived_through_a_death(tmp_path / "home", wait_for=3)
    forge(tmp_path / "home", home, number=10)

    compared = rerun(home)

    assert compared.difference is not None
    assert compared.untold is None
