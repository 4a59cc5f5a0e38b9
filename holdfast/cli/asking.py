"""Asking the node that runs in a home, and writing down what it answers."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.admin.client import AdminClient, NodeUnreachable
from holdfast.cli.output import say, say_json
from holdfast.cli.tables import as_text, as_tree

HOME_VARIABLE = "HOLDFAST_HOME"
SOCKET = "admin.sock"
SILENCE_S = 6.0
"""The node itself says after 5 s that it did not answer."""


def default_home() -> Path:
    """Return the folder a node lives in where nobody names one: the XDG state folder's `holdfast`."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (state if state.is_absolute() else Path.home() / ".local" / "state") / "holdfast"


def write_answer(method: str, answer: Any) -> str:
    """Return the answer to a question as text."""
    return as_tree(answer) if method == "tree" else as_text(answer)


def ask(
    home: Path,
    method: str,
    params: dict[str, Any],
    *,
    as_json: bool,
    write: Callable[[str, Any], str] = write_answer,
) -> int:
    """Ask the node and write its answer."""
    return ask_or_else(home, method, params, None, as_json=as_json, write=write)


def ask_or_else(
    home: Path,
    method: str,
    params: dict[str, Any],
    look: Callable[[], Any] | None,
    *,
    as_json: bool,
    write: Callable[[str, Any], str] = write_answer,
) -> int:
    """Ask the node, or look oneself where none runs, and write the answer."""
    try:
        answer = AdminClient(home / SOCKET).call(method, params, SILENCE_S)
    except NodeUnreachable as error:
        if look is None or error.was_reached:
            raise _advised(error, home, params) from None
        answer = look()
    if as_json:
        say_json(answer)
    else:
        say(write(method, answer))
    return 0


def stream(
    home: Path, method: str, params: dict[str, Any], *, as_json: bool, write: Callable[[Any], str], is_endless: bool
) -> int:
    """Ask the node and write item after item, until it ends or for ever."""
    try:
        for item in AdminClient(home / SOCKET).stream(method, params, None if is_endless else SILENCE_S):
            if as_json:
                say_json(item)
            else:
                say(write(item))
    except NodeUnreachable as error:
        raise _advised(error, home, params) from None
    return 0


def _advised(error: NodeUnreachable, home: Path, params: dict[str, Any]) -> NodeUnreachable:
    """Add what can be done about it."""
    if not error.was_reached:
        advice = f"start one with `holdfast run --home {home}`, or name another --home"
    elif "request_id" in params:
        advice = f"whether it took the request is not known: repeat it with --request-id {params['request_id']}"
    else:
        advice = "try again"
    return NodeUnreachable(f"{error}; {advice}", was_reached=error.was_reached)
