"""Prints the chain heads that seeds come to, for other Pythons and hash seeds to compare.

python -m tests.endurance.heads SEED...
"""

import sys

from holdfast.simulation.run import simulate_seed


def main() -> int:
    """Live seeds, with their faults, and print the hash of each one's last record."""
    for seed in map(int, sys.argv[1:]):
        result = simulate_seed(seed, hours=1.0)
        print(seed, result.head, result.events, sum(result.faults.values()), len(result.violations))
    return 0


if __name__ == "__main__":
    sys.exit(main())
