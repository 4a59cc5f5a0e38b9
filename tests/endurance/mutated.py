"""Holdfast with a bug: `python -m tests.endurance.mutated BUG` and then what `holdfast` takes."""

import sys

from holdfast.__main__ import main
from tests.endurance.gateway_mutants import MUTANTS

if __name__ == "__main__":
    bug = sys.argv.pop(1)
    next(mutant for mutant in MUTANTS if mutant.__name__ == bug)()
    sys.exit(main())
