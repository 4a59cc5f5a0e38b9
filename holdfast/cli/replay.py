"""`holdfast replay`: the state that the journal alone gives."""

from typing import Annotated

from cyclopts import Parameter

from holdfast.cli.options import HERE, At


def replay(
    *,
    to: Annotated[str | None, Parameter(show_default=False)] = None,
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
