"""Events as bytes for the journal, and back: JSON, with a version for every kind and a step from each to the next."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

import msgspec

from messages.base import Event
from messages.catalogue import KINDS, UPCASTS, Upcast


class CodecError(ValueError):
    """An event cannot be written, or bytes cannot be read as one."""


class UnknownKind(CodecError):
    """The kind is in no catalogue of ours."""


class UnknownVersion(CodecError):
    """The version is none that this program can read."""


class PayloadUnreadable(CodecError):
    """The bytes are not an event of their kind and version."""


class EventUnwritable(CodecError):
    """The event holds a value that would not come back as it is."""


class _Form(msgspec.Struct, frozen=True):
    """How events of one kind are written and read."""

    kind: str
    version: int
    decode: Callable[[bytes], Event]
    upcasts: tuple[Upcast, ...]
    written_suspects: tuple[bytes, ...]
    """What an event holds once written if, and perhaps not only if, a number in it is not finite."""
    read_suspects: tuple[bytes, ...]
    """The same for bytes from anywhere, in lower case."""
    holds_anything: bool


class Codec:
    """Writes and reads the events of a catalogue."""

    def __init__(self, kinds: Mapping[str, type[Event]], upcasts: Mapping[str, tuple[Upcast, ...]]) -> None:
        self._forms = {kind: _form(kind, event, upcasts.get(kind, ())) for kind, event in kinds.items()}
        self._forms_by_type = {event: self._forms[kind] for kind, event in kinds.items()}
        self._encode = msgspec.json.Encoder().encode

    def encode(self, event: Event) -> tuple[str, int, bytes]:
        """Return an event's kind, version and payload.

        Raises:
            UnknownKind: its class is in no catalogue.
            EventUnwritable: a number is not finite, or a value would not come back as it is.
        """
        form = self._forms_by_type.get(type(event))
        if form is None:
            raise UnknownKind(f"expected an event of the catalogue, found {type(event).__name__}")
        try:
            payload = self._encode(event)
        except (TypeError, ValueError, RecursionError) as error:
            raise EventUnwritable(f"expected a {form.kind} of plain values, found that {error}") from error
        for suspect in form.written_suspects:
            if payload.find(suspect) >= 0:
                _demand_finite(event, form.kind, EventUnwritable)
        if form.holds_anything:
            _demand_round_trip(event, form, payload)
        return form.kind, form.version, payload

    def decode(self, kind: str, version: int, payload: bytes) -> Event:
        """Return the event that was written as these.

        Raises:
            UnknownKind: no such kind in the catalogue.
            UnknownVersion: written by a newer program.
            PayloadUnreadable: the payload is no event of that kind and version, or holds a number that is not finite.
        """
        form = self._forms.get(kind)
        if form is None:
            raise UnknownKind(f"expected a kind of the catalogue, found {kind!r}")
        if version != form.version:
            payload = self._upcast(form, version, payload)
        try:
            event = form.decode(payload)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise PayloadUnreadable(f"expected a {kind} of version {form.version}, found that {error}") from error
        if form.read_suspects:
            letters = payload.lower()
            for suspect in form.read_suspects:
                if letters.find(suspect) >= 0:
                    _demand_finite(event, kind, PayloadUnreadable)
        return event

    def version_of(self, kind: str) -> int:
        """Return the version in which events of a kind are written today."""
        return self._forms[kind].version

    def _upcast(self, form: _Form, version: int, payload: bytes) -> bytes:
        if not 1 <= version < form.version:
            raise UnknownVersion(f"expected a {form.kind} of version 1 to {form.version}, found version {version}")
        try:
            values = msgspec.json.decode(payload, type=dict[str, Any])
            for step in form.upcasts[version - 1 :]:
                values = step(values)
            return self._encode(values)
        except (msgspec.MsgspecError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise PayloadUnreadable(f"expected a {form.kind} of version {version}, found that {error!r}") from error


def _form(kind: str, event: type[Event], upcasts: tuple[Upcast, ...]) -> _Form:
    parts = {type(part) for part in _parts_of(msgspec.inspect.type_info(event), set())}
    holds_decimals = msgspec.inspect.DecimalType in parts
    # A Decimal that is not finite is written as text with one of these words, a float as null.  They are looked for
    # first, because the look at every value of an event takes longer than to write it.
    decimal_suspects = (b"NaN", b"Infinity") if holds_decimals else ()
    float_suspects = (b"null",) if msgspec.inspect.FloatType in parts else ()
    return _Form(
        kind=kind,
        version=1 + len(upcasts),
        decode=msgspec.json.Decoder(event).decode,
        upcasts=upcasts,
        written_suspects=decimal_suspects + float_suspects,
        # The words may come in any case, or with letters escaped.  No float that is not finite can be read from JSON.
        read_suspects=(b"nan", b"inf", b"\\u") if holds_decimals else (),
        holds_anything=msgspec.inspect.AnyType in parts,
    )


def _parts_of(whole: msgspec.inspect.Type, seen: set[type]) -> list[msgspec.inspect.Type]:
    """Return a type and all that its values may hold."""
    inner: list[msgspec.inspect.Type] = []
    match whole:
        case msgspec.inspect.StructType(cls=cls, fields=fields):
            if cls not in seen:
                seen.add(cls)
                inner = [field.type for field in fields]
        case msgspec.inspect.UnionType(types=types):
            inner = list(types)
        case msgspec.inspect.TupleType(item_types=types):
            inner = list(types)
        case msgspec.inspect.VarTupleType(item_type=item) | msgspec.inspect.ListType(item_type=item):
            inner = [item]
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            inner = [key, value]
    return [whole, *(part for each in inner for part in _parts_of(each, seen))]


def _demand_finite(event: Event, kind: str, error: type[CodecError]) -> None:
    for path, value in _numbers_in(event, kind):
        if not isfinite(value) if isinstance(value, float) else not value.is_finite():
            raise error(f"{path} must be finite, was {value}")


def _numbers_in(value: Any, path: str) -> list[tuple[str, float | Decimal]]:
    match value:
        case float() | Decimal():
            return [(path, value)]
        case msgspec.Struct():
            inner = [(f"{path}.{name}", getattr(value, name)) for name in value.__struct_fields__]
        case dict():
            inner = [(f"{path}[{key!r}]", each) for key, each in value.items()]
        case list() | tuple():
            inner = [(f"{path}[{index}]", each) for index, each in enumerate(value)]
        case _:
            return []
    return [number for deeper, each in inner for number in _numbers_in(each, deeper)]


def _demand_round_trip(event: Event, form: _Form, payload: bytes) -> None:
    """Refuse what JSON changes on the way: tuples, Decimals and keys that are not text, where anything may stand."""
    if form.decode(payload) != event:
        raise EventUnwritable(f"expected a {form.kind} of plain JSON values, found one that would come back changed")


CODEC = Codec(KINDS, UPCASTS)
encode = CODEC.encode
decode = CODEC.decode
