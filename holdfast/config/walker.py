"""Turns a tree of TOML values into settings, and finds every mistake on the way: msgspec would stop at the first."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec

from holdfast.config.kinds import Hidden, Kind, Mismatch, Place
from holdfast.config.layers import Given, KeyPath, Layers
from holdfast.config.problems import Problem, nearest, show

S = TypeVar("S", bound=msgspec.Struct)

_NOTHING: Any = object()


class Walker:
    """Reads one tree; what is wrong with it gathers in `problems`, and the default stands in for it."""

    def __init__(self, layers: Layers, environ: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self._layers = layers
        self._environ = environ

    def read(self, kind: type[S]) -> S:
        """Return the tree as a struct of this kind."""
        return self._read_struct(kind, self._layers.tree, ())

    def _read_struct(self, kind: type[S], table: dict[str, Any], path: KeyPath) -> S:
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        known: dict[str, Any] = {}
        for key, value in table.items():
            if key not in fields:
                self._report_unknown((*path, key), list(fields))
                continue
            read = self._read(fields[key].type, value, (*path, key))
            if read is not _NOTHING:
                known[fields[key].name] = read
        return kind(**known)

    def _read(self, annotation: Any, value: Any, path: KeyPath) -> Any:
        if leaf := _kind_of(annotation):
            return self._read_leaf(leaf, value, path)
        if not isinstance(value, dict):
            self._report(path, expected="a table", found="a single value")
            return _NOTHING
        if get_origin(annotation) is dict:
            return self._read_dict(annotation, value, path)
        return self._read_struct(annotation, value, path)

    def _read_dict(self, annotation: Any, table: dict[str, Any], path: KeyPath) -> dict[str, Any]:
        key_kind, value_kind = get_args(annotation)
        if value_kind is Any:
            return {key: _plain(value) for key, value in table.items()}
        read: dict[str, Any] = {}
        for key, value in table.items():
            here = (*path, key)
            name = self._read_leaf(_kind_of(key_kind), key, here)
            entry = self._read(value_kind, value, here)
            if name in read:
                self._report(here, expected=f"{name} once", found=f"{name} twice")
            if name is not _NOTHING and entry is not _NOTHING:
                read[name] = entry
        return read

    def _read_leaf(self, leaf: Any, value: Any, path: KeyPath) -> Any:
        if isinstance(leaf, Hidden) and isinstance(value, Given) and _is_exposed(value):
            self._report(path, expected='"file:PATH" or "env:NAME"', found="the secret itself, for every user to see")
            return _NOTHING
        found = show(_plain(value)) if not isinstance(leaf, Hidden) else "one that cannot be used"
        for candidate in _candidates(leaf, value):
            try:
                read = leaf.read(candidate, self._environ)
                return self._placed(read, value) if isinstance(leaf, Place) else read
            except Mismatch as mismatch:
                expected, found = str(mismatch), mismatch.found or found
        self._report(path, expected=expected, found=found)
        return _NOTHING

    def _placed(self, place: str, value: Any) -> str:
        """Return a path as absolute: one from the file starts at the file's folder, others at the working directory."""
        base = Path() if isinstance(value, Given) else Path(self._layers.file).parent
        return str((base / place).absolute()) if place else ""

    def _report(self, path: KeyPath, *, expected: str, found: str) -> None:
        problem = Problem(key=".".join(path), expected=expected, found=found, origin=self._layers.origin(path))
        self.problems.append(problem)

    def _report_unknown(self, path: KeyPath, siblings: list[str]) -> None:
        """Report a key nobody knows; its value stays unsaid, it may be a secret under a misspelt name."""
        meant = nearest(path[-1], siblings)
        elsewhere = "" if meant else _elsewhere(path[-1])
        meant = ".".join((*path[:-1], meant)) if meant else elsewhere
        self.problems.append(
            Problem(
                key=".".join(path),
                expected="a known key",
                found="an unknown one",
                origin=self._layers.origin(path),
                hint=f"did you mean `{meant}`?" if meant else "",
            )
        )


def known_keys(kind: type[msgspec.Struct], path: KeyPath = ()) -> Iterator[KeyPath]:
    """Return the path of every key there is; `*` stands for a name of the user's own."""
    for field in msgspec.structs.fields(kind):
        here = (*path, field.encode_name)
        yield from _keys_of(field.type, here)


def _keys_of(annotation: Any, path: KeyPath) -> Iterator[KeyPath]:
    if get_origin(annotation) is dict:
        yield from _keys_of(get_args(annotation)[1], (*path, "*"))
    elif isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        yield from known_keys(annotation, path)
    else:
        yield path


def _elsewhere(key: str) -> str:
    from holdfast.config.settings import Settings

    return next((".".join(path) for path in known_keys(Settings) if path[-1] == key), "")


def _kind_of(annotation: Any) -> Kind | None:
    metadata = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return next((entry for entry in metadata if isinstance(entry, Kind)), None)


def _candidates(leaf: Any, value: Any) -> tuple[Any, ...]:
    """Return the ways to take a value: from outside the file, a text such as `123` may be meant as one."""
    if not isinstance(value, Given):
        return (value,)
    return (value.text, value.value) if isinstance(leaf, Hidden) else (value.value, value.text)


def _is_exposed(given: Given) -> bool:
    return given.seen_by_all and not str(given.value).startswith(("file:", "env:"))


def _plain(value: Any) -> Any:
    match value:
        case Given():
            return _plain(value.value)
        case dict():
            return {key: _plain(entry) for key, entry in value.items()}
        case list():
            return [_plain(entry) for entry in value]
        case _:
            return value
