"""Who is at the other end of a Unix socket, as the kernel says."""

import os
import pwd
import socket
import struct

from holdfast.admin.protocol import Peer

_CREDENTIALS = struct.Struct("3i")


def peer_of(connection: socket.socket) -> Peer:
    """Return the process that connected, and its user at that moment."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return Peer(uid=uid, pid=pid, user=_name_of(uid))


def is_allowed(peer: Peer) -> bool:
    """Say whether a peer may steer this node: its own user, or root."""
    return peer.uid in (0, os.geteuid())


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
