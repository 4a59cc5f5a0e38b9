"""`holdfast journal`: looks at the journal of a home, whether or not a node writes it; the rest is in `mending`."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, BinaryIO

from cyclopts import App, Parameter
from cyclopts.validators import Number

from holdfast.cli.options import HERE, At
from holdfast.cli.output import complain, say, say_json
from holdfast.cli.tables import as_event, as_text
from holdfast.exit_codes import ExitCode

app = App(name="journal", help="Look at the journal of this home, back it up, mend it.")
for command, sentence in {
    "backup": "Copy the journal and the paper venue's book, while the node runs, and prove the copy.",
    "restore": "Put the journal of a backup into a home, in a new generation; the node comes up halted there.",
    "salvage": "Keep of a damaged journal what can be proven, in a new generation; the node comes up halted.",
}.items():
    app.command(f"holdfast.cli.mending:{command}", name=command, help=sentence)

Kinds = Annotated[
    tuple[str, ...],
    Parameter(name="--kind", negative=(), show_default=False, help="Only events of this kind; may be repeated."),
]
Count = Annotated[int, Parameter(name=("-n", "--lines"), validator=Number(gte=0, lte=100_000))]


@app.command
def stats(*, at: At = HERE) -> int:
    """Say how much the journal holds: events by kind, boots, first and last time, bytes."""
    from holdfast.journal_tools import describe

    found = describe(at.folder)
    if at.as_json:
        say_json(found)
    else:
        say(as_text({key: value for key, value in found.items() if key != "kinds"}))
        say("\n" + as_text([{"kind": kind, "events": count} for kind, count in found["kinds"].items()]))
    return ExitCode.OK


@app.command
def tail(
    *,
    n: Count = 20,
    kind: Kinds = (),
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), negative=(), show_default=False)] = False,
    at: At = HERE,
) -> int:
    """Show the newest events.

    Parameters
    ----------
    n
        How many.
    follow
        Go on as events come, until interrupted.
    """
    from holdfast import journal_tools
    from persistence.reader import JournalReader

    with JournalReader(at.folder) as reader:
        end = reader.last()[0]
        for record in journal_tools.newest(reader, n, kind):
            _tell(journal_tools.as_values(record), at)
            end = max(end, record.seq)
        for record in journal_tools.follow(reader, end, kind) if follow else ():
            _tell(journal_tools.as_values(record), at)
    return ExitCode.OK


@app.command
def export(
    *,
    after: Annotated[int, Parameter(show_default=False)] = 0,
    until: Annotated[int | None, Parameter(show_default=False)] = None,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"), show_default=False)] = None,
    at: At = HERE,
) -> int:
    """Write events as JSON, one a line, to standard output or a file that is not there yet.

    Parameters
    ----------
    after
        Begin after this sequence.
    until
        End with this sequence.
    output
        Write to this file, readable by its owner only.
    """
    from persistence.export import export_jsonl
    from persistence.reader import JournalReader

    with ExitStack() as opened:
        reader = opened.enter_context(JournalReader(at.folder))
        out: BinaryIO = opened.enter_context(_create(output)) if output else sys.stdout.buffer
        count = export_jsonl(reader, out, after=after, until=until)
        out.flush()
    if output:
        say_json({"events": count, "file": str(output)}) if at.as_json else say(f"{count} events in {output}")
    return ExitCode.OK


@app.command
def verify(*, at: At = HERE) -> int:
    """Prove that the journal is what was written; exit code 65 where it is not."""
    from holdfast.journal_tools import prove

    found = prove(at.folder)
    if at.as_json:
        say_json(found)
    elif found["sound"]:
        say(f"sound: {found['events']} events up to sequence {found['seq']}, hash {found['hash']}")
    else:
        complain("\n".join(f"{finding['place']}: {finding['sentence']}" for finding in found["findings"]))
    return ExitCode.OK if found["sound"] else ExitCode.DAMAGED


def _tell(event: dict[str, object], at: At) -> None:
    if at.as_json:
        say_json(event)
    else:
        say(as_event(event))


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
