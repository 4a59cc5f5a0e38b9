"""What the proofs beside torture share: a violation, a folder in memory, and how what came of one is said."""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MEMORY = "/dev/shm"
"""A killed process loses nothing that the kernel has; syncs of a disk would only take time here."""
IN_MEMORY = MEMORY if Path(MEMORY).is_dir() else None


class Violated(Exception):
    """Something does not hold; it says what, and where."""


def parser_of(document: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows what all proofs take; `document` is the help."""
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", default=IN_MEMORY, help="where homes are made")
    parser.add_argument("--json", action="store_true", help="write JSON")
    return parser


def conclude(report: Mapping[str, Any], violation: str, again: str, *, began: float, as_json: bool) -> int:
    """Say what came of a proof that began at a monotonic instant, and how to have it again; return 1 where violated."""
    told = {**report, "seconds": round(time.monotonic() - began, 1)}
    if as_json:
        print(json.dumps(told | {"violation": violation, "again": again if violation else ""}))
        return 1 if violation else 0
    last = f"VIOLATED: {violation}\n{again}" if violation else "nothing is violated"
    print("\n".join([*(f"{name:<32} {value}" for name, value in told.items()), last]))
    return 1 if violation else 0
