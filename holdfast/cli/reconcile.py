"""`holdfast reconcile --plan`: what the next start's verdict would be."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from holdfast.cli.configured import ConfigFile, Overrides
from holdfast.cli.options import HERE, At
from holdfast.cli.output import complain, say, say_json
from holdfast.cli.starting import load
from holdfast.cli.tables import as_text
from holdfast.exit_codes import ExitCode


def reconcile(
    *,
    plan: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    config: ConfigFile = None,
    overrides: Overrides = (),
    at: At = HERE,
) -> int:
    """Hold the journal against the venue's account, and show what a start would do; nothing is done or written.

    Parameters
    ----------
    plan
        Needed: only a node that starts, or an operator who resumes one, does anything about a difference.
    """
    if not plan:
        complain("holdfast: expected --plan: a node does what the plan shows when it starts")
        return ExitCode.USAGE
    from holdfast.reconciling import plan_verdict

    loaded = load(config, overrides)
    found = plan_verdict(loaded.settings, at.folder, folder=loaded.file.parent if loaded.file else Path())
    if at.as_json:
        say_json(found)
    else:
        _say(found)
    return ExitCode.OK if found["agrees"] else ExitCode.FAILED


def _say(found: dict[str, Any]) -> None:
    if found["is_running"]:
        say("the node is running: its journal goes on while this compares, and orders on their way may show\n")
    say(as_text([{"symbol": symbol, **each} for symbol, each in found["symbols"].items()]))
    say("\n" + as_text(found["findings"]) if found["findings"] else "\nno differences")
    if found["uncertain"]:
        say(f"\nnot certain yet, looked up before any verdict: {', '.join(found['uncertain'])}")
    say("\nnothing was done or written")
