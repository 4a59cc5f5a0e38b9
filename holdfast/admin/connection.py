"""One client of the admin socket: lines in, lines out, and when its patience with us, or ours with it, ends."""

import socket

import msgspec

from holdfast.admin.protocol import Peer

CHUNK_BYTES = 65_536


class Limits(msgspec.Struct, frozen=True):
    """What a client may ask of the socket."""

    line_bytes: int = 65_536
    line_s: float = 5.0
    """A line that was begun must end within so long."""
    idle_s: float = 600.0
    connections: int = 8
    fresh_s: float = 1.0
    """A client that came or spoke within so long keeps its connection, though another one needs the room."""
    calls_open: int = 32
    """Calls of one connection that wait for their answer."""
    answer_s: float = 5.0
    outgoing_bytes: int = 4_194_304
    """What a client may leave unread."""
    stall_s: float = 30.0
    """A client that is owed bytes must take some within so long."""
    posted: int = 10_000
    """Lines of all connections on their way to the socket's thread."""


class LineTooLong(Exception):
    """A line has not ended within its limit of bytes."""


class Connection:
    """The buffers and the clocks of one client.  Only the socket's thread touches it."""

    def __init__(self, client: socket.socket, peer: Peer, limits: Limits, now: float) -> None:
        self.socket = client
        self.peer = peer
        self.has_ended = False
        """The client will send no more; it may still be waiting for answers."""
        self._limits = limits
        self._inbox = bytearray()
        self._outbox = bytearray()
        self._heard_at = now
        self._line_began_at: float | None = None
        self._owed_since: float | None = None

    def is_fresh(self, now: float) -> bool:
        """Say whether the client has just come or spoken."""
        return now < self._heard_at + self._limits.fresh_s

    @property
    def is_owed(self) -> bool:
        """Say whether bytes wait for the client."""
        return bool(self._outbox)

    @property
    def is_overrun(self) -> bool:
        """Say whether the client has left too much unread."""
        return len(self._outbox) > self._limits.outgoing_bytes

    def receive(self, now: float) -> list[bytes]:
        """Read what has come and return the lines that are whole.

        Raises:
            LineTooLong: one is longer than its limit.
            OSError: the client is gone.
        """
        chunk = self.socket.recv(CHUNK_BYTES)
        self.has_ended = not chunk
        self._heard_at = now
        self._inbox += chunk
        *lines, rest = self._inbox.split(b"\n")
        if any(len(line) > self._limits.line_bytes for line in (*lines, rest)):
            raise LineTooLong
        if not rest or self.has_ended:
            self._line_began_at = None
        elif lines or self._line_began_at is None:
            self._line_began_at = now
        self._inbox = rest
        return [bytes(line) for line in lines if line.strip()]

    def send(self, line: bytes, now: float) -> None:
        """Put a line in the outbox, and as much of it on the wire as goes.

        Raises:
            OSError: the client is gone.
        """
        self._outbox += line
        self.flush(now)

    def queue(self, line: bytes) -> None:
        """Put a line in the outbox only."""
        self._outbox += line

    def flush(self, now: float) -> None:
        """Put on the wire what goes without waiting.

        Raises:
            OSError: the client is gone.
        """
        while self._outbox:
            try:
                taken = self.socket.send(self._outbox[:CHUNK_BYTES], socket.MSG_NOSIGNAL)
            except BlockingIOError:
                self._owed_since = now if self._owed_since is None else self._owed_since
                return
            del self._outbox[:taken]
            self._owed_since = now
        self._owed_since = None

    def finish(self, wait_s: float) -> None:
        """Put the rest on the wire, within a limit, and close."""
        try:
            self.socket.settimeout(wait_s)
            self.socket.sendall(self._outbox, socket.MSG_NOSIGNAL)
        except OSError:
            pass
        finally:
            self.socket.close()

    def complaint(self, now: float, *, is_waiting: bool) -> str:
        """Say which limit of time the client has overstepped, if any."""
        if self._line_began_at is not None and now >= self._line_began_at + self._limits.line_s:
            return f"a line must end within {self._limits.line_s:g} s of its beginning"
        if self._owed_since is not None and now >= self._owed_since + self._limits.stall_s:
            return f"what was sent must be read within {self._limits.stall_s:g} s"
        if not is_waiting and now >= self._heard_at + self._limits.idle_s:
            return f"a connection must not be idle for {self._limits.idle_s:g} s"
        return ""

    def next_limit(self, *, is_waiting: bool) -> float:
        """Return the instant when the next limit of time is reached."""
        instants = [] if is_waiting else [self._heard_at + self._limits.idle_s]
        if self._line_began_at is not None:
            instants.append(self._line_began_at + self._limits.line_s)
        if self._owed_since is not None:
            instants.append(self._owed_since + self._limits.stall_s)
        return min(instants, default=float("inf"))
