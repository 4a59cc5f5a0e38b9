"""`holdfast replay`: the state that the journal alone gives."""

from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

from holdfast.cli.options import HERE, At


def _require_point(_kind: object, to: str | None) -> None:
    """Raise ValueError for what is neither a sequence nor a moment."""
    if to is None or to.isdigit():
        return
    try:
        datetime.fromisoformat(to)
    except ValueError:
        raise ValueError(
            f"expected a sequence such as 1200, or a moment such as 2021-06-22T13:00:00Z, found {to}"
        ) from None


def replay(
    *,
    to: Annotated[str | None, Parameter(show_default=False, validator=_require_point)] = None,
    verify: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    at: At = HERE,
) -> int:
    """Rebuild the state from the journal alone: what is held, what is owed, every order and its evidence.

    Parameters
    ----------
    to
        Stop after this sequence, or after this moment of market time (2021-06-22T13:00:00Z); the end if not given.
    verify
        Check the chain, the watermark, snapshots against a full fold, and the read models too.
    """
    from holdfast.replay import replay_command

    return replay_command(at.folder, to=to, verify=verify, as_json=at.as_json)
