"""Holdfast with a bug: `python -m tests.endurance.mutated BUG` and then what `holdfast` takes.

With `--warm` and the number of a socket after the bug it is a process that lives are forked from.
"""

import sys

from holdfast.__main__ import main
from holdfast.torture import warm
from tests.endurance.gateway_mutants import MUTANTS, nothing_at_all

if __name__ == "__main__":
    bug = sys.argv.pop(1)
    mutant = next(mutant for mutant in (*MUTANTS, nothing_at_all) if mutant.__name__ == bug)
    if sys.argv[1] == "--warm":
        del sys.argv[1]
        warm.main(prepare=mutant)
    else:
        mutant()
        sys.exit(main())
