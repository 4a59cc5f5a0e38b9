"""The quick way for plain lines: `holdfast ctl status --json`, asked every second by somebody's monitoring, and `run`.

Building the whole command line costs a tenth of a second and several megabytes: more than the question, and in a node
for as long as it lives.  A line with anything unusual in it goes the long way, which knows all there is to know.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from holdfast.cli.asking import HOME_VARIABLE, ask, default_home
from holdfast.cli.errors import guarded
from holdfast.secrets import install_excepthooks

QUESTIONS = frozenset({"status", "tree", "positions", "orders", "performance"})
ONCE = frozenset({"--home", "--config"})

Options = dict[str, list[str]]


def answer_quickly(tokens: Sequence[str]) -> int | None:
    """Do what a plain line says and return the exit code; None for a line that is not plain."""
    command = _command_of(tokens)
    if command is None:
        return None
    install_excepthooks()
    return guarded(command, tokens)


def _command_of(tokens: Sequence[str]) -> Callable[[], int] | None:
    match tokens:
        case ["ctl", method, *rest] if method in QUESTIONS:
            options = _read(rest, valued=frozenset({"--home"}))
            return None if options is None else partial(_ask, method, options)
        case ["run", *rest]:
            options = _read(rest, valued=frozenset({"--home", "--config", "--set"}))
            return None if options is None else partial(_run, options)
        case _:
            return None


def _read(tokens: Sequence[str], *, valued: frozenset[str]) -> Options | None:
    """Return options with their values, None where there is anything else."""
    options: Options = {}
    rest = list(tokens)
    while rest:
        match rest:
            case ["--json", *rest]:
                options["--json"] = []
            case [name, value, *rest] if name in valued and value and not value.startswith("-"):
                if name in options and name in ONCE:
                    return None
                options.setdefault(name, []).append(value)
            case _:
                return None
    return options


def _ask(method: str, options: Options) -> int:
    return ask(_home(options), method, {}, as_json="--json" in options)


def _run(options: Options) -> int:
    from holdfast.cli.starting import start_node

    return start_node(
        _home(options),
        config=Path(options["--config"][0]) if "--config" in options else None,
        overrides=tuple(options.get("--set", ())),
        progress=None,
        as_json="--json" in options,
    )


def _home(options: Options) -> Path:
    named = options["--home"][0] if "--home" in options else os.environ.get(HOME_VARIABLE, "")
    return (Path(named) if named else default_home()).expanduser().absolute()
