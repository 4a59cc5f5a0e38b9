"""The server of the admin socket: one thread, a few clients, a limit on everything."""

import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from holdfast.admin.connection import Connection, Limits, LineTooLong
from holdfast.admin.peers import is_allowed, peer_of
from holdfast.admin.protocol import Call, Code, Peer, ProtocolError, Request, error_line, read_call
from holdfast.admin.responder import Responder
from holdfast.admin.socket_file import SocketFile

Handle = Callable[[Request, Responder], None]
"""Serves one request: returns at once, and answers by the responder, now or later."""

JOIN_S = 5.0
FAREWELL_S = 0.5
"""How long a client may take to read its last answer when the server closes."""
ACCEPT_PAUSE_S = 1.0
"""How long no client is taken after the process ran out of file descriptors."""


class AdminServer:
    """Listens on a Unix socket and hands requests of this user and root to `handle`, on a thread of its own.

    `report` hears of what `handle` raised; the client is told that the fault is ours.
    """

    def __init__(
        self,
        path: Path,
        handle: Handle,
        *,
        report: Callable[[Exception], None],
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        read_peer: Callable[[socket.socket], Peer] = peer_of,
    ) -> None:
        self._path = path
        self._handle = handle
        self._report = report
        self._limits = limits or Limits()
        self._clock = clock
        self._read_peer = read_peer
        self._waiting: dict[Connection, list[Responder]] = {}
        self._posted: deque[tuple[Connection, bytes | None]] = deque()
        self._lock = threading.Lock()
        """Held while a line is posted, so that nobody wakes a thread that has just let go of its descriptors."""
        self._is_open = False
        self._thread: threading.Thread | None = None
        self._accepts_at: float | None = None

    def start(self) -> None:
        """Make the socket and begin to listen.

        Raises:
            SocketRefused: the folder is open to others, or something is in the way.
            OSError: the socket cannot be made.
        """
        self._file = SocketFile(self._path)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._file.socket, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake, selectors.EVENT_READ, lambda _events: os.eventfd_read(self._wake))
        self._is_open = True
        self._thread = threading.Thread(target=self._run, name="admin-socket", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send what is answered, close all connections and remove the socket."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                os.eventfd_write(self._wake, 1)
        if self._thread is not None:
            self._thread.join(JOIN_S)

    @property
    def is_alive(self) -> bool:
        """Say whether the socket is being served."""
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        try:
            while self._is_open:
                for key, events in self._selector.select(self._patience_s()):
                    key.data(events)
                self._deliver()
                self._enforce_limits()
            self._deliver()
        finally:
            self._tear_down()

    def _tear_down(self) -> None:
        for connection in list(self._waiting):
            self._forget(connection)
            connection.finish(FAREWELL_S)
        with self._lock:
            self._is_open = False
            self._selector.close()
            self._file.close()
            os.close(self._wake)

    def _patience_s(self) -> float | None:
        """Return how long nothing can happen by itself; None for ever."""
        instants = [] if self._accepts_at is None else [self._accepts_at]
        for connection, responders in self._waiting.items():
            instants.append(connection.next_limit(is_waiting=bool(responders)))
            instants += [responder.deadline for responder in responders if responder.deadline is not None]
        nearest = min(instants, default=float("inf"))
        return None if nearest == float("inf") else max(nearest - self._clock(), 0.0)

    # --- clients come and go

    def _accept(self, _events: int) -> None:
        try:
            client, _address = self._file.socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:
            self._selector.unregister(self._file.socket)
            self._accepts_at = self._clock() + ACCEPT_PAUSE_S
            return
        client.setblocking(False)
        peer = self._read_peer(client)
        connection = Connection(client, peer, self._limits, self._clock())
        if not is_allowed(peer):
            _turn_away(connection, Code.FORBIDDEN, f"this socket is for uid {os.geteuid()} and root, not {peer.user}")
        elif len(self._waiting) >= self._limits.connections and not self._make_room():
            _turn_away(connection, Code.LIMIT, f"at most {self._limits.connections} connections at a time")
        else:
            self._waiting[connection] = []
            self._listen(connection, selectors.EVENT_READ)

    def _make_room(self) -> bool:
        """Let go of whoever is owed least: who asks nothing, then who only follows; say whether there was one.

        Else clients that are forgotten about would keep an operator from halting the node.
        """
        now = self._clock()
        old = [each for each in self._waiting.items() if not each[0].is_fresh(now)]
        silent = (connection for connection, responders in old if not responders)
        following = (connection for connection, responders in old if all(each.deadline is None for each in responders))
        least = next(silent, None) or next(following, None)
        if least is not None:
            self._turn_out(least, f"at most {self._limits.connections} connections at a time; another one needs this")
        return least is not None

    def _drop(self, connection: Connection) -> None:
        self._forget(connection)
        connection.socket.close()

    def _forget(self, connection: Connection) -> None:
        for responder in self._waiting.pop(connection):
            responder.abandon()
        self._listen(connection, 0)

    def _turn_out(self, connection: Connection, message: str) -> None:
        self._forget(connection)
        _turn_away(connection, Code.LIMIT, message)

    # --- calls come in

    def _serve(self, connection: Connection, events: int) -> None:
        if connection not in self._waiting:
            return
        try:
            if events & selectors.EVENT_WRITE:
                connection.flush(self._clock())
            if events & selectors.EVENT_READ:
                for line in connection.receive(self._clock()):
                    self._serve_line(connection, line)
        except BlockingIOError:
            return
        except LineTooLong:
            self._turn_out(connection, f"a line must have at most {self._limits.line_bytes} bytes")
            return
        except OSError:
            self._drop(connection)
            return
        self._listen_for(connection)

    def _serve_line(self, connection: Connection, line: bytes) -> None:
        try:
            call = read_call(line)
        except ProtocolError as error:
            if error.answerable:
                connection.send(error_line(error.call_id, error.code, error.message), self._clock())
            return
        if len(self._waiting[connection]) >= self._limits.calls_open:
            message = f"at most {self._limits.calls_open} calls of a connection may wait for their answer"
            connection.send(error_line(call.id, Code.LIMIT, message), self._clock())
            return
        self._serve_call(connection, call)

    def _serve_call(self, connection: Connection, call: Call) -> None:
        post = partial(self._post, connection)
        responder = Responder(call, post, self._limits, deadline=self._clock() + self._limits.answer_s)
        self._waiting[connection].append(responder)
        try:
            self._handle(Request(method=call.method, params=call.params, peer=connection.peer), responder)
        except Exception as error:  # noqa: BLE001 - the client is owed an answer, and the next one a server
            responder.refuse(f"a fault of the node: {type(error).__name__}", code=Code.INTERNAL_ERROR)
            self._report(error)

    def _listen_for(self, connection: Connection) -> None:
        """Go on with a connection: wait for what can come next, or let it go."""
        responders = self._waiting.get(connection)
        if responders is None:
            return
        if connection.is_overrun or (connection.has_ended and not _is_worth_keeping(connection, responders)):
            self._drop(connection)
            return
        reads = 0 if connection.has_ended else selectors.EVENT_READ
        self._listen(connection, reads | (selectors.EVENT_WRITE if connection.is_owed else 0))

    def _listen(self, connection: Connection, events: int) -> None:
        """Wait for these events; for none where a client that sends no more is not owed anything yet."""
        registered = self._selector.get_map().get(connection.socket)
        if registered is None and events:
            self._selector.register(connection.socket, events, partial(self._serve, connection))
        elif registered is not None and not events:
            self._selector.unregister(connection.socket)
        elif registered is not None and registered.events != events:
            self._selector.modify(connection.socket, events, registered.data)

    # --- answers go out

    def _post(self, connection: Connection, line: bytes) -> bool:
        """Take a line from any thread; where too many wait, its connection is dropped instead."""
        with self._lock:
            if not self._is_open or connection not in self._waiting:
                return False
            is_room = len(self._posted) < self._limits.posted
            self._posted.append((connection, line if is_room else None))
            os.eventfd_write(self._wake, 1)
            return is_room

    def _deliver(self) -> None:
        while self._posted:
            connection, line = self._posted.popleft()
            if connection not in self._waiting:
                continue
            responders = self._waiting[connection]
            responders[:] = [responder for responder in responders if not responder.is_done]
            if line is None:
                self._drop(connection)
            else:
                self._send(connection, line)

    def _send(self, connection: Connection, line: bytes) -> None:
        try:
            connection.send(line, self._clock())
        except OSError:
            self._drop(connection)
            return
        self._listen_for(connection)

    # --- limits of time

    def _enforce_limits(self) -> None:
        now = self._clock()
        if self._accepts_at is not None and now >= self._accepts_at:
            self._accepts_at = None
            self._selector.register(self._file.socket, selectors.EVENT_READ, self._accept)
        for connection, responders in list(self._waiting.items()):
            for responder in responders:
                if responder.deadline is not None and now >= responder.deadline:
                    message = f"the node did not answer within {self._limits.answer_s:g} s"
                    responder.refuse(message, code=Code.TIMED_OUT)
            if complaint := connection.complaint(now, is_waiting=bool(responders)):
                self._turn_out(connection, complaint)


def _is_worth_keeping(connection: Connection, responders: list[Responder]) -> bool:
    """Say whether a client that sends no more is still owed something that ends."""
    return connection.is_owed or any(responder.deadline is not None for responder in responders)


def _turn_away(connection: Connection, code: Code, message: str) -> None:
    """Say why and close, without waiting for the client to take it."""
    connection.queue(error_line(None, code, message))
    connection.finish(0.0)
