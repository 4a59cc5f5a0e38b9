"""The commands there are, and what becomes of their errors."""

import sys
from collections.abc import Sequence
from typing import Any

from cyclopts import App, CycloptsError

from holdfast import __version__
from holdfast.cli.output import complain, say_json
from holdfast.exit_codes import ExitCode, exit_code_of
from holdfast.secrets import install_excepthooks, scrub

app = App(
    name="holdfast",
    version=f"holdfast {__version__}",
    help="An unattended, headless crypto trading node: kill it at any instant, and it knows what it holds.",
)
COMMANDS = {
    "run": "Run the node until an operator stops it or the recorded data ends.",
    "ctl": "Steer the node that runs in this home.",
    "replay": "Rebuild the state from the journal alone, at any moment of it.",
    "journal": "Look at the journal of this home, whether or not a node is running.",
    "config": "Check the configuration, or show what it comes to.",
    "version": "Say which version of Holdfast this is.",
}
_GROUPS = frozenset({"ctl", "journal", "config"})
for name, sentence in COMMANDS.items():
    app.command(f"holdfast.cli.{name}:{'app' if name in _GROUPS else name}", name=name, help=sentence)

_ASKS_FOR_HELP = frozenset({"--help", "-h", "--version"})


def run_command_line(tokens: Sequence[str]) -> int:
    """Run a command and return its exit code; what it raises becomes a sentence and the code it stands for."""
    install_excepthooks()
    try:
        done = app(list(tokens), exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return _report(error, ExitCode.USAGE, tokens, hint="  (--help says what there is)")
    except BrokenPipeError:
        _forget_output()
        return ExitCode.OK
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last place where it can become an exit code
        code = exit_code_of(error)
        if code is None:
            sys.excepthook(type(error), error, error.__traceback__)
            return ExitCode.GAVE_UP
        return _report(error, code, tokens)
    if done is None:
        return ExitCode.OK if _ASKS_FOR_HELP.intersection(tokens) else ExitCode.USAGE
    return int(done)


def _report(error: BaseException, code: ExitCode, tokens: Sequence[str], hint: str = "") -> int:
    sentence = str(error) or type(error).__name__.lower()
    if "--json" in tokens:
        say_json({"error": {"exit_code": int(code), "message": scrub(sentence)}} | _problems_of(error))
    else:
        complain("\n".join(f"holdfast: {line}" for line in (sentence + hint).splitlines()))
    return code


def _problems_of(error: BaseException) -> dict[str, Any]:
    problems = getattr(error, "problems", ())
    return {"problems": [problem.as_dict() for problem in problems]} if problems else {}


def _forget_output() -> None:
    """Whoever read our output has left; what is still buffered must not raise when the process ends."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
