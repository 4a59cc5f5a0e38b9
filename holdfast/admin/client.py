"""The other end of the admin socket.  Imports the standard library only: the command line must answer at once."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from holdfast.admin.address import address_of

ANSWER_BYTES_MAX = 8_388_608
CHUNK_BYTES = 65_536
TIMED_OUT = -32001
"""The code of a node that was asked and cannot say in time what came of it: that is no refusal."""


class NodeUnreachable(Exception):
    """No node answers at the socket.  Where one `was_reached`, it is not known whether it took the request."""

    def __init__(self, message: str, *, was_reached: bool) -> None:
        super().__init__(message)
        self.was_reached = was_reached


class NodeRefused(Exception):
    """The node answered, and refused."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class AdminClient:
    """Asks the node whose socket is at `path`; every call has a connection of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def call(self, method: str, params: dict[str, Any] | None = None, timeout_s: float = 6.0) -> Any:
        """Return the result of a call.

        Raises:
            NodeRefused: the node answered with an error.
            NodeUnreachable: nobody listens, or the answer did not come in time, as far as the node itself can tell.
        """
        for message in self._messages(method, params, timeout_s, deadline=time.monotonic() + timeout_s):
            if "id" in message:
                return _result_of(message)
        raise NodeUnreachable(f"the node at {self._path} closed the connection without an answer", was_reached=True)

    def stream(self, method: str, params: dict[str, Any] | None = None, silence_s: float | None = 6.0) -> Iterator[Any]:
        """Yield the items of a stream until the node ends it; None lets it be silent for ever.

        Raises:
            NodeRefused: the node answered with an error.
            NodeUnreachable: nobody listens, or the connection broke.
        """
        for message in self._messages(method, params, silence_s, deadline=None):
            if "id" in message:
                _result_of(message)
                return
            yield message["params"]["item"]
        raise NodeUnreachable(f"the node at {self._path} ended the stream without an answer", was_reached=True)

    def _messages(
        self, method: str, params: dict[str, Any] | None, timeout_s: float | None, *, deadline: float | None
    ) -> Iterator[dict[str, Any]]:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        with self._connect(timeout_s) as connection:
            try:
                connection.sendall(json.dumps(request).encode() + b"\n")
            except OSError as error:
                # The server may have said why before it closed; its words are still to be read.
                if not isinstance(error, BrokenPipeError | ConnectionResetError):
                    raise self._unreachable(error) from None
            for line in self._lines(connection, deadline):
                yield json.loads(line)

    def _connect(self, timeout_s: float | None) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            with address_of(self._path) as address:
                connection.connect(address)
        except OSError as error:
            connection.close()
            raise self._unreachable(error, was_reached=False) from None
        return connection

    def _lines(self, connection: socket.socket, deadline: float | None) -> Iterator[bytes]:
        inbox = bytearray()
        while True:
            *lines, rest = inbox.split(b"\n")
            inbox = rest
            yield from map(bytes, lines)
            if len(inbox) > ANSWER_BYTES_MAX:
                raise NodeUnreachable(f"an answer must have at most {ANSWER_BYTES_MAX} bytes", was_reached=True)
            chunk = self._receive(connection, deadline)
            if not chunk:
                return
            inbox += chunk

    def _receive(self, connection: socket.socket, deadline: float | None) -> bytes:
        try:
            if deadline is not None:
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
            return connection.recv(CHUNK_BYTES)
        except OSError as error:
            raise self._unreachable(error) from None

    def _unreachable(self, error: OSError, *, was_reached: bool = True) -> NodeUnreachable:
        why = "it did not answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        return NodeUnreachable(f"no node answers at {self._path} ({why})", was_reached=was_reached)


def _result_of(message: dict[str, Any]) -> Any:
    if "error" in message:
        error = message["error"]
        if error["code"] == TIMED_OUT:
            raise NodeUnreachable(error["message"], was_reached=True)
        raise NodeRefused(error["code"], error["message"], error.get("data"))
    return message["result"]
