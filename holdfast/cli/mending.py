"""`holdfast journal backup`, `restore` and `salvage`: copies of the journal, and what to do when one is needed."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from holdfast.cli.options import HERE, At
from holdfast.cli.output import complain, say, say_json
from holdfast.cli.tables import as_text
from holdfast.exit_codes import ExitCode

Keep = Annotated[int, Parameter(validator=Number(gte=1, lte=100_000))]
Yes = Annotated[bool, Parameter(negative=(), show_default=False)]
SHOWN_MAX = 20
"""So many orders are shown to people."""


def backup(*, to: Path, keep: Keep = 7, at: At = HERE) -> int:
    """Copy the journal and the paper venue's book, while the node runs, and prove the copy.

    Parameters
    ----------
    to
        Folder outside of the home; each backup gets a folder in it, named by UTC time and sequence.
    keep
        How many backups of this journal stay; older ones are dropped once the new one is proven.
    """
    from holdfast.mending.backup import back_up

    _make_private()
    done = back_up(at.folder, _absolute(to), keep=keep, progress=_progress(at), cue=_cue())
    if at.as_json:
        say_json(done)
    else:
        dropped = f", {len(done['dropped'])} older dropped" if done["dropped"] else ""
        say(f"backed up to {done['backup']}: sequence {done['seq']}, {done['bytes']} bytes, proven{dropped}")
        for name in done["not_understood"]:
            complain(f"left alone: {name} does not say what it is a backup of")
    return ExitCode.OK


def restore(source: Path, /, *, replace: Yes = False, at: At = HERE) -> int:
    """Put the journal of a backup into a home, in a new generation; the node comes up halted there.

    Parameters
    ----------
    source
        Folder of one backup.
    replace
        Move the journal that the home has to its quarantine; nothing is deleted.
    """
    from holdfast.mending.restore import restore as put_back

    _make_private()
    done = put_back(_absolute(source), at.folder, replace=replace, progress=_progress(at), cue=_cue())
    if at.as_json:
        say_json(done)
    else:
        say(f"restored up to sequence {done['seq']} into {done['home']}, generation {done['generation']}")
        _say_rest(done)
    return ExitCode.OK


def salvage(*, plan: Yes = False, at: At = HERE) -> int:
    """Keep of a damaged journal what can be proven, in a new generation; the node comes up halted.

    What was damaged is moved to the home's quarantine, with what could be read behind the damage.  A sound journal is
    not touched.

    Parameters
    ----------
    plan
        Say what would be done, and do nothing.
    """
    from holdfast.mending.salvage import salvage as mend

    _make_private()
    done = mend(at.folder, only_plan=plan, progress=_progress(at), cue=_cue())
    if at.as_json:
        say_json(done)
    else:
        _say_salvage(done)
    return ExitCode.OK


def _say_salvage(done: dict[str, Any]) -> None:
    match done:
        case {"outcome": "sound", "seq": seq}:
            say(f"the journal is sound up to sequence {seq}: nothing is to be done")
        case {"would": would}:
            say(as_text({key: value for key, value in done.items() if key != "would"}))
            say(f"\nsalvage would {would}")
        case {"outcome": "caches", "seq": seq, "reason": reason}:
            say(f"mended where it is: {reason}\nno event was lost; the journal is sound up to sequence {seq}")
        case {"outcome": "salvaged", "kept": kept, "lost_from": first, "lost_to": last}:
            lost = f"sequences {first} to {last} are lost" if first else "no record is known to be lost"
            say(f"kept up to sequence {kept}, generation {done['generation']}; {lost}\nreason: {done['reason']}")
            if done["readable_beyond"]:
                say(f"{done['readable_beyond']} unproven records are in {done['quarantine']}/beyond.jsonl")
            _say_rest(done)
        case {"outcome": outcome}:
            say(f"{outcome} what was begun before: generation {done['generation']}")
            _say_rest(done)


def _say_rest(done: dict[str, Any]) -> None:
    if done["quarantine"]:
        say(f"the files that were there are in {done['quarantine']}")
    for notice in done.get("notices", ()):
        complain(f"notice: {notice}")
    strays = done["unknown_orders"]
    if strays:
        say(f"{len(strays)} orders of the venue's book are not in this journal; the node cancels those that are open:")
        say(as_text([{k: v for k, v in stray.items() if k != "strategy"} for stray in strays[:SHOWN_MAX]]))
        if len(strays) > SHOWN_MAX:
            say(f"... and {len(strays) - SHOWN_MAX} more; --json has all")
    say('the node comes up halted; look, then `holdfast ctl resume --reason "..."`')


def _make_private() -> None:
    os.umask(0o077)


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _cue() -> Any:
    from holdfast.cues import cue_from_environment

    return cue_from_environment() or _nothing


def _progress(at: At) -> Any:
    from holdfast.mending.progress import Progress

    return Progress(wanted=sys.stderr.isatty() and not at.as_json)


def _nothing(point: str) -> None:
    """Do nothing at a cue."""
