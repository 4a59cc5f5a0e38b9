"""One seed is one run, faults included: the same chain head whatever the hash seed, on every Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.endurance.nodes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SEEDS = ("1", "2", "33", "57")
PYTHONS = "HOLDFAST_PYTHONS"
"""Names Pythons of other versions in which Holdfast is installed, apart by `:`; those of `.ci/run` are found anyway."""


def heads(python: str, hash_seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    command = [python, "-m", "tests.endurance.heads", *SEEDS]
    return subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def other_pythons() -> list[str]:
    named = [path for path in os.environ.get(PYTHONS, "").split(":") if path]
    return named + [str(path) for path in sorted(ROOT.glob(".venv-3.*/bin/python"))]


@pytest.fixture(scope="module")
def reference() -> str:
    return heads(sys.executable, "0")


def test_the_seeds_have_faults_and_differ(reference: str) -> None:
    lines = [line.split() for line in reference.splitlines()]

    assert [line[0] for line in lines] == list(SEEDS)
    assert len({line[1] for line in lines}) == len(SEEDS)
    assert all(int(line[3]) >= 3 and line[4] == "0" for line in lines), reference


@pytest.mark.parametrize("hash_seed", ["1", "random"])
def test_the_hash_seed_changes_nothing(reference: str, hash_seed: str) -> None:
    assert heads(sys.executable, hash_seed) == reference


def test_another_python_changes_nothing(reference: str) -> None:
    pythons = other_pythons()
    if not pythons:
        pytest.skip(f"no other Python: name some in {PYTHONS}")

    for python in pythons:
        assert Path(python).exists(), python
        assert heads(python, "7") == reference, python
