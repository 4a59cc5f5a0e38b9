"""The commands there are."""

from collections.abc import Sequence

from cyclopts import App, CycloptsError

from holdfast import __version__
from holdfast.cli.errors import guarded, report
from holdfast.exit_codes import ExitCode
from holdfast.secrets import install_excepthooks

COMMANDS = {
    "run": "Run the node until an operator stops it or the recorded data ends.",
    "ctl": "Steer the node that runs in this home.",
    "backtest": "Run a strategy over recorded bars, with the node's own actors.",
    "replay": "Rebuild the state from the journal alone, at any moment of it.",
    "why": "Tell what led to an order, and what became of it.",
    "audit": "Hold a day's decisions against a re-run and a backtest, with scores and causes.",
    "simulate": "Let whole nodes live through faults drawn from seeds, and check what must hold.",
    "venue": "Run an exchange on loopback that can lie, for tests of any bot.",
    "torture": "Kill a real node again and again while it trades at an exchange that lies.",
    "journal": "Look at the journal of this home, back it up, mend it.",
    "config": "Check the configuration, or show what it comes to.",
    "reconcile": "Show how the journal and the venue's account differ, and what a start would do.",
    "import": "Show what a first start would take over from another program.",
    "version": "Say which version of Holdfast this is.",
}
NOTES = {
    "torture": """A node dies anywhere, while it starts, at named boundaries of the journal and of its parts, and at
system calls.  Writes fail and lie, disks are full or read-only, clocks are set, parts hang, the line is cut, a machine
stands still: as far as this one lets us (strace for system calls, root for small disks).  See docs/torture.md.

Exit code 0: nothing is violated.  1: something is; the folder is kept, and a command told that repeats the round.
2: no node has sent an order, which proves nothing.  78: no node could start with the configuration.
74: it broke off, because an exchange did not come up or does not answer any more.""",
    "audit": """A place is one strategy, symbol, side and instant of market time at which the node, or the day lived
again, decided something (a proposal, verdict, order, exit, end of an order, trip) or had a fill.  It is matched where
both sides have the same to the last digit.  A score is matched places of all places in percent, rounded down: 100 only
where all match, none where nothing was decided.  There is one for decisions and one for fills, beside the re-run and
beside the backtest; the score of the day is the lowest.

Causes: missing bar, late bar, revised bar, refused bar, slippage, staleness, operator, restart, unexplained.
Exit code 0: all is equal.  1: something is not.  64: no such day.  65: the journal is damaged.  78: no bars there.""",
}
"""What the help of a command ends with."""
_GROUPS = frozenset({"ctl", "journal", "config", "venue"})
_PLACES = {name: f"{name}:app" for name in _GROUPS} | {"import": "importing:import_"}
"""Module and function of a command where neither has its name; `import` is no name in Python."""
_ASKS_FOR_HELP = frozenset({"--help", "-h", "--version"})

app = App(
    name="holdfast",
    version=f"holdfast {__version__}",
    help="An unattended, headless crypto trading node: kill it at any instant, and it knows what it holds.",
)
for name, sentence in COMMANDS.items():
    note = {"help_epilogue": NOTES[name]} if name in NOTES else {}
    app.command(f"holdfast.cli.{_PLACES.get(name, f'{name}:{name}')}", name=name, help=sentence, **note)


def run_command_line(tokens: Sequence[str]) -> int:
    """Run a command and return its exit code."""
    install_excepthooks()
    return guarded(lambda: _run(tokens), tokens)


def _run(tokens: Sequence[str]) -> int:
    try:
        done = app(list(tokens), exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return report(error, ExitCode.USAGE, tokens, hint="  (--help says what there is)")
    if done is None:
        return ExitCode.OK if _ASKS_FOR_HELP.intersection(tokens) else ExitCode.USAGE
    return int(done)
