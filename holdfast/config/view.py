"""Settings as plain values, for the journal, for people and for comparison; secrets stay behind."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from domain.market import Instant
from holdfast.config.settings import Settings
from holdfast.secrets import MASK, Secret, scrub_value

HIDDEN = "# A secret is hidden, and its line is no setting: give it anew, as file:PATH or env:NAME.\n"


def public_view(settings: Settings) -> dict[str, Any]:
    """Return settings as JSON values without a secret: numbers of money as text, what is not set left out."""
    return _public(_plain(settings), settings)


def as_configuration(settings: Settings) -> str:
    """Write settings as TOML that can be used again, numbers as numbers; a secret stands as a comment."""
    view = _public(_plain(settings, with_numbers=True), settings)
    view["feed"] |= {key: _moment(view["feed"][key]) for key in ("start", "end") if key in view["feed"]}
    lines = as_toml(view).splitlines(keepends=True)
    shown = [f"# {line}" if line.rstrip().endswith(f' = "{MASK}"') else line for line in lines]
    return "".join([HIDDEN, "\n", *shown] if shown != lines else lines)


def _public(plain: Any, settings: Settings) -> dict[str, Any]:
    view = scrub_value(plain)
    assert isinstance(view, dict)
    credentials = settings.venue.credentials
    view["venue"]["credentials"] = {
        name: MASK for name in credentials.__struct_fields__ if getattr(credentials, name) is not None
    }
    return view


def flatten(settings: Settings) -> dict[str, Any]:
    """Return every set value by the path of its key, secrets as themselves."""
    flat: dict[str, Any] = {}
    _flatten_into(flat, "", settings)
    return flat


def flat_view(view: dict[str, Any]) -> dict[str, Any]:
    """Return a view by the paths of its keys."""
    flat: dict[str, Any] = {}
    _flatten_into(flat, "", view)
    return flat


def as_toml(view: dict[str, Any], path: tuple[str, ...] = ()) -> str:
    """Write a view as TOML."""
    entries = [f"{_key(key)} = {_value(value)}\n" for key, value in view.items() if not isinstance(value, dict)]
    header = f"[{'.'.join(map(_key, path))}]\n" if path and (entries or not view) else ""
    tables = [as_toml(value, (*path, key)) for key, value in view.items() if isinstance(value, dict)]
    own = header + "".join(entries) + ("\n" if header else "")
    return own + "".join(tables)


def _moment(at: Instant) -> datetime:
    return datetime.fromtimestamp(at / 1000, tz=UTC)


def _plain(value: Any, *, with_numbers: bool = False) -> Any:
    match value:
        case msgspec.Struct():
            named = ((field.encode_name, getattr(value, field.name)) for field in msgspec.structs.fields(value))
            return {name: _plain(entry, with_numbers=with_numbers) for name, entry in named if entry is not None}
        case dict():
            return {key: _plain(entry, with_numbers=with_numbers) for key, entry in value.items()}
        case list() | tuple():
            return [_plain(entry, with_numbers=with_numbers) for entry in value]
        case Decimal():
            return value if with_numbers else f"{value:f}"
        case Secret():
            return MASK
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def _flatten_into(flat: dict[str, Any], path: str, value: Any) -> None:
    entries: dict[str, Any] = {}
    match value:
        case msgspec.Struct():
            fields = msgspec.structs.fields(value)
            entries = {field.encode_name: getattr(value, field.name) for field in fields}
        case dict():
            entries = value
        case _:
            flat[path] = value
    for key, entry in entries.items():
        _flatten_into(flat, f"{path}.{key}" if path else key, entry)


def _key(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else _value(key)


def _value(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case dict():
            return "{" + ", ".join(f"{_key(key)} = {_value(entry)}" for key, entry in value.items()) + "}"
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case _:
            return str(value)
