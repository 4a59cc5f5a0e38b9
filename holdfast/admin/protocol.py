"""JSON-RPC 2.0, one object a line: reading requests, writing answers."""

from enum import IntEnum
from typing import Any

import msgspec

from holdfast.admin.methods import METHODS, read_params
from holdfast.secrets import scrub, scrub_bytes, scrub_value

Id = str | int | None


class Code(IntEnum):
    """Error codes: JSON-RPC's own, and ours."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    REFUSED = -32000
    """The node will not: the message says why."""
    TIMED_OUT = -32001
    """The node did not answer in time.  Whether it acts is not known; the same request id can be sent again."""
    LIMIT = -32002
    """A limit of the socket was reached."""
    FORBIDDEN = -32003
    """The peer is not of this user."""


class Peer(msgspec.Struct, frozen=True):
    """Who is at the other end, as the kernel says."""

    uid: int
    pid: int
    user: str
    """Name of the user; the uid where it has none."""


class Request(msgspec.Struct, frozen=True):
    """A request that is well formed, its parameters checked and complete, and who asks."""

    method: str
    params: dict[str, Any]
    peer: Peer


class Call(msgspec.Struct, frozen=True):
    """A request as it came; a notification where it is not `answerable`."""

    method: str
    params: dict[str, Any]
    id: Id
    answerable: bool


class ProtocolError(Exception):
    """A line is no request that can be served."""

    def __init__(self, code: Code, message: str, *, call_id: Id = None, answerable: bool = True) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.call_id = call_id
        self.answerable = answerable


def read_call(line: bytes) -> Call:
    """Return the call on a line, its parameters checked.

    Raises:
        ProtocolError: there is none.
    """
    try:
        decoded = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(Code.PARSE_ERROR, f"a line must be one JSON object: {error}") from None
    match decoded:
        case {"jsonrpc": "2.0", "method": str(method), **rest} if not rest.keys() - {"params", "id"}:
            return _checked(method, rest.get("params", {}), rest.get("id"), answerable="id" in rest)
        case _:
            expected = 'a request must be {"jsonrpc": "2.0", "id": ..., "method": ..., "params": {...}}'
            raise ProtocolError(Code.INVALID_REQUEST, expected)


def _checked(method: str, params: Any, call_id: Any, *, answerable: bool) -> Call:
    if isinstance(call_id, bool) or not isinstance(call_id, str | int | None):
        raise ProtocolError(Code.INVALID_REQUEST, "an id must be a text or a whole number")
    if method not in METHODS:
        message = f"there is no method {method[:64]!r}; there are {', '.join(METHODS)}"
        raise ProtocolError(Code.METHOD_NOT_FOUND, message, call_id=call_id, answerable=answerable)
    try:
        if not isinstance(params, dict):
            raise msgspec.ValidationError("Expected `object`")
        # A reason goes into the journal, which never forgets.
        checked = scrub_value(read_params(method, params))
    except msgspec.ValidationError as error:
        message = f"parameters of {method}: {error}"
        raise ProtocolError(Code.INVALID_PARAMS, message, call_id=call_id, answerable=answerable) from None
    return Call(method=method, params=checked, id=call_id, answerable=answerable)


def result_line(call_id: Id, result: Any) -> bytes:
    """Return the line that answers a call."""
    return _line({"jsonrpc": "2.0", "id": call_id, "result": result})


def error_line(call_id: Id, code: int, message: str, data: Any = None) -> bytes:
    """Return the line that refuses a call."""
    error = {"code": int(code), "message": scrub(message)} | ({} if data is None else {"data": data})
    return _line({"jsonrpc": "2.0", "id": call_id, "error": error})


def item_line(call_id: Id, method: str, item: Any) -> bytes:
    """Return the line that tells one item of a stream, before the answer that ends it."""
    return _line({"jsonrpc": "2.0", "method": method, "params": {"id": call_id, "item": item}})


def _line(message: dict[str, Any]) -> bytes:
    return scrub_bytes(msgspec.json.encode(message)) + b"\n"
