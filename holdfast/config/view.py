"""Settings as plain values, for the journal, for people and for comparison; secrets stay behind."""

from decimal import Decimal
from typing import Any

import msgspec

from holdfast.config.settings import Settings
from holdfast.secrets import MASK, Secret, scrub_value


def public_view(settings: Settings) -> dict[str, Any]:
    """Return settings as JSON values without a secret: numbers of money as text, what is not set left out."""
    view = scrub_value(_plain(settings))
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


def _plain(value: Any) -> Any:
    match value:
        case msgspec.Struct():
            named = ((field.encode_name, getattr(value, field.name)) for field in msgspec.structs.fields(value))
            return {name: _plain(entry) for name, entry in named if entry is not None}
        case dict():
            return {key: _plain(entry) for key, entry in value.items()}
        case list() | tuple():
            return [_plain(entry) for entry in value]
        case Decimal():
            return f"{value:f}"
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
        case _:
            return str(value)
