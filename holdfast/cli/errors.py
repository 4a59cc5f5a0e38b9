"""What becomes of a command's error: a sentence, and the exit code it stands for."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from holdfast.cli.output import complain, say_json
from holdfast.exit_codes import ExitCode, exit_code_of
from holdfast.streams import UNHEARD, let_go_of_streams


def guarded(command: Callable[[], int], tokens: Sequence[str]) -> int:
    """Run a command and return its exit code, or that of what it raised; a fault of ours shows its traceback."""
    try:
        return command()
    except BrokenPipeError:
        let_go_of_streams()
        return ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last place where it can become an exit code
        code = exit_code_of(error)
        if code is None:
            sys.excepthook(type(error), error, error.__traceback__)
            return ExitCode.GAVE_UP
        return report(error, code, tokens, hint=_hint_for(code, tokens))


def report(error: BaseException, code: ExitCode, tokens: Sequence[str], hint: str = "") -> ExitCode:
    """Say what went wrong, as JSON where that was asked for; return the code."""
    sentence = str(error) or type(error).__name__
    try:
        if "--json" in tokens:
            say_json({"error": {"exit_code": int(code), "message": sentence}} | _problems_of(error))
        else:
            complain("\n".join(f"holdfast: {line}" for line in (sentence + hint).splitlines()))
    except UNHEARD:
        let_go_of_streams()  # That nobody hears why changes nothing about the code.
    return code


def _hint_for(code: ExitCode, tokens: Sequence[str]) -> str:
    """Return what to do about a home that cannot be used, where the command is about one."""
    match code, tokens:
        case (ExitCode.LOCKED, ["run", *_]):
            return f"\nanother node has the home {_home_in(tokens)}; use another --home"
        case (ExitCode.LOCKED, ["journal", "salvage" | "restore", *_]):
            return f"\na node has the home {_home_in(tokens)}; stop that one first, or use another --home"
        case (ExitCode.LOCKED, ["journal", "backup", *_]):
            return "\nanother backup is under way in that folder; wait for it, or use another --to"
        case (
            ExitCode.DAMAGED,
            ["run" | "replay" | "audit" | "why", *_] | ["journal", "stats" | "tail" | "export", *_],
        ):
            tools = "`holdfast journal verify` says more, `holdfast journal salvage --plan` what can be kept"
            return f"\nthe journal of the home {_home_in(tokens)} is damaged; {tools}"
    return ""


def _home_in(tokens: Sequence[str]) -> Path:
    from holdfast.cli.asking import HOME_VARIABLE, default_home

    named = os.environ.get(HOME_VARIABLE, "")
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        if token == "--home":
            named = following
        elif token.startswith("--home="):
            named = token.removeprefix("--home=")
    return (Path(named) if named else default_home()).expanduser().absolute()


def _problems_of(error: BaseException) -> dict[str, Any]:
    problems = getattr(error, "problems", ())
    return {"problems": [problem.as_dict() for problem in problems]} if problems else {}
