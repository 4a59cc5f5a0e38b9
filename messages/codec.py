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


PAYLOAD_BYTES_MAX = 4 * 1024 * 1024
"""What the journal takes of one event.  A larger one is refused to who says it: the journal could only end the node."""

Probe = Callable[[Any], bool]
"""Says whether every float in a value of some type is finite."""


class _Form(msgspec.Struct, frozen=True):
    """How events of one kind are written and read."""

    kind: str
    version: int
    decode: Callable[[bytes], Event]
    upcasts: tuple[Upcast, ...]
    holds_decimals: bool
    holds_anything: bool
    are_floats_finite: Probe | None
    """None where there are none."""


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
            EventUnwritable: a number is not finite, a value would not come back as it is, or there is too much of it.
        """
        form = self._forms_by_type.get(type(event))
        if form is None:
            raise UnknownKind(f"expected an event of the catalogue, found {type(event).__name__}")
        try:
            payload = self._encode(event)
        except (TypeError, ValueError, RecursionError) as error:
            raise EventUnwritable(f"expected {form.kind} to hold plain values, found that {error}") from error
        if len(payload) > PAYLOAD_BYTES_MAX:
            size = len(payload)
            raise EventUnwritable(f"expected {form.kind} to have {PAYLOAD_BYTES_MAX} bytes or less, found {size}")
        # A Decimal that is not finite is written as NaN or Infinity.  To look for these, letters before words, costs a
        # fraction of the look at every value.  A float that is not is written as null, as much else is.
        if (
            form.holds_decimals
            and (payload.find(b"N") >= 0 or payload.find(b"I") >= 0)
            and (payload.find(b"NaN") >= 0 or payload.find(b"Infinity") >= 0)
        ):
            _demand_finite(event, form.kind, EventUnwritable)
        if form.holds_anything or (form.are_floats_finite is not None and not form.are_floats_finite(event)):
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
            raise PayloadUnreadable(f"expected the bytes of {kind} {form.version}, found that {error}") from error
        # A Decimal that is not finite may be spelled in any case, or with letters escaped; a float that is not, cannot.
        if form.holds_decimals:
            letters = payload.lower()
            if letters.find(b"nan") >= 0 or letters.find(b"inf") >= 0 or letters.find(b"\\u") >= 0:
                _demand_finite(event, kind, PayloadUnreadable)
        return event

    def version_of(self, kind: str) -> int:
        """Return the version in which events of a kind are written today."""
        return self._forms[kind].version

    def _upcast(self, form: _Form, version: int, payload: bytes) -> bytes:
        if not 1 <= version < form.version:
            raise UnknownVersion(f"expected {form.kind} of version 1 to {form.version}, found version {version}")
        try:
            values = msgspec.json.decode(payload, type=dict[str, Any])
            for step in form.upcasts[version - 1 :]:
                values = step(values)
            return self._encode(values)
        except (msgspec.MsgspecError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise PayloadUnreadable(f"expected the bytes of {form.kind} {version}, found that {error!r}") from error


def _form(kind: str, event: type[Event], upcasts: tuple[Upcast, ...]) -> _Form:
    whole = msgspec.inspect.type_info(event)
    parts = {type(part) for part in _parts_of(whole, set())}
    return _Form(
        kind=kind,
        version=1 + len(upcasts),
        decode=msgspec.json.Decoder(event).decode,
        upcasts=upcasts,
        holds_decimals=msgspec.inspect.DecimalType in parts,
        holds_anything=msgspec.inspect.AnyType in parts,
        are_floats_finite=_probe_of(whole),
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


def _probe_of(whole: msgspec.inspect.Type) -> Probe | None:
    """Return what looks at every float that a value of this type may hold, and at nothing else; None for no floats."""
    match whole:
        case msgspec.inspect.FloatType():
            return _is_finite
        case msgspec.inspect.StructType(fields=fields):
            probes = [(field.name, probe) for field in fields if (probe := _probe_of(field.type)) is not None]
            return (lambda value: all(probe(getattr(value, name)) for name, probe in probes)) if probes else None
        case msgspec.inspect.UnionType(types=types):
            by_type = {getattr(each, "cls", float): probe for each in types if (probe := _probe_of(each)) is not None}
            return (lambda value: (probe := by_type.get(type(value))) is None or probe(value)) if by_type else None
        case msgspec.inspect.VarTupleType(item_type=item) | msgspec.inspect.ListType(item_type=item):
            return _probe_of_each(_probe_of(item))
        case msgspec.inspect.TupleType(item_types=types):
            places = [(place, probe) for place, each in enumerate(types) if (probe := _probe_of(each)) is not None]
            return (lambda values: all(probe(values[place]) for place, probe in places)) if places else None
        case msgspec.inspect.DictType(value_type=value) if (each := _probe_of_each(_probe_of(value))) is not None:
            return lambda values: each(values.values())
        case _:
            return None


def _probe_of_each(probe: Probe | None) -> Probe | None:
    return (lambda values: all(probe(value) for value in values)) if probe is not None else None


def _is_finite(value: object) -> bool:
    return not isinstance(value, float) or isfinite(value)


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
    """Refuse what JSON changes on the way: floats that are not finite, and odd values where anything may stand."""
    try:
        changed = form.decode(payload) != event
    except msgspec.DecodeError as error:
        raise EventUnwritable(f"expected {form.kind} to be readable again, found that {error}") from error
    if changed:
        raise EventUnwritable(f"expected {form.kind} to hold plain JSON values, found one that would come back changed")


CODEC = Codec(KINDS, UPCASTS)
encode = CODEC.encode
decode = CODEC.decode
