"""A share of the deaths at bytecodes of the order path."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.endurance.bytecodes import OrderPath, Scene, first_difference, live_and_die, set_scene
from tests.endurance.journal_kills import MEMORY

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="no /proc/self/io")]
EVERY = 12_000


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY if Path(MEMORY).is_dir() else None) as made:
        yield Path(made)


@pytest.fixture(scope="module")
def scene(folder: Path) -> Scene:
    return set_scene(folder)


@pytest.fixture(scope="module")
def path(scene: Scene, folder: Path) -> OrderPath:
    found = live_and_die(scene, folder / "home", 0)
    assert found is not None
    return found


def test_the_path_writes_and_is_the_same_each_time(scene: Scene, path: OrderPath, folder: Path) -> None:
    assert len(path.firsts) >= 5
    assert live_and_die(scene, folder / "home", 0) == path


def test_a_node_killed_at_bytecodes_of_the_order_path_ends_the_same(
    scene: Scene, path: OrderPath, folder: Path
) -> None:
    assert not first_difference(scene, folder / "home", path.points(EVERY))


def test_a_node_that_does_not_ask_about_its_orders_is_found_out(scene: Scene, path: OrderPath, folder: Path) -> None:
    assert first_difference(scene, folder / "home", path.points(EVERY), is_broken=True)
