"""`holdfast audit`: a day's decisions against a re-run and a backtest."""

import sys
from datetime import date
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from holdfast.cli.options import HERE, At
from holdfast.streams import is_watched


def _require_day(_kind: object, day: str | None) -> None:
    """Raise ValueError for what is no day."""
    try:
        is_day = day is None or date.fromisoformat(day).isoformat() == day
    except ValueError:
        is_day = False
    if not is_day:
        raise ValueError(f"expected a day such as 2021-06-22, found {day}")


def audit(
    *,
    day: Annotated[str | None, Parameter(show_default=False, validator=_require_day)] = None,
    data: Annotated[Path | None, Parameter(show_default=False)] = None,
    overrides: Annotated[tuple[str, ...], Parameter(name="--set", negative=(), show_default=False)] = (),
    at: At = HERE,
) -> int:
    """Hold a day's decisions against a re-run of the journal's inputs and a backtest of the bars as they are now.

    What a score is, and what the exit codes mean, is said in `NOTES` of `holdfast.cli.main`.

    Parameters
    ----------
    day
        A day (UTC) of market time, such as 2021-06-22; the newest whole one of the journal if not given.
    data
        A file or folder of recorded bars for the backtest, in place of those that the journal's configuration names.
    overrides
        KEY=VALUE: how orders fill in the backtest, such as venue.slippage_bps=0; may be repeated.
    """
    from holdfast.audit.command import audit_command

    is_shown = is_watched(sys.stderr) and not at.as_json
    return audit_command(at.folder, day, data=data, overrides=overrides, as_json=at.as_json, progress=is_shown)
