"""Sensitivity: every bug of a list, put into the program on purpose, must be found by the simulation.

    python -m tests.endurance.sensitivity [--seeds-max 100] [--only NAME] [--json]

prints after how many seeds each was found, and by which law; exit code 1 where one was not.
"""

import argparse
import sys
import time

import msgspec

from holdfast.simulation import run
from tests.endurance.mutants import MUTANTS
from tests.endurance.mutation import Mutant, Mutated

HOURS = 2.0
SEEDS_MAX = 400
STRIDE = run.SEEDS_PER_WORLD + 1
"""From one seed to the next, so that each has a world of its own."""


class Finding(msgspec.Struct, frozen=True):
    """What became of one bug."""

    bug: str
    name: str
    seeds: int
    """How many it took; all that there were where it was not found."""
    law: str
    """The first that did not hold; empty where all did."""
    found: str
    seconds: float


def hunt(mutant: Mutant, *, seeds_max: int = SEEDS_MAX, first: int = 0) -> Finding:
    """Live seeds with a bug until a law does not hold."""
    began = time.monotonic()
    law = found = ""
    seeds = 0
    run.forget_references()
    with Mutated(mutant):
        while not law and seeds < seeds_max:
            law, found = _live(first + seeds * STRIDE)
            seeds += 1
    run.forget_references()
    return Finding(
        bug=(mutant.__doc__ or "").strip(),
        name=mutant.__name__,
        seeds=seeds,
        law=law,
        found=found,
        seconds=round(time.monotonic() - began, 1),
    )


def _live(seed: int) -> tuple[str, str]:
    result = run.simulate_seed(seed, hours=HOURS)
    return (result.violations[0].law, result.violations[0].found) if result.violations else ("", "")


def main() -> int:
    """Hunt all bugs, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds-max", type=int, default=SEEDS_MAX)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    findings = []
    for mutant in MUTANTS:
        if options.only in mutant.__name__:
            findings.append(finding := hunt(mutant, seeds_max=options.seeds_max))
            if not options.json:
                verdict = f"{finding.seeds:>4} seeds  {finding.law}" if finding.law else "   NOT FOUND"
                print(f"{finding.bug:<110} {verdict}", flush=True)
    missed = [finding.name for finding in findings if not finding.law]
    if options.json:
        print(msgspec.json.encode(findings).decode())
    else:
        seconds = sum(finding.seconds for finding in findings)
        print(f"{len(findings) - len(missed)} of {len(findings)} bugs found in {seconds:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
