"""`holdfast import`: what the first start of a home would take over from another program."""

from pathlib import Path
from typing import Any

from holdfast.cli.configured import ConfigFile, Overrides
from holdfast.cli.options import HERE, At
from holdfast.cli.output import say, say_json
from holdfast.cli.starting import load
from holdfast.cli.tables import as_text


def import_(place: Path, /, *, config: ConfigFile = None, overrides: Overrides = (), at: At = HERE) -> int:
    """Show what a first start would take over from another program, or every mistake; nothing is written.

    Parameters
    ----------
    place
        Its state.json, or the folder with that, or with positions.json, trades.json and performance.json.
    """
    from gateways.state_files import find_state
    from holdfast.imports.opening import demand_files, read_opening
    from holdfast.imports.view import opening_view
    from holdfast.parts import gather

    loaded = load(config, overrides)
    parts = gather(loaded.settings, folder=loaded.file.parent if loaded.file else Path())
    files = demand_files(find_state(place.expanduser()), "PLACE", place)
    view = opening_view(read_opening(files, parts))
    if at.as_json:
        say_json(view | {"problems": []})
    else:
        _say(view)
    return 0


def _say(view: dict[str, Any]) -> None:
    """Write a view for people."""
    for file in view["files"]:
        say(f"{file['path']}, {file['size']} bytes, sha256 {file['sha256']}")
    account = [{"asset": asset, "amount": amount} for asset, amount in view["account"].items()]
    shown = {"account": account, "positions": view["positions"], "last_entries": view["last_entries"]}
    say("\n".join(as_text({key: rows}) for key, rows in shown.items() if rows))
    for key in ("trades", "performance"):
        if view[key]:
            say(f"\n{key}\n{as_text(_flat(view[key]))}")
    say("\n".join(["", *(f"notice: {notice}" for notice in view["notices"]), "nothing was written"]))


def _flat(counts: dict[str, Any]) -> dict[str, Any]:
    """Return counts with amounts by asset as one text, which a table would make columns of."""
    return {
        key: " and ".join(f"{amount} {asset}" for asset, amount in value.items()) if isinstance(value, dict) else value
        for key, value in counts.items()
    }
