"""What `holdfast ctl` shows of the past, from the journal alone where no node runs."""

from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from holdfast.cli.asking import ask_or_else
from holdfast.cli.options import HERE, At
from holdfast.cli.tables import as_conflicts, as_crashes, as_violations


def crashes(
    *,
    n: Annotated[int, Parameter(name=("-n", "--lines"), validator=Number(gte=1, lte=100))] = 10,
    at: At = HERE,
) -> int:
    """Show what crashed or hung, newest first: why, what it had in hand and before, its stack; also without a node.

    Parameters
    ----------
    n
        How many crashes, at most 100.
    """

    def look() -> Any:
        from holdfast.crashes import crashes as read

        return read(at.folder, n)

    return ask_or_else(
        at.folder, "crashes", {"n": n}, look, as_json=at.as_json, write=lambda _method, found: as_crashes(found)
    )


def violations(
    *,
    n: Annotated[int, Parameter(name=("-n", "--lines"), validator=Number(gte=1, lte=100))] = 10,
    at: At = HERE,
) -> int:
    """Show which laws of the node's own records did not hold, newest first, and what to do; also without a node.

    Parameters
    ----------
    n
        How many violations, at most 100.
    """

    def look() -> Any:
        from holdfast.violations import violations as read

        return read(at.folder, n)

    return ask_or_else(
        at.folder, "violations", {"n": n}, look, as_json=at.as_json, write=lambda _method, found: as_violations(found)
    )


def conflicts(
    *,
    n: Annotated[int, Parameter(name=("-n", "--lines"), validator=Number(gte=1, lte=100))] = 20,
    at: At = HERE,
) -> int:
    """Show what the journal and the venue's account differed in, newest first, and what was done; also without a node.

    Parameters
    ----------
    n
        How many differences, at most 100.
    """

    def look() -> Any:
        from holdfast.conflicts import conflicts as read

        return read(at.folder, n)

    return ask_or_else(
        at.folder, "conflicts", {"n": n}, look, as_json=at.as_json, write=lambda _method, found: as_conflicts(found)
    )
