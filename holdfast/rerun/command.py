"""`holdfast replay --rerun` and `--what-if`: does the journal's node decide the same again, and what would another?"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from holdfast.cli.output import say
from holdfast.exit_codes import ExitCode
from holdfast.journal_tools import check_chain
from holdfast.rerun.decisions import Decision, Difference, Reading, first_difference
from holdfast.rerun.figures import Figures, figures_of
from holdfast.rerun.inputs import Inputs, read_inputs
from holdfast.rerun.running import Rerun
from holdfast.rerun.untold import Untold, find_untold
from holdfast.shown import shown, when
from holdfast.summary import showing
from persistence.reader import JournalReader

ABOUT = frozenset({"seq", "at", "kind", "strategy", "symbol", "side", "leg", "reason"})
"""What says which decision it is, whether or not both sides have it alike."""


class Compared(msgspec.Struct, frozen=True):
    """A journal beside a re-run of its inputs."""

    until: int
    """The journal's sequence up to which it was run again."""
    compared: int
    """Decisions of the journal."""
    difference: Difference | None
    untold: Untold | None
    """Why the difference proves nothing; None where it does, or there is none."""
    journal: Figures
    rerun: Figures


def rerun_command(home: Path, *, what_if: Sequence[str], as_json: bool, progress: bool) -> int:
    """Run a journal's inputs again, print what came of it, and return the exit code.

    Raises:
        JournalError: there is no journal, or it is damaged.
        ConfigurationError: it cannot be run again here; or another setting cannot be.
    """
    compared = rerun(home, what_if=what_if, progress=progress)
    view = what_if_view(compared, what_if) if what_if else rerun_view(compared)
    if as_json:
        say(msgspec.json.encode(view).decode())
    else:
        say("\n".join(_lines(compared, what_if)))
    return int(ExitCode.OK if what_if or compared.difference is None else ExitCode.FAILED)


def rerun(home: Path, *, what_if: Sequence[str] = (), progress: bool = False) -> Compared:
    """Run the inputs of a home's journal again in a home that is gone afterwards, and compare.

    Raises:
        JournalError: there is no journal, or it is damaged.
        ConfigurationError: it cannot be run again here; or another setting cannot be.
        SupervisionError: the re-run's node gave itself up.
    """
    inputs = read_inputs(home)
    check_chain(home, until=inputs.until, is_over=lambda: False)
    with tempfile.TemporaryDirectory(prefix="holdfast-rerun-") as folder:
        again = Path(folder) / "home"
        _run(inputs, home, again, what_if, progress=progress)
        with JournalReader(home) as reader, JournalReader(again) as other:
            journal = Reading(reader, until=inputs.until, with_market=not inputs.is_backtest)
            made_again = Reading(other, with_market=not inputs.is_backtest)
            difference = first_difference(journal, made_again)
            return Compared(
                until=inputs.until,
                compared=sum(1 for _ in journal.decisions()),
                difference=difference,
                untold=find_untold(reader, inputs, difference.at) if difference is not None and not what_if else None,
                journal=figures_of(home, journal),
                rerun=figures_of(again, made_again),
            )


def rerun_view(compared: Compared) -> dict[str, Any]:
    """Return a re-run as JSON values."""
    return {
        "equal": compared.difference is None if compared.untold is None else None,
        "until": compared.until,
        "compared": compared.compared,
        "difference": _difference_view(compared.difference),
        "untold": msgspec.to_builtins(compared.untold),
    }


def what_if_view(compared: Compared, what_if: Sequence[str]) -> dict[str, Any]:
    """Return what would have been different as JSON values."""
    return {
        "what_if": list(what_if),
        **rerun_view(compared),
        "journal": msgspec.to_builtins(compared.journal),
        "rerun": msgspec.to_builtins(compared.rerun),
    }


def _run(inputs: Inputs, home: Path, again: Path, what_if: Sequence[str], *, progress: bool) -> None:
    with showing(inputs.first.opened.starts_at, inputs.ends_at, wanted=progress) as look:
        Rerun(inputs, home, again, what_if=what_if, look=look).run()


def _difference_view(difference: Difference | None) -> dict[str, Any] | None:
    if difference is None:
        return None
    return {
        "at": difference.at,
        "journal": difference.journal.view() if difference.journal is not None else None,
        "rerun": difference.rerun.view() if difference.rerun is not None else None,
    }


def _lines(compared: Compared, what_if: Sequence[str]) -> list[str]:
    lines = []
    if what_if:
        lines += [f"what if      {', '.join(what_if)}", *_side_by_side(compared.journal, compared.rerun), ""]
    if compared.difference is None:
        return [*lines, f"equal        {compared.compared:,} decisions up to sequence {compared.until:,}"]
    found = compared.difference
    if compared.untold is not None:
        return [*_untold_lines(compared.untold), *_sides(found.journal, found.rerun)]
    lines.append(f"{'first' if what_if else 'DIFFERENT'} difference at {when(found.at)}")
    return [*lines, *_sides(found.journal, found.rerun)]


def _untold_lines(untold: Untold) -> list[str]:
    return [
        f"CANNOT BE TOLD from {when(untold.at)} on",
        f"  {untold.command} (sequence {untold.command_seq}) and the death of {untold.died}"
        f" (sequence {untold.died_seq}) came together:",
        "  what was being sent came to the venue or did not, and a re-run repeats no deaths",
    ]


def _sides(journal: Decision | None, again: Decision | None) -> list[str]:
    """Put two decisions side by side: what they are about, and with a mark what is not the same."""
    mine, theirs = _flat(journal), _flat(again)
    every = dict.fromkeys((*mine, *theirs))
    keys = [key for key in every if key.rpartition(".")[2] in ABOUT or mine.get(key) != theirs.get(key)]
    width = max((len(text) for text in mine.values()), default=0)
    rows = [f"  {'':<32} {'journal':<{width}}   re-run"]
    for key in keys:
        one, other = mine.get(key, "-"), theirs.get(key, "-")
        mark = " " if one == other or key == "seq" else "*"
        rows.append(f"{mark} {key:<32} {one:<{width}}   {other}")
    return rows


def _flat(decision: Decision | None) -> dict[str, str]:
    if decision is None:
        return {"kind": "nothing like it"}
    flat: dict[str, str] = {}
    _flatten(flat, "", decision.view())
    return flat


def _flatten(flat: dict[str, str], path: str, value: Any) -> None:
    match value:
        case dict():
            for key, entry in value.items():
                _flatten(flat, f"{path}.{key}" if path else key, entry)
        case list():
            for place, entry in enumerate(value):
                _flatten(flat, f"{path}[{place}]", entry)
        case _:
            flat[path] = shown(path.rpartition(".")[2], value)


def _side_by_side(journal: Figures, again: Figures) -> list[str]:
    mine, theirs = journal.rows(), again.rows()
    width = max(len(text) for text in mine.values())
    keys = dict.fromkeys((*mine, *theirs))
    rows = [f"{key:<28} {mine.get(key, '0'):<{width}}   {theirs.get(key, '0')}" for key in keys]
    return [f"{'':<28} {'journal':<{width}}   re-run", *rows]
