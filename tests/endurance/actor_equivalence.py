"""Actor equivalence: a run whose actors crash ends with the same fills as one whose actors do not.

    python -m tests.endurance.actor_equivalence --crashes 200

breaks actors and supervisors of every kind at least so many times each, before a message or within one, on the stage.
A seed is one run over the generated market; runs go on until every kind has had its share.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.endurance.kill_equivalence import compare
from tests.endurance.nodes import outcome_of
from tests.holdfast.test_equivalence import KINDS, crash_through, disagreements, live_through, parts_for


def main() -> int:
    """Run the comparison from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crashes", type=int, default=200, help="of each kind")
    parser.add_argument("--days", type=int, default=6, help="of market a run")
    parser.add_argument("--each", type=int, default=300, help="crashes a run")
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    options = parser.parse_args()
    began, parts = time.monotonic(), parts_for(options.days)
    crashes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        live_through(parts, Path(folder) / "reference", seed=0)
        reference = outcome_of(Path(folder) / "reference")
        seed = options.seed
        while min(crashes[kind] for kind in KINDS) < options.crashes:
            home = Path(folder) / f"seed-{seed}"
            crashes.update(crash_through(parts, home, seed=seed, wanted=options.each))
            differences = compare(reference, outcome_of(home)) + disagreements(home)
            if differences:
                print("\n".join(differences[:20]))
                print(f"DIFFERENT: seed {seed}")
                return 1
            _show(crashes, seed)
            seed += 1
    fewest = min(KINDS, key=lambda kind: crashes[kind])
    print(
        f"equal: {sum(crashes.values())} crashes of {len(KINDS)} kinds, at least {crashes[fewest]} of each ({fewest}), "
        f"{seed - options.seed} runs of {len(reference.fills)} fills, {time.monotonic() - began:.0f} s"
    )
    return 0


def _show(crashes: Counter[str], seed: int) -> None:
    if sys.stderr.isatty():
        print(f"\rseed {seed}, {sum(crashes.values())} crashes", end="", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
