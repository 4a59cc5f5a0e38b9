"""`holdfast replay`: the state that the journal alone gives."""

import sys
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

from holdfast.cli.options import HERE, At
from holdfast.streams import is_watched


def _require_point(_kind: object, to: str | None) -> None:
    """Raise ValueError for what is neither a sequence nor a moment."""
    if to is None or to.isdecimal():
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
    rerun: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    what_if: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    at: At = HERE,
) -> int:
    """Rebuild the state from the journal alone: what is held, what is owed, every order and its evidence.

    Parameters
    ----------
    to
        Stop after this sequence, or after this moment of market time (2021-06-22T13:00:00Z); the end if not given.
    verify
        Check the chain, the watermark, snapshots against a full fold, and the read models too.
    rerun
        Run the journal's bars, headlines, commands and configurations through a node again, in a temporary home, and
        compare what is decided: 0 where it is the same; 1 with the first difference, both versions side by side.
    what_if
        KEY=VALUE: re-run with another setting, such as risk.drawdown_max=0.05, and show what would have been
        different; may be repeated.
    """
    if rerun or what_if:
        from holdfast.rerun.command import rerun_command

        _demand_alone(to=to, verify=verify)
        is_shown = is_watched(sys.stderr) and not at.as_json
        return rerun_command(at.folder, what_if=what_if, as_json=at.as_json, progress=is_shown)
    from holdfast.replay import replay_command

    return replay_command(at.folder, to=to, verify=verify, as_json=at.as_json)


def _demand_alone(*, to: str | None, verify: bool) -> None:
    """Refuse what says nothing about a re-run, which always goes to the end.

    Raises:
        ConfigurationError: one of them was given.
    """
    from holdfast.config.problems import ConfigurationError, Problem

    for option, is_given in (("--to", to is not None), ("--verify", verify)):
        if is_given:
            raise ConfigurationError([Problem("", "--rerun or --what-if alone", f"{option} too", option)])
